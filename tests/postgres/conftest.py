"""A store on PostgreSQL: a database of its own for data and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.store.house import House, open_house


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    # Data and keys in one database: two sets of migrations that do not know each other.
    house = open_house(tmp_path, database_url, database_url)
    yield house
    house.store.close()
