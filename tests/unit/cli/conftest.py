"""One sandbox home for the tests of the command line, and a way to call its verbs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import verbs
from gateway.sandbox import home as homes

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
