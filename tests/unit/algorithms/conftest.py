from __future__ import annotations

import pytest

from gateway.algorithms.gost import GostEngine
from gateway.algorithms.gost_pure import GostPure
from gateway.algorithms.interface import Provider, Unsupported


@pytest.fixture(scope="session")
def engine() -> GostEngine:
    try:
        return GostEngine()
    except Unsupported as error:
        pytest.skip(f"no {error} on this machine (apt: libengine-gost-openssl)")


@pytest.fixture(params=["engine", "pure"])
def gost(request: pytest.FixtureRequest) -> Provider:
    """Each GOST provider in turn."""
    if request.param == "pure":
        return GostPure()
    provider: Provider = request.getfixturevalue("engine")
    return provider
