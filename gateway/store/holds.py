"""Deliveries that wait on a patient's word: held, released, and those on the wire.

All of it happens under the patient's lock, in the transaction that changed what was said or
that starts a delivery, so the order of commits decides and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway.consent import leaving
from gateway.model import ConsentDecision, DeliveryState, Grant, Problem
from gateway.store import records, tables, work
from gateway.store.log import audit_entry
from gateway.store.room import Room, problems_to_rows, write_audit, write_event
from gateway.store.values import AuditEntry

POLL_S = 0.02
"""How often a revocation looks whether what was on the wire has ended."""

delivery, destination, work_order = tables.delivery, tables.destination, tables.work_order

_ASKED = delivery.c.basis.in_(leaving.ASKED)


@dataclass(frozen=True, kw_only=True)
class Changed:
    held: int
    released: int


@dataclass(frozen=True, kw_only=True)
class Flight:
    """A claim on a delivery that has started and not ended."""

    order: int
    token: int


def ask_again(
    room: Room, connection: Connection, patient: str, grants: Sequence[Grant], now: datetime
) -> Changed:
    """Hold what waits and lost its basis, release what is held and has one again.

    A delivery that a worker has claimed is left alone: its start asks in its turn.
    """
    held = released = 0
    for row in _unsent(connection, patient):
        decision = leaving.ask(row.basis, row.organization, grants, now)
        if row.state == DeliveryState.WAITING.value:
            if not decision.permitted and _park(connection, row.id):
                mark_held(connection, row, leaving.GONE, now)
                write_audit(connection, question(row, decision, now))
                held += 1
        elif _waits_for_consent(row) and decision.permitted:
            if decision.partial and not _something_left(room, connection, row, grants, now):
                continue
            _release(connection, row, decision, now)
            write_audit(connection, question(row, decision, now))
            released += 1
    return Changed(held=held, released=released)


def in_flight(
    connection: Connection, patient: str, grants: Sequence[Grant], now: datetime
) -> tuple[Flight, ...]:
    """Return the claims on the wire that would not be let go whole any more."""
    rows = connection.execute(
        _with_organization()
        .add_columns(work_order.c.id.label("order"), work_order.c.token)
        .join(work_order, work_order.c.subject == delivery.c.id)
        .where(
            delivery.c.patient == patient,
            _ASKED,
            delivery.c.state == DeliveryState.SENDING.value,
            work_order.c.kind == "delivery",
            work_order.c.state == "leased",
            work_order.c.due_at > now,
        )
    ).all()
    asked = ((row, leaving.ask(row.basis, row.organization, grants, now)) for row in rows)
    return tuple(
        Flight(order=row.order, token=row.token)
        for row, decision in asked
        if decision.partial or not decision.permitted
    )


def wait_for(room: Room, flights: Sequence[Flight], longest: timedelta) -> int:
    """Wait until these claims have ended; return how many have not when time is up.

    A claim has ended when its worker wrote what came of it, or when its lease ran out: such a
    worker is dead, and whoever takes the delivery over asks again.
    """
    end = time.monotonic() + longest.total_seconds()
    while flights:
        with room.database.read() as connection:
            rows = connection.execute(
                select(work_order.c.id, work_order.c.token).where(
                    work_order.c.id.in_([one.order for one in flights]),
                    work_order.c.state == "leased",
                    work_order.c.due_at > room.clock(),
                )
            ).all()
        still = {(row.id, row.token) for row in rows}
        flights = [one for one in flights if (one.order, one.token) in still]
        if not flights or time.monotonic() >= end:
            break
        time.sleep(POLL_S)
    return len(flights)


def patients_waiting(connection: Connection) -> list[str]:
    """Return the patients with a delivery that was held for want of a consent."""
    rows = connection.execute(
        select(delivery.c.patient)
        .where(delivery.c.state == DeliveryState.HELD.value, _ASKED)
        .distinct()
    )
    return list(rows.scalars())


def mark_held(connection: Connection, row: Any, code: str, now: datetime) -> None:
    """Show a delivery as held, and why; its work order is parked by the caller."""
    problem = Problem(code=code, detail={"destination": row.destination})
    connection.execute(
        update(delivery)
        .where(delivery.c.id == row.id)
        .values(
            state=DeliveryState.HELD.value,
            next_try=None,
            problem=problems_to_rows([problem])[0],
            updated_at=now,
        )
    )
    _tell(connection, row, "delivery.held", {"code": code}, now)


def question(row: Any, decision: ConsentDecision, now: datetime) -> AuditEntry:
    """Return the trace of one question whether a delivery may leave, with its answer."""
    detail = {
        "document": row.document,
        "destination": row.destination,
        "asked": row.basis,
        "basis": decision.basis,
        "permitted": "yes" if decision.permitted else "no",
        "consent": decision.reference,
        "version": str(decision.version),
    }
    return audit_entry("delivery", "consent.ask", row.id, detail, now)


def _unsent(connection: Connection, patient: str) -> Sequence[Row[Any]]:
    states = (DeliveryState.WAITING.value, DeliveryState.HELD.value)
    return connection.execute(
        _with_organization()
        .where(
            delivery.c.patient == patient,
            _ASKED,
            delivery.c.state.in_(states),
            # A correction that may not go becomes a withdrawal when it starts; it never waits.
            delivery.c.action != "correction",
        )
        .order_by(delivery.c.destination, delivery.c.sequence)
    ).all()


def _with_organization() -> Any:
    return select(delivery, destination.c.organization).join(
        destination, destination.c.name == delivery.c.destination
    )


def _waits_for_consent(row: Any) -> bool:
    return row.problem is not None and row.problem["code"] in leaving.WAITING


def _something_left(
    room: Room, connection: Connection, row: Any, grants: Sequence[Grant], now: datetime
) -> bool:
    resources = records.of_document(room, connection, row.document)
    found = leaving.permission(row.basis, row.organization, grants, now, resources)
    return bool(found.resources)


def _park(connection: Connection, id: str) -> bool:
    parked = connection.execute(
        update(work_order)
        .where(
            work_order.c.kind == "delivery",
            work_order.c.subject == id,
            work_order.c.state == "ready",
            # What waits for a withdrawal is asked about when it starts.
            work_order.c.due_at < work.NEVER,
        )
        .values(state="parked")
    )
    return bool(parked.rowcount)


def _release(connection: Connection, row: Any, decision: ConsentDecision, now: datetime) -> None:
    connection.execute(
        update(work_order)
        .where(
            work_order.c.kind == "delivery",
            work_order.c.subject == row.id,
            work_order.c.state == "parked",
        )
        .values(state="ready", due_at=now, attempts=0, cause=None)
    )
    connection.execute(
        update(delivery)
        .where(delivery.c.id == row.id)
        .values(
            state=DeliveryState.WAITING.value,
            consent=decision.reference,
            next_try=now,
            problem=None,
            updated_at=now,
        )
    )
    _tell(connection, row, "delivery.released", {"basis": decision.basis}, now)


def _tell(
    connection: Connection, row: Any, name: str, detail: dict[str, str], now: datetime
) -> None:
    where = {"delivery": row.id, "destination": row.destination}
    write_event(connection, now, row.submission, name, document=row.document, detail=where | detail)
