"""Ranked suggestions for what a table does not know: tests by name, units by spelling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from gateway.mapping.codes import Test
from gateway.mapping.units import Unit, fold

SUGGESTIONS_MAX = 3
TEXT_MAX = 120
"""Longer names are cut before they are compared: likeness costs the square of the length."""

LIKENESS_MIN = 0.45
UNIT_BONUS = 0.15
"""What a fitting unit adds to the likeness of the name."""


def tests_like(tests: Iterable[Test], name: str, unit: str = "") -> tuple[Test, ...]:
    """Return the tests most like `name`, best first; a fitting unit counts for a test."""
    wanted = _words(name)
    ranked = []
    for test in tests:
        likeness = _likeness(wanted, _words(test.name))
        if unit and unit in test.units:
            likeness += UNIT_BONUS
        if likeness >= LIKENESS_MIN:
            ranked.append((-likeness, test.name, test.key, test))
    return tuple(one[3] for one in sorted(ranked, key=lambda one: one[:3])[:SUGGESTIONS_MAX])


def units_like(units: Iterable[Unit], written: str, expected: Sequence[str]) -> tuple[str, ...]:
    """Return UCUM codes, best first: what the test comes in, then the nearest spelling."""
    wanted = fold(written[:TEXT_MAX])
    ranked: list[tuple[float, str]] = [(-2.0 + i / 100, one) for i, one in enumerate(expected)]
    if wanted:
        for unit in units:
            spellings = (unit.ucum, unit.ru, *unit.also)
            likeness = max(_likeness(wanted, fold(spelling)) for spelling in spellings)
            bonus = 1.0 if unit.ucum in expected else 0.0
            if likeness >= LIKENESS_MIN:
                ranked.append((-likeness - bonus, unit.ucum))
    return tuple(dict.fromkeys(ucum for _, ucum in sorted(ranked)))[:SUGGESTIONS_MAX]


@lru_cache(4096)
def _words(text: str) -> str:
    folded = text[:TEXT_MAX].casefold().replace("ё", "е")
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def _likeness(left: str, right: str) -> float:
    """Return 0…1; a whole word in common counts beside the letters."""
    if not left or not right:
        return 0.0
    mine, theirs = set(left.split()), set(right.split())
    shared = len(mine & theirs) / min(len(mine), len(theirs))
    letters = SequenceMatcher(None, left, right, autojunk=False).ratio()
    return max(letters, (letters + shared) / 2)
