"""One worker process: tries inputs one after another under limits of time and memory.

The kernel keeps the limits, so that nothing inside the process can get round them: who
spends more processor time on one input than allowed is ended by a signal, and an allocation
past the limit fails.
"""

from __future__ import annotations

import faulthandler
import resource
import signal
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.ground import Ground

SECONDS_MAX = 2.0
"""Of processor time for one input: the machine may be busy with other things."""

MEMORY_BYTES_MAX = 512 << 20
PEAK_RESET = b"5"
"""Written to clear_refs: the peak of memory is counted from here (proc(5))."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Inputs of one row by their numbers, the last one excluded."""

    row: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One input that broke a promise."""

    row: str
    number: int
    kind: str
    """`crash`, `hang`, `memory` or `believed`."""

    detail: str = ""


@dataclass(kw_only=True)
class Tally:
    """What became of the inputs of a row."""

    words: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds of processor time for one input."""

    peak: int = 0
    """Octets that the process held at most, the program itself among them."""

    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.words.update(other.words)
        self.slowest = max(self.slowest, other.slowest)
        self.peak = max(self.peak, other.peak)
        self.failures += other.failures


def work(folder: Path, room: str, run: int, tasks: Connection, current: Any, trace: Path) -> None:
    """Do the tasks that come over the connection, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ground = Ground(folder, room)
    with trace.open("w", encoding="utf-8") as written:
        # Where an input hung is written before the signal ends the process.
        faulthandler.register(signal.SIGPROF, file=written, chain=True)
        _limit_memory()
        while True:
            try:
                task = tasks.recv()
            except EOFError:
                return
            tasks.send(tally(ground, run, task, current))


def tally(ground: Ground, run: int, task: Task, current: Any) -> Tally:
    """Try the inputs of one task; `current` says at any moment which one it is."""
    found = Tally()
    forget_peak()
    for number in range(task.start, task.end):
        current.value = number
        failure = tried(ground, run, task.row, number, found)
        held = peak()
        if failure is None and held > MEMORY_BYTES_MAX:
            failure = Failure(
                row=task.row, number=number, kind="memory", detail=f"{held >> 20} MiB"
            )
        if failure is not None:
            found.failures.append(failure)
        found.peak = max(found.peak, held)
        if held > MEMORY_BYTES_MAX:
            forget_peak()
    return found


def tried(ground: Ground, run: int, row: str, number: int, found: Tally) -> Failure | None:
    """Try one input and count it; return the promise it broke, if any."""
    made = ground.input(run, row, number)
    started = time.process_time()
    try:
        allowed = ground.allowed(made)
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
        outcome = ground.form(row).judge(ground.bench, made.seed, made.octets)
    except MemoryError:
        return Failure(row=row, number=number, kind="memory", detail=traceback.format_exc())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 (a panic of a compiled library is no Exception)
        return Failure(row=row, number=number, kind="crash", detail=traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        found.slowest = max(found.slowest, time.process_time() - started)
    found.words[outcome.word] += 1
    if outcome.believed <= allowed:
        return None
    more = [f"{octets[:60]!r} by {who[:16]}" for octets, who in outcome.believed - allowed]
    return Failure(row=row, number=number, kind="believed", detail="\n".join(more))


def peak() -> int:
    """Return how many octets this process held at most since the peak was forgotten.

    Not what getrusage says: that begins with the peak of whoever started this process.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def forget_peak() -> None:
    """Count the peak of memory from here on."""
    try:
        Path("/proc/self/clear_refs").write_bytes(PEAK_RESET)
    except OSError:
        return  # Then the peak is that of the whole life of the process.


def _limit_memory() -> None:
    """Let allocations fail that go more than the limit beyond what is mapped now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
