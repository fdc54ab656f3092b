"""Authorities without a current revocation list, by the submissions that wait for one.

An outage begins with the first submission that waits for an authority and is over with the
last; both are told once, whichever of many processes looks (semantics, rule 4 and day 15).
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from gateway.model import Status
from gateway.store import tables
from gateway.store.log import audit_entry
from gateway.store.room import Room, write_audit
from gateway.store.statement import insert_new
from gateway.store.values import Outage

AWAITS = "SIG-207"
"""Cause of a submission that waits for an authority's list, or was given up on for want of it."""

ACTOR = "line"


def waiting(room: Room) -> dict[str, int]:
    """Return how many submissions wait for each authority's list, by its name."""
    with room.database.read() as connection:
        return _waiting(connection)


def note(room: Room) -> tuple[Outage, ...]:
    """Return the outages that began or ended since this was asked last, anywhere.

    Each is an entry of the audit log, written with the state that tells it from the next one.
    """
    if _looks_noted(room):
        return ()
    return room.database.write(lambda connection: _note(room, connection))


def _looks_noted(room: Room) -> bool:
    """Return whether nothing changed: most of the time, and reading takes no turn at writing."""
    with room.database.read() as connection:
        known = set(connection.execute(select(tables.outage.c.issuer)).scalars())
        return known == set(_waiting(connection))


def _note(room: Room, connection: Connection) -> tuple[Outage, ...]:
    now, counts, found = room.clock(), _waiting(connection), list[Outage]()
    for issuer, count in sorted(counts.items()):
        if insert_new(connection, tables.outage, issuer=issuer, since=now):
            found.append(Outage(issuer=issuer, since=now, until=None, waiting=count))
    table = tables.outage
    for row in connection.execute(select(table).order_by(table.c.issuer)).all():
        if row.issuer in counts:
            continue
        gone = connection.execute(table.delete().where(table.c.issuer == row.issuer)).rowcount
        if gone:
            found.append(Outage(issuer=row.issuer, since=row.since, until=now, waiting=0))
    for one in found:
        action = "authority.waited_for" if one.until is None else "authority.recovered"
        detail = {"since": one.since.isoformat(), "waiting": str(one.waiting)}
        write_audit(connection, audit_entry(ACTOR, action, one.issuer, detail, now))
    return tuple(found)


def _waiting(connection: Connection) -> dict[str, int]:
    table = tables.submission
    open_ = (Status.RECEIVED.value, Status.PROCESSING.value, Status.NEEDS_INFO.value)
    rows = connection.execute(
        select(table.c.awaits, func.count())
        .where(table.c.cause == AWAITS, table.c.status.in_(open_), table.c.awaits.is_not(None))
        .group_by(table.c.awaits)
    )
    return {issuer: int(count) for issuer, count in rows}
