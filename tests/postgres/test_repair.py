"""What is asked, decided and repeated on SQLite is on PostgreSQL: the same tests again."""

# ruff: noqa: F403
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doorway import Doorway, doorway
from tests.scenarios.test_repair import *


@pytest.fixture
def door(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorway]:
    environ = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_KEYSTORE_URL": database_url}
    for name, value in environ.items():
        # The verbs of the command line open the same home.
        monkeypatch.setenv(name, value)
    with doorway(tmp_path, environ=environ) as opened:
        yield opened
