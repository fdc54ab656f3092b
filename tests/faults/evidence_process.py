"""A run of the job that renews evidence, which dies by its own hand at one of its steps.

A step is a statement to a database, the end of a transaction among them, or one side of asking
the authority for a token: a process killed between two steps has done the first and nothing of
the second.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from gateway.evidence.authority import Authority
from gateway.evidence.renewal import Renewal
from gateway.evidence.rules import Rules
from gateway.trust import Trust
from tests.pki.build import ALGORITHMS
from tests.unit.store.house import open_house

BATCH = 2
BEFORE = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a process needs to know of a home."""

    folder: Path
    urls: tuple[str, str]
    tsa: str
    anchors: tuple[bytes, ...]
    lists: tuple[bytes, ...]
    now: datetime


@dataclass
class Steps:
    """Counts steps, and ends the process before the one that is not to be."""

    dies_at: int
    counting: bool = False
    done: int = 0

    def __call__(self, *_: object) -> None:
        if not self.counting:
            return
        if self.done == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1


def renew(run: Run, dies_at: int, told: Connection) -> None:
    """Renew all that is due; tell the number of steps at the end, if there is one."""
    steps = Steps(dies_at)
    _watch(steps)
    house = open_house(run.folder, *run.urls)
    house.clock.now = run.now
    authority = Authority(url=run.tsa, algorithms=ALGORITHMS)
    job = Renewal(
        house.store,
        Trust(run.anchors, (), run.lists, algorithms=ALGORITHMS),
        ALGORITHMS,
        _between(steps, authority.stamp_over),
        Rules(tsa=run.tsa, batch=BATCH, before=BEFORE),
        house.clock,
    )
    steps.counting = True
    while job.survey():
        pass
    while job.renew(unstamped=True).did:
        pass
    told.send(steps.done)
    steps.counting = False
    house.store.close()


def _between(steps: Steps, stamp: Callable[[str, bytes], bytes]) -> Callable[[str, bytes], bytes]:
    def stepping(digest: str, imprint: bytes) -> bytes:
        steps()
        token = stamp(digest, imprint)
        steps()
        return token

    return stepping


def _watch(steps: Steps) -> None:
    """Step before every statement; of SQLite also at those that SQLAlchemy does not see."""

    def connected(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(steps)

    def stepping(connection: Any, *_: object) -> None:
        if connection.dialect.name != "sqlite":
            steps()

    event.listen(Pool, "connect", connected)
    for moment in ("before_cursor_execute", "commit"):
        event.listen(Engine, moment, stepping)
