"""Evidence is renewed on PostgreSQL as on SQLite: the same tests again."""

# ruff: noqa: F403
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.evidence.conftest import Office, opened, world
from tests.unit.evidence.test_renewal import *
from tests.unit.evidence.test_tokens import *
from tests.unit.store.house import open_house
from tests.unit.verification.long_lived import World

__all__ = ["world"]


@pytest.fixture
def office(
    tmp_path: Path,
    world: World,
    database_url: str,
) -> Iterator[Office]:
    yield from opened(open_house(tmp_path, database_url, database_url), world)
