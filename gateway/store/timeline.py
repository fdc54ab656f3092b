"""What happened: events, receipts, and the counters of `/metrics`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, select

from gateway.model import DeliveryState, Receipt, Status
from gateway.store import log_tables, tables
from gateway.store.room import Room
from gateway.store.values import Event, ReceiptRow


def events(room: Room, submission: str) -> tuple[Event, ...]:
    """Return a submission's timeline."""
    table = tables.event
    with room.database.read() as connection:
        rows = connection.execute(
            select(table).where(table.c.submission == submission).order_by(table.c.id)
        ).all()
    return tuple(
        Event(
            at=row.at,
            name=row.name,
            document=row.document,
            duration=None if row.micros is None else timedelta(microseconds=row.micros),
            detail=row.detail,
        )
        for row in rows
    )


def receipts(room: Room, submission: str) -> tuple[ReceiptRow, ...]:
    """Return the receipts about a submission."""
    table = tables.receipt
    with room.database.read() as connection:
        rows = connection.execute(
            select(table)
            .where(table.c.submission == submission)
            .order_by(table.c.issued_at, table.c.number)
        ).all()
    return tuple(_receipt(row) for row in rows)


def receipt(room: Room, number: str) -> ReceiptRow | None:
    """Return one receipt."""
    table = tables.receipt
    with room.database.read() as connection:
        row = connection.execute(select(table).where(table.c.number == number)).first()
    return None if row is None else _receipt(row)


def counts(room: Room) -> dict[str, int]:
    """Return how many there are of what, and how long the oldest work has waited."""
    found = {f"submissions_{status.value}": 0 for status in Status}
    found |= {f"deliveries_{state.value}": 0 for state in DeliveryState}
    order = tables.work_order
    with room.database.read() as connection:
        for table, column, name in (
            (tables.submission, tables.submission.c.status, "submissions"),
            (tables.delivery, tables.delivery.c.state, "deliveries"),
        ):
            rows = connection.execute(
                select(column, func.count()).select_from(table).group_by(column)
            )
            found |= {f"{name}_{key}": number for key, number in rows}
        found |= {"work_submission": 0, "work_delivery": 0}
        waiting = order.c.state.in_(("ready", "leased"))
        rows = connection.execute(
            select(order.c.kind, func.count()).where(waiting).group_by(order.c.kind)
        )
        found |= {f"work_{kind}": number for kind, number in rows}
        oldest = connection.execute(select(func.min(order.c.created_at)).where(waiting)).scalar()
        found["audit_pending"] = int(
            connection.execute(
                select(func.count()).select_from(log_tables.audit_pending)
            ).scalar_one()
        )
        found["audit_sealed"] = int(
            connection.execute(select(func.max(log_tables.audit_head.c.size))).scalar() or 0
        )
    waited = timedelta() if oldest is None else room.clock() - oldest
    found["work_oldest_seconds"] = max(0, waited // timedelta(seconds=1))
    return found


def _receipt(row: Row[Any]) -> ReceiptRow:
    return ReceiptRow(
        receipt=Receipt(number=row.number, kind=row.kind, jws=row.jws, issued_at=row.issued_at),
        submission=row.submission,
        document=row.document,
        delivery=row.delivery,
        audit=row.audit,
    )
