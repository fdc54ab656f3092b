"""Consents for the faces: record one as it was written, and ask what is permitted.

Both the HTTP routes and the command line speak through these two; every question leaves a
trace in the audit log (semantics, rule 9).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.consent import reader
from gateway.consent.decision import ANY, TREATMENT, decide, permits
from gateway.enclosed import directory
from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import ConsentDecision, Grant, Identifier, Json, JsonValue, Problem
from gateway.patients import identifiers
from gateway.store import LinkedElsewhere, Store, audit_entry
from gateway.store.values import NewConsent, StoredConsent

NONE = "none"
STATES = ("active", "expired", "rejected", "revoked", NONE)


@dataclass(frozen=True, kw_only=True)
class Question:
    """May results about a patient go to a recipient?"""

    patient: Identifier
    recipient: str
    purpose: str = TREATMENT
    test: str | None = None
    """`system|code`; None asks about all."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    state: str
    """One of STATES."""

    decision: ConsentDecision


class Consents:
    """Records consents and answers questions about them; safe to use from several threads."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.clock = clock

    def record(self, resource: Json, organization: str, actor: str) -> StoredConsent:
        """Store a FHIR Consent recorded by `organization`; the same one again is the same.

        Raises Rejected: FMT-3xx and CON-305 for what it says, PAT-1xx for whom it names.
        """
        now = self.clock()
        reading = reader.read(resource, directory(self.store.organizations()), now)
        if not reading.patient:
            detail = {"found": "reference", "expected": "identifier"}
            raise Rejected(Problem(code="CON-305", place="/patient", detail=detail))
        named = organization.encode() + b"\n" + text.dumps(resource)
        try:
            return self.store.add_consent(
                NewConsent(
                    # A lost answer makes a client post again: two of one would have to be
                    # revoked twice.
                    id=str(uuid.UUID(self.store.keys.exact_token("consent", named)[:32])),
                    identifiers=reading.patient,
                    provisions=reading.provisions,
                    resource=resource,
                    organization=organization,
                    actor=actor,
                    rejected=reading.rejected,
                )
            )
        except LinkedElsewhere as error:
            problem = Problem(code="PAT-105", place="/patient", detail={"cards": "2"})
            raise Rejected(problem) from error

    def ask(self, question: Question, organizations: tuple[str, ...] | None, actor: str) -> Answer:
        """Return what the consents say that `organizations` may know of; None knows all.

        An organisation knows what it recorded and what was said about itself.
        """
        now = self.clock()
        said: list[Grant] = []
        for card in self.store.cards(question.patient):
            said += self.store.grants(card.patient)
        if organizations is not None:
            said = [one for one in said if self._known(one, organizations)]
        decision = decide(said, question.recipient, question.purpose, now)
        if decision.permitted and question.test is not None:
            tests = {question.test}
            if not permits(said, question.recipient, question.purpose, now, tests):
                decision = ConsentDecision(permitted=False, basis=NONE, version=decision.version)
        state = "active" if decision.permitted else _state(said, question, now)
        detail = {
            "recipient": question.recipient,
            "permitted": "yes" if decision.permitted else "no",
            "consent": decision.reference,
            "version": str(decision.version),
        }
        # A patient's number in the log would name them: who asked about whom stays in theirs.
        subject = said[0].patient if said else NONE
        self.store.record_read(audit_entry(actor, "consent.check", subject, detail, now))
        return Answer(state=state, decision=decision)

    def _known(self, grant: Grant, organizations: tuple[str, ...]) -> bool:
        if grant.recipient in organizations:
            return True
        return self.store.consent(grant.id, organizations) is not None


def patient_of(written: str) -> Identifier:
    """Return an identifier written as `system|value`, or a bare СНИЛС.

    Raises Rejected (PAT-101).
    """
    system, bar, value = written.rpartition("|")
    found = identifiers.normalise(system if bar else "snils", value, "patient")
    if isinstance(found, Problem):
        raise Rejected(found)
    return found


def written(
    question: Question,
    *,
    deny: bool,
    tests: Sequence[str],
    start: datetime,
    end: datetime | None,
) -> Json:
    """Return a FHIR Consent that says what the words of a command line say."""
    period: Json = {"start": start.isoformat(timespec="seconds")}
    if end is not None:
        period["end"] = end.isoformat(timespec="seconds")
    provision: Json = {
        "type": "deny" if deny else "permit",
        "period": period,
        "actor": [
            {
                "role": _concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType|IRCP"),
                "reference": {"reference": f"Organization/{question.recipient}"},
            }
        ],
        "purpose": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                "code": question.purpose,
            }
        ],
    }
    if tests:
        provision["code"] = [_concept(one) for one in tests]
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope|patient-privacy"),
        "category": [_concept("http://loinc.org|59284-0")],
        "patient": {
            "identifier": {"system": question.patient.system, "value": question.patient.value}
        },
        "dateTime": start.isoformat(timespec="seconds"),
        "policyRule": {"text": "323-ФЗ, статья 13, часть 3"},
        "provision": provision,
    }


def _concept(code: str) -> JsonValue:
    system, _, value = code.rpartition("|")
    return {"coding": [{"system": system, "code": value}]}


def _state(said: Sequence[Grant], question: Question, now: datetime) -> str:
    """Return why nothing is permitted: what the last statement about it has become."""
    about = [
        one
        for one in said
        if one.recipient in (question.recipient, ANY)
        and one.purpose in (question.purpose, ANY)
        and (question.test is None or not one.tests or question.test in one.tests)
        and (one.valid_from <= now or one.state == "revoked")
    ]
    last = max(about, key=lambda one: (one.version, one.ordinal), default=None)
    if last is None:
        return NONE
    if last.state == "active" and last.valid_to is not None and last.valid_to <= now:
        return "expired"
    return "rejected" if last.state == "active" and last.deny else last.state
