"""`gateway worker` over PostgreSQL does the work a server without a line took in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psycopg
import pytest

from gateway.sandbox import demo
from gateway.sandbox.processes import Child
from tests import sandboxes


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
    names = [f"gateway_{part}_{uuid.uuid4().hex[:12]}" for part in ("data", "keys")]
    base = postgres_url.rsplit("/", 1)[0]
    with psycopg.connect(postgres_url, autocommit=True) as server:
        for name in names:
            server.execute(f"CREATE DATABASE {name}")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"{base}/{names[0]}")
    monkeypatch.setenv("GATEWAY_KEYSTORE_URL", f"{base}/{names[1]}")
    sandbox = sandboxes.made(tmp_path / "var")
    port = sandbox.url.rsplit(":", 1)[1]
    home = ["--home", str(sandbox.home)]
    logs = sandbox.home / "logs"
    clinic_port = sandbox.clinic_url.removesuffix("/fhir").rsplit(":", 1)[1]
    children = [
        Child(["mock", "clinic", "--port", clinic_port], logs / "clinic.log"),
        Child(["serve", *home, "--port", port, "--no-pipeline"], logs / "gateway.log"),
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
        children.append(Child(["worker", *home], logs / "worker.log", dict(os.environ)))
        ends = time.monotonic() + 60
        while laboratory.get(f"/v1/submissions/{kept['id']}").body["status"] != "accepted":
            assert time.monotonic() < ends, (logs / "worker.log").read_text("utf-8")[-2000:]
            time.sleep(0.1)
    finally:
        for child in reversed(children):
            child.stop()
        with psycopg.connect(postgres_url, autocommit=True) as server:
            for name in names:
                server.execute(f"DROP DATABASE {name} WITH (FORCE)")
