"""What NIST asks of certification paths, asked of paths with GOST keys of both sizes."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.pki import twin_lists, twin_paths, twin_policies
from tests.pki.twin import CASES, Case
from tests.pki.world import World

CASES_MIN = 60
SECTIONS = {f"4.{number}" for number in range(1, 17)}


@pytest.mark.parametrize(
    ("place", "case"), list(enumerate(CASES)), ids=[f"{c.number} {c.name}" for c in CASES]
)
def test_the_twin_of_each_question_has_its_answer(place: int, case: Case) -> None:
    """The sizes of keys take turns, so that every section is asked of both."""
    world = World(family=("gost256", "gost512")[place % 2])
    assert world.passes(case.build(world)) == case.expected


def test_the_twin_has_every_section_and_both_answers() -> None:
    assert len(CASES) >= CASES_MIN
    assert {case.number.rpartition(".")[0] for case in CASES} == SECTIONS
    right = Counter(case.expected is None for case in CASES)
    assert min(right[True], right[False]) >= CASES_MIN // 3
    names = Counter(case.name for case in CASES)
    assert max(names.values()) == 1
    modules = {case.build.__module__ for case in CASES}
    assert modules == {module.__name__ for module in (twin_lists, twin_paths, twin_policies)}
