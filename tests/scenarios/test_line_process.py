"""The line runs apart from the door: its death stops nothing, and nothing outlives the server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from gateway.cli.remote import Remote
from gateway.sandbox import demo
from gateway.sandbox.walk import FINAL
from tests import sandboxes

PATIENCE_S = 60.0


def test_a_killed_line_is_started_again_and_finishes_the_work(tmp_path: Path) -> None:
    with sandboxes.running(tmp_path / "var") as walk:
        until(lambda: lines(tmp_path) != [])
        first = lines(tmp_path)
        os.kill(first[0], signal.SIGKILL)
        story = sandboxes.story("01")
        laboratory = walk.laboratories[story.first.laboratory]
        kept = sandboxes.send(laboratory, sandboxes.outgoing(walk, story))
        until(lambda: lines(tmp_path) not in ([], first))
        until(lambda: status(laboratory, str(kept["id"])) in FINAL)
        assert status(laboratory, str(kept["id"])) == "accepted"


def test_a_door_whose_line_died_says_that_it_is_not_ready(tmp_path: Path) -> None:
    """A balancer sends laboratories to a gateway that also works what it takes."""
    with sandboxes.running(tmp_path / "var") as walk:
        anybody = Remote(next(iter(walk.laboratories.values())).url, None, "en")
        until(lambda: anybody.get("/readyz").status == 200)
        (line,) = lines(tmp_path)
        os.kill(line, signal.SIGKILL)
        until(lambda: anybody.get("/readyz").status == 503)
        until(lambda: anybody.get("/readyz").status == 200)


def test_a_line_that_cannot_start_leaves_the_door_open(tmp_path: Path) -> None:
    """A slip in a setting must not cost a laboratory its receipts; mended, the work goes on."""
    sandbox = sandboxes.made(tmp_path / "var")
    settings = sandbox.home / "gateway.toml"
    good = settings.read_text("utf-8")
    with demo.running(sandbox) as up:
        until(lambda: lines(tmp_path) != [])
        settings.write_text(good + '\n[work]\nline_workers = "many"\n', "utf-8")
        os.kill(lines(tmp_path)[0], signal.SIGKILL)
        walk = sandboxes.walk(sandbox)
        story = sandboxes.story("01")
        laboratory = walk.laboratories[story.first.laboratory]
        until(lambda: laboratory.get("/readyz").status == 503)
        kept = sandboxes.send(laboratory, sandboxes.outgoing(walk, story))
        settings.write_text(good, "utf-8")
        until(lambda: status(laboratory, str(kept["id"])) == "accepted")
        assert up.server.running


def test_a_line_that_stands_still_is_noticed(tmp_path: Path) -> None:
    with sandboxes.running(tmp_path / "var") as walk:
        anybody = Remote(next(iter(walk.laboratories.values())).url, None, "en")
        until(lambda: anybody.get("/readyz").status == 200)
        (line,) = lines(tmp_path)
        os.kill(line, signal.SIGSTOP)
        until(lambda: anybody.get("/readyz").status == 503)
        os.kill(line, signal.SIGCONT)
        until(lambda: anybody.get("/readyz").status == 200)


def test_no_line_outlives_its_server(tmp_path: Path) -> None:
    """A line left alone would hold the home of the next server."""
    sandbox = sandboxes.made(tmp_path / "var")
    with demo.running(sandbox) as up:
        until(lambda: lines(tmp_path) != [])
        up.server.process.kill()
        until(lambda: lines(tmp_path) == [])
    with demo.running(sandbox):
        until(lambda: lines(tmp_path) != [])
    until(lambda: lines(tmp_path) == [])


def lines(home: Path) -> list[int]:
    """Return the process ids of the lines that work a home below `home`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--behind-door" in words and any(w.startswith(bytes(home)) for w in words):
            found.append(int(folder.name))
    return found


def status(laboratory: Remote, submission: str) -> str:
    return str(laboratory.get(f"/v1/submissions/{submission}").body["status"])


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)
