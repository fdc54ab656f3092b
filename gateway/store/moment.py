"""Decisions as they stand at the moment of a write: the store judges their races too.

A document on the line was examined by the decisions of a moment ago.  In the transaction that
settles it, what it rests on must still stand and what it asks must still be open; a decision
and its undoing wait for the end of whoever looked before them, and are seen by who looks after.

Source: semantics, rule 14.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, select
from sqlalchemy import text as sql

from gateway.store import repair_tables
from gateway.store.room import Room
from gateway.store.statement import Statement
from gateway.store.values import Moved, Outcome

decision = repair_tables.decision

_LOCK_ALONE = Statement(sql("SELECT pg_advisory_xact_lock(:key)"))
_LOCK_TOGETHER = Statement(sql("SELECT pg_advisory_xact_lock_shared(:key)"))
_ANSWER = Statement(
    select(decision.c.id).where(
        decision.c.repair == bindparam("repair"), decision.c.undone_at.is_(None)
    )
)


def lock_alone(connection: Connection, repair: str) -> None:
    """Wait for all who write a question down, and keep others off until the end."""
    if connection.dialect.name != "sqlite":
        _LOCK_ALONE.run(connection, key=_key(repair))


def judge(
    connection: Connection, asked: Mapping[str, Sequence[str]], outcomes: Iterable[Outcome]
) -> None:
    """Raise Moved unless decisions are what `outcomes` were examined by, and hold them so.

    `asked` are the repairs that each document asks.  Called before any other lock is taken:
    whoever decides or undoes holds theirs first too.  SQLite has one writer anyway.
    """
    judged = tuple(outcomes)
    if connection.dialect.name != "sqlite":
        for key in sorted({_key(one) for repairs in asked.values() for one in repairs}):
            _LOCK_TOGETHER.run(connection, key=key)
    _hold(connection, {id for one in judged for id in one.decisions})
    for one in judged:
        for repair in asked.get(one.document, ()):
            answer = _ANSWER.first(connection, repair=repair)
            if answer is not None and answer.id not in one.considered:
                raise Moved(one.document)


def ways(room: Room, outcome: Outcome, tokens: Sequence[str]) -> tuple[str, ...]:
    """Return the decisions without which a document's numbers would not lead to its card.

    None for a document whose card a person chose, and for one with a number that leads there
    by itself.  Raises Moved when such a decision was taken back, and ends what it bound.
    """
    if outcome.chosen is not None:
        return ()
    found = set(room.keys.bound_by(tokens).values())
    led = {one for one in found if one is not None}
    if not led or led != found:
        return ()
    with room.database.read() as connection:
        stand = select(decision.c.id).where(decision.c.id.in_(led), decision.c.undone_at.is_(None))
        gone = led - set(connection.execute(stand).scalars())
    for one in gone:
        # Bound by a document that was on the line while the decision was taken back.
        room.keys.unbind(one)
    if gone:
        raise Moved(outcome.document)
    return tuple(sorted(led))


def _hold(connection: Connection, ids: set[str]) -> None:
    """Keep decisions from being undone until the end.  Raises Moved when one is already."""
    if not ids:
        return
    found = connection.execute(
        select(decision.c.id)
        .where(decision.c.id.in_(ids), decision.c.undone_at.is_(None))
        .order_by(decision.c.id)
        .with_for_update(read=True)
    ).scalars()
    if gone := ids - set(found):
        raise Moved(min(gone))


def _key(repair: str) -> int:
    octets = hashlib.sha256(f"repair:{repair}".encode()).digest()[:8]
    return int.from_bytes(octets, "big") - (1 << 63)
