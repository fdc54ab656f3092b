"""The second transaction that matters: everything the line found, written at once.

The store is the judge of races (semantics, rule 14): it checks that the work order is still
this worker's, locks the patients, and looks again at what may have moved since *identify*.
Key-store writes come first and may be repeated; the data transaction is all or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, func, select

from gateway.model import (
    DeliveryState,
    MatchKind,
    PlannedDelivery,
    SignatureReport,
    Status,
)
from gateway.store import repairs, submissions, tables, vault, work, writing
from gateway.store.keys import INTAKE, LinkedElsewhere
from gateway.store.room import (
    Room,
    cause,
    codes,
    event_row,
    new_id,
    problems_to_rows,
    write_audit,
    write_event,
    write_receipt,
)
from gateway.store.statement import Statement, insert_new, insert_rows, update_rows
from gateway.store.values import Moved, Outcome, WorkOrder

FINAL = (Status.ACCEPTED.value, Status.REPLACED.value, Status.WITHDRAWN.value)
"""States of a document that a repeat of the line leaves alone."""

_LEAST_FINISHED = (
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
_FORGET = Statement(delete(tables.document).where(tables.document.c.id == bindparam("id")))
_LAST_DELIVERY = Statement(
    select(func.max(tables.delivery.c.sequence)).where(
        tables.delivery.c.destination == bindparam("destination"),
        tables.delivery.c.patient == bindparam("patient"),
    )
)


def settle(
    room: Room,
    order: WorkOrder,
    outcomes: tuple[Outcome, ...],
    report: SignatureReport | None,
) -> None:
    """Write the outcomes.  Raises LostLease and Moved; nothing stays then."""
    settled = _Settled(room, order, outcomes, report)
    room.database.write(settled.transaction)
    if settled.planned:
        room.waker.ring("delivery")


@dataclass(frozen=True, kw_only=True)
class _Written:
    """One outcome with everything about it that is made before the transaction."""

    outcome: Outcome
    owner: str | None
    """Whose key its resources are sealed under: the patient, or the submission itself."""

    tokens: tuple[str, ...]
    ledger: bytes | None
    drafts: list[writing.Drafted]
    asked: list[dict[str, Any]]
    """Rows of what a person is asked."""

    used: list[dict[str, Any]]
    """Rows of how the laboratory used its own codes."""

    @property
    def known(self) -> bool:
        match = self.outcome.match
        return match is not None and match.kind is MatchKind.MATCHED

    @property
    def patient(self) -> str | None:
        match = self.outcome.match
        return match.patient if match and self.outcome.record else None


class _Settled:
    """One `settle`: what is prepared before its transaction, and the transaction."""

    def __init__(
        self,
        room: Room,
        order: WorkOrder,
        outcomes: Sequence[Outcome],
        report: SignatureReport | None,
    ) -> None:
        self.room = room
        self.order = order
        self.now = room.clock()
        self.planned = 0
        assert outcomes, "what has no documents ends by `fail`"
        with room.database.read() as connection:
            # A worker that is late already must not link identifiers to a number of its own.
            work.look(connection, order)
            row = submissions.row_of(connection, order.subject)
        self.kept_at = row.kept_at
        self.organization = row.organization
        self.data_key = submissions.data_key_of(room, row)
        self.written = [self._prepare(outcome) for outcome in outcomes]
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

    def transaction(self, connection: Connection) -> None:
        """Write everything.  May run once only: nothing in it is repeated by the database."""
        self.planned = 0
        work.finish(connection, self.order)
        self._lock_patients(connection)
        settled = self._settled_before(connection)
        fresh = [one for one in self.written if one.outcome.document not in settled]
        self._write_resources(connection, fresh)
        for one in fresh:
            self._write_document(connection, one)
        events = [row for one in fresh for row in self._events(one)]
        if events:
            insert_rows(connection, tables.event, events)
        if fresh:
            write_audit(connection, *(one.outcome.audit for one in fresh))
        self._write_submission(connection)

    # --- before the transaction --------------------------------------------------------

    def _prepare(self, outcome: Outcome) -> _Written:
        room, record, match = self.room, outcome.record, outcome.match
        if record is None:
            return _Written(
                outcome=outcome,
                owner=None,
                tokens=(),
                ledger=None,
                drafts=[],
                asked=repairs.rows_of(
                    room, self.organization, self.order.subject, self.data_key, outcome
                ),
                used=[],
            )
        assert outcome.status is Status.ACCEPTED, outcome.status
        assert match is not None
        tokens: tuple[str, ...] = ()
        if match.patient is not None and match.kind is not MatchKind.ANONYMOUS:
            tokens = room.identifier_tokens(outcome.identifiers)
            try:
                room.keys.bind(tokens, match.patient)
            except LinkedElsewhere as error:
                raise Moved(outcome.document) from error
        owner = match.patient or self.order.subject
        ledger = msgspec.msgpack.encode(record.ledger)
        return _Written(
            outcome=outcome,
            owner=owner,
            tokens=tokens,
            ledger=vault.seal(self.data_key, ledger, f"ledger:{outcome.document}"),
            drafts=writing.draft(room, record.resources, owner, outcome.document),
            asked=[],
            used=repairs.use_rows(room, self.organization, outcome.uses),
        )

    def _rewrap(self, row: Row[Any]) -> dict[str, Any]:
        """Wrap the submission's key under its one patient's instead of the intake's."""
        owners = {one.owner for one in self.written if one.owner}
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
        for number in sorted({one.patient for one in self.written if one.patient}):
            mine = [one for one in self.written if one.patient == number]
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
            self._check_unmoved(_PATIENT.first(connection, number=number), mine)

    def _check_unmoved(self, row: Row[Any], mine: list[_Written]) -> None:
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

    def _write_resources(self, connection: Connection, fresh: list[_Written]) -> None:
        drafts = [draft for one in fresh for draft in one.drafts]
        heads = writing.read_heads(connection, drafts)
        if len(fresh) != len(self.written) or heads != self.batch.heads:
            self.batch = writing.prepare(drafts, heads, self.now)
        writing.write(connection, self.batch)

    def _write_document(self, connection: Connection, one: _Written) -> None:
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
            "mapping": outcome.record.mapping if outcome.record else None,
            "ledger": one.ledger,
            "settled_at": self.now,
        }
        if report is not None:
            performer = [f"{one.system}|{one.value}" for one in report.performer]
            values |= {
                "series": self.room.keys.token("series", *sorted(performer), report.number),
                "version": report.version,
                "report_status": report.status,
                "issued": report.issued.isoformat() if report.issued else None,
                "number_token": self.room.keys.token("number", report.number),
                "order_token": self.room.keys.token("number", report.order_number)
                if report.order_number
                else None,
            }
        insert_rows(connection, table, [values])
        repairs.write(connection, outcome, one.asked, one.used)
        if outcome.has_receipt:
            write_receipt(
                connection, outcome.receipt, outcome.audit.id, self.order.subject, outcome.document
            )
        for planned in outcome.deliveries if outcome.record else ():
            self._plan_delivery(connection, one, planned)

    def _plan_delivery(
        self, connection: Connection, one: _Written, planned: PlannedDelivery
    ) -> None:
        """Give a delivery its place in the line of its destination and patient."""
        table = tables.delivery
        assert one.owner is not None
        last = _LAST_DELIVERY.scalar(connection, destination=planned.destination, patient=one.owner)
        id, sequence = new_id(self.now), (last or 0) + 1
        added = insert_new(
            connection,
            table,
            id=id,
            document=one.outcome.document,
            submission=self.order.subject,
            destination=planned.destination,
            patient=one.owner,
            basis=planned.basis,
            consent=planned.consent,
            sequence=sequence,
            state=DeliveryState.WAITING.value,
            attempts=0,
            next_try=self.now,
            problem=None,
            answer=None,
            created_at=self.now,
            updated_at=self.now,
        )
        if not added:
            return
        work.add(
            connection,
            work.NewOrder(
                kind="delivery",
                subject=id,
                at=self.now,
                order_key=f"{planned.destination}/{one.owner}",
                sequence=sequence,
            ),
        )
        self.planned += 1

    def _events(self, one: _Written) -> list[dict[str, Any]]:
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
        found = _DOCUMENTS.all(connection, submission=subject)
        status = min((Status(row.status) for row in found), key=_LEAST_FINISHED.index)
        values: dict[str, Any] = {
            "status": status.value,
            "cause": next((row.cause for row in found if row.cause), None),
            "problems": [],
            "next_try": None,
        }
        if self.report is not None:
            values["signatures"] = self.report
        update_rows(connection, tables.submission, {"id": subject}, values | self.rewrapped)
        submissions.write_evidence(connection, self.evidence)
        write_event(connection, self.now, subject, "settled", duration=self.now - self.kept_at)
