"""One document on the line: identify → bind → consent → map → place, with nothing written.

Everything found is gathered into an `Outcome`, which `store.settle` writes in one transaction;
so a document may be examined any number of times, for a dry run as well.  A refusal or a
question for a person is an outcome like any other.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway import bindings, identity, indivisible, placing, routing
from gateway.bindings import UNBOUND, BindingPolicies, Bindings
from gateway.clerk import Clerk, judged, status_of
from gateway.enclosed import NONE_ENCLOSED, Enclosed, Enclosures
from gateway.errors import NeedsOperator, Rejected
from gateway.formats.interface import TOGETHER_MAX
from gateway.identity import Identified
from gateway.mapping import engine, labels
from gateway.mapping.catalogue import Catalogue
from gateway.mapping.context import MappingContext, Original
from gateway.mapping.definition import Mapping
from gateway.mapping.rulings import Rulings
from gateway.model import (
    Decision,
    Document,
    Facts,
    Grant,
    PatientMatch,
    PatientRecord,
    PlacementKind,
    Problem,
    Question,
    ReportClaim,
    Status,
    Submission,
    Unreadable,
)
from gateway.placing import Placed
from gateway.routing import Plan, Receiver, Route
from gateway.store import Store, audit_entry
from gateway.store.values import AuditEntry, Organization, Outcome


class Examiner:
    """Works documents up to their outcome; reads the store and never writes it."""

    def __init__(
        self,
        *,
        store: Store,
        catalogue: Catalogue,
        clerk: Clerk,
        routes: Sequence[Route],
        policies: BindingPolicies,
        enclosures: Enclosures,
        clock: Callable[[], datetime],
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.clerk = clerk
        self.routes = tuple(routes)
        self.policies = policies
        self.enclosures = enclosures
        self.clock = clock

    def documents(
        self,
        submission: Submission,
        sender: Organization,
        documents: tuple[Document | Unreadable, ...],
        *,
        together: bool = False,
    ) -> tuple[Outcome, ...]:
        """Work documents in their order: two of them may be versions of one report.

        With `together` only so many of the first as one transaction takes: the second version
        of a report is placed when the first has its place.  Indivisible ones are worked all,
        and none is accepted where another is not.
        """
        outcomes: list[Outcome] = []
        numbers: set[str] = set()
        whole = any(one.indivisible for one in documents)
        for one in documents[:TOGETHER_MAX] if together else documents:
            if isinstance(one, Unreadable):
                outcomes.append(self._unreadable(submission, one))
                continue
            outcome = self._document(submission, sender, one, outcomes)
            if outcome.report is not None:
                if together and not whole and outcome.report.number in numbers:
                    break
                numbers.add(outcome.report.number)
            outcomes.append(outcome)
        return indivisible.as_one(submission, outcomes, self.clerk) if whole else tuple(outcomes)

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
                submission, document, found, clock, status_of(error), error.problems, None
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
        policy = self.policies.of(sender.id, document.format)
        found.bindings = bindings.judge(found.facts, document.content.report, sender, policy)
        bindings.require_bound(found.bindings, policy)

    def _plan(
        self, found: _Found, submission: Submission, sender: Organization, document: Document
    ) -> Plan:
        """Decide where the document goes; the consents' version is read before the consents."""
        assert found.facts and found.match
        patient = found.match.patient
        found.asked_at = self.clock()
        if patient is None:
            return self._plan_anonymous(found)
        found.consent_version = self.store.consent_version(patient)
        sends_for = self.policies.of(sender.id).sends_for
        found.enclosed = self.enclosures.read(
            submission, sender, document, found.facts, patient, sends_for
        )
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
        corrects = routing.bases(
            found.facts, self.routes, self._receivers(), found.grants, found.asked_at
        )
        return replace(placed, corrects=corrects)

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
        audit = self.clerk.audit(f"document.{status}", subject, problems)
        placed = found.placed
        stands = record is not None and placed is not None and placed.stands
        placement = placed.placement if placed else None
        double = placement.duplicate_of if placement else None
        return Outcome(
            document=subject,
            ordinal=document.ordinal,
            place=_source_place(document),
            piece=document.piece if isinstance(document, Document) else b"",
            status=status,
            problems=problems,
            report=found.report,
            match=found.match,
            identifiers=found.facts.patient.identifiers if found.facts else (),
            record=record,
            deliveries=found.plan.deliveries if found.plan and stands else (),
            receipt=self.clerk.receipt(submission, subject, status, problems, audit, double),
            has_receipt=status is not Status.NEEDS_INFO,
            audit=audit,
            timings=clock.timings,
            bindings=found.bindings.checks,
            consent_version=found.consent_version if stands else None,
            consents=found.enclosed.consents if judged(status) is Status.ACCEPTED else (),
            asked=self._asked(found.plan, subject) if found.plan and stands else (),
            placement=placement,
            clinical=placed.clinical if placed else "",
            corrects=placed.corrects if placed else (),
            questions=found.questions,
            uses=record.uses if record else (),
            decisions=found.rested_on(record),
            considered=tuple(one.id for one in found.decisions),
            chosen=found.identified.decision if found.identified else None,
        )

    def _asked(self, plan: Plan, document: str) -> tuple[AuditEntry, ...]:
        """Return the trace of every question about consent, with its answer."""
        now = self.clock()
        return tuple(
            audit_entry("line", "consent.ask", document, routing.spoken(one), now)
            for one in plan.asked
        )


def document_id(submission: str, ordinal: int) -> str:
    """Return the id of a submission's document: stable over every repeat of the work."""
    return f"{submission}-{ordinal + 1}"


def _source_place(document: Document | Unreadable) -> str:
    if isinstance(document, Unreadable):
        return document.place
    return document.place or document.root.place


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
