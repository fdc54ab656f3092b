"""Whose card it is on SQLite it is on PostgreSQL: the same tests again."""

# ruff: noqa: F403
from __future__ import annotations

import pytest

from tests.scenarios.test_identity import *


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    return {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_KEYSTORE_URL": database_url}
