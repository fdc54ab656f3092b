"""The fuzzer notices what it is there for, and goes on; its inputs can be made again."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz import running
from tests.fuzz.bad_forms.bad import ROWS
from tests.fuzz.ground import Ground
from tests.fuzz.running import Run

BAD = "tests.fuzz.bad_forms"
EACH = 2
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("bad"), 7, workers=2, room=BAD, still_looks_max=5)
    run.go(EACH * len(ROWS))
    return run


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("raises", "crash"),
        ("works", "hang"),
        ("waits", "hang"),
        ("grows", "memory"),
        ("grows-slowly", "memory"),
        ("exits", "crash"),
        ("believes", "believed"),
    ],
)
def test_every_broken_promise_is_reported_and_the_run_goes_on(
    run: Run, row: str, kind: str
) -> None:
    found = [(one.kind, one.number) for one in run.tallies[row].failures]
    assert sorted(found) == [(kind, number) for number in range(EACH)]


def test_what_keeps_its_promises_is_not_reported(run: Run) -> None:
    assert run.tallies["good"].failures == []
    assert run.tallies["good"].words.total() == EACH


def test_a_failing_input_is_kept_with_its_seed_and_the_way_to_repeat_it(run: Run) -> None:
    kept = run.folder / "failures" / "raises-1"
    made = run.ground.input(7, "raises", 1)
    assert (kept / "input").read_bytes() == made.octets
    assert (kept / "seed").read_bytes() == made.seed.octets
    told = (kept / "what.txt").read_text("utf-8")
    assert f"--ground {run.folder} --seed 7 --form raises --number 1" in told
    assert "RecursionError: too deep" in told


def test_where_an_input_hung_is_told(run: Run) -> None:
    told = (run.folder / "failures" / "works-0" / "what.txt").read_text("utf-8")
    assert "in judge" in told


def test_one_input_is_tried_again_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--ground", str(tmp_path), "--seed", "3",
               "--form", "cms-detached", "--number", "5"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cms-detached" in done.stdout


def test_the_same_number_is_the_same_input_wherever_the_folder_is_read(tmp_path: Path) -> None:
    """Keys are random; the folder holds what was made with them."""
    first, second = Ground(tmp_path), Ground(tmp_path)
    for row in first.rows:
        for number in range(3):
            assert first.input(1, row, number) == second.input(1, row, number)


def test_changes_are_of_many_kinds_and_seldom_none(tmp_path: Path) -> None:
    """An input equal to its seed is wasted."""
    ground = Ground(tmp_path)
    for row in ground.rows:
        made = [ground.input(1, row, number) for number in range(100)]
        assert sum(one.octets == one.seed.octets for one in made) < 20, row
        assert len({one.octets for one in made}) > 75, row


def test_all_rows_get_their_share() -> None:
    tasks = running._shared(["a", "b", "c"], 1000)
    shares = Counter(dict.fromkeys("abc", 0))
    for task in tasks:
        shares[task.row] += task.end - task.start
    assert shares == {"a": 334, "b": 333, "c": 333}
