"""Where the collection of foreign signatures lies; it is no part of this repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder GATEWAY_TEST_CORPUS names; tests are skipped with one line without it."""
    place = os.environ.get("GATEWAY_TEST_CORPUS", "")
    if not place or not Path(place).is_dir():
        pytest.skip("no collection of foreign signatures: set GATEWAY_TEST_CORPUS to its folder")
    return Path(place)
