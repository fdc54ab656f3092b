"""A store on PostgreSQL: a database of its own for data and keys, dropped afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.unit.store.house import House, open_house


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of an empty database that lives as long as the test."""
    name = f"gateway_test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres_url.rsplit("/", 1)[0] + f"/{name}"
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    # Data and keys in one database: two sets of migrations that do not know each other.
    house = open_house(tmp_path, database_url, database_url)
    yield house
    house.store.close()
