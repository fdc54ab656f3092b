"""The line behind a door, in a process of its own.

Verifying and mapping cost ten times what taking a submission in costs.  In one process they
share one interpreter, and a laboratory's flood trebled its neighbours' wait for a receipt;
apart, at a lower priority, they get what the door leaves.

The door rings for new work over the child's standard input, whose end is its word to stop; the
child's beats come back over its standard output.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from gateway.sandbox.processes import PARENT
from gateway.store.work import KINDS

log = structlog.get_logger("gateway.line_process")

NICE = 10
"""Steps of priority below the door that working threads have: they lose time, and the writer,
which keeps the door's, never holds SQLite's turn while it waits for a processor."""

SWITCH_SECONDS = 0.0005
"""After so long a thread lets another of its process go on, at the door and on the line.  With
the usual 5 ms who took SQLite's turn waited for it through others' computing."""

GOODBYE_SECONDS = 0.2
"""A moment for the line to hear that it may finish: its door must not hold connections."""

RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a line that died is started again; the last one stays."""

LIVED_SECONDS = 60.0
"""A line that lived so long did not die of how it was started: the pauses begin anew."""

BEAT_SECONDS = 5.0
UNHEARD_SECONDS = 20.0
"""After so long without a beat the door says that it is not ready."""

SILENT_SECONDS = 60.0
"""After so long without a beat the line is ended and started again."""

POLL_SECONDS = 0.1
READ_BYTES = 4096


class LineProcess:
    """Runs `gateway worker` for a door and starts it again when it dies."""

    def __init__(self, home: Path) -> None:
        self._command = [sys.executable, "-m", "gateway.cli", "worker", "--home", str(home)]
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        """Say whether the line runs and was heard of lately."""
        process = self._process
        running = process is not None and process.poll() is None
        return running and time.monotonic() - self._heard < UNHEARD_SECONDS

    def ring(self, kind: str) -> None:
        """Tell the line that work of a kind waits; a bell nobody hears is found by looking."""
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            os.write(process.stdin.fileno(), bytes([KINDS.index(kind)]))
        except (BlockingIOError, BrokenPipeError, ValueError):
            return

    def stop(self) -> None:
        """Tell the line to finish what it holds; it does so after this process, if need be."""
        self._stopping.set()
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GOODBYE_SECONDS)

    def _run(self) -> None:
        # The kernel ends a child with the *thread* that started it, so this one waits for it.
        failures = 0
        while not self._stopping.is_set():
            self._heard = started = time.monotonic()
            self._process = process = self._started()
            self._listen(process)
            process.wait()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > LIVED_SECONDS else failures
            log.error("line.died", code=str(process.returncode), attempt=failures + 1)
            ends = time.monotonic() + RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)]
            # An event's timed wait is endless where the clocks are moved (faketime).
            while time.monotonic() < ends and not self._stopping.is_set():
                time.sleep(POLL_SECONDS)
            failures += 1

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Note the line's beats until it ends; end one that is silent."""
        assert process.stdout is not None
        with process.stdout as beats:
            while select.select([beats], [], [], SILENT_SECONDS)[0]:
                if not os.read(beats.fileno(), READ_BYTES):
                    return
                self._heard = time.monotonic()
        log.error("line.silent")
        process.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        # In our session, so that a terminal's Ctrl-C and `kill` of a group find it.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and verb
            [*self._command, "--behind-door"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, PARENT: str(os.getpid())},
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        return process


def listen(ring: Callable[[str], None], ended: Callable[[], object]) -> None:
    """In the line's process: ring for each kind the door names, and `ended` with the input."""

    def run() -> None:
        while octets := os.read(sys.stdin.fileno(), READ_BYTES):
            for number in set(octets):
                if number < len(KINDS):
                    ring(KINDS[number])
        ended()

    threading.Thread(target=run, name="bell", daemon=True).start()


def beat() -> None:
    """In the line's process: let the door know that it lives.

    A door that is gone asks no more; the end of our input says so.
    """
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), b".")
