"""Open items: what only a person can bring to an end.

A withdrawal that a destination does not understand, refuses or cannot be reached with leaves
a wrong result standing there; somebody has to call.  Source: semantics, rule 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from gateway.model import Problem
from gateway.store import tables, vault
from gateway.store.log import audit_entry
from gateway.store.room import (
    Room,
    new_id,
    problem_from_row,
    problems_to_rows,
    write_audit,
    write_event,
)
from gateway.store.statement import insert_new, update_rows
from gateway.store.values import OpenItem

UNSUPPORTED = "withdrawal-unsupported"
REFUSED = "withdrawal-refused"
UNDELIVERED = "withdrawal-undelivered"

table = tables.open_item


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Where something went or should have gone, for an open item."""

    id: str | None
    """Of the delivery, where there was one."""

    submission: str
    document: str
    destination: str


def add(connection: Connection, row: Any, kind: str, problem: Problem, now: datetime) -> None:
    """Hand to a person what a destination does not take; once for each document and place.

    `row` is a delivery or a Recipient.
    """
    organization = connection.execute(
        select(tables.submission.c.organization).where(tables.submission.c.id == row.submission)
    ).scalar_one()
    insert_new(
        connection,
        table,
        id=new_id(now),
        kind=kind,
        organization=organization,
        submission=row.submission,
        document=row.document,
        destination=row.destination,
        delivery=row.id,
        problem=problems_to_rows([problem])[0],
        created_at=now,
        closed_at=None,
        closed_by=None,
        note=None,
    )
    detail = {"destination": row.destination, "code": problem.code}
    write_event(connection, now, row.submission, "item.open", document=row.document, detail=detail)


def find(
    room: Room, organizations: tuple[str, ...] | None, closed: bool = False
) -> tuple[OpenItem, ...]:
    """Return open items, oldest first; closed ones as well when asked."""
    query = select(table).order_by(table.c.id)
    if organizations is not None:
        query = query.where(table.c.organization.in_(organizations))
    if not closed:
        query = query.where(table.c.closed_at.is_(None))
    with room.database.read() as connection:
        rows = connection.execute(query).all()
    return tuple(_item(room, row) for row in rows)


def close(
    room: Room, id: str, actor: str, note: str, organizations: tuple[str, ...] | None = None
) -> OpenItem:
    """Close an item, with what was done in a person's words.  Raises KeyError; once is for good."""
    now = room.clock()
    sealed = vault.seal(room.keys.system_key("item"), note.encode(), f"item:{id}")

    def transaction(connection: Connection) -> Any:
        mine = select(table).where(table.c.id == id)
        if organizations is not None:
            mine = mine.where(table.c.organization.in_(organizations))
        row = connection.execute(mine.with_for_update()).first()
        if row is None:
            raise KeyError(id)
        if row.closed_at is None:
            values = {"closed_at": now, "closed_by": actor, "note": sealed}
            update_rows(connection, table, {"id": id}, values)
            write_audit(connection, audit_entry(actor, "item.close", id, {"kind": row.kind}, now))
        return connection.execute(mine).one()

    return _item(room, room.database.write(transaction))


def _item(room: Room, row: Any) -> OpenItem:
    note = ""
    if row.note is not None:
        key = room.keys.system_key("item")
        note = vault.open_sealed(key, row.note, f"item:{row.id}").decode()
    return OpenItem(
        id=row.id,
        kind=row.kind,
        organization=row.organization,
        submission=row.submission,
        document=row.document,
        destination=row.destination,
        delivery=row.delivery,
        problem=problem_from_row(row.problem),
        created_at=row.created_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        note=note,
    )
