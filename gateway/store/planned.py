"""A planned delivery takes its place in the line of its destination and patient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from gateway.model import DeliveryState, PlannedDelivery, Problem
from gateway.store import tables, work
from gateway.store.room import new_id, problems_to_rows
from gateway.store.statement import Statement, insert_new, update_rows

RECORD, CORRECTION, WITHDRAWAL = "record", "correction", "withdrawal"
"""What a delivery does: the first two carry a document, the last takes back what was sent."""

table = tables.delivery

_LAST = Statement(
    select(func.max(table.c.sequence)).where(
        table.c.destination == bindparam("destination"), table.c.patient == bindparam("patient")
    )
)


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One delivery to be planned."""

    planned: PlannedDelivery
    action: str
    patient: str
    held: Problem | None = None
    """Why it waits for a person or a consent, as the delivery it stands for did."""

    after: bool = False
    """It goes when the withdrawal of the same document to the same destination has ended."""


def add(connection: Connection, leg: Leg, document: str, submission: str, now: datetime) -> bool:
    """Write a delivery and its work order; return whether it was new."""
    destination = leg.planned.destination
    last = _LAST.scalar(connection, destination=destination, patient=leg.patient)
    id, sequence = new_id(now), (last or 0) + 1
    state = DeliveryState.WAITING if leg.held is None else DeliveryState.HELD
    added = insert_new(
        connection,
        table,
        id=id,
        document=document,
        submission=submission,
        destination=destination,
        action=leg.action,
        patient=leg.patient,
        basis=leg.planned.basis,
        consent=leg.planned.consent,
        sequence=sequence,
        state=state.value,
        attempts=0,
        next_try=now if leg.held is None else None,
        problem=None if leg.held is None else problems_to_rows([leg.held])[0],
        answer=None,
        created_at=now,
        updated_at=now,
    )
    if not added:
        return False
    work.add(
        connection,
        work.NewOrder(
            kind="delivery",
            subject=id,
            at=now,
            order_key=f"{destination}/{leg.patient}",
            sequence=sequence,
        ),
    )
    mine = {"kind": "delivery", "subject": id}
    if leg.held is not None:
        update_rows(connection, tables.work_order, mine, {"state": "parked"})
    elif leg.after:
        # Its place in the line is kept, or a later version would arrive before it.
        update_rows(connection, tables.work_order, mine, {"due_at": work.NEVER})
    return True
