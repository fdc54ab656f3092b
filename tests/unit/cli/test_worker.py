"""`gateway worker` over PostgreSQL does the work a server without a line took in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.sandbox import demo
from gateway.sandbox.processes import Child
from tests import databases, sandboxes


def test_on_sqlite_worker_is_refused_and_names_postgresql(tmp_path: Path) -> None:
    """Two writers over one SQLite file would wait for each other for seconds."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "worker", "--home", str(tmp_path / "var")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "PostgreSQL" in ended.stderr


def test_a_worker_finishes_what_a_server_without_a_line_took_in(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doors and workers scale apart: the work order, not the process, carries the work."""
    with databases.on_server(postgres_url) as data, databases.on_server(postgres_url) as keys:
        monkeypatch.setenv("GATEWAY_DATABASE_URL", data)
        monkeypatch.setenv("GATEWAY_KEYSTORE_URL", keys)
        _kept_by_a_door_and_finished_by_a_worker(tmp_path / "var")


def _kept_by_a_door_and_finished_by_a_worker(home: Path) -> None:
    sandbox = sandboxes.made(home)
    port = sandbox.url.rsplit(":", 1)[1]
    at_home = ["--home", str(sandbox.home)]
    logs = sandbox.home / "logs"
    clinic_port = sandbox.clinic_url.removesuffix("/fhir").rsplit(":", 1)[1]
    children = [
        Child(["mock", "clinic", "--port", clinic_port], logs / "clinic.log"),
        Child(["serve", *at_home, "--port", port, "--no-pipeline"], logs / "gateway.log"),
    ]
    try:
        demo.await_up(children[1], lambda: demo.alive(sandbox.url))
        walk = sandboxes.walk(sandbox)
        story = sandboxes.story("01")
        kept = sandboxes.send(
            walk.laboratories[story.first.laboratory], sandboxes.outgoing(walk, story)
        )
        time.sleep(1)
        laboratory = walk.laboratories[story.first.laboratory]
        assert laboratory.get(f"/v1/submissions/{kept['id']}").body["status"] == "received"
        children.append(Child(["worker", *at_home], logs / "worker.log", dict(os.environ)))
        ends = time.monotonic() + 60
        while laboratory.get(f"/v1/submissions/{kept['id']}").body["status"] != "accepted":
            assert time.monotonic() < ends, (logs / "worker.log").read_text("utf-8")[-2000:]
            time.sleep(0.1)
    finally:
        for child in reversed(children):
            child.stop()
