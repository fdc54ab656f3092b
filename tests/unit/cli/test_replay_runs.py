"""`gateway replay` tells a person how a run ended: no change, done, already done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doorway import Doorway, doorway
from tests.scenarios.repairs import lab_document, sent, worked
from tests.unit.cli.conftest import Call


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with doorway(tmp_path) as opened:
        yield opened


def english(door: Doorway) -> tuple[str, ...]:
    return ("--home", str(door.gateway.settings.home), "--lang", "en")


def test_a_document_that_would_stay_as_it_is_says_so(call: Call, door: Doorway) -> None:
    """`Accepted → Accepted` makes a reader look for a difference that is not there."""
    same = sent(door, lab_document("1", code="GLU"))
    said = call("replay", same, "--dry-run", *english(door))
    assert "no change" in said.stdout
    assert "→" not in said.stdout
    assert said.stderr.startswith("Would be repeated: 1 (run ")


def test_a_finished_run_is_neither_stopped_nor_resumed(call: Call, door: Doorway) -> None:
    """Exit 0: what was asked for is so already; the differences are `--show`'s to tell."""
    waiting = sent(door, lab_document("2", code="NEW-1", name="Глюкоза"))
    started = call("replay", waiting, "--json", *english(door)).json["run"]
    worked(door)
    for option in ("--stop", "--resume"):
        said = call("replay", option, started, *english(door))
        assert (said.code, said.stdout) == (0, f"{started}  already done 1/1\n")
        russian = call("replay", option, started, *english(door)[:2])
        assert russian.stdout == f"{started}  прогон уже закончен: 1/1\n"
    shown = call("replay", "--show", started, *english(door)).stdout
    assert waiting in shown
    assert call("replay", "--stop", "nope", *english(door)).code == 1


def test_a_run_that_still_goes_is_stopped(call: Call, door: Doorway) -> None:
    two = [sent(door, lab_document(n, code="NEW-2", name="Глюкоза")) for n in ("3", "4")]
    started = call("replay", *two, "--rate", "0.01", "--json", *english(door))
    run = started.stdout.split('"run": "')[1].split('"')[0]
    stopped = call("replay", "--stop", run, *english(door))
    assert (stopped.code, "stopped" in stopped.stdout) == (0, True)


def test_the_last_line_after_waiting_says_that_it_is_done(
    call: Call, door: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the end to read that it is being repeated."""
    one = sent(door, lab_document("5", code="GLU"))
    # The line's worker is this process: it works between two looks at the run.
    monkeypatch.setattr("gateway.cli.replay.time.sleep", lambda _: worked(door))
    said = call("replay", one, "--wait", *english(door))
    assert said.code == 0
    assert said.stderr.splitlines()[-1].startswith("Done: 1/1 (run ")
    assert "no change" in said.stdout
