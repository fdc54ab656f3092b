"""What may be answered to a question: checked against the tables before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.errors import Rejected
from gateway.model import Problem
from gateway.store.values import Repair

TESTS = ("MAP-101", "MAP-109")
UNITS = ("MAP-108",)
PATIENTS = ("PAT-103", "PAT-104", "PAT-105", "PAT-106")
CONSENTS = ("CON-301",)
PERSONAL = PATIENTS + CONSENTS
"""Causes about one patient: an operator's to see and to settle."""

DECIDABLE = TESTS + UNITS + PERSONAL

SAME = "same"
"""Answer to drift: the code means what it meant, under its new name, unit or specimen."""

NONE = "none"
"""Answer to a missing basis: store it, and send it to nobody for want of a consent."""

NEW = "new"
"""Answer to whose card: a card of its own."""

NOTE_MAX = 500
"""Characters of a note beside an answer."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What answers are checked against."""

    test: Callable[[str], str | None]
    """A code of ФСЛИ or LOINC → the key of a supported test, or None."""

    unit: Callable[[str], str | None]
    """A unit however it is spelled → its UCUM code, or None."""

    card: Callable[[str], bool]
    """Whether there is a card of this patient number."""

    new_patient: Callable[[], str]


def checked(repair: Repair, given: Mapping[str, str], tables: Tables) -> dict[str, str]:
    """Return the answer as it is stored.  Raises Rejected (FMT-109)."""
    if repair.cause in UNITS:
        unit = tables.unit(_only(given, "unit"))
        return {"unit": unit} if unit else _refuse("unit", "UCUM")
    if repair.cause in TESTS:
        wanted = _only(given, "test")
        if wanted == SAME and repair.cause == "MAP-109":
            return {"same": "yes"}
        test = tables.test(wanted)
        return {"test": test} if test else _refuse("test", "ФСЛИ, LOINC")
    if repair.cause in PATIENTS:
        wanted = _only(given, "card")
        if wanted == NEW:
            return {"card": tables.new_patient(), "kind": NEW}
        return {"card": wanted} if tables.card(wanted) else _refuse("card", "id, new")
    if repair.cause in CONSENTS:
        said = _only(given, "consent")
        return {"consent": NONE} if said == NONE else _refuse("consent", NONE)
    return _refuse("cause", ", ".join(DECIDABLE))


def _only(given: Mapping[str, str], name: str) -> str:
    if set(given) != {name} or not given[name].strip():
        _refuse("answer", f'{{"{name}": "…"}}')
    return given[name].strip()


def _refuse(name: str, expected: str) -> dict[str, str]:
    raise Rejected(Problem(code="FMT-109", place=name, detail={"name": name, "expected": expected}))
