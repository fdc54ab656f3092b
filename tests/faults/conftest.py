"""The faults need the same databases as the tests on PostgreSQL."""

from tests.postgres.conftest import database_url

__all__ = ["database_url"]
