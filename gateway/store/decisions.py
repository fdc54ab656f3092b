"""What persons decided: sealed, listed, and remembered after they were taken back.

An answer and its note may hold a sender's or a person's own words, so they are sealed.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, func, select

from gateway.model import CodeUse, Decision
from gateway.store import repair_tables, vault
from gateway.store.room import Room
from gateway.store.values import PastDecision, StandingDecision

OPENED_MAX = 50_000

table = repair_tables.decision


class Memory:
    """Decisions and uses that were opened once; both never change once written."""

    def __init__(self) -> None:
        self.decisions: dict[str, Decision] = {}
        self.uses: dict[str, CodeUse] = {}


def standing(
    room: Room, memory: Memory, organizations: tuple[str, ...] | None
) -> tuple[StandingDecision, ...]:
    """Return the decisions that stand, newest first."""
    wanted: list[ColumnElement[bool]] = [table.c.undone_at.is_(None)]
    if organizations is not None:
        wanted.append(table.c.organization.in_(organizations))
    use = repair_tables.decision_use
    resting = (
        select(func.count()).select_from(use).where(use.c.decision == table.c.id).scalar_subquery()
    )
    with room.database.read() as connection:
        rows = connection.execute(
            select(table, resting.label("uses"))
            .where(*wanted)
            .order_by(table.c.at.desc(), table.c.id)
        ).all()
    return tuple(
        StandingDecision(
            decision=opened_decision(room, memory, row),
            repair=row.repair,
            organization=row.organization,
            uses=row.uses,
        )
        for row in rows
    )


def history(room: Room, memory: Memory, id: str) -> tuple[PastDecision, ...]:
    """Return every decision on a question, oldest first, with who took it back."""
    with room.database.read() as connection:
        rows = connection.execute(
            select(table).where(table.c.repair == id).order_by(table.c.at, table.c.id)
        ).all()
    return tuple(
        PastDecision(
            decision=opened_decision(room, memory, row),
            undone_by=row.undone_by,
            undone_at=row.undone_at,
        )
        for row in rows
    )


def opened_decision(room: Room, memory: Memory, row: Row[Any]) -> Decision:
    """Return a decision of a row, opened; each is opened once."""
    opened = memory.decisions.get(row.id)
    if opened is None:
        key = room.keys.system_key("decision")
        plain = msgspec.json.decode(vault.open_sealed(key, row.sealed, f"decision:{row.id}"))
        opened = Decision(
            id=row.id,
            cause=row.cause,
            subject=plain["subject"],
            answer=plain["answer"],
            by=row.by,
            at=row.at,
            valid_from=date.fromisoformat(row.valid_from) if row.valid_from else None,
            note=plain.get("note", ""),
        )
        _remember(memory.decisions, row.id, opened)
    return opened


def _remember(known: dict[str, Any], name: str, value: Any) -> None:
    if len(known) >= OPENED_MAX:
        known.clear()
    known[name] = value
