"""The short ends of the line: taken up, refused as a whole, given up by our own fault."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.model import Problem, Receipt, SignatureReport, Status
from gateway.store import submissions, tables, work
from gateway.store.log import audit_entry
from gateway.store.room import (
    Room,
    cause,
    codes,
    problems_to_rows,
    write_audit,
    write_event,
    write_receipt,
)
from gateway.store.statement import update_rows
from gateway.store.values import AuditEntry, WorkOrder


def begin(room: Room, order: WorkOrder) -> None:
    """Show that the line has a submission in its hands."""
    now = room.clock()

    def transaction(connection: Connection) -> None:
        work.check(connection, order)
        values = {"status": Status.PROCESSING.value, "next_try": None}
        update_rows(connection, tables.submission, {"id": order.subject}, values)
        write_event(
            connection, now, order.subject, "processing", detail={"attempt": str(order.attempt)}
        )

    room.database.write(transaction, durable=False)


def fail(
    room: Room,
    order: WorkOrder,
    problems: tuple[Problem, ...],
    receipt: Receipt | None,
    status: Status,
    audit: AuditEntry,
    report: SignatureReport | None,
) -> None:
    """End a submission that gave no documents."""
    assert status in (Status.REJECTED, Status.NEEDS_INFO), status
    now = room.clock()
    with room.database.read() as connection:
        before = submissions.row_of(connection, order.subject)
    data_key = submissions.data_key_of(room, before)
    sealed, evidence = submissions.sealed_report(room, before, data_key, report)

    def transaction(connection: Connection) -> None:
        work.finish(connection, order)
        row = submissions.row_of(connection, order.subject)
        values = {
            "status": status.value,
            "problems": problems_to_rows(problems),
            "cause": cause(problems),
            "next_try": None,
            "signatures": sealed or row.signatures,
        }
        update_rows(connection, tables.submission, {"id": order.subject}, values)
        _end_waiting(connection, order.subject, status, problems)
        submissions.write_evidence(connection, order.subject, evidence)
        write_event(
            connection,
            now,
            order.subject,
            status.value,
            duration=now - row.kept_at,
            detail=codes(problems),
        )
        if receipt is not None:
            write_receipt(connection, receipt, audit.id, order.subject)
        write_audit(connection, audit, receipts={audit.id: receipt})

    room.database.write(transaction)


def _end_waiting(
    connection: Connection, submission: str, status: Status, problems: tuple[Problem, ...]
) -> None:
    """End the documents that a replay had put back to work; the others stand as they are."""
    again = {"submission": submission, "status": Status.RECEIVED.value}
    values = {
        "status": status.value,
        "cause": cause(problems),
        "problems": problems_to_rows(problems),
        "receipt": None,
    }
    update_rows(connection, tables.document, again, values)


def give_up(room: Room, order: WorkOrder, problem: Problem) -> None:
    """Hand a submission to a person because of a fault of ours."""
    audit = audit_entry(
        "system", "submission.give-up", order.subject, {"codes": problem.code}, room.clock()
    )
    fail(room, order, (problem,), None, Status.NEEDS_INFO, audit, None)
