"""A seeded slice of the fuzzer: the same inputs' kinds on every machine, a few of each form.

`make fuzz` runs the same code with 200,000 inputs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.ground import Ground
from tests.fuzz.running import Run
from tests.fuzz.table import shown
from tests.fuzz.values import PASSED

COUNT = 2_000
SEED = 20261128


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def test_every_input_of_ours_passes_as_it_is(folder: Path) -> None:
    """Else no change of it could show anything."""
    ground = Ground(folder)
    for row, seeds in ground.rows.items():
        for seed in seeds:
            outcome = ground.form(row).judge(ground.bench, seed, seed.octets)
            assert outcome.word == PASSED or not seed.ours, (row, seed.name, outcome.word)


def test_no_changed_input_crashes_hangs_or_makes_believe(folder: Path) -> None:
    """No exception but the documented ones, 2 s, 512 MiB, and no other content passes."""
    run = Run(folder, SEED)
    run.go(COUNT)
    shown(run.tallies)
    told = [
        (folder / "failures" / f"{f.row}-{f.number}" / "what.txt").read_text("utf-8")
        for f in run.failures
    ]
    assert told == []
    assert sum(tally.words.total() for tally in run.tallies.values()) == COUNT
    assert all(tally.words for tally in run.tallies.values()), "a row nobody tried"
