"""The mathematics: which providers there are, and how they are joined into one face."""

from __future__ import annotations

from gateway.algorithms.classic import Classic
from gateway.algorithms.gost import GostEngine
from gateway.algorithms.gost_pure import GostPure
from gateway.algorithms.interface import Algorithms, Provider, Unsupported


def standard(gost: str = "auto") -> Algorithms:
    """Return the built-in providers as one.

    `gost` is `engine` (gost-engine in process; raises Unsupported where it is absent),
    `pure` (Python, slow, needs nothing) or `auto`: the engine where there is one.
    """
    return Algorithms(Classic(), _gost(gost))


def _gost(choice: str) -> Provider:
    if choice == "pure":
        return GostPure()
    if choice == "engine":
        return GostEngine()
    assert choice == "auto", choice
    try:
        return GostEngine()
    except Unsupported:
        return GostPure()
