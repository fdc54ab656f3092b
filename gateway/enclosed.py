"""Consents that come with a document: beside it as a part, or inside it as signed content.

A consent opens a card, so it is believed like a result: when a signature covers it, of the
patient, of the document's doctor or of the organisation that sends it, or when the sender's
policy lets unsigned content in.  It is bound to the patient of its document (CON-302) and
stored with the document, in the same transaction.  Beside several documents it speaks for those
of its own patient, and the others are judged as if there were none; where it is nobody's of
them, it is everybody's fault.

A signature sent beside says nowhere what it is over: its mathematics do.  What holds over the
consent is the consent's; all others are the document's, and one over neither fails there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gateway import bindings
from gateway.consent import reader
from gateway.consent.reader import Directory, Reading
from gateway.errors import GatewayError, NeedsOperator, Rejected, TryLater
from gateway.fhir import text
from gateway.mapping import engine
from gateway.mapping.catalogue import Catalogue
from gateway.model import (
    CheckStatus,
    Document,
    Facts,
    Grant,
    Identifier,
    Json,
    Part,
    PatientClaim,
    Problem,
    SignatureFinding,
    Submission,
    Unreadable,
)
from gateway.patients import identifiers
from gateway.store import Store
from gateway.store.values import NewConsent, Organization
from gateway.verdict import require_passed
from gateway.verification import Verifier

PART = "consent"
SIGNATURE = "consent-signature"
"""Name of a part that came as `signature` and is over the consent."""

STRANGERS = "SIG-210"
CONSENTS_MAX = 20


@dataclass(frozen=True, kw_only=True)
class Enclosed:
    """What came with one document."""

    consents: tuple[NewConsent, ...] = ()
    grants: tuple[Grant, ...] = ()
    """What they will say once stored, for planning."""

    problems: tuple[Problem, ...] = ()
    """Warnings about consents that were not taken."""


NONE_ENCLOSED = Enclosed()


def directory(organizations: Sequence[Organization]) -> Directory:
    """Return whom a consent may name."""
    return Directory(
        ids=frozenset(one.id for one in organizations),
        by_identifier={
            (identifier.system, identifier.value): one.id
            for one in organizations
            for identifier in one.identifiers
        },
        normalise=identifiers.normalise,
    )


class Enclosures:
    """Reads the consents of documents; safe to use from several threads."""

    def __init__(self, store: Store, verifier: Verifier, catalogue: Catalogue) -> None:
        self.store = store
        self.verifier = verifier
        self.catalogue = catalogue

    def divided(self, submission: Submission) -> Submission:
        """Return the submission with the signatures over its consent told from the document's."""
        consent = next((one for one in submission.parts if one.name == PART), None)
        if consent is None or not submission.signatures:
            return submission
        return replace(
            submission,
            parts=tuple(
                replace(one, name=SIGNATURE)
                if one.name == "signature" and self._is_over(one, consent, submission)
                else one
                for one in submission.parts
            ),
        )

    def addressed(
        self, submission: Submission, documents: Sequence[Document | Unreadable]
    ) -> Submission:
        """Return the submission with its consent told for which of all `documents` it speaks.

        Nothing is believed here: the consent is read, no more, to find whose it is.
        """
        consent = next((one for one in submission.parts if one.name == PART), None)
        if consent is None or len(documents) < 2:
            return submission
        named = self._named(consent, submission)
        about = frozenset(
            ordinal
            for ordinal, claim in self._claims(documents)
            if named and self._may_be_of(named, claim.identifiers)
        )
        parts = tuple(
            replace(one, about=about or None) if one is consent else one for one in submission.parts
        )
        return replace(submission, parts=parts)

    def _claims(
        self, documents: Sequence[Document | Unreadable]
    ) -> Iterator[tuple[int, PatientClaim]]:
        """Yield ordinal and patient of each document that can be read."""
        for one in documents:
            if isinstance(one, Document):
                with suppress(Rejected, NeedsOperator):
                    facts = engine.facts(self.catalogue.choose(one, None), one)
                    yield one.ordinal, facts.patient

    def _named(self, consent: Part, submission: Submission) -> tuple[Identifier, ...]:
        """Return whom a consent names, of whatever worth its signature is; empty: unreadable."""
        beside = tuple(one for one in submission.parts if one.name == SIGNATURE)
        report = self.verifier.verify(consent, beside, submission.kept_at)
        inside = (one.octets for found in report.signatures for one in found.covered)
        for octets in (consent.body, *inside):
            try:
                resource = text.loads(octets)
                return reader.named(resource, identifiers.normalise)
            except Rejected:
                continue
        return ()

    def _is_over(self, signature: Part, consent: Part, submission: Submission) -> bool:
        """Say whether a signature's value holds over the consent, whoever made it."""
        if consent.body == submission.document.body:
            return False
        report = self.verifier.verify(consent, (signature,), submission.kept_at)
        beside = [one for one in report.signatures if one.place.startswith("signature[0]")]
        return bool(beside) and all(map(_holds, beside))

    def read(
        self,
        submission: Submission,
        sender: Organization,
        document: Document,
        facts: Facts,
        patient: str,
        sends_for: Sequence[Identifier] = (),
    ) -> Enclosed:
        """Return the consents that came with `document`, about `patient`.

        `sends_for` names the organisations whose documents the sender may send.  Raises
        NeedsOperator: CON-302 when a consent is another patient's, CON-306 when a person must
        judge its signature; TryLater when that cannot be judged yet.
        """
        part = next((one for one in submission.parts if _speaks_for(one, document)), None)
        inside: tuple[tuple[Part | Json, str], ...] = tuple(_inside(document))
        if part is None and not inside:
            return Enclosed()
        known, claim = directory(self.store.organizations()), facts.patient
        readings: list[tuple[str, Reading]] = []
        problems: list[Problem] = []
        if part is not None:
            inside = ((part, PART), *inside)
        for source, place in inside[:CONSENTS_MAX]:
            try:
                resource: Json
                if isinstance(source, Part):
                    resource = text.loads(
                        self._octets(source, submission, sender, facts, sends_for)
                    )
                else:
                    resource = source
                reading = reader.read(resource, known, submission.kept_at)
            except Rejected as error:
                # The result is sound: it is kept, and the sender hears why the rest was not.
                problems += [
                    replace(one, warning=True, place=place + one.place.removeprefix(PART))
                    for one in error.problems
                ]
                continue
            if not self._same_patient(reading, claim, patient, inside=source is not part):
                raise NeedsOperator(Problem(code="CON-302", place=place))
            readings.append((_id(submission, place), reading))
        consents = tuple(
            NewConsent(
                id=id,
                identifiers=reading.patient or claim.identifiers,
                provisions=reading.provisions,
                resource=reading.resource,
                organization=submission.organization,
                actor=submission.client,
                rejected=reading.rejected,
            )
            for id, reading in readings
        )
        version = self.store.consent_version(patient) + 1
        return Enclosed(
            consents=consents,
            grants=tuple(_grants(consents, patient, version)),
            problems=tuple(problems),
        )

    def _octets(
        self,
        part: Part,
        submission: Submission,
        sender: Organization,
        facts: Facts,
        sends_for: Sequence[Identifier],
    ) -> bytes:
        """Return the octets of a consent that is signed, or need not be.

        Raises Rejected or NeedsOperator (CON-306), or TryLater.
        """
        beside = tuple(one for one in submission.parts if one.name == SIGNATURE)
        report = self.verifier.verify(part, beside, submission.kept_at)
        if not report.signatures:
            if sender.allow_unsigned:
                return part.body
            raise Rejected(_unbelieved("SIG-201"))
        try:
            require_passed(report, submission.kept_at)
            octets = self.verifier.signed_octets(report, part)[0]
        except Rejected as error:
            raise Rejected(_unbelieved(error.problems[0].code)) from error
        except TryLater as later:
            problems = (replace(one, place=PART) for one in later.problems)
            raise TryLater(*problems, at=later.at) from later
        except GatewayError as error:
            raise NeedsOperator(_unbelieved(error.problems[0].code)) from error
        signers = [one.signer for one in report.signatures if one.signer is not None]
        if not any(bindings.vouches(one, facts, sender, sends_for) for one in signers):
            raise Rejected(_unbelieved(STRANGERS))
        return octets

    def _same_patient(
        self, reading: Reading, claim: PatientClaim, patient: str, *, inside: bool
    ) -> bool:
        """Return whether the consent and the document speak of one patient.

        A reference inside the same signed bundle needs no identifier: the bundle has one
        patient.
        """
        if not reading.patient:
            return inside
        agree = _agree(reading.patient, claim.identifiers)
        return patient in self._cards(reading.patient) if agree is None else agree

    def _may_be_of(self, named: Sequence[Identifier], sent: Sequence[Identifier]) -> bool:
        """Return whether two name one patient, by their numbers or by a card that has both."""
        agree = _agree(named, sent)
        return bool(self._cards(named) & self._cards(sent)) if agree is None else agree

    def _cards(self, names: Sequence[Identifier]) -> set[str]:
        return {card.patient for one in names for card in self.store.cards(one)}


