"""The folder of foreign collections, for tests that list files before any fixture runs."""

from __future__ import annotations

import os
from pathlib import Path

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "corpus"

CORPUS = Path(os.environ.get("GATEWAY_TEST_CORPUS", _BESIDE))
MISSING = f"no collections of foreign files in {CORPUS}: GATEWAY_TEST_CORPUS may name them"
