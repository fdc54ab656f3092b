"""What persons decided about a laboratory's codes and units, laid over the tables.

A decision speaks for one organisation.  One with a first day holds for specimens collected
from that day on, so a specimen of February keeps February's map (semantics, rule 12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.model import CodeUse, Decision

UNKNOWN_CODE = "MAP-101"
UNKNOWN_UNIT = "MAP-108"
DRIFT = "MAP-109"

Uses = Callable[[Iterable[tuple[str, str]]], Sequence[CodeUse]]


def _none_known(codes: Iterable[tuple[str, str]]) -> Sequence[CodeUse]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """What a decision says, and which one."""

    answer: str
    decision: str


class Rulings:
    """The decisions that stand for one document, with how its codes were used before."""

    def __init__(
        self, decisions: Sequence[Decision] = (), uses: Uses = _none_known, *, watch: bool = False
    ) -> None:
        """With `watch`, codes that arrive otherwise than they were used before are drift."""
        self.watch = watch
        self._uses = uses
        self._codes: dict[tuple[str, str], list[Decision]] = {}
        self._units: dict[tuple[str, str, str], Decision] = {}
        self._drifts: list[Decision] = []
        for one in decisions:
            subject = one.subject
            if one.cause == UNKNOWN_UNIT:
                key = (subject["unit"], subject.get("system", ""), subject.get("code", ""))
                self._units[key] = one
            elif one.cause in (UNKNOWN_CODE, DRIFT) and "test" in one.answer:
                self._codes.setdefault((subject["system"], subject["code"]), []).append(one)
            if one.cause == DRIFT:
                self._drifts.append(one)

    def test(self, system: str, code: str, day: date | None) -> Ruled | None:
        """Return the test (its ФСЛИ or LOINC code) a code means for a specimen of `day`."""
        held = [one for one in self._codes.get((system, code), ()) if _holds(one, day)]
        if not held:
            return None
        # Of two, the one that begins later; of those, the one decided last.
        last = max(held, key=lambda one: (one.valid_from or date.min, one.at, one.id))
        return Ruled(answer=last.answer["test"], decision=last.id)

    def unit(self, written: str, system: str, code: str) -> Ruled | None:
        """Return the UCUM code of a unit as written; for none written, that of the test."""
        key = (written, "", "") if written else ("", system, code)
        found = self._units.get(key)
        return None if found is None else Ruled(answer=found.answer["unit"], decision=found.id)

    def uses(self, codes: Iterable[tuple[str, str]]) -> tuple[CodeUse, ...]:
        """Return the uses of codes that were met before or that a person confirmed."""
        wanted = set(codes)
        confirmed = (
            _confirmed(one)
            for one in self._drifts
            if (one.subject["system"], one.subject["code"]) in wanted
        )
        return (*self._uses(wanted), *confirmed)


def _holds(decision: Decision, day: date | None) -> bool:
    return decision.valid_from is None or (day is not None and day >= decision.valid_from)


def _confirmed(drift: Decision) -> CodeUse:
    subject = drift.subject
    return CodeUse(
        system=subject["system"],
        code=subject["code"],
        test=drift.answer.get("test", subject["test"]),
        name=subject["name"],
        unit=subject["unit"],
        specimen=subject["specimen"],
    )
