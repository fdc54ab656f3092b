"""Deliveries on their way: claimed, sent, answered, tried again, given up or held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, select

from gateway.consent import leaving
from gateway.model import Answer, Delivery, DeliveryState, Problem, Receipt
from gateway.store import consents, holds, items, planned, recalls, series, tables, vault, work
from gateway.store.keys import KeyDestroyed
from gateway.store.room import (
    Room,
    problems_to_rows,
    write_audit,
    write_event,
    write_receipt,
)
from gateway.store.statement import Statement, update_rows
from gateway.store.values import AuditEntry, Held, LostLease, WorkOrder

table = tables.delivery

_ROW = Statement(select(table).where(table.c.id == bindparam("id")))
_LOCKED = Statement(select(table).where(table.c.id == bindparam("id")).with_for_update())
_ORGANIZATION = Statement(
    select(tables.destination.c.organization).where(tables.destination.c.name == bindparam("name"))
)


def start(room: Room, order: WorkOrder) -> Delivery:
    """Ask for the last time whether a delivery may leave; mark it as being sent if so.

    The question and the mark are one transaction under the patient's lock: a revocation that
    commits before finds nothing has left, one that commits after finds it on the wire and
    waits for it.  Raises Held when there is no basis any more; the delivery is set aside then.
    """
    with room.database.read() as connection:
        before = _row(connection, order)
        recipient = _organization(connection, before.destination)
        resources = recalls.content(room, connection, before)
        asked = before.basis in leaving.ASKED
        corrects = asked and before.action == planned.CORRECTION
        back = recalls.taken_back(room, connection, before) if corrects else ()

    def transaction(connection: Connection) -> tuple[Row[Any], leaving.Permission]:
        # The patient before the order, as whoever changes a consent does: no two wait in a ring.
        grants = consents.locked(connection, before.patient) if asked else ()
        work.check(connection, order)
        row, now = _locked(connection, order), room.clock()
        if recalls.is_over(connection, row):
            _end(connection, order, row, now)
            return row, leaving.NONE
        values: dict[str, Any] = {}
        # To nobody we know, nothing leaves that somebody would have to be asked about.
        known = resources if recipient or not asked else ()
        allowed = leaving.permission(row.basis, recipient or "", grants, now, known)
        if asked and recipient:
            write_audit(connection, holds.question(row, allowed.decision, now))
            if corrects:
                # What may not be corrected there may not stay there either.
                allowed = recalls.narrowed(allowed, back)
                values |= recalls.changed(allowed)
            elif not allowed.resources:
                work.finish(connection, order, "parked")
                holds.mark_held(connection, row, allowed.code, now)
                return row, allowed
        if not allowed.resources and (corrects or row.action == planned.WITHDRAWAL):
            # Planned while the first one was in a worker's hands, which then sent nothing.
            _end(connection, order, row, now)
            return row, leaving.NONE
        attempt = row.attempts + 1
        detail = {"attempt": str(attempt)}
        if asked and recipient:
            values.setdefault("consent", allowed.decision.reference)
        if allowed.partial:
            detail["partial"] = "yes"
        state = DeliveryState.SENDING.value
        _set(connection, order, now, state=state, attempts=attempt, **values)
        _tell(connection, row, now, "sending", detail)
        return row, allowed

    row, allowed = room.database.write(transaction)
    if allowed is leaving.NONE or (asked and recipient and not allowed.resources):
        # The next delivery of the same line is free now.
        room.waker.ring("delivery")
        raise Held(row.id)
    return Delivery(
        id=row.id,
        document=row.document,
        submission=row.submission,
        destination=row.destination,
        patient=row.patient,
        basis=allowed.decision.basis if corrects else row.basis,
        attempt=row.attempts + 1,
        resources=allowed.resources,
        partial=allowed.partial,
    )


def delivered(
    room: Room, order: WorkOrder, answer: Answer, receipt: Receipt, audit: AuditEntry
) -> None:
    """Keep a destination's answer; a refusal with a receipt comes here too."""
    if answer.state is DeliveryState.REFUSED:
        problem = Problem(code="DLV-201", detail={"destination": _destination(room, order)})
        refused(room, order, answer, problem, receipt, audit)
        return
    _close(room, order, answer, None, receipt, audit)


def refused(
    room: Room,
    order: WorkOrder,
    answer: Answer,
    problem: Problem,
    receipt: Receipt | None,
    audit: AuditEntry,
) -> None:
    """Keep a destination's refusal: an answer, after which nothing is tried again."""
    _close(room, order, answer, problem, receipt, audit)


