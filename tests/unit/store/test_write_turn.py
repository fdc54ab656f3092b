"""Processes take turns at one SQLite file, and none of them twice while another waits."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from gateway.store.write_turn import WriteTurn

HOLD = """
import sys
from gateway.store.write_turn import WriteTurn
with WriteTurn(sys.argv[1]).taken():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_who_just_wrote_goes_behind_who_waits(tmp_path: Path) -> None:
    """A line with a full queue must not keep a laboratory's keep waiting for ever."""
    path = str(tmp_path / "gateway.db")
    busy, waiting = WriteTurn(path), WriteTurn(path)
    order: list[str] = []
    queued = threading.Event()

    def wait() -> None:
        queued.set()
        with waiting.taken():
            order.append("waiting")

    with busy.taken():
        thread = threading.Thread(target=wait)
        thread.start()
        queued.wait(10)
        # It queues by holding the first of the two locks: now, or in a moment.
        while not busy.wanted():
            pass
    with busy.taken():
        order.append("busy")
    thread.join(10)
    assert order == ["waiting", "busy"]


def test_a_killed_writer_leaves_its_turn_to_the_next(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway.db")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    turn = WriteTurn(path)
    with turn.taken():
        pass
    turn.close()
