"""The repair desk: questions with suggestions, decisions, and the replays that follow them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.errors import Rejected
from gateway.model import CodeUse, Decision, Json, PatientClaim, Problem, Question
from gateway.repair import answers, masking
from gateway.repair.replays import Replays
from gateway.store import Decided, Store
from gateway.store.values import Card, NewDecision, PastDecision, Repair, ReplayRun, UndoneDecision

Organizations = tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One answer a person may give, the likeliest first."""

    answer: str
    title: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Suggester:
    """Who knows what is likely: functions of the rooms that hold the tables."""

    tests: Callable[[str, str], Sequence[tuple[str, str]]]
    """(name, unit) → (key, name) of tests, best first."""

    units: Callable[[str, str, str], Sequence[str]]
    """(as written, system, code of the test) → UCUM codes, best first."""

    claim: Callable[[Question], PatientClaim]
    alike: Callable[[PatientClaim, Json], bool]
    """Whether a card may be the claim's person, by name and sex."""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What a decision set going."""

    decision: Decision
    run: ReplayRun


class Desk:
    """Lists, explains and settles questions; one object per gateway."""

    def __init__(
        self, store: Store, tables: answers.Tables, suggester: Suggester, replays: Replays
    ) -> None:
        self.store = store
        self.tables = tables
        self.suggester = suggester
        self.replays = replays

    def waiting(self, organizations: Organizations, cause: str | None = None) -> tuple[Repair, ...]:
        """Return the questions that documents wait on, the most asked first."""
        return self.store.repairs(organizations, cause)

    def find(self, id: str, organizations: Organizations) -> Repair | None:
        return self.store.repair(id, organizations)

    def history(self, repair: Repair) -> tuple[PastDecision, ...]:
        """Return every decision on a question, oldest first; taken back ones too."""
        return self.store.decision_history(repair.id)

    def suggestions(self, repair: Repair, *, operator: bool) -> tuple[Suggestion, ...]:
        """Return likely answers; candidates for a card are an operator's to see, and masked."""
        facts, subject = repair.facts, repair.subject
        if repair.cause in answers.UNITS:
            found = self.suggester.units(
                subject["unit"], facts.get("system", ""), facts.get("code", "")
            )
            return tuple(Suggestion(answer=one, title=one) for one in found)
        if repair.cause in answers.TESTS:
            name = facts.get("name") or subject.get("name") or subject["code"]
            unit = facts.get("unit") or subject.get("unit", "")
            tests = self.suggester.tests(name, unit)
            likely = tuple(Suggestion(answer=key, title=title) for key, title in tests)
            if repair.cause == "MAP-109":
                return (Suggestion(answer=answers.SAME, title=facts.get("old_name", "")), *likely)
            return likely
        if repair.cause in answers.PATIENTS and operator and facts:
            return self._candidates(repair)
        return ()

    def decide(
        self,
        repair: Repair,
        given: Mapping[str, str],
        *,
        by: str,
        valid_from: date | None = None,
        note: str = "",
        rate: float | None = None,
    ) -> Settled:
        """Settle a question for every document that waits on it, and replay them.

        Raises Rejected: FMT-109 for an answer that is none, DUP-002 when it is settled.
        """
        answer = answers.checked(repair, given, self.tables)
        if len(note) > answers.NOTE_MAX:
            detail = {"name": "note", "expected": f"≤ {answers.NOTE_MAX}"}
            raise Rejected(Problem(code="FMT-109", place="note", detail=detail))
        if valid_from is not None and "test" not in answer:
            detail = {"name": "from", "expected": "—"}
            raise Rejected(Problem(code="FMT-109", place="from", detail=detail))
        asked = self.store.questions(repair.id)
        if repair.cause == "MAP-109" and "test" in answer and valid_from is None:
            valid_from = _first_day(asked)
        # What a person says of a code is true of every use that was asked about.
        uses = _uses(asked, answer["test"]) if repair.cause == "MAP-101" else []
        new = NewDecision(
            repair=repair.id,
            organization=repair.organization,
            cause=repair.cause,
            subject=repair.subject,
            answer=answer,
            by=by,
            valid_from=valid_from,
            note=note,
        )
        try:
            decision, run = self.store.decide(new, uses=uses, rate=rate)
        except Decided as error:
            raise Rejected(Problem(code="DUP-002", place="id")) from error
        self.replays.step()
        return Settled(decision=decision, run=run)

    def undo(self, decision: str, *, by: str) -> UndoneDecision:
        """Take a decision back; what rests on it and has not left asks again.

        Raises KeyError when none of this id stands.
        """
        return self.store.undo(decision, by)

    def _candidates(self, repair: Repair) -> tuple[Suggestion, ...]:
        question = Question(
            cause=repair.cause, place=repair.place, subject=repair.subject, facts=repair.facts
        )
        claim = self.suggester.claim(question)
        linked = {
            card.patient: card
            for identifier in claim.identifiers
            for card in self.store.cards(identifier)
        }
        born = self.store.candidates(claim.birth_date) if claim.birth_date is not None else ()
        same_day = {
            card.patient: card
            for card in born
            if card.resource is not None and self.suggester.alike(claim, card.resource)
        }
        known = [one for one in {**linked, **same_day}.values() if one.resource is not None]
        new = Suggestion(answer=answers.NEW, title="")
        if repair.cause == "PAT-106":
            # A newborn under its mother's number: what has the number alone is her card.
            likely = [one for one in known if one.patient in same_day]
            others = [one for one in known if one.patient not in same_day]
            return (*map(_masked, likely), new, *map(_masked, others))
        known.sort(key=lambda one: -(2 * (one.patient in linked) + (one.patient in same_day)))
        return (*map(_masked, known), new)


def _masked(card: Card) -> Suggestion:
    assert card.resource is not None
    return Suggestion(
        answer=card.patient,
        title=masking.person(card.resource),
        why=", ".join(masking.numbers(card.resource)),
    )


def _uses(asked: Sequence[Question], test: str) -> list[CodeUse]:
    """Return how the code is used in every document that asks: all of it is confirmed."""
    return [
        CodeUse(
            system=one.subject["system"],
            code=one.subject["code"],
            test=test,
            name=one.facts.get("name", ""),
            unit=one.facts.get("unit", ""),
            specimen=one.facts.get("specimen", ""),
        )
        for one in asked
    ]


def _first_day(asked: Sequence[Question]) -> date | None:
    """Return the first day of collection among the documents that ask about a new meaning."""
    days: list[Any] = [one.facts["collected"] for one in asked if one.facts.get("collected")]
    return date.fromisoformat(min(days)) if days else None
