"""Local codes that arrive otherwise than before: a new name, unit or specimen (MAP-109).

The first use of a code is learnt; a later one that differs is shown to a person with the old
and the new side by side, because a laboratory that gives a code a new meaning seldom says so.

Source: semantics, rule 12.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.mapping import units
from gateway.mapping.rulings import DRIFT
from gateway.mapping.work import Used, Work
from gateway.model import CodeUse

ASPECTS = ("name", "unit", "specimen")


def check(work: Work) -> None:
    """Lay on the desk what drifted; note what is learnt."""
    rulings = work.context.rulings
    if not work.used or not rulings.watch:
        return
    before = rulings.uses((one.use.system, one.use.code) for one in work.used)
    by_code: dict[tuple[str, str], list[CodeUse]] = {}
    for use in before:
        by_code.setdefault((use.system, use.code), []).append(use)
    for one in dict.fromkeys(work.used):
        known = by_code.get((one.use.system, one.use.code), [])
        if one.use in known or one.use in work.learnt:
            continue
        if not known or _fits(one.use, known) or _announced(work, one, known):
            work.learnt.append(one.use)
        else:
            _ask(work, one, known)


def _fits(use: CodeUse, known: Sequence[CodeUse]) -> bool:
    """Say whether some known use of the same test differs in nothing that both say."""
    return any(
        other.test == use.test
        and all(_same(getattr(use, name), getattr(other, name)) for name in ASPECTS)
        for other in known
    )


def _same(left: str, right: str) -> bool:
    return not left or not right or units.fold(left) == units.fold(right)


def _announced(work: Work, one: Used, known: Sequence[CodeUse]) -> bool:
    """Say whether a person has put the new meaning, under this name, into the table."""
    if any(other.test == one.use.test for other in known) or one.day is None:
        return False
    tables = work.mapping.local_codes
    row = work.mapping.codes.row(tables, one.use.system, one.use.code, one.day)
    return row is not None and bool(one.use.name) and _same(row.name, one.use.name)


def _ask(work: Work, one: Used, known: Sequence[CodeUse]) -> None:
    use, old = one.use, _nearest(one.use, known)
    changed = [name for name in ASPECTS if not _same(getattr(use, name), getattr(old, name))]
    facts = {f"old_{name}": getattr(old, name) for name in ("test", *ASPECTS)}
    facts |= {"changed": ",".join(changed or ["test"])}
    if one.day is not None:
        facts["collected"] = one.day.isoformat()
    subject = {name: getattr(use, name) for name in ("system", "code", "test", *ASPECTS)}
    work.ask(DRIFT, one.place, subject, facts, changed=", ".join(changed or ["test"]))


def _nearest(use: CodeUse, known: Sequence[CodeUse]) -> CodeUse:
    """Return the known use with the most in common, the newest of equals."""

    def likeness(other: CodeUse) -> int:
        return sum(_same(getattr(use, name), getattr(other, name)) for name in ASPECTS)

    return max(reversed(known), key=likeness)
