"""The second transaction that matters: everything the line found, written at once.

The store is the judge of races (semantics, rule 14): it checks that the work order is still
this worker's, locks the patients, and looks again at what may have moved since *identify*.
Key-store writes come first and may be repeated; the data transaction is all or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from gateway.model import (
    MatchKind,
    PlacementKind,
    Problem,
    SignatureReport,
    Status,
)
from gateway.store import (
    consents,
    directory,
    items,
    moment,
    planned,
    recalls,
    repairs,
    series,
    submissions,
    tables,
    vault,
    wholes,
    work,
    writing,
)
from gateway.store.keys import INTAKE
from gateway.store.log import audit_entry
from gateway.store.prepared import Source, Written, prepare
from gateway.store.room import (
    Room,
    cause,
    codes,
    event_row,
    problems_to_rows,
    write_audit,
    write_event,
    write_receipt,
)
from gateway.store.series import FINAL
from gateway.store.statement import Statement, insert_new, insert_rows, update_rows
from gateway.store.values import Moved, Outcome, WorkOrder

LEAST_FINISHED = (
    Status.RECEIVED,
    Status.PROCESSING,
    Status.NEEDS_INFO,
    Status.REJECTED,
    Status.ACCEPTED,
    Status.REPLACED,
    Status.WITHDRAWN,
)

_PATIENT = Statement(
    select(tables.patient).where(tables.patient.c.number == bindparam("number")).with_for_update()
)
_DOCUMENTS = Statement(
    select(tables.document.c.id, tables.document.c.status, tables.document.c.cause).where(
        tables.document.c.submission == bindparam("submission")
    )
)
_SUBMISSION = Statement(
    select(tables.submission.c.id)
    .where(tables.submission.c.id == bindparam("id"))
    .with_for_update()
)
_FORGET = Statement(delete(tables.document).where(tables.document.c.id == bindparam("id")))


def settle(
    room: Room,
    order: WorkOrder,
    outcomes: tuple[Outcome, ...],
    report: SignatureReport | None,
    *,
    several: bool,
    more: bool,
) -> None:
    """Write the outcomes.  Raises LostLease and Moved; nothing stays then."""
    settled = _Settled(room, order, outcomes, report, several=several, more=more)
    room.database.write(settled.transaction)
    if settled.planned:
        room.waker.ring("delivery")
    if settled.woken:
        room.waker.ring("submission")


class _Settled:
    """One `settle`: what is prepared before its transaction, and the transaction."""

    def __init__(
        self,
        room: Room,
        order: WorkOrder,
        outcomes: Sequence[Outcome],
        report: SignatureReport | None,
        *,
        several: bool,
        more: bool,
    ) -> None:
        self.more = more
        self.room = room
        self.order = order
        self.now = room.clock()
        self.planned = 0
        self.woken = False
        with room.database.read() as connection:
            # A worker that is late already must not link identifiers to a number of its own.
            work.look(connection, order)
            row = submissions.row_of(connection, order.subject)
        # An original that was taken apart once stays so: its key dies with it.
        self.several = several or row.key_owner == wholes.owner_of(row.id)
        self.kept_at = row.kept_at
        self.data_key = submissions.data_key_of(room, row)
        source = Source(id=row.id, organization=row.organization, data_key=self.data_key)
        self.written = [prepare(room, source, outcome) for outcome in outcomes]
        self.report, self.evidence = submissions.sealed_report(room, row, self.data_key, report)
        self.rewrapped = self._rewrap(row)
        # A new patient has no resources yet; should that be wrong by now, it shows in time.
        drafts = [one for written in self.written if written.known for one in written.drafts]
        heads: dict[writing.Name, writing.Head] = {}
        if drafts:
            with room.database.read() as connection:
                heads = writing.read_heads(connection, drafts)
        drafts = [one for written in self.written for one in written.drafts]
        self.batch = writing.prepare(drafts, heads, self.now)
        self.refusing = self._refusing()

    def transaction(self, connection: Connection) -> None:
        """Write everything.  May run once only: nothing in it is repeated by the database."""
        self.planned = 0
        self.woken = False
        open_ = {one.outcome.document: [row["repair"] for row in one.asked] for one in self.written}
        moment.judge(connection, open_, [one.outcome for one in self.written])
        if self.more:
            work.check(connection, self.order)
        else:
            work.finish(connection, self.order)
        self._lock_patients(connection)
        series.lock(connection, {one.report_series for one in self.written if one.report_series})
        # Before its documents, as a replay does: a replay that comes now waits, and is seen.
        # After patients and series, for these may show another submission's status below.
        _SUBMISSION.first(connection, id=self.order.subject)
        settled = self._settled_before(connection)
        fresh = [one for one in self.written if one.outcome.document not in settled]
        self._write_resources(connection, fresh)
        for one in fresh:
            if one.report_series:
                series.judge(connection, one.report_series, one.outcome)
            others = series.step_down(connection, one.taken, one.outcome.document, self.now)
            self._write_document(connection, one)
            for submission in others:
                self._show_status(connection, submission)
        series.retire(connection, [taken for one in fresh for taken in one.taken])
        self._go_on(connection, fresh)
        events = [row for one in fresh for row in self._events(one)]
        if events:
            insert_rows(connection, tables.event, events)
        if fresh:
            asked = [entry for one in fresh for entry in one.outcome.asked]
            receipts = {
                one.outcome.audit.id: one.outcome.receipt
                for one in fresh
                if one.outcome.has_receipt
            }
            audits = [one.outcome.audit for one in fresh]
            write_audit(connection, *audits, *asked, receipts=receipts)
        if not self.more:
            self._write_submission(connection)
            self.woken |= work.go_on(connection, self.order.subject, self.now)

    # --- before the transaction --------------------------------------------------------

    def _rewrap(self, row: Row[Any]) -> dict[str, Any]:
        """Wrap the submission's key under its one patient's instead of the intake's."""
        owners = {one.owner for one in self.written if one.owner}
        if self.several:
            return wholes.rewrapped(self.room, row, self.data_key)
        if len(owners) != 1 or row.key_owner != INTAKE:
            return {}
        (owner,) = owners
        generation, key = self.room.keys.owner_key(owner)
        wrapped = vault.wrap(key, self.data_key, f"submission:{row.id}:{owner}")
        return {"key_owner": owner, "key_generation": generation, "key_wrapped": wrapped}

    # --- inside the transaction --------------------------------------------------------

    def _lock_patients(self, connection: Connection) -> None:
        """Lock in one order everywhere, then look again at what may have moved."""
        table = tables.patient
        others = {one.patient for written in self.written for one in written.taken if one.patient}
        for number in sorted({one.patient for one in self.written if one.patient} | others):
            mine = [one for one in self.written if one.patient == number]
            if not mine:
                # Something is taken back from this one; whoever it is now, that stays true.
                _PATIENT.first(connection, number=number)
                continue
            match = mine[0].outcome.match
            insert_new(
                connection,
                table,
                number=number,
                version=0,
                consent_version=0,
                provisional=match is not None and match.kind is MatchKind.PROVISIONAL,
                merged_into=None,
                created_at=self.now,
            )
            row = _PATIENT.first(connection, number=number)
            self._check_unmoved(row, mine)
            if row.provisional and match is not None and match.confirms:
                self._confirm(connection, mine[0], number)

    def _confirm(self, connection: Connection, one: Written, number: str) -> None:
        """Make a provisional card a full one: its person's own number has come."""
        update_rows(connection, tables.patient, {"number": number}, {"provisional": False})
        document = one.outcome.document
        write_event(connection, self.now, self.order.subject, "confirmed", document=document)
        detail = {"document": document}
        write_audit(connection, audit_entry("line", "patient.confirm", number, detail, self.now))

    def _check_unmoved(self, row: Row[Any], mine: list[Written]) -> None:
        if row.merged_into is not None:
            raise Moved(row.number)
        for one in mine:
            planned_at = one.outcome.consent_version
            if planned_at is not None and planned_at != row.consent_version:
                raise Moved(row.number)
        tokens = {token for one in mine for token in one.tokens}
        linked = self.room.keys.linked(tokens)
        if any(linked.get(token) != row.number for token in tokens):
            raise Moved(row.number)

    def _settled_before(self, connection: Connection) -> set[str]:
        rows = _DOCUMENTS.all(connection, submission=self.order.subject)
        return {row.id for row in rows if row.status in FINAL}

    def _write_resources(self, connection: Connection, fresh: list[Written]) -> None:
        drafts = [draft for one in fresh for draft in one.drafts]
        heads = writing.read_heads(connection, drafts)
        if len(fresh) != len(self.written) or heads != self.batch.heads:
            self.batch = writing.prepare(drafts, heads, self.now)
        writing.write(connection, self.batch)

    def _write_document(self, connection: Connection, one: Written) -> None:
        outcome, report = one.outcome, one.outcome.report
        table = tables.document
        # What an earlier run of the line said of this document has been overtaken.
        _FORGET.run(connection, id=outcome.document)
        values: dict[str, Any] = {
            "id": outcome.document,
            "submission": self.order.subject,
            "ordinal": outcome.ordinal,
            "place": outcome.place,
            "status": outcome.status.value,
            "cause": cause(outcome.problems),
            "problems": problems_to_rows(outcome.problems),
            "patient": one.patient,
            "receipt": outcome.receipt.number if outcome.has_receipt else None,
            "current": outcome.record is not None,
            "duplicate_of": None,
            "mapping": outcome.record.mapping if outcome.record else None,
            "ledger": one.ledger,
            "settled_at": self.now,
        }
        if report is not None:
            values |= {
                "series": one.report_series,
                "version": report.version,
                "report_status": report.status,
                "issued": report.issued.isoformat() if report.issued else None,
                "number_token": self.room.keys.token("number", report.number),
                "order_token": self.room.keys.token("number", report.order_number)
                if report.order_number
                else None,
            }
        placement = outcome.placement
        if placement is not None:
            values |= {
                "current": placement.kind in series.CURRENT,
                "clinical_digest": outcome.clinical,
                "duplicate_of": placement.duplicate_of,
            }
            if placement.duplicate_of is None and report is not None:
                values["identity"] = series.identity(
                    self.room, one.report_series, report.version, outcome.clinical
                )
        try:
            insert_rows(connection, table, [values])
        except connection.dialect.loaded_dbapi.IntegrityError as error:
            # Another document of this series came first: look again.
            raise Moved(outcome.document) from error
        repairs.write(connection, outcome, one.asked, one.used)
        if outcome.has_receipt:
            write_receipt(
                connection, outcome.receipt, outcome.audit.id, self.order.subject, outcome.document
            )
        for new in outcome.consents:
            assert one.patient is not None, outcome.document
            row = consents.prepared(self.room, new, one.patient)
            consents.write(self.room, connection, new, row)
        if self.several and one.owner is not None and outcome.piece:
            subject = self.order.subject
            wholes.write_piece(self.room, connection, subject, outcome, one.owner)
        self._plan_deliveries(connection, one)

    def _plan_deliveries(self, connection: Connection, one: Written) -> None:
        if one.owner is None:
            return
        outcome, subject = one.outcome, self.order.subject
        plan = recalls.plan(
            connection, one.report_series, outcome, one.owner, self.refusing, self.now
        )
        for leg in plan.legs:
            self.planned += planned.add(connection, leg, outcome.document, subject, self.now)
        for destination in plan.unsupported:
            where = items.Recipient(
                id=None, submission=subject, document=outcome.document, destination=destination
            )
            problem = Problem(code="DLV-303", detail={"destination": destination})
            items.add(connection, where, items.UNSUPPORTED, problem, self.now)

    def _events(self, one: Written) -> list[dict[str, Any]]:
        outcome, subject = one.outcome, self.order.subject
        rows = [
            event_row(self.now, subject, step, outcome.document, took, {})
            for step, took in outcome.timings
        ]
        detail = codes(outcome.problems)
        status = outcome.status.value
        rows.append(event_row(self.now, subject, status, outcome.document, None, detail))
        return rows

    def _write_submission(self, connection: Connection) -> None:
        subject = self.order.subject
        values = _shown(connection, subject) | {"problems": [], "next_try": None}
        if self.report is not None:
            values["signatures"] = self.report
        update_rows(connection, tables.submission, {"id": subject}, values | self.rewrapped)
        submissions.write_evidence(connection, subject, self.evidence)
        write_event(connection, self.now, subject, "settled", duration=self.now - self.kept_at)

    def _show_status(self, connection: Connection, submission: str) -> None:
        """Show what became of another submission by a document of this one."""
        if submission != self.order.subject:
            values = _shown(connection, submission)
            update_rows(connection, tables.submission, {"id": submission}, values)

    def _go_on(self, connection: Connection, fresh: list[Written]) -> None:
        """Wake the corrections that waited for the first document of their series."""
        for one in fresh:
            placement = one.outcome.placement
            if placement is not None and placement.kind is PlacementKind.FIRST:
                self.woken |= series.go_on(connection, one.report_series, self.now)

    def _refusing(self) -> frozenset[str]:
        """Return the destinations without withdrawals; asked only where one may be due."""
        if not any(one.taken for one in self.written):
            return frozenset()
        return frozenset(
            one.name
            for one in directory.destinations(self.room)
            if one.options.get(recalls.OPTION) == "no"
        )


def _shown(connection: Connection, submission: str) -> dict[str, Any]:
    """Return the status and cause a submission shows: those of its least finished document."""
    found = _DOCUMENTS.all(connection, submission=submission)
    status = min((Status(row.status) for row in found), key=LEAST_FINISHED.index)
    return {"status": status.value, "cause": next((row.cause for row in found if row.cause), None)}