def _agree(named: Sequence[Identifier], sent: Sequence[Identifier]) -> bool | None:
    """Say whether numbers of the same kind are the same; None where there are none of a kind."""
    values = {one.system: one.value for one in sent}
    if any(values.get(one.system, one.value) != one.value for one in named):
        return False
    return True if any(one.system in values for one in named) else None


def _id(submission: Submission, place: str) -> str:
    """Return a consent's id: stable over repeats, one for all documents it is read with."""
    positions = re.findall("[0-9]+", place)
    return "-".join((submission.id, PART, *(("entry", *positions) if positions else ("1",))))


def _speaks_for(part: Part, document: Document) -> bool:
    return part.name == PART and (part.about is None or document.ordinal in part.about)


def _inside(document: Document) -> Iterator[tuple[Json, str]]:
    """Yield the Consents of a FHIR bundle and their places."""
    if document.format != "fhir_json":
        return
    for node in document.root.each("Consent"):
        value: Any = getattr(node, "value", None)
        if isinstance(value, dict):
            yield value, node.place


def _grants(consents: Sequence[NewConsent], patient: str, version: int) -> Iterator[Grant]:
    for number, consent in enumerate(consents):
        for ordinal, one in enumerate(consent.provisions):
            assert consent.id is not None
            yield Grant(
                recipient=one.recipient,
                purpose=one.purpose,
                valid_from=one.valid_from,
                valid_to=one.valid_to,
                deny=one.deny,
                tests=one.tests,
                id=consent.id,
                patient=patient,
                state="rejected" if consent.rejected else "active",
                version=version + number,
                ordinal=ordinal,
            )


def _holds(finding: SignatureFinding) -> bool:
    """Say whether the mathematics were checked and hold, be the certificate what it may."""
    status = {check.name: check.status for check in finding.checks}
    digest = status.get("reference_data", CheckStatus.PASSED)
    return status.get("signature_value") is digest is CheckStatus.PASSED


def _unbelieved(check: str) -> Problem:
    return Problem(code="CON-306", place=PART, detail={"check": check})
