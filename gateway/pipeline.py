"""THE LINE: keep → verify → parse → identify → consent → map → store.  Read this first.

    bytes ─keep─▶ Submission ─verify─▶ SignedContent ─parse─▶ Document… ─identify─▶ PatientMatch
          ─consent, route─▶ planned deliveries ─map─▶ PatientRecord ─settle─▶ one transaction

Two transactions matter: `keep`, before the sender gets a receipt, and `settle`, at the end.
Between them everything may be repeated, so a crash only repeats work.  Rooms return findings;
only the line decides what they mean for the document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway import bindings
from gateway.bindings import BindingPolicies
from gateway.clerk import Clerk, judged, status_of
from gateway.enclosed import Enclosures
from gateway.errors import GatewayError, NeedsOperator, Rejected, TryLater
from gateway.examination import Examiner, document_id
from gateway.formats.interface import formats
from gateway.mapping.catalogue import Catalogue
from gateway.model import (
    Assurance,
    Check,
    Document,
    Part,
    PatientRecord,
    Problem,
    SignatureReport,
    SignedContent,
    Status,
    Submission,
    Unreadable,
    attached,
)
from gateway.receipts.issue import Receipts
from gateway.routing import Route
from gateway.store import Moved, Store, audit_entry, new_id
from gateway.store.values import Arrival, Kept, Organization, Outcome, WorkOrder
from gateway.verdict import assurance_of, require_passed
from gateway.verification import Verifier, verified

CONTENT_DIGEST_VERSION = b"gateway-content-1\n"
MOVED_REPEATS_MAX = 10
"""How often a document starts again from *identify* because its patient moved meanwhile."""


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
        apart: frozenset[str] = frozenset(),
    ) -> None:
        """`digest` gives the Streebog-256 (hex) of bytes, or None where it would be slow.

        `apart` are the organisations whose FHIR transactions are judged report by report.
        """
        self.store = store
        self.verifier = verifier
        self.receipts = receipts
        self.clock = clock
        self.digest = digest
        self.revocation_patience = revocation_patience
        self.retry_first = retry_first
        self.apart = apart
        self.clerk = Clerk(receipts, clock)
        self.enclosures = Enclosures(store, verifier, catalogue)
        self.examiner = Examiner(
            store=store,
            catalogue=catalogue,
            clerk=self.clerk,
            routes=routes,
            policies=policies or BindingPolicies(),
            enclosures=self.enclosures,
            clock=clock,
        )

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
        if powers := attached(parts):
            claims["attorneys"] = [hashlib.sha256(one.attorney.body).hexdigest() for one in powers]
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
        submission = self.enclosures.divided(self.store.submission(order.subject))
        report: SignatureReport | None = None
        try:
            sender = self._sender(submission)
            report = verified(self.verifier, submission)
            documents = self._documents(submission, sender, report)
            submission = self.enclosures.addressed(submission, documents)
            self._settle(order, submission, sender, documents, report)
        except TryLater as later:
            self._later(order, submission, later, report)
        except (Rejected, NeedsOperator) as error:
            self._refuse_whole(order, submission, error, report)

    def rehearse(self, submission: str) -> tuple[Outcome, ...]:
        """Judge a kept submission again, at its moment of keep, and store nothing.

        Of several documents only those a replay would work: what stands is left alone.  Raises
        GatewayError where the line would end it as a whole or wait.
        """
        kept = self.enclosures.divided(self.store.submission(submission))
        alone = self.store.left_by_replay(submission)
        sender = self._sender(kept)
        report = verified(self.verifier, kept)
        documents = self._documents(kept, sender, report)
        kept = self.enclosures.addressed(kept, documents)
        worked = _worked(kept, documents, alone)
        return self.examiner.documents(kept, sender, worked)

    def check(self, document: Part, beside: tuple[Part, ...], organization: Organization) -> DryRun:
        """Do everything but keep and store; the patient gets a throwaway number.

        `beside` are signatures and powers of attorney, as they would be sent.
        """
        submission = Submission(
            id="dry-run",
            organization=organization.id,
            client="dry-run",
            parts=(document, *beside),
            kept_at=self.clock(),
        )
        report: SignatureReport | None = None
        try:
            report = verified(self.verifier, submission)
            documents = self._documents(submission, organization, report)
        except GatewayError as error:
            return DryRun(
                outcome=status_of(error), problems=error.problems, record=None, report=report
            )
        outcomes = self.examiner.documents(submission, organization, documents)
        report = bindings.reported(report, outcomes)
        worst = DryRun(outcome=Status.ACCEPTED, problems=(), record=None, report=report)
        for outcome in outcomes:
            worst = DryRun(
                outcome=max(worst.outcome, judged(outcome.status), key=_SEVERITY.index),
                problems=worst.problems + outcome.problems,
                record=outcome.record or worst.record,
                report=report,
            )
        return worst

    def _documents(
        self, submission: Submission, sender: Organization, report: SignatureReport
    ) -> tuple[Document | Unreadable, ...]:
        signed = self._signed(submission, sender, report)
        return parse(signed, apart=sender.id in self.apart)

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
            octets=octets, media_type=media_type, assurance=assurance_of(report), report=report
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
        left = _worked(submission, documents, alone)
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
            outcomes = self.examiner.documents(submission, sender, documents, together=True)
            more = len(outcomes) < len(documents)
            bound = bindings.reported(report, outcomes, said, several=several)
            apart = several and not _is_one_patients(documents, outcomes)
            try:
                self.store.settle(order, outcomes, bound, several=apart, more=more)
            except Moved:
                continue
            return outcomes
        raise TryLater(Problem(code="SYS-502"))

    def _said_before(self, submission: Submission) -> tuple[Check, ...]:
        """Return whose signatures they are by an earlier run, for what is left alone now."""
        stored = self.store.signatures(submission.id)
        return stored.report.bindings if stored else ()

    # --- ends --------------------------------------------------------------------------

    def _refuse_whole(
        self,
        order: WorkOrder,
        submission: Submission,
        error: GatewayError,
        report: SignatureReport | None,
    ) -> None:
        status = status_of(error)
        audit = self.clerk.audit(f"submission.{status}", submission.id, error.problems)
        receipt = None
        if status is Status.REJECTED:
            receipt = self.clerk.receipt(submission, None, status, error.problems, audit)
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

    def _sender(self, submission: Submission) -> Organization:
        organization = self.store.organization(submission.organization)
        assert organization is not None, submission.organization
        return organization


def parse(content: SignedContent, *, apart: bool = False) -> tuple[Document | Unreadable, ...]:
    """Return the documents in signed content, read by the one format that knows it.

    `apart`: reports of a FHIR transaction are documents of their own.

    Raises Rejected (FMT-101) when none does, and whatever the format finds.
    """
    head = content.octets[:4096]
    for plugin in formats().values():
        if content.media_type in plugin.MEDIA_TYPES and plugin.recognises(head):
            return plugin.parse(content, apart=apart)
    for plugin in formats().values():
        if content.media_type in ("", "application/octet-stream") and plugin.recognises(head):
            return plugin.parse(content, apart=apart)
    raise Rejected(Problem(code="FMT-101", detail={"media_type": content.media_type}))


def _worked(
    submission: Submission,
    documents: tuple[Document | Unreadable, ...],
    alone: frozenset[str],
) -> tuple[Document | Unreadable, ...]:
    """Return the documents to work, those left `alone` aside; indivisible ones go together."""
    left = tuple(one for one in documents if document_id(submission.id, one.ordinal) not in alone)
    return documents if any(one.indivisible for one in left) else left


def _is_one_patients(
    documents: Sequence[Document | Unreadable], outcomes: Sequence[Outcome]
) -> bool:
    """Say whether documents that go together are of one patient, as far as any is taken."""
    patients = {
        one.match.patient
        for one in outcomes
        if one.match is not None and judged(one.status) is Status.ACCEPTED
    }
    return any(one.indivisible for one in documents) and len(patients) < 2


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


_SEVERITY = (Status.ACCEPTED, Status.NEEDS_INFO, Status.REJECTED)
