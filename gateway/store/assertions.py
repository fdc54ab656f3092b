"""Client assertions that were used: each gives one token, whichever worker it comes to.

Only keyed digests are kept, and only until the assertion would be refused as expired.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Column, Connection, Index, Table, Text, bindparam, delete

from gateway.store.room import Room
from gateway.store.statement import Statement, insert_new
from gateway.store.tables import Instant, metadata

used = Table(
    "client_assertion",
    metadata,
    Column("token", Text, primary_key=True),
    Column("ends_at", Instant, nullable=False),
    Index("ix_client_assertion_ends", "ends_at"),
)

_FORGET = Statement(delete(used).where(used.c.ends_at <= bindparam("now", type_=Instant)))


def first_use(room: Room, client: str, number: str, until: datetime) -> bool:
    """Return whether a client's assertion `number` is new, and remember it `until` then.

    Of two that come at once, the table's key lets one in.
    """
    token = room.keys.exact_token("assertion", msgspec.json.encode([client, number]))
    now = room.clock()

    def transaction(connection: Connection) -> bool:
        _FORGET.run(connection, now=now)
        return insert_new(connection, used, token=token, ends_at=until)

    return room.database.write(transaction)
