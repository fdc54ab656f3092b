"""Whose card it is, asked of a person: what the document says, kept sealed with the question."""

from __future__ import annotations

from datetime import date

from gateway.model import Identifier, PatientClaim, PersonName, Question

_BREAK = "\x1f"


def question(claim: PatientClaim, document: str, code: str) -> Question:
    """Return the question that a document of an undecided patient asks.

    It is about this document alone: what the documents of twins say may be quite the same.
    """
    name = claim.name or PersonName(family="")
    facts = {
        "family": name.family,
        "given": name.given,
        "patronymic": name.patronymic,
        "birth_date": claim.birth_date.isoformat() if claim.birth_date else "",
        "sex": claim.sex or "",
        "identifiers": _BREAK.join(f"{one.system} {one.value}" for one in claim.identifiers),
    }
    return Question(cause=code, place=claim.place, subject={"document": document}, facts=facts)


def claim_of(asked: Question) -> PatientClaim:
    """Return the claim that `question` wrote down."""
    facts = asked.facts
    pairs = [one.split(" ", 1) for one in facts["identifiers"].split(_BREAK) if one]
    return PatientClaim(
        identifiers=tuple(Identifier(system=system, value=value) for system, value in pairs),
        name=PersonName(
            family=facts["family"], given=facts["given"], patronymic=facts["patronymic"]
        ),
        birth_date=date.fromisoformat(facts["birth_date"]) if facts["birth_date"] else None,
        sex=facts["sex"] or None,
        place=asked.place,
    )
