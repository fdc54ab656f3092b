"""Where the collections of foreign files lie; they are no part of this repository.

GATEWAY_TEST_CORPUS names the folder; without it, `shared/corpus` beside the checkout.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.place import CORPUS, MISSING


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of collections; tests are skipped with one line where there is none."""
    if not CORPUS.is_dir():
        pytest.skip(MISSING)
    return CORPUS
