"""One sandbox home for the tests of the command line, and a way to call its verbs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from gateway.api import create_app
from gateway.app import open_gateway
from gateway.cli import verbs
from gateway.sandbox import home as homes
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples"


@dataclass(frozen=True)
class Said:
    """How a verb ended and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        (line,) = self.stdout.splitlines()
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


Call = Callable[..., Said]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    homes.prepare(home, "http://127.0.0.1:9", "http://127.0.0.1:9/fhir", (), datetime.now(UTC))
    return home


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call a verb; nothing of the machine's own environment reaches it."""
    for name in ("GATEWAY_HOME", "GATEWAY_URL", "GATEWAY_LANG", "GATEWAY_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path, stdin: bytes | None = None) -> Said:
        result = CliRunner().invoke(
            verbs, [str(one) for one in arguments], input=stdin, catch_exceptions=False
        )
        return Said(code=result.exit_code, stdout=result.stdout, stderr=result.stderr)

    return run


@dataclass(frozen=True)
class Served:
    """A sandbox home with its door open on a socket of this machine."""

    home: Path
    url: str

    def secret(self, client: str) -> str:
        clients = json.loads((self.home / homes.SANDBOX_FILE).read_text("utf-8"))["clients"]
        return next(str(one["client_secret"]) for one in clients if one["client_id"] == client)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Verbs with `--to` speak to it as to any gateway; the line does not run."""
    home = tmp_path_factory.mktemp("served")
    homes.prepare(home, "http://127.0.0.1:9", "http://127.0.0.1:9/fhir", (), datetime.now(UTC))
    gateway = open_gateway(Settings.load(home, {}))
    server = make_server("127.0.0.1", 0, create_app(gateway), threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    # The sandbox's secrets go to the address it says, and no other.
    known = homes.SANDBOX_FILE
    said = json.loads((home / known).read_text("utf-8"))
    (home / known).write_text(json.dumps({**said, "url": url}), "utf-8")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Served(home=home, url=url)
    finally:
        server.shutdown()
        thread.join()
        gateway.close()
