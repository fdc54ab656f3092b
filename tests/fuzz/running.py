"""A run: every row gets its share of inputs, worker processes try them, a watchdog looks on."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fuzz.ground import FORMS, Ground
from tests.fuzz.trying import Failure, Tally, Task, work

CHUNK = 100
"""Inputs of one task."""

STILL_LOOKS_MAX = 60
"""Looks, one each second, after which a worker that does not move is ended.  Counted, not
timed: a run that was stopped and continued has not hung."""

FAILURES_MAX = 200
"""After so many a run ends: what fails everywhere needs no more examples."""

Progress = Callable[[int, int], None]


@dataclass
class Worker:
    """A worker process and what it is doing."""

    process: Any
    pipe: Connection
    current: Any
    trace: Path
    task: Task | None = None
    seen: int = -1
    still: int = 0


class Run:
    """Tries inputs of every row of a room."""

    def __init__(
        self,
        folder: Path,
        run: int,
        *,
        workers: int = 1,
        room: str = FORMS,
        still_looks_max: int = STILL_LOOKS_MAX,
    ) -> None:
        self.folder, self.number, self.workers, self.room = folder, run, workers, room
        self.still_looks_max = still_looks_max
        self.ground = Ground(folder, room)
        self.tallies = {row: Tally() for row in self.ground.rows}
        self._tasks: deque[Task] = deque()
        self._made = 0
        self._context = multiprocessing.get_context("spawn")

    @property
    def failures(self) -> list[Failure]:
        return [one for tally in self.tallies.values() for one in tally.failures]

    def go(self, count: int, progress: Progress = lambda done, count: None) -> None:
        """Try `count` inputs, as many of each row, and keep those that fail."""
        self._tasks = deque(_shared(list(self.tallies), count))
        working = [self._started() for _ in range(self.workers)]
        try:
            while self._tasks or any(worker.task for worker in working):
                self._hand_out(working)
                waited = [worker.pipe for worker in working if worker.task]
                ready = wait(waited, timeout=1.0)
                for place, worker in enumerate(working):
                    if worker.task is None:
                        continue
                    if worker.pipe in ready:
                        working[place] = self._answered(worker)
                    elif self._hangs(worker):
                        worker.process.kill()
                progress(sum(t.words.total() for t in self.tallies.values()), count)
                if len(self.failures) >= FAILURES_MAX:
                    break
        finally:
            for worker in working:
                worker.pipe.close()
                worker.process.kill()
                worker.process.join()

    def _hand_out(self, working: list[Worker]) -> None:
        for worker in working:
            if worker.task is None and self._tasks:
                worker.task = self._tasks.popleft()
                worker.seen, worker.still = -1, 0
                worker.pipe.send(worker.task)

    def _answered(self, worker: Worker) -> Worker:
        """Count what a worker did; one that died is followed by another."""
        assert worker.task is not None
        try:
            found: Tally = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._followed(worker, worker.task)
        self._keep(found)
        self.tallies[worker.task.row].add(found)
        worker.task = None
        return worker

    def _followed(self, worker: Worker, task: Task) -> Worker:
        """Report the input that ended a worker, and go on before and behind it."""
        worker.process.join()
        code, number = worker.process.exitcode, worker.current.value
        if not task.start <= number < task.end:
            raise RuntimeError(f"A worker ended before it began: {code}.")
        hung = code in (-signal.SIGPROF, -signal.SIGKILL)
        detail = f"exit {code}\n" + worker.trace.read_text("utf-8", "replace")
        kind = "hang" if hung else "crash"
        found = Tally(failures=[Failure(row=task.row, number=number, kind=kind, detail=detail)])
        self._keep(found)
        self.tallies[task.row].add(found)
        for start, end in ((task.start, number), (number + 1, task.end)):
            if start < end:
                self._tasks.append(Task(row=task.row, start=start, end=end))
        return self._started()

    def _hangs(self, worker: Worker) -> bool:
        """Say whether a worker waits without working: the kernel ends one that works too long."""
        number = worker.current.value
        assert worker.task is not None
        begun = worker.task.start <= number < worker.task.end
        worker.still = worker.still + 1 if begun and number == worker.seen else 0
        worker.seen = number
        return worker.still > self.still_looks_max

    def _started(self) -> Worker:
        self._made += 1
        trace = self.folder / f"trace-{self._made}"
        ours, theirs = self._context.Pipe()
        current = self._context.Value("q", -1, lock=False)
        process = self._context.Process(
            target=work,
            args=(self.folder, self.room, self.number, theirs, current, trace),
            daemon=True,
        )
        process.start()
        theirs.close()
        return Worker(process=process, pipe=ours, current=current, trace=trace)

    def _keep(self, found: Tally) -> None:
        """Write the inputs that failed into files, each with its seed and what it did."""
        for one in found.failures:
            made = self.ground.input(self.number, one.row, one.number)
            folder = self.folder / "failures" / f"{one.row}-{one.number}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "input").write_bytes(made.octets)
            (folder / "seed").write_bytes(made.seed.octets)
            told = f"{one.kind}: {one.row} {one.number}, made of {made.seed.name}\n"
            told += f"{again(self.folder, self.number, one)}\n\n{one.detail}\n"
            (folder / "what.txt").write_text(told, "utf-8")


def again(folder: Path, run: int, failure: Failure) -> str:
    """Return the command that tries one input again."""
    return (
        f".venv/bin/python -m tests.fuzz --ground {folder} --seed {run}"
        f" --form {failure.row} --number {failure.number}"
    )


def _shared(rows: list[str], count: int) -> list[Task]:
    """Return the tasks of a run, of all rows by turns: a short run has seen them all."""
    shares = {
        row: count // len(rows) + (place < count % len(rows)) for place, row in enumerate(rows)
    }
    return [
        Task(row=row, start=start, end=min(start + CHUNK, share))
        for start in range(0, max(shares.values()), CHUNK)
        for row, share in shares.items()
        if start < share
    ]


class Line:
    """One line that says how far a run is and how long it will take."""

    def __init__(self, write: Callable[[str], object], every: float) -> None:
        self._write, self._every = write, every
        self._started = self._last = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        now = time.monotonic()
        if now - self._last < self._every or not done:
            return
        self._last = now
        rate = done / (now - self._started)
        left = (count - done) / rate
        share = 20 * done // count
        bar = "#" * share + "." * (20 - share)
        self._write(f"[{bar}] {done:,} of {count:,}, {rate:.0f}/s, {left / 60:.0f} min left")
