"""kill -9 at any step of renewing evidence: the next run ends it, once for each document."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.model import Indication
from gateway.sandbox.certificates import Period
from gateway.store import log_tables
from tests import databases
from tests.faults.evidence_process import BATCH, BEFORE, Run, renew
from tests.pki.build import DAY, NOW, list_of
from tests.unit.evidence.conftest import Office, opened, world
from tests.unit.signatures.made import BUNDLE
from tests.unit.store.house import open_house
from tests.unit.verification.long_lived import FIRST_ENDS, HOUR, LATER, STAMPED, World

__all__ = ["world"]

KILLS_SEEDED = 1
SEED = 20261128
DOCUMENTS = 3
NEVER = -1
PASSED = Indication.TOTAL_PASSED
ALL = (pytest.mark.slow, pytest.mark.timeout(1800))
"""Every step: hundreds of processes."""

PROCESSES = get_context("forkserver")
"""Forks from a process that has read the gateway's modules once and has no threads."""

PROCESSES.set_forkserver_preload(["tests.faults.evidence_process"])


@dataclass
class Town:
    """A home, and processes that renew its evidence until they die."""

    office: Office
    folder: Path
    urls: tuple[str, str]
    sent: int = 0

    def send(self, number: int) -> list[str]:
        """Return documents that were signed and kept at the beginning."""
        now, ids = self.office.house.clock.now, []
        self.office.at(NOW)
        for _ in range(number):
            self.sent += 1
            ids.append(self.office.send(BUNDLE + b" " * self.sent))
        self.office.at(now)
        return ids

    def renewed(self, dies_at: int = NEVER) -> int | None:
        """Run a process that renews; return its steps, None when it died at that one."""
        world, now = self.office.world, self.office.house.clock.now
        authorities = (world.root, world.stampers)
        period = Period(begins=now - HOUR, ends=now + 7 * DAY)
        run = Run(
            folder=self.folder,
            urls=self.urls,
            tsa=self.office.url,
            anchors=tuple(one.certificate.dump() for one in authorities),
            lists=tuple(list_of(one, period=period, at=now).dump() for one in authorities),
            now=now,
        )
        told, telling = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=renew, args=(run, dies_at, telling))
        process.start()
        telling.close()
        process.join(60)
        if process.exitcode == -signal.SIGKILL:
            return None
        assert process.exitcode == 0, "the process fell by itself"
        return int(told.recv())

    def finish(self) -> None:
        """Do all that is left, as a process does that nobody kills."""
        job = self.office.job()
        while job.survey():
            pass
        while job.renew(unstamped=True).did:
            pass

    def assert_proven(self, ids: list[str], stamps: int) -> None:
        """Everything has so many stamps, each told of once, and its verdict comes out again."""
        entry = log_tables.audit_entry
        evidence = self.office.house.store.evidence
        with evidence.room.database.read() as connection:
            stamped = select(entry.c.subject).where(entry.c.action == "evidence.stamped")
            told = Counter(connection.execute(stamped).scalars())
        for id in ids:
            row, proof = evidence.row(id), self.office.proof(id)
            assert row is not None
            assert proof is not None
            assert (row.end.state, row.stamps, told[id]) == ("stamped", stamps, stamps)
            assert (proof.indication, len(proof.stamps)) == (PASSED, stamps)
            assert self.office.verdict(id) is PASSED

    def assert_log_holds(self) -> None:
        store = self.office.house.store
        while store.seal():
            pass
        verdict = store.verify_audit()
        assert verdict.valid, verdict


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path, world: World) -> Iterator[Town]:
    urls = f"sqlite:///{tmp_path}/gateway.db", f"sqlite:///{tmp_path}/keys.db"
    if request.param == "postgresql":
        urls = (request.getfixturevalue("database_url"),) * 2
    else:
        databases.put_into(tmp_path)
    for office in opened(open_house(tmp_path, *urls), world):
        office.rules |= {"batch": BATCH, "before": BEFORE}
        yield Town(office, tmp_path, urls)


@pytest.mark.parametrize("kills", [KILLS_SEEDED, pytest.param(None, marks=ALL)])
def test_what_a_dead_run_left_is_stamped_by_the_next_once(town: Town, kills: int | None) -> None:
    """A token that was paid for may be lost; a document is in one whole batch or in none."""
    town.office.at(STAMPED)
    ids = town.send(DOCUMENTS)
    steps = town.renewed()
    assert steps is not None
    for step in _chosen(steps, kills):
        some = town.send(DOCUMENTS)
        assert town.renewed(step) is None
        assert _counts(town, some) in ([0, 0, 0], [1, 1, 0], [1, 1, 1])
        town.finish()
        ids += some
    town.assert_proven(ids, 1)
    town.assert_log_holds()


@pytest.mark.parametrize("kills", [KILLS_SEEDED, pytest.param(None, marks=ALL)])
def test_renewals_that_die_one_after_another_end_whole(town: Town, kills: int | None) -> None:
    """Each run finds what others left; only what a stamp was kept for counts as renewed."""
    town.office.at(STAMPED)
    ids = town.send(DOCUMENTS)
    town.renewed()
    town.office.at(FIRST_ENDS - 30 * DAY)
    steps = town.renewed()
    assert steps is not None
    town.office.at(STAMPED)
    chosen = _chosen(steps, kills)
    ids += town.send(2 * BATCH * len(chosen))
    town.finish()
    town.office.at(FIRST_ENDS - 30 * DAY)
    for step in chosen:
        assert town.renewed(step) is None
    town.finish()
    town.office.at(LATER)
    town.assert_proven(ids, 2)
    town.assert_log_holds()


def _chosen(steps: int, kills: int | None) -> list[int]:
    every = range(steps)
    return list(every) if kills is None else random.Random(SEED + steps).sample(every, kills)


def _counts(town: Town, ids: list[str]) -> list[int]:
    rows = (town.office.house.store.evidence.row(id) for id in ids)
    return sorted((row.stamps if row else 0 for row in rows), reverse=True)
