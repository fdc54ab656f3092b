"""The server is killed while laboratories send: what was acknowledged ends right, once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.cli.output import Failed
from gateway.cli.remote import Remote, alive
from gateway.sandbox.home import Sandbox
from gateway.sandbox.processes import Child
from gateway.sandbox.stories import Story
from gateway.sandbox.walk import DELIVERY_FINAL, FINAL, Walk
from tests import sandboxes

KILLS_ALL = 20
KILLS_SEEDED = 4
SEED = 20261121
STORIES = [story for story in sandboxes.STORIES if story.simple and story.expect.receipts]
"""One document sent once, whose story says which receipts it ends with."""

PATIENCE_SECONDS = 90.0


@dataclass
class Acknowledged:
    """What laboratories hold a receipt for."""

    story: Story
    receipt: str
    document: bytes


@dataclass
class Senders:
    """Laboratories that go on sending whatever happens to the server."""

    walk: Walk
    stop: threading.Event = field(default_factory=threading.Event)
    taken: dict[str, Acknowledged] = field(default_factory=dict)

    def run(self, first: int) -> None:
        number = first
        while not self.stop.is_set():
            story = STORIES[number % len(STORIES)]
            what = sandboxes.outgoing(self.walk, story)
            try:
                answer = self.walk.laboratories[story.first.laboratory].post_parts(
                    "/v1/submissions", what.document, what.beside
                )
            except Failed:
                # The server is away: a laboratory tries again a little later.
                time.sleep(0.05)
                continue
            if answer.status in (200, 202):
                self.taken[answer.body["id"]] = Acknowledged(
                    story, answer.body["receipt"]["jws"], what.document.body
                )
            number += 1


@pytest.mark.parametrize("kills", [KILLS_SEEDED, pytest.param(KILLS_ALL, marks=pytest.mark.slow)])
def test_every_acknowledged_submission_survives_kill_9(tmp_path: Path, kills: int) -> None:
    """A receipt is a promise: nothing lost, nothing doubled, whatever moment the power fails."""
    chance = random.Random(SEED + kills)
    sandbox = sandboxes.made(tmp_path / "var")
    clinic = _clinic(sandbox)
    server = _serve(sandbox)
    walk = sandboxes.walk(sandbox)
    senders = Senders(walk)
    threads = [threading.Thread(target=senders.run, args=(n,), daemon=True) for n in range(2)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.05, 1.2))
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
            server = _serve(sandbox)
        senders.stop.set()
        for thread in threads:
            thread.join()
        assert len(senders.taken) >= kills
        _assert_all_ended_right(walk, senders.taken)
    finally:
        senders.stop.set()
        server.stop()
        clinic.stop()


def _assert_all_ended_right(walk: Walk, taken: dict[str, Acknowledged]) -> None:
    deliveries: list[str] = []
    for submission, known in taken.items():
        laboratory = walk.laboratories[known.story.first.laboratory]
        view = _ended(laboratory, submission)
        assert view["status"] == known.story.expect.status, (known.story.name, view)
        receipts = laboratory.get(f"/v1/submissions/{submission}/receipts").body["receipts"]
        assert tuple(row["kind"] for row in receipts) == known.story.expect.receipts
        assert receipts[0]["jws"] == known.receipt
        deliveries += [d["id"] for document in view["documents"] for d in document["deliveries"]]
    received = walk.clinic.get("/_received").body["deliveries"]
    written = [one["idempotency_key"] for one in received if one["taken"]]
    assert len(written) == len(set(written))
    assert set(deliveries) <= set(written)


def _ended(laboratory: Remote, submission: str) -> dict[str, object]:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = laboratory.get(f"/v1/submissions/{submission}")
        assert answer.status == 200, (submission, answer.status)
        view = answer.body
        states = [d["state"] for document in view["documents"] for d in document["deliveries"]]
        if view["status"] in FINAL and all(state in DELIVERY_FINAL for state in states):
            return view
        assert time.monotonic() < ends, view
        time.sleep(0.05)


def _serve(sandbox: Sandbox) -> Child:
    port = sandbox.url.rsplit(":", 1)[1]
    log = sandbox.home / "logs" / "gateway.log"
    child = Child(["serve", "--home", str(sandbox.home), "--port", port], log)
    ends = time.monotonic() + 30
    while not alive(sandbox.url):
        assert child.running, log.read_text("utf-8")[-2000:]
        assert time.monotonic() < ends
        time.sleep(0.02)
    return child


def _clinic(sandbox: Sandbox) -> Child:
    port = sandbox.clinic_url.removesuffix("/fhir").rsplit(":", 1)[1]
    return Child(["mock", "clinic", "--port", port], sandbox.home / "logs" / "clinic.log")
