"""Whose card is it: the table of `matching.toml` applied to what a document claims.

Pure: cards come in through a function, nothing is read or written here.  What a row may ask
of is computed once as words (`same`, `differs`, `unknown`), so a person can read the table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Protocol

from gateway.model import (
    Identifier,
    Json,
    JsonValue,
    MatchKind,
    PatientClaim,
    PatientMatch,
    Problem,
)
from gateway.patients import identifiers

PARENT_YEARS_MIN = 12
"""A card this much older than an infant, of a woman, is taken for the mother's."""

INFANT_DAYS_MAX = 366

_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("snils", (identifiers.SNILS,)),
    ("enp", (identifiers.ENP,)),
    ("document", (identifiers.PASSPORT, identifiers.FOREIGN_PASSPORT)),
    ("birth-certificate", (identifiers.BIRTH_CERTIFICATE,)),
    ("mis", (identifiers.MIS,)),
)
_CONDITIONS = frozenset(
    [
        "found_by",
        "has",
        "other_snils",
        "birth_date",
        "sex",
        "family",
        "given",
        "parent",
        "complete",
        "anonymous",
    ]
)


class Card(Protocol):
    """What the store knows of a patient."""

    @property
    def patient(self) -> str: ...

    @property
    def resource(self) -> Json | None:
        """The Patient resource; None when a number is linked but no card exists yet."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table."""

    name: str
    conditions: Mapping[str, tuple[str, ...]]
    outcome: MatchKind
    code: str | None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the table says, and which row said it."""

    row: Row
    match: PatientMatch


def match(
    claim: PatientClaim,
    cards: Callable[[Identifier], Sequence[Card]],
    *,
    new_patient: Callable[[], str],
    anonymous: bool = False,
    at: date | None = None,
) -> PatientMatch:
    """Return whose card `claim` belongs to.

    `cards` gives the cards an identifier leads to, `new_patient` a fresh patient number.
    `at` is the day of the report, to tell a newborn.
    """
    return decide(claim, cards, new_patient=new_patient, anonymous=anonymous, at=at).match


def decide(
    claim: PatientClaim,
    cards: Callable[[Identifier], Sequence[Card]],
    *,
    new_patient: Callable[[], str],
    anonymous: bool = False,
    at: date | None = None,
) -> Decision:
    """As `match`, with the row of the table that decided."""
    found_by, found = _find(claim, cards)
    linked = None
    if len(found) == 1 and found[0].resource is None:
        # A number was linked before its card was stored: the card is still to be made.
        linked, found, found_by = found[0].patient, [], "none"
    facts = {
        "anonymous": "yes" if anonymous else "no",
        "found_by": found_by if len(found) < 2 else "several",
        "has": _has(claim),
        "complete": "yes" if claim.birth_date and claim.sex else "no",
        **_compare(claim, found[0].resource if len(found) == 1 else None, at),
    }
    row = next(row for row in table() if _fits(row, facts))
    problems = () if row.code is None else (_problem(row, claim, found),)
    patient = None
    if row.outcome is MatchKind.MATCHED:
        patient = found[0].patient
    elif row.outcome in (MatchKind.NEW, MatchKind.PROVISIONAL):
        patient = linked or new_patient()
    # A provisional card becomes a full one by a number that only one person has.
    confirms = row.outcome is MatchKind.MATCHED and _has(claim) in ("snils", "enp")
    made = PatientMatch(kind=row.outcome, patient=patient, problems=problems, confirms=confirms)
    return Decision(row=row, match=made)


@cache
def table() -> tuple[Row, ...]:
    """Return the rows of `matching.toml`, in order."""
    text = (Path(__file__).parent / "matching.toml").read_text("utf-8")
    return tuple(_row(entry) for entry in tomllib.loads(text)["row"])


def _row(entry: dict[str, str | list[str]]) -> Row:
    known = _CONDITIONS & entry.keys()
    rest = entry.keys() - known - {"name", "outcome", "code"}
    assert not rest, f"{entry['name']}: {rest}"
    conditions = {
        key: (value,) if isinstance(value := entry[key], str) else tuple(value) for key in known
    }
    code = entry.get("code")
    assert code is None or isinstance(code, str)
    return Row(
        name=str(entry["name"]),
        conditions=conditions,
        outcome=MatchKind(str(entry["outcome"])),
        code=code,
    )


def alike(claim: PatientClaim, resource: Json) -> bool:
    """Say whether nothing in name, birth date and sex speaks against a card."""
    said = _compare(claim, resource, None)
    return "differs" not in {said[word] for word in ("birth_date", "sex", "family", "given")}


def _fits(row: Row, facts: Mapping[str, str]) -> bool:
    return all(facts[key] in wanted for key, wanted in row.conditions.items())


def _problem(row: Row, claim: PatientClaim, found: Sequence[Card]) -> Problem:
    assert row.code is not None
    return Problem(
        code=row.code,
        place=claim.place,
        detail={"cards": str(len(found))},
        warning=row.outcome is MatchKind.MATCHED,
    )


def _find(
    claim: PatientClaim, cards: Callable[[Identifier], Sequence[Card]]
) -> tuple[str, list[Card]]:
    """Return the strongest kind of number that leads to a card, and all cards found."""
    found: dict[str, Card] = {}
    found_by = "none"
    for kind, systems in _KINDS:
        for identifier in claim.identifiers:
            if identifier.system not in systems:
                continue
            for card in cards(identifier):
                if found_by == "none":
                    found_by = "document" if kind == "birth-certificate" else kind
                found.setdefault(card.patient, card)
    return found_by, list(found.values())


def _has(claim: PatientClaim) -> str:
    carried = {identifier.system for identifier in claim.identifiers}
    return next((kind for kind, systems in _KINDS if carried.intersection(systems)), "none")


def _compare(claim: PatientClaim, resource: Json | None, at: date | None) -> dict[str, str]:
    if resource is None:
        words = ("birth_date", "sex", "family", "given")
        return {**dict.fromkeys(words, "unknown"), "other_snils": "no", "parent": "no"}
    theirs = _date(resource.get("birthDate"))
    names = _names(resource)
    claimed = claim.name
    return {
        "birth_date": _word(claim.birth_date, theirs),
        "sex": _word(_known_sex(claim.sex), _known_sex(resource.get("gender"))),
        "family": _name_word(claimed.family if claimed else "", [n[0] for n in names]),
        "given": _name_word(claimed.given if claimed else "", [n[1] for n in names]),
        "other_snils": "yes" if _other_snils(claim, resource) else "no",
        "parent": "yes" if _is_parent(claim, theirs, resource.get("gender"), at) else "no",
    }


def _word(ours: object, theirs: object) -> str:
    if ours is None or theirs is None:
        return "unknown"
    return "same" if ours == theirs else "differs"


def _date(text: JsonValue) -> date | None:
    """Return a whole date; a year or a month alone agrees with nothing and differs from nothing."""
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _known_sex(sex: JsonValue) -> JsonValue:
    return sex if sex in ("male", "female", "other") else None


def _names(resource: Json) -> list[tuple[str, str]]:
    """Return (family, first given) of every name on the card, old ones included."""
    names = resource.get("name")
    pairs = []
    for name in names if isinstance(names, list) else []:
        if isinstance(name, dict):
            given = name.get("given")
            first = given[0] if isinstance(given, list) and given else ""
            pairs.append((str(name.get("family") or ""), str(first or "")))
    return pairs


def fold(name: str) -> str:
    """Return a name as it is compared: case, ё, hyphens and spaces do not count."""
    return "".join(c for c in name.casefold().replace("ё", "е") if c.isalpha())


def _name_word(ours: str, theirs: Sequence[str]) -> str:
    mine = fold(ours)
    others = [fold(name) for name in theirs if fold(name)]
    comparable = [name for name in others if mine and _latin(name) == _latin(mine)]
    if not comparable:
        return "unknown"
    same = any(n == mine or (min(len(n), len(mine)) == 1 and n[0] == mine[0]) for n in comparable)
    return "same" if same else "differs"


def _latin(name: str) -> bool:
    return name[0] < "\u0250"


def _other_snils(claim: PatientClaim, resource: Json) -> bool:
    ours = {i.value for i in claim.identifiers if i.system == identifiers.SNILS}
    entries = resource.get("identifier")
    theirs = {
        entry.get("value")
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and entry.get("system") == identifiers.SNILS
    }
    return bool(ours and theirs and not ours & theirs)


def _is_parent(
    claim: PatientClaim, theirs: date | None, gender: JsonValue, at: date | None
) -> bool:
    ours = claim.birth_date
    if ours is None or theirs is None or gender != "female":
        return False
    infant = at is None or (at - ours).days <= INFANT_DAYS_MAX
    return infant and ours.year - theirs.year >= PARENT_YEARS_MIN
