"""Whose card a document goes to: by a person's decision, else by the table of `patients`.

What a person decided about a document is not asked of the table again; numbers that lead to
another card than the chosen one are left out of the claim, so that a mother's number on her
newborn is never bound to the child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.errors import NeedsOperator
from gateway.model import Decision, Facts, Identifier, Json, MatchKind, PatientMatch
from gateway.patients import asking, card, matching
from gateway.store import Store
from gateway.store.values import Card

NEW_CARD = "new"
"""Value of a decision's `kind` that opens the card it names."""


@dataclass(kw_only=True)
class Identified:
    """A document's card as it was found, with everything looked at on the way."""

    facts: Facts
    """With the claim less the numbers of other cards."""

    match: PatientMatch
    decision: str | None = None
    """Id of the decision that chose the card."""

    foreign: tuple[Identifier, ...] | None = None
    """Numbers of other cards; None when no person chose."""

    cards: dict[str, Json | None] = field(default_factory=dict)
    """The Patient of every card that was looked at, by patient number."""

    def card(self, sent: Json) -> Json:
        """Return the card's Patient with what the document adds."""
        patient = self.match.patient
        assert patient is not None
        existing = self.cards.get(patient)
        return card.card(existing, self.facts.patient, patient, sent, without=self.foreign)


def identify(
    store: Store, facts: Facts, document: str, decisions: Sequence[Decision]
) -> Identified:
    """Return whose card `document` belongs to.  Raises NeedsOperator (PAT-103 … PAT-106)."""
    for one in decisions:
        if one.subject.get("document") == document and "card" in one.answer:
            return _decided(store, facts, one)
    looked: dict[str, Json | None] = {}

    def cards(identifier: Identifier) -> tuple[Card, ...]:
        read = store.cards(identifier)
        looked.update((one.patient, one.resource) for one in read)
        return read

    issued = facts.report.issued
    match = matching.match(
        facts.patient,
        cards,
        new_patient=store.new_patient_number,
        anonymous=facts.report.anonymous,
        at=issued.date() if isinstance(issued, datetime) else issued,
    )
    if match.kind is MatchKind.UNDECIDED:
        asked = asking.question(facts.patient, document, match.problems[0].code)
        raise NeedsOperator(*match.problems, questions=(asked,))
    return Identified(facts=facts, match=match, cards=looked)


def _decided(store: Store, facts: Facts, decision: Decision) -> Identified:
    patient = decision.answer["card"]
    foreign = store.linked_elsewhere(facts.patient.identifiers, patient)
    own = tuple(one for one in facts.patient.identifiers if one not in foreign)
    existing = store.card(patient)
    assert existing or decision.answer.get("kind") == NEW_CARD, decision.id
    kind = MatchKind.MATCHED if existing else MatchKind.PROVISIONAL
    return Identified(
        facts=replace(facts, patient=replace(facts.patient, identifiers=own)),
        match=PatientMatch(kind=kind, patient=patient),
        decision=decision.id,
        foreign=foreign,
        cards={patient: existing.resource if existing else None},
    )
