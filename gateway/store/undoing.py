"""Taking a decision back: what rests on it is opened again, unless it has left the house.

A document of which nothing was sent leaves default reads and goes on the line again, where it
asks as if nobody had answered.  One that a destination may hold stays as it is and becomes an
open item: only its laboratory or a person can set right what others have read.  Numbers that
lead to a card by the decision alone lead there no more, wherever their documents are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from gateway.model import Problem, Status
from gateway.store import items, repair_tables, series, tables, work, writing
from gateway.store.log import audit_entry
from gateway.store.room import Room, write_audit, write_event
from gateway.store.statement import update_rows
from gateway.store.values import UndoneDecision

KIND = "decision-undone"
UNDONE = "DUP-003"

decision, use = repair_tables.decision, repair_tables.decision_use
document, delivery, order = tables.document, tables.delivery, tables.work_order


def undo(room: Room, id: str, actor: str) -> UndoneDecision:
    """Take a decision back.  Raises KeyError when none of this id stands."""
    now = room.clock()

    def transaction(connection: Connection) -> _Undone:
        undone = connection.execute(
            update(decision)
            .where(decision.c.id == id, decision.c.undone_at.is_(None))
            .values(undone_at=now, undone_by=actor)
        )
        if not undone.rowcount:
            raise KeyError(id)
        write_audit(connection, audit_entry(actor, "repair.undo", id, {}, now))
        return _open_again(connection, id, now)

    done = room.database.write(transaction)
    # Whoever dies before this leaves links that the next document to come by them ends.
    room.keys.unbind(id)
    if done.opened:
        room.waker.ring("submission")
    return UndoneDecision(opened=tuple(done.opened), left=tuple(done.left))


@dataclass(kw_only=True)
class _Undone:
    opened: list[str]
    left: list[str]


def _open_again(connection: Connection, id: str, now: datetime) -> _Undone:
    rows = _resting(connection, id)
    # Patients, series, submissions, in one order everywhere: as `settle` does.
    for number in sorted({row.patient for row in rows if row.patient}):
        connection.execute(
            select(tables.patient.c.number)
            .where(tables.patient.c.number == number)
            .with_for_update()
        )
    series.lock(connection, {row.series for row in rows if row.series})
    for submission in sorted({row.submission for row in rows}):
        connection.execute(
            select(tables.submission.c.id)
            .where(tables.submission.c.id == submission)
            .with_for_update()
        )
    done = _Undone(opened=[], left=[])
    # What came to rest elsewhere while we waited for the locks is no more to be opened.
    for row in _resting(connection, id):
        planned = _planned(connection, row.id)
        if _has_left(connection, row, planned):
            done.left.append(row.id)
            for one in planned:
                problem = Problem(code=UNDONE, detail={"destination": one.destination})
                items.add(connection, one, KIND, problem, now)
            continue
        _receive_again(connection, row, planned, now)
        done.opened.append(row.id)
    for submission in sorted({row.submission for row in rows if row.id in done.opened}):
        values = {"status": Status.RECEIVED.value, "next_try": None, "cause": None}
        update_rows(connection, tables.submission, {"id": submission}, values)
        work.go_on(connection, submission, now)
    return done


def _resting(connection: Connection, id: str) -> Sequence[Row[Any]]:
    """Return the accepted documents that rest on a decision; no new ones join once it is undone."""
    return connection.execute(
        select(document)
        .join(use, use.c.document == document.c.id)
        .where(use.c.decision == id, document.c.status == Status.ACCEPTED.value)
        .order_by(document.c.id)
    ).all()


def _planned(connection: Connection, document: str) -> Sequence[Row[Any]]:
    """Return a document's deliveries; whoever starts one waits, or is waited for.

    Its order is locked before it is, as a start does.
    """
    mine = select(delivery.c.id).where(delivery.c.document == document)
    orders = select(order.c.id).where(order.c.kind == "delivery", order.c.subject.in_(mine))
    connection.execute(orders.order_by(order.c.id).with_for_update())
    rows = select(delivery).where(delivery.c.document == document)
    return connection.execute(rows.with_for_update()).all()


def _has_left(connection: Connection, row: Row[Any], planned: Sequence[Row[Any]]) -> bool:
    """Say whether somebody may hold the document, or another version has come to rest on it."""
    if any(one.attempts for one in planned):
        return True
    ids = [one.id for one in planned]
    in_hand = select(order.c.id).where(
        order.c.kind == "delivery", order.c.subject.in_(ids), order.c.state == "leased"
    )
    followed = select(document.c.id).where(
        (document.c.succeeded_by == row.id) | (document.c.duplicate_of == row.id)
    )
    return any(
        connection.execute(question.limit(1)).first() is not None
        for question in (in_hand, followed)
    )


def _receive_again(
    connection: Connection, row: Row[Any], planned: Sequence[Row[Any]], now: datetime
) -> None:
    ids = [one.id for one in planned]
    connection.execute(delete(order).where(order.c.kind == "delivery", order.c.subject.in_(ids)))
    connection.execute(delete(delivery).where(delivery.c.id.in_(ids)))
    values = {"status": Status.RECEIVED.value, "current": False, "identity": None}
    update_rows(connection, document, {"id": row.id}, values)
    taken = series.Taken(
        id=row.id, submission=row.submission, patient=row.patient, status=Status.RECEIVED
    )
    series.retire(connection, [taken])
    content = tables.document_resource
    connection.execute(delete(content).where(content.c.document == row.id))
    _retire_card(connection, row)
    write_event(connection, now, row.submission, "reopened", document=row.id)
    write_audit(connection, audit_entry("line", "document.reopened", row.id, {}, now))


def _retire_card(connection: Connection, row: Row[Any]) -> None:
    """Take a card out of reads that nothing stands on any more: the decision had opened it."""
    still = select(document.c.id).where(document.c.patient == row.patient, document.c.current)
    if row.patient and connection.execute(still.limit(1)).first() is None:
        writing.hide(connection, [("Patient", row.patient)])
