"""What every test may ask for: a PostgreSQL server, and how hard hypothesis tries."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from gateway.sandbox.pki import Pki, build
from gateway.signatures.pyhanko_apart import untaught
from tests import databases
from tests.pki.build import ALGORITHMS, NOW

# The tests make PDF files with pyHanko themselves; the product keeps it apart, and so do they.
with untaught():
    import pyhanko.sign.signers
    import pyhanko.sign.validation  # noqa: F401

READY_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"

# `make test` walks the same examples on every machine; `make fuzz` looks for new ones.
_SLOW_MACHINE = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile(
    "seeded",
    derandomize=True,
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=_SLOW_MACHINE,
)
settings.register_profile(
    "full", max_examples=5000, deadline=None, suppress_health_check=_SLOW_MACHINE
)
settings.load_profile("seeded")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """URL of a PostgreSQL server where a test may make databases of its own, as superuser.

    GATEWAY_TEST_POSTGRES_URL names it (`make test` sets it, starting a server where none
    answers), else the usual local port; else the test is skipped with one line.
    """
    url = os.environ.get("GATEWAY_TEST_POSTGRES_URL", READY_SERVER)
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error:
        pytest.skip(f"no PostgreSQL server answers at {url}: set GATEWAY_TEST_POSTGRES_URL")
    return url


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> Iterator[str]:
    """Name of a database with the schema of data and keys at its head, for copies of it."""
    with databases.on_server(postgres_url) as url:
        databases.migrate(url, "data", "keys")
        yield url.rpartition("/")[2]


@pytest.fixture
def database_url(postgres_url: str, migrated_database: str) -> Iterator[str]:
    """URL of a database without rows, its schema at head, that lives as long as the test."""
    with databases.on_server(postgres_url, migrated_database) as url:
        yield url


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """URL of a database without anything that lives as long as the test."""
    with databases.on_server(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The sandbox's authorities and signers in all four key families, built at a fixed moment.

    Judge at `tests.pki.build.NOW`; names are `gost256-doctor`, `rsa-revoked`, `stranger`, …
    """
    return build(tmp_path_factory.mktemp("pki"), ALGORITHMS, NOW)