def failed(room: Room, order: WorkOrder, problem: Problem, next_try: datetime | None) -> None:
    """Put a delivery back until `next_try`, or give it up."""
    now = room.clock()

    def transaction(connection: Connection) -> None:
        row = _row(connection, order)
        if next_try is None:
            work.finish(connection, order, "parked")
            state = DeliveryState.DEAD
        else:
            work.give_back(connection, order, next_try, problem.code)
            state = DeliveryState.WAITING
        _set(connection, order, now, state=state.value, next_try=next_try, problem=_plain(problem))
        detail = {"code": problem.code, "attempt": str(row.attempts)}
        if next_try is not None:
            detail["next_try"] = next_try.isoformat()
        else:
            _hand_over(connection, row, items.UNDELIVERED, problem, now)
            recalls.released_by(connection, row, now)
        _tell(connection, row, now, state.value, detail)

    room.database.write(transaction)
    room.waker.ring("delivery")


@dataclass(frozen=True, kw_only=True)
class _KeptAnswer:
    """An answer as it is sealed: a destination's own ids may tell who a patient is."""

    reference: str
    evidence: bytes
    media_type: str


def reference_of(room: Room, row: Row[Any]) -> str:
    """Return the destination's own id for what it took; empty before it answered."""
    if row.answer is None:
        return ""
    try:
        key = room.keys.key(row.patient, row.answer_generation)
        plain = vault.open_sealed(key, row.answer, f"answer:{row.id}")
    except KeyDestroyed:
        return ""
    return msgspec.msgpack.decode(plain, type=_KeptAnswer).reference


def _close(
    room: Room,
    order: WorkOrder,
    answer: Answer,
    problem: Problem | None,
    receipt: Receipt | None,
    audit: AuditEntry,
) -> None:
    now = room.clock()
    with room.database.read() as connection:
        patient = _row(connection, order).patient
    generation, key = room.keys.owner_key(patient)
    kept = _KeptAnswer(
        reference=answer.reference, evidence=answer.evidence, media_type=answer.media_type
    )
    sealed = vault.seal(key, msgspec.msgpack.encode(kept), f"answer:{order.subject}")

    def transaction(connection: Connection) -> None:
        work.finish(connection, order, "done" if problem is None else "parked")
        row = _row(connection, order)
        _set(
            connection,
            order,
            now,
            state=answer.state.value,
            next_try=None,
            problem=None if problem is None else _plain(problem),
            answer=sealed,
            answer_generation=generation,
        )
        _tell(connection, row, now, answer.state.value, {"attempt": str(row.attempts)}, ended=True)
        if problem is not None:
            _hand_over(connection, row, items.REFUSED, problem, now)
        recalls.released_by(connection, row, now)
        if receipt is not None:
            write_receipt(connection, receipt, audit.id, row.submission, row.document, row.id)
        write_audit(connection, audit, receipts={audit.id: receipt})

    room.database.write(transaction)
    # The next delivery of the same line is free now.
    room.waker.ring("delivery")


def _hand_over(
    connection: Connection, row: Row[Any], kind: str, problem: Problem, now: datetime
) -> None:
    """Make a withdrawal that did not arrive a person's matter."""
    if row.action == planned.WITHDRAWAL:
        items.add(connection, row, kind, problem, now)


def _destination(room: Room, order: WorkOrder) -> str:
    with room.database.read() as connection:
        return str(_row(connection, order).destination)


def _organization(connection: Connection, name: str) -> str | None:
    found = _ORGANIZATION.scalar(connection, name=name)
    return None if found is None else str(found)


def _row(connection: Connection, order: WorkOrder) -> Row[Any]:
    row: Row[Any] | None = _ROW.first(connection, id=order.subject)
    if row is None:
        # Cancelled before anything left, while this claim was on its way.
        raise LostLease(order.subject)
    return row


def _locked(connection: Connection, order: WorkOrder) -> Row[Any]:
    """Return the row, locked: a withdrawal looks at what was sent under the same lock."""
    row: Row[Any] | None = _LOCKED.first(connection, id=order.subject)
    if row is None:
        raise LostLease(order.subject)
    return row


def _end(connection: Connection, order: WorkOrder, row: Row[Any], now: datetime) -> None:
    """End a delivery that has nothing to say: nobody was sent what it would take back."""
    work.finish(connection, order)
    problem = series.cancelled(row.destination)
    state = DeliveryState.DEAD.value
    _set(connection, order, now, state=state, next_try=None, problem=_plain(problem))
    _tell(connection, row, now, "cancelled", {"code": problem.code})
    recalls.released_by(connection, row, now)


def _set(connection: Connection, order: WorkOrder, now: datetime, **values: object) -> None:
    update_rows(connection, table, {"id": order.subject}, {"updated_at": now} | values)


def _tell(
    connection: Connection,
    row: Row[Any],
    now: datetime,
    state: str,
    detail: dict[str, str],
    ended: bool = False,
) -> None:
    write_event(
        connection,
        now,
        row.submission,
        f"delivery.{state}",
        document=row.document,
        duration=now - row.created_at if ended else None,
        detail={"delivery": row.id, "destination": row.destination} | detail,
    )


def _plain(problem: Problem) -> Any:
    return problems_to_rows([problem])[0]
