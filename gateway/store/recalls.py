"""Telling destinations: corrections and withdrawals to everybody who holds a version.

A destination holds a version when it may have been sent one and has not been sent its
withdrawal.  What never left is cancelled.  Everything here happens in `settle`'s transaction,
with the deliveries of the series locked, so no version slips out beside its withdrawal: a
delivery that starts looks at its document under the same lock.

Source: semantics, rule 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from gateway.consent.leaving import Permission
from gateway.fhir.withdrawal import withdrawn
from gateway.model import DeliveryState, Json, PlacementKind, PlannedDelivery, Status
from gateway.store import records, tables, work
from gateway.store.log import audit_entry
from gateway.store.planned import CORRECTION, RECORD, WITHDRAWAL, Leg
from gateway.store.room import (
    Room,
    problem_from_row,
    problems_to_rows,
    write_audit,
    write_event,
)
from gateway.store.series import cancelled
from gateway.store.statement import Statement, update_rows
from gateway.store.values import Outcome

BASIS = "correction"
"""What a withdrawal leaves on: duty, whatever consent says."""

OPTION = "withdrawals"
"""Option of a destination: `no` when it does not understand them."""

table, document, work_order = tables.delivery, tables.document, tables.work_order

_SENT = Statement(
    select(table)
    .join(document, document.c.id == table.c.document)
    .where(document.c.series == bindparam("series"))
    .order_by(table.c.sequence)
    .with_for_update(of=table)
)
_EARLIER = Statement(
    select(table)
    .join(document, document.c.id == table.c.document)
    .where(
        document.c.series
        == select(document.c.series)
        .where(document.c.id == bindparam("document"))
        .scalar_subquery(),
        table.c.destination == bindparam("destination"),
        table.c.patient == bindparam("patient"),
        table.c.sequence < bindparam("sequence"),
        table.c.attempts > 0,
        table.c.action != WITHDRAWAL,
    )
    .order_by(table.c.sequence.desc())
)
_STATUS = Statement(select(document.c.status).where(document.c.id == bindparam("id")))
_FORGET = Statement(delete(table).where(table.c.id == bindparam("id")))
_AFTER = Statement(
    select(table.c.id).where(
        table.c.document == bindparam("document"),
        table.c.destination == bindparam("destination"),
        table.c.action == RECORD,
    )
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes where for one document, and who must be told by a person."""

    legs: tuple[Leg, ...] = ()
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Holder:
    destination: str
    patient: str
    basis: str
    consent: str


def plan(
    connection: Connection,
    series: str,
    outcome: Outcome,
    owner: str,
    refusing: frozenset[str],
    now: datetime,
) -> Plan:
    """Return the deliveries of a placed document, having ended those of older versions.

    `refusing` are the destinations that do not understand withdrawals.
    """
    placement = outcome.placement
    kind = PlacementKind.FIRST if placement is None else placement.kind
    if kind in (PlacementKind.LATE, PlacementKind.DUPLICATE):
        return Plan()
    if placement is None or kind is PlacementKind.FIRST:
        return Plan(legs=tuple(_record(one, owner) for one in outcome.deliveries))
    rows = _SENT.all(connection, series=series)
    dropped = set(placement.withdraws)
    holders, moved = _settle_older(connection, rows, dropped, owner, kind, now)
    legs: list[Leg] = []
    unsupported: list[str] = []
    allowed = _allowed(outcome) if kind is PlacementKind.NEWER else {}
    for one in holders:
        goes = allowed.get(one.destination)
        if goes is None and kind is PlacementKind.NEWER and _still_ordered(outcome, one):
            goes = PlannedDelivery(destination=one.destination, basis=one.basis)
        if one.patient == owner and goes is not None:
            # Who does not understand withdrawals gets the new version plain.
            action = RECORD if one.destination in refusing else CORRECTION
            legs.append(Leg(planned=goes, action=action, patient=owner))
        elif one.destination in refusing:
            unsupported.append(one.destination)
        else:
            back = PlannedDelivery(destination=one.destination, basis=BASIS)
            legs.append(Leg(planned=back, action=WITHDRAWAL, patient=one.patient))
    if kind is PlacementKind.NEWER:
        legs += _first_time(outcome, owner, legs, moved)
    return Plan(legs=tuple(legs), unsupported=tuple(unsupported))


def content(room: Room, connection: Connection, row: Any) -> tuple[Json, ...]:
    """Return what a delivery carries, according to what its destination was sent before."""
    own: tuple[Json, ...] = ()
    if row.action != WITHDRAWAL:
        own = records.of_document(room, connection, row.document)
    if row.action == RECORD:
        return own
    seen = {(one["resourceType"], one["id"]) for one in own}
    back: list[Json] = []
    earlier = _EARLIER.all(
        connection,
        document=row.document,
        destination=row.destination,
        patient=row.patient,
        sequence=row.sequence,
    )
    for sent in earlier:
        for resource in records.of_document(room, connection, sent.document):
            name = (resource["resourceType"], resource["id"])
            form = withdrawn(resource)
            # A signed original that a newer one follows was no error.
            paper = row.action == CORRECTION and name[0] == "DocumentReference"
            if form is not None and name not in seen and not paper:
                seen.add(name)
                back.append(form)
    return (*own, *back)


def taken_back(room: Room, connection: Connection, row: Any) -> tuple[Json, ...]:
    """Return the withdrawal of everything a destination was sent before this delivery."""
    return content(room, connection, row._replace(action=WITHDRAWAL))


