"""THE LINE: keep → verify → parse → identify → consent → map → store.  Read this first.

    bytes ─keep─▶ Submission ─verify─▶ SignedContent ─parse─▶ Document… ─identify─▶ PatientMatch
          ─consent, route─▶ planned deliveries ─map─▶ PatientRecord ─settle─▶ one transaction

Two transactions matter: `keep`, before the sender gets a receipt, and `settle`, at the end.
Between them everything may be repeated, so a crash only repeats work.  Rooms return findings;
only the line decides what they mean for the document.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from gateway import bindings, identity, placing, routing
from gateway.bindings import UNBOUND, BindingPolicies, Bindings
from gateway.enclosed import NONE_ENCLOSED, Enclosed, Enclosures
from gateway.errors import GatewayError, NeedsOperator, Rejected, TryLater
from gateway.formats.interface import formats
from gateway.identity import Identified
from gateway.mapping import engine, labels
from gateway.mapping.catalogue import Catalogue
from gateway.mapping.context import MappingContext, Original
from gateway.mapping.definition import Mapping
from gateway.mapping.rulings import Rulings
from gateway.model import (
    Assurance,
    Check,
    Decision,
    Document,
    Facts,
    Grant,
    Part,
    PatientMatch,
    PatientRecord,
    PlacementKind,
    Problem,
    Question,
    Receipt,
    ReportClaim,
    SignatureReport,
    SignedContent,
    Status,
    Submission,
    Unreadable,
)
from gateway.placing import Placed
from gateway.receipts.issue import Receipts
from gateway.routing import Plan, Receiver, Route
from gateway.store import Moved, Store, audit_entry, new_id
from gateway.store.values import Arrival, AuditEntry, Kept, Organization, Outcome, WorkOrder
from gateway.verdict import require_passed
from gateway.verification import Verifier

CONTENT_DIGEST_VERSION = b"gateway-content-1\n"
MOVED_REPEATS_MAX = 5
"""How often a document starts again from *identify* because its patient moved meanwhile."""


TOGETHER_MAX = 50
"""Documents of one submission that one transaction settles: others' are not to wait for all."""


