"""kill -9 at any moment: what was acknowledged is there, once, and work goes on to its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.model import DeliveryState, Status
from gateway.store import tables
from gateway.store.values import Filter
from tests.unit.store.house import LEASE, House, open_house

ROOT = Path(__file__).parents[2]
KILLS = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db", f"sqlite:///{tmp_path}/keys.db"
    url = request.getfixturevalue("database_url")
    return url, url


def test_what_was_acknowledged_is_there_once(tmp_path: Path, urls: tuple[str, str]) -> None:
    """Processes die in the middle of keep, settle and delivery; nothing is lost or doubled."""
    moments = random.Random(20261121)
    said = defaultdict(list)
    for number in range(KILLS):
        for line in _run_and_kill(tmp_path, urls, number, 0.7 + moments.random()):
            kind, *words = line.split(" ")
            said[kind].append(words)
    assert len(said["kept"]) > 20
    assert said["delivered"], "the processes came far enough to be worth killing"

    house = open_house(tmp_path, *urls)
    house.clock.forward(minutes=5)
    _finish(house)
    try:
        _check(house, said)
    finally:
        house.store.close()


def _run_and_kill(folder: Path, urls: tuple[str, str], number: int, after: float) -> list[str]:
    command = [sys.executable, "-m", "tests.faults.store_process", str(folder), *urls, str(number)]
    out = folder / f"out-{number}"
    with out.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, cwd=ROOT)
        deadline = time.monotonic() + 60
        while not out.stat().st_size and time.monotonic() < deadline:
            assert process.poll() is None, "the process fell by itself"
            time.sleep(0.02)
        time.sleep(after)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the process fell by itself"
    whole, _, _torn = out.read_text().rpartition("\n")
    return whole.splitlines()


def _finish(house: House) -> None:
    """What the dead left behind is taken over and done."""
    while orders := house.store.claim("submission", 50, LEASE):
        for order in orders:
            house.store.begin(order)
            house.store.settle(order, (house.outcome(order.subject, identifiers=()),), None)
    while orders := house.store.claim("delivery", 50, LEASE):
        for order in orders:
            house.deliver(order)


def _check(house: House, said: dict[str, list[list[str]]]) -> None:
    views = {}
    cursor = None
    while True:
        page = house.store.list(Filter(organizations=None, limit=200, cursor=cursor))
        views |= {view.id: view for view in page.items}
        if (cursor := page.next_cursor) is None:
            break
    for body, submission, receipt in said["kept"]:
        assert views[submission].receipt == receipt
        assert house.store.submission(submission).document.body == body.encode()
    for view in views.values():
        assert view.status is Status.ACCEPTED
        (document,) = view.documents
        assert [one.state for one in document.deliveries] == [DeliveryState.DELIVERED]
    with house.store.database.read() as connection:
        rows = connection.execute(select(tables.receipt)).all()
        versions = connection.execute(select(tables.resource_version)).all()
        contents = connection.execute(select(tables.submission.c.content_digest)).scalars().all()
    issued = Counter((row.submission, row.kind) for row in rows)
    assert set(issued.values()) == {1}
    assert len(issued) == 3 * len(views)
    numbers = {row.number for row in rows}
    assert all(words[2] in numbers for words in said["delivered"])
    assert len(versions) == 2 * len(views)
    assert len(set(contents)) == len(contents)
    while house.store.seal():
        pass
    verdict = house.store.verify_audit()
    assert verdict.valid, verdict