def narrowed(allowed: Permission, back: Sequence[Json]) -> Permission:
    """Return what goes instead of a correction that may not go, or not as a whole.

    What the patient does not let go any more is taken back, whatever was sent before.
    """
    if allowed.resources and not allowed.partial:
        return allowed
    seen = {(one["resourceType"], one["id"]) for one in allowed.resources}
    more = tuple(one for one in back if (one["resourceType"], one["id"]) not in seen)
    if allowed.resources:
        return replace(allowed, resources=allowed.resources + more)
    decision = replace(allowed.decision, permitted=True, basis=BASIS, reference="")
    return Permission(decision=decision, resources=more)


def changed(allowed: Permission) -> dict[str, Any]:
    """Return the columns of a delivery that became a withdrawal."""
    if allowed.decision.basis != BASIS:
        return {}
    return {"action": WITHDRAWAL, "basis": BASIS, "consent": ""}


def is_over(connection: Connection, row: Any) -> bool:
    """Say whether what a delivery carries was withdrawn before it left."""
    if row.action == WITHDRAWAL:
        return False
    return bool(_STATUS.scalar(connection, id=row.document) == Status.WITHDRAWN.value)


def released_by(connection: Connection, row: Any, now: datetime) -> bool:
    """Let go what waited for a withdrawal to end; return whether anything did."""
    if row.action != WITHDRAWAL:
        return False
    values = {"document": row.document, "destination": row.destination}
    waiting = _AFTER.scalar(connection, **values)
    if waiting is None:
        return False
    mine = {"kind": "delivery", "subject": waiting, "state": "ready", "due_at": work.NEVER}
    return bool(update_rows(connection, work_order, mine, {"due_at": now}))


# --- inside ----------------------------------------------------------------------------


def _settle_older(
    connection: Connection,
    rows: Sequence[Any],
    dropped: set[str],
    owner: str,
    kind: PlacementKind,
    now: datetime,
) -> tuple[list[_Holder], list[Any]]:
    """End older deliveries; return who holds a version, and what was held and moves over."""
    holds: dict[tuple[str, str], _Holder] = {}
    moved = []
    for row in rows:
        where = (row.destination, row.patient)
        if row.action == WITHDRAWAL:
            holds.pop(where, None)
            continue
        unsent = row.attempts == 0
        gone = row.document in dropped or kind is PlacementKind.WITHDRAWAL
        waits = row.state in (DeliveryState.WAITING.value, DeliveryState.HELD.value)
        if waits and (gone or row.state == DeliveryState.HELD.value):
            ended = _end(connection, row, now)
            if unsent and ended and not gone and row.patient == owner:
                moved.append(row)
            if unsent and ended:
                continue
        if row.state != DeliveryState.REFUSED.value:
            holds[where] = _Holder(row.destination, row.patient, row.basis, row.consent)
    return list(holds.values()), moved


def _end(connection: Connection, row: Any, now: datetime) -> bool:
    """Cancel a delivery that no worker has in hand; return whether none has."""
    for state in ("ready", "parked"):
        mine = {"kind": "delivery", "subject": row.id, "state": state}
        if update_rows(connection, work_order, mine, {"state": "done", "cause": None}):
            break
    else:
        return False
    problem = cancelled(row.destination)
    if row.attempts == 0:
        # Nothing ever left: the timeline and the log remember that it was planned.
        _FORGET.run(connection, id=row.id)
    else:
        values = {
            "state": DeliveryState.DEAD.value,
            "next_try": None,
            "problem": problems_to_rows([problem])[0],
            "updated_at": now,
        }
        update_rows(connection, table, {"id": row.id}, values)
    detail = {"delivery": row.id, "destination": row.destination, "code": problem.code}
    name = "delivery.cancelled"
    write_event(connection, now, row.submission, name, document=row.document, detail=detail)
    write_audit(connection, audit_entry("line", name, row.id, {"document": row.document}, now))
    return True


def _allowed(outcome: Outcome) -> dict[str, PlannedDelivery]:
    return {one.destination: one for one in (*outcome.corrects, *outcome.deliveries)}


def _still_ordered(outcome: Outcome, holder: _Holder) -> bool:
    """A correction that names no order answers the order its original answered."""
    report = outcome.report
    unnamed = report is not None and not report.ordering and report.order_number is None
    return unnamed and holder.basis in ("order", "care")


def _first_time(
    outcome: Outcome, owner: str, legs: Iterable[Leg], moved: Sequence[Any]
) -> list[Leg]:
    """Return the deliveries to those who hold nothing of this patient's report yet."""
    goes = {one.planned.destination for one in legs if one.action != WITHDRAWAL}
    back = {one.planned.destination for one in legs if one.action == WITHDRAWAL}
    found = [
        _record(one, owner, after=one.destination in back)
        for one in outcome.deliveries
        if one.destination not in goes
    ]
    goes |= {one.planned.destination for one in found}
    for row in moved:
        if row.destination not in goes | back and row.problem is not None:
            planned = PlannedDelivery(
                destination=row.destination, basis=row.basis, consent=row.consent
            )
            held = problem_from_row(row.problem)
            found.append(Leg(planned=planned, action=RECORD, patient=owner, held=held))
            goes.add(row.destination)
    return found


def _record(planned: PlannedDelivery, owner: str, *, after: bool = False) -> Leg:
    return Leg(planned=planned, action=RECORD, patient=owner, after=after)