class Sender(Protocol):
    """Who submits: the principal behind the access token."""

    @property
    def client(self) -> str: ...
    @property
    def organization(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """Everything the gateway would find, with nothing stored."""

    outcome: Status
    problems: tuple[Problem, ...]
    record: PatientRecord | None
    report: SignatureReport | None


class Line:
    """The line with its rooms; one object per gateway, safe to use from several threads."""

    def __init__(
        self,
        *,
        store: Store,
        verifier: Verifier,
        catalogue: Catalogue,
        receipts: Receipts,
        routes: Sequence[Route],
        clock: Callable[[], datetime],
        digest: Callable[[bytes], str | None],
        revocation_patience: timedelta,
        retry_first: timedelta,
        policies: BindingPolicies | None = None,
    ) -> None:
        """`digest` gives the Streebog-256 (hex) of bytes, or None where it would be slow."""
        self.store = store
        self.verifier = verifier
        self.catalogue = catalogue
        self.receipts = receipts
        self.routes = tuple(routes)
        self.clock = clock
        self.digest = digest
        self.revocation_patience = revocation_patience
        self.retry_first = retry_first
        self.policies = policies or BindingPolicies()
        self.enclosures = Enclosures(store, verifier)

    # --- keep --------------------------------------------------------------------------

    def keep(
        self,
        sender: Sender,
        media_type: str,
        parts: tuple[Part, ...],
        *,
        idempotency_key: str | None = None,
    ) -> Kept:
        """Keep what came, durably, and return the signed acceptance receipt.

        Known content gives the original receipt, word for word.  Raises Rejected (DUP-001)
        when the key was used for other content.
        """
        submission, now = new_id(), self.clock()
        document = next(part for part in parts if part.name == "document")
        audit = audit_entry(
            sender.client, "submission.keep", submission, {"organization": sender.organization}, now
        )
        claims = {
            "submission": submission,
            "organization": sender.organization,
            "media_type": document.media_type,
            "size": len(document.body),
            "sha256": hashlib.sha256(document.body).hexdigest(),
            "received_at": now.isoformat(),
            "signatures": [
                hashlib.sha256(part.body).hexdigest() for part in parts if part.name == "signature"
            ],
        }
        streebog = self.digest(document.body)
        if streebog is not None:
            claims["streebog256"] = streebog
        arrival = Arrival(
            id=submission,
            organization=sender.organization,
            client=sender.client,
            media_type=media_type,
            parts=parts,
            content_digest=content_digest(media_type, parts),
            idempotency_key=idempotency_key,
            kept_at=now,
            receipt=self.receipts.issue("accepted", claims, audit, now),
            audit=audit,
            streebog256=streebog,
        )
        return self.store.keep(arrival)

    # --- work --------------------------------------------------------------------------

    def work(self, order: WorkOrder) -> None:
        """Take one kept submission to its end: settled, refused, waiting for a person, or later.

        Raises LostLease when another worker has taken the order over; nothing is written then.
        """
        self.store.begin(order)
        submission = self.store.submission(order.subject)
        report: SignatureReport | None = None
        try:
            sender = self._sender(submission)
            report = self.verifier.verify(
                submission.document, submission.signatures, submission.kept_at
            )
            documents = parse(self._signed(submission, sender, report))
            self._settle(order, submission, sender, documents, report)
        except TryLater as later:
            self._later(order, submission, later, report)
        except (Rejected, NeedsOperator) as error:
            self._refuse_whole(order, submission, error, report)

    def rehearse(self, submission: str) -> tuple[Outcome, ...]:
        """Judge a kept submission again, at its moment of keep, and store nothing.

        Raises GatewayError where the line would end it as a whole or wait.
        """
        kept = self.store.submission(submission)
        sender = self._sender(kept)
        report = self.verifier.verify(kept.document, kept.signatures, kept.kept_at)
        documents = parse(self._signed(kept, sender, report))
        return self._documents(kept, sender, documents)

    def check(
        self, document: Part, signatures: tuple[Part, ...], organization: Organization
    ) -> DryRun:
        """Do everything but keep and store; the patient gets a throwaway number."""
        at = self.clock()
        submission = Submission(
            id="dry-run",
            organization=organization.id,
            client="dry-run",
            parts=(document, *signatures),
            kept_at=at,
        )
        report: SignatureReport | None = None
        try:
            report = self.verifier.verify(document, signatures, at)
            documents = parse(self._signed(submission, organization, report))
        except GatewayError as error:
            return DryRun(
                outcome=_status(error), problems=error.problems, record=None, report=report
            )
        outcomes = self._documents(submission, organization, documents)
        report = bindings.reported(report, outcomes)
        worst = DryRun(outcome=Status.ACCEPTED, problems=(), record=None, report=report)
        for outcome in outcomes:
            worst = DryRun(
                outcome=max(worst.outcome, _judged(outcome.status), key=_SEVERITY.index),
                problems=worst.problems + outcome.problems,
                record=outcome.record or worst.record,
                report=report,
            )
        return worst

    def _signed(
        self, submission: Submission, sender: Organization, report: SignatureReport
    ) -> SignedContent:
        document = submission.document
        if not report.signatures and sender.allow_unsigned:
            return SignedContent(
                octets=document.body,
                media_type=document.media_type,
                assurance=Assurance.CHANNEL,
                report=None,
            )
        require_passed(report, submission.kept_at)
        octets, media_type = self.verifier.signed_octets(report, document)
        return SignedContent(
            octets=octets, media_type=media_type, assurance=Assurance.SIGNED, report=report
        )

    def _settle(
        self,
        order: WorkOrder,
        submission: Submission,
        sender: Organization,
        documents: tuple[Document | Unreadable, ...],
        report: SignatureReport,
    ) -> None:
        # A replay may be of one document of many: what stands otherwise is not judged again.
        alone, several = self.store.left_alone(submission.id), len(documents) > 1
        said = self._said_before(submission) if alone else ()
        left = tuple(
            one for one in documents if document_id(submission.id, one.ordinal) not in alone
        )
        while True:
            outcomes = self._settle_some(order, submission, sender, left, several, said, report)
            said += bindings.told(outcomes, several=several)
            left = left[len(outcomes) :]
            if not left:
                return

    def _settle_some(
        self,
        order: WorkOrder,
        submission: Submission,
        sender: Organization,
        documents: tuple[Document | Unreadable, ...],
        several: bool,
        said: tuple[Check, ...],
        report: SignatureReport,
    ) -> tuple[Outcome, ...]:
        """Settle the first of `documents` in one transaction; return what became of them."""
        for _ in range(MOVED_REPEATS_MAX):
            outcomes = self._documents(submission, sender, documents, together=True)
            more = len(outcomes) < len(documents)
            judged = bindings.reported(report, outcomes, said, several=several)
            try:
                self.store.settle(order, outcomes, judged, several=several, more=more)
            except Moved:
                continue
            return outcomes
        raise TryLater(Problem(code="SYS-502"))

    def _said_before(self, submission: Submission) -> tuple[Check, ...]:
        """Return whose signatures they are by an earlier run, for what is left alone now."""
        stored = self.store.signatures(submission.id)
        return stored.report.bindings if stored else ()

    def _documents(
        self,
        submission: Submission,
        sender: Organization,
        documents: tuple[Document | Unreadable, ...],
        *,
        together: bool = False,
    ) -> tuple[Outcome, ...]:
        """Work documents in their order: two of them may be versions of one report.

        With `together` only so many of the first as one transaction takes: the second version
        of a report is placed when the first has its place.
        """
        outcomes: list[Outcome] = []
        numbers: set[str] = set()
        for one in documents[:TOGETHER_MAX] if together else documents:
            if isinstance(one, Unreadable):
                outcomes.append(self._unreadable(submission, one))
                continue
            outcome = self._document(submission, sender, one, outcomes)
            if outcome.report is not None:
                if together and outcome.report.number in numbers:
                    break
                numbers.add(outcome.report.number)
            outcomes.append(outcome)
        return tuple(outcomes)

    def _unreadable(self, submission: Submission, piece: Unreadable) -> Outcome:
        """Refuse a piece of a batch that is no document; the others go on without it."""
        found, clock = _Found(asked_at=self.clock()), _Stopwatch()
        return self._outcome(submission, piece, found, clock, Status.REJECTED, piece.problems, None)

    def _document(
        self,
        submission: Submission,
        sender: Organization,
        document: Document,
        before: Sequence[Outcome],
    ) -> Outcome:
        """Identify, decide, map and plan one document; pure but for reading the store."""
        clock = _Stopwatch()
        found = _Found(asked_at=self.clock())
        try:
            with clock("identify"):
                found.mapping = self.catalogue.choose(document, None)
                found.facts = engine.facts(found.mapping, document)
                found.report = placing.claimed(self.store, found.facts.report, sender)
                self._bind(sender, document, found)
                subject = document_id(submission.id, document.ordinal)
                found.match = self._identify(found, sender, subject)
            with clock("consent"):
                plan = self._plan(found, submission, sender, document)
            with clock("map"):
                record = self._map(submission, sender, document, found)
                found.plan = routing.narrowed(plan, found.grants, record.resources, found.asked_at)
                if any(labels.label_of(one) for one in record.resources):
                    found.plan = routing.restricted(found.plan, found.grants)
            with clock("place"):
                found.placed = self._place(submission, sender, document, found, record, before)
        except (Rejected, NeedsOperator) as error:
            found.questions = getattr(error, "questions", ())
            return self._outcome(
                submission, document, found, clock, _status(error), error.problems, None
            )
        placed = found.placed
        problems = found.match.problems + record.problems + found.bindings.warnings
        problems += found.enclosed.problems
        if placed.stands:
            problems += found.plan.problems
        problems += placed.problems
        kept = None if placed.kind is PlacementKind.DUPLICATE else record
        return self._outcome(submission, document, found, clock, placed.status, problems, kept)

    def _identify(self, found: _Found, sender: Organization, document: str) -> PatientMatch:
        assert found.facts
        found.decisions = self.store.decisions(sender.id, document)
        found.identified = identity.identify(self.store, found.facts, document, found.decisions)
        found.facts = found.identified.facts
        return found.identified.match

    def _bind(self, sender: Organization, document: Document, found: _Found) -> None:
        """Refuse a stranger's signature before any card is looked at."""
        assert found.facts
        policy = self.policies.of(sender.id)
        found.bindings = bindings.judge(found.facts, document.content.report, sender, policy)
        bindings.require_bound(found.bindings, policy)

    def _plan(
        self, found: _Found, submission: Submission, sender: Organization, document: Document
    ) -> Plan:
        """Decide where the document goes; the consents' version is read before the consents."""
        assert found.facts and found.match
        patient, claim = found.match.patient, found.facts.patient
        found.asked_at = self.clock()
        if patient is None:
            return self._plan_anonymous(found)
        found.consent_version = self.store.consent_version(patient)
        found.enclosed = self.enclosures.read(submission, sender, document, claim, patient)
        found.grants = self.store.grants(patient) + found.enclosed.grants
        plan = routing.plan(
            found.facts, self.routes, self._receivers(), found.grants, found.asked_at
        )
        return self._settled_by_person(found, plan, document_id(submission.id, document.ordinal))

    def _settled_by_person(self, found: _Found, plan: Plan, document: str) -> Plan:
        """Return the plan less what a person said is not to be sent.  Raises NeedsOperator."""
        assert found.facts
        # A patient without a card has no number yet: the strongest of their own stands for it.
        mine = min(found.facts.patient.identifiers, key=lambda i: i.system, default=None)
        person = self.store.identifier_token(mine) if mine else document
        waived = {
            one.subject["destination"]
            for one in found.decisions
            if one.cause == routing.NO_BASIS and one.subject["person"] == person
        }
        left = tuple(one for one in plan.open if one.detail["destination"] not in waived)
        if left:
            asked = tuple(
                Question(
                    cause=one.code,
                    place=one.place,
                    subject={"person": person, "destination": one.detail["destination"]},
                )
                for one in left
            )
            raise NeedsOperator(*left, questions=asked)
        told = tuple(replace(one, warning=True) for one in plan.open)
        return replace(plan, problems=plan.problems + told, open=())

    def _plan_anonymous(self, found: _Found) -> Plan:
        """Answer an anonymous test to the room that ordered it, and to nobody else."""
        assert found.facts
        plan = routing.plan(found.facts, self.routes, self._receivers(), (), found.asked_at)
        answered = tuple(one for one in plan.deliveries if one.basis == "order")
        if not answered:
            raise NeedsOperator(Problem(code="PAT-108", place=found.facts.patient.place))
        return replace(plan, deliveries=answered, problems=(), open=())

    def _receivers(self) -> tuple[Receiver, ...]:
        receivers = []
        for destination in self.store.destinations():
            organization = self.store.organization(destination.organization)
            identifiers = organization.identifiers if organization else ()
            kind = organization.kind if organization else ""
            receivers.append(Receiver(destination=destination, identifiers=identifiers, kind=kind))
        return tuple(receivers)

    def _map(
        self, submission: Submission, sender: Organization, document: Document, found: _Found
    ) -> PatientRecord:
        assert found.mapping and found.facts and found.match
        assert found.identified
        patient = found.match.patient
        original = submission.document
        report = document.content.report
        context = MappingContext(
            patient=patient,
            card=found.identified.card,
            submission=submission.id,
            document=document_id(submission.id, document.ordinal),
            assurance=document.content.assurance,
            kept_at=submission.kept_at,
            original=Original(
                sha256=hashlib.sha256(original.body).hexdigest(),
                size=len(original.body),
                media_type=original.media_type,
            ),
            organization=sender.id,
            signatures=report.signatures if report else (),
            signature_parts=submission.signatures,
            rulings=Rulings(
                found.decisions, lambda codes: self.store.code_uses(sender.id, codes), watch=True
            ),
        )
        return engine.record(found.mapping, document, context, found.facts)

    def _place(
        self,
        submission: Submission,
        sender: Organization,
        document: Document,
        found: _Found,
        record: PatientRecord,
        before: Sequence[Outcome],
    ) -> Placed:
        """Say what the document does to those of its series that came before it."""
        assert found.facts and found.report and found.match
        patient, subject = found.match.patient, document_id(submission.id, document.ordinal)
        sends_for = self.policies.of(sender.id).sends_for
        placed = placing.place(
            self.store, sender, found.report, patient, record, subject, before, sends_for
        )
        if placed.kind is not PlacementKind.NEWER:
            return placed
        corrects = routing.bases(found.facts, self._receivers(), found.grants, found.asked_at)
        return replace(placed, corrects=corrects)

    # --- ends --------------------------------------------------------------------------

    def _outcome(
        self,
        submission: Submission,
        document: Document | Unreadable,
        found: _Found,
        clock: _Stopwatch,
        status: Status,
        problems: tuple[Problem, ...],
        record: PatientRecord | None,
    ) -> Outcome:
        subject = document_id(submission.id, document.ordinal)
        audit = self._audit(f"document.{status}", subject, problems)
        placed = found.placed
        stands = record is not None and placed is not None and placed.stands
        placement = placed.placement if placed else None
        double = placement.duplicate_of if placement else None
        return Outcome(
            document=subject,
            ordinal=document.ordinal,
            place=_place(document),
            piece=document.piece if isinstance(document, Document) else b"",
            status=status,
            problems=problems,
            report=found.report,
            match=found.match,
            identifiers=found.facts.patient.identifiers if found.facts else (),
            record=record,
            deliveries=found.plan.deliveries if found.plan and stands else (),
            receipt=self._receipt(submission, subject, status, problems, audit, double),
            has_receipt=status is not Status.NEEDS_INFO,
            audit=audit,
            timings=clock.timings,
            bindings=found.bindings.checks,
            consent_version=found.consent_version if stands else None,
            consents=found.enclosed.consents if _judged(status) is Status.ACCEPTED else (),
            asked=self._asked(found.plan, subject) if found.plan and stands else (),
            placement=placement,
            clinical=placed.clinical if placed else "",
            corrects=placed.corrects if placed else (),
            questions=found.questions,
            uses=record.uses if record else (),
            decisions=found.rested_on(record),
        )

    def _refuse_whole(
        self,
        order: WorkOrder,
        submission: Submission,
        error: GatewayError,
        report: SignatureReport | None,
    ) -> None:
        status = _status(error)
        audit = self._audit(f"submission.{status}", submission.id, error.problems)
        receipt = None
        if status is Status.REJECTED:
            receipt = self._receipt(submission, None, status, error.problems, audit)
        self.store.fail(order, error.problems, receipt, status, audit, report)

    def _later(
        self,
        order: WorkOrder,
        submission: Submission,
        later: TryLater,
        report: SignatureReport | None,
    ) -> None:
        now = self.clock()
        if now - submission.kept_at > self.revocation_patience:
            self._refuse_whole(order, submission, NeedsOperator(*later.problems), report)
            return
        wait = min(self.retry_first * 2 ** min(order.attempt - 1, 10), timedelta(minutes=15))
        self.store.postpone(order, later.at or now + wait, later.problems[0])

    def _receipt(
        self,
        submission: Submission,
        document: str | None,
        status: Status,
        problems: tuple[Problem, ...],
        audit: AuditEntry,
        duplicate_of: str | None = None,
    ) -> Receipt:
        kind = "registered" if _judged(status) is Status.ACCEPTED else "refused"
        body = submission.document.body
        claims = {
            "submission": submission.id,
            "document": document,
            "organization": submission.organization,
            "status": str(status),
            "sha256": hashlib.sha256(body).hexdigest(),
            "received_at": submission.kept_at.isoformat(),
            "problems": [{"code": p.code, "place": p.place} for p in problems],
        }
        if duplicate_of is not None:
            claims["duplicate_of"] = duplicate_of
        return self.receipts.issue(kind, claims, audit, self.clock())

    def _audit(self, action: str, subject: str, problems: tuple[Problem, ...]) -> AuditEntry:
        detail = {"codes": ",".join(p.code for p in problems)} if problems else {}
        return audit_entry("line", action, subject, detail, self.clock())

    def _asked(self, plan: Plan, document: str) -> tuple[AuditEntry, ...]:
        """Return the trace of every question about consent, with its answer."""
        now = self.clock()
        return tuple(
            audit_entry("line", "consent.ask", document, routing.spoken(one), now)
            for one in plan.asked
        )

    def _sender(self, submission: Submission) -> Organization:
        organization = self.store.organization(submission.organization)
        assert organization is not None, submission.organization
        return organization


def parse(content: SignedContent) -> tuple[Document | Unreadable, ...]:
    """Return the documents in signed content, read by the one format that knows it.

    Raises Rejected (FMT-101) when none does, and whatever the format finds.
    """
    head = content.octets[:4096]
    for plugin in formats().values():
        if content.media_type in plugin.MEDIA_TYPES and plugin.recognises(head):
            return plugin.parse(content)
    for plugin in formats().values():
        if content.media_type in ("", "application/octet-stream") and plugin.recognises(head):
            return plugin.parse(content)
    raise Rejected(Problem(code="FMT-101", detail={"media_type": content.media_type}))


def content_digest(media_type: str, parts: Sequence[Part]) -> str:
    """Return the first identity of a submission (hex): media type and ordered parts.

    Lengths go in beside names and bytes, so no two different lists of parts share a digest;
    multipart framing does not go in, so a new boundary is the same content.
    """
    digest = hashlib.sha256(CONTENT_DIGEST_VERSION)
    for text in (media_type, *(f for part in parts for f in (part.name, part.media_type))):
        digest.update(f"{len(text.encode())}:{text}".encode())
    for part in parts:
        digest.update(f"{len(part.body)}:".encode())
        digest.update(part.body)
    return digest.hexdigest()


def document_id(submission: str, ordinal: int) -> str:
    """Return the id of a submission's document: stable over every repeat of the work."""
    return f"{submission}-{ordinal + 1}"


def _place(document: Document | Unreadable) -> str:
    if isinstance(document, Unreadable):
        return document.place
    return document.place or document.root.place


_SEVERITY = (Status.ACCEPTED, Status.NEEDS_INFO, Status.REJECTED)


def _judged(status: Status) -> Status:
    """Return the line's verdict: what came late is history, and was taken all the same."""
    return Status.ACCEPTED if status in (Status.REPLACED, Status.WITHDRAWN) else status


def _status(error: GatewayError) -> Status:
    return Status.REJECTED if isinstance(error, Rejected) else Status.NEEDS_INFO


@dataclass
class _Found:
    """What the line knows of a document so far; filled step by step."""

    asked_at: datetime
    """When consent is asked: a patient's word holds from then, whenever the document came."""

    mapping: Mapping | None = None
    facts: Facts | None = None
    match: PatientMatch | None = None
    report: ReportClaim | None = None
    plan: Plan | None = None
    grants: tuple[Grant, ...] = ()
    placed: Placed | None = None
    bindings: Bindings = UNBOUND
    consent_version: int | None = None
    enclosed: Enclosed = NONE_ENCLOSED
    questions: tuple[Question, ...] = ()
    decisions: tuple[Decision, ...] = ()
    identified: Identified | None = None

    def rested_on(self, record: PatientRecord | None) -> tuple[str, ...]:
        """Return the decisions of persons that a record rests on."""
        if record is None:
            return ()
        chosen = self.identified.decision if self.identified else None
        return (chosen, *record.decisions) if chosen else record.decisions


class _Stopwatch:
    """How long each step took, for the timeline."""

    def __init__(self) -> None:
        self.timings: tuple[tuple[str, timedelta], ...] = ()

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            took = timedelta(seconds=time.perf_counter() - started)
            self.timings = (*self.timings, (step, took))
