"""Threads that work the line, the deliveries and the audit seal until told to stop.

The outermost loop of the process: the one place that catches everything, so that one bad
document never stops the others.  What fails by our own fault is tried again with growing waits
and, after a bounded number of tries, handed to a person with the fault's name.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from gateway.model import Problem
from gateway.store import LostLease, Store
from gateway.store.values import WorkOrder

log = structlog.get_logger("gateway.worker")

IDLE_WAIT = 0.5
"""Seconds a worker sleeps when there is nothing to do and nobody wakes it."""

BEAT = 10.0
"""Seconds between signs of life of a thread whose steps are far apart."""

PATIENCE_MIN = timedelta(minutes=1)
"""A thread that made no round for so long is not well, however short the lease."""

FAULTS_MAX = 5
"""After so many faults of ours in a row the work is handed to a person."""


class Workers:
    """A group of threads; `start` and `stop` may be called once each."""

    def __init__(self, store: Store, clock: Callable[[], datetime], lease: timedelta) -> None:
        self.nice = 0
        """Steps of priority that working threads give up; set before `start`."""

        self.store = store
        self.clock = clock
        self.lease = lease
        self.stopping = threading.Event()
        self.started = False
        self.threads: list[threading.Thread] = []
        self.beats: dict[str, float] = {}
        """Monotonic time of each thread's last round, for readiness."""

    def add(self, kind: str, count: int, work: Callable[[WorkOrder], None]) -> None:
        """Prepare `count` threads that take orders of `kind` and do `work` on each."""
        for number in range(count):
            name = f"{kind}-{number + 1}"
            run = self._loop(name, kind, work)
            self.threads.append(threading.Thread(target=run, name=name, daemon=True))

    def every(self, name: str, pause: timedelta, step: Callable[[], object]) -> None:
        """Prepare a thread that does `step` every `pause`."""

        def run() -> None:
            due = time.monotonic() + pause.total_seconds()
            # A step of an hour shows that it lives more often than that.
            while not self.stopping.wait(max(0.0, min(BEAT, due - time.monotonic()))):
                self.beats[name] = time.monotonic()
                if time.monotonic() < due:
                    continue
                due = time.monotonic() + pause.total_seconds()
                try:
                    step()
                except Exception as error:  # the outermost loop
                    log.error("step.failed", step=name, exc_info=error)

        self.threads.append(threading.Thread(target=run, name=name, daemon=True))

    def start(self) -> None:
        self.started = True
        for thread in self.threads:
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Let every thread finish what it holds, then return (or after `timeout` seconds)."""
        self.stopping.set()
        self.store.wake()
        deadline = time.monotonic() + timeout
        for thread in self.threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def alive(self, patience: timedelta | None = None) -> bool:
        """Say whether every thread lives and has made a round within `patience`, or the lease.

        Threads that were never started, in a process that only takes submissions in, are well.
        """
        if not self.started:
            return True
        now = time.monotonic()
        seconds = (patience or max(PATIENCE_MIN, self.lease)).total_seconds()
        return all(t.is_alive() for t in self.threads) and all(
            now - beat < seconds for beat in self.beats.values()
        )

    def _loop(self, name: str, kind: str, work: Callable[[WorkOrder], None]) -> Callable[[], None]:
        def run() -> None:
            # Linux keeps a priority per thread, which is why the writer can keep the door's.
            if self.nice:
                thread = threading.get_native_id()
                own = os.getpriority(os.PRIO_PROCESS, thread)
                os.setpriority(os.PRIO_PROCESS, thread, own + self.nice)
            while not self.stopping.is_set():
                self.beats[name] = time.monotonic()
                try:
                    # Looking takes no turn at writing; a claim in vain would.
                    if self.store.wait_for_work(kind, IDLE_WAIT):
                        for order in self.store.claim(kind, 1, self.lease):
                            self._one(order, work)
                except Exception as error:  # the outermost loop
                    log.error("claim.failed", kind=kind, exc_info=error)
                    self.stopping.wait(IDLE_WAIT)

        return run

    def _one(self, order: WorkOrder, work: Callable[[WorkOrder], None]) -> None:
        try:
            work(order)
        except LostLease:
            log.warning("work.lost", kind=order.kind, subject=order.subject)
        except Exception as error:  # the outermost loop
            log.error("work.failed", kind=order.kind, subject=order.subject, exc_info=error)
            self._set_aside(order, error)

    def _set_aside(self, order: WorkOrder, error: Exception) -> None:
        problem = Problem(
            code="SYS-501",
            detail={"error": type(error).__name__, "attempts": str(order.attempt)},
        )
        try:
            if order.attempt >= FAULTS_MAX:
                self.store.give_up(order, problem)
            else:
                wait = timedelta(seconds=2.0**order.attempt)
                self.store.postpone(order, self.clock() + wait, problem)
        except LostLease:
            log.warning("work.lost", kind=order.kind, subject=order.subject)
