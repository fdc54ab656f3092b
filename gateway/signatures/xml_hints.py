"""What was written otherwise in XML after it was signed: hints, never counted for a verdict.

Each guess here is tried; a hint is given only when it makes the numbers match.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.signatures.findings import Flaw
from gateway.signatures.octet_hints import OCTETS_MAX, of_octets
from gateway.xml import c14n

GUESSES_MAX = 3
"""References of one signature that are guessed about."""


def of_canonicalisation(
    used: str, written: Callable[[str], bytes], matches: Callable[[bytes], bool]
) -> str | None:
    """Return the hint that another canonical form than `used` would match, or None."""
    for method in c14n.METHODS:
        if method == used:
            continue
        try:
            octets = written(method)
        except Flaw:
            return None
        if len(octets) > OCTETS_MAX:
            return None
        if matches(octets):
            return f"verifies under another canonicalisation: {method}"
        hint = of_octets(octets, matches) if method == c14n.EXCLUSIVE else None
        if hint is not None:
            return f"{hint}, and under another canonicalisation: {method}"
    return None


def of_value(value: bytes, family: str, holds: Callable[[bytes], bool]) -> str | None:
    """Return the hint that the value holds when it is written as it should be, or None."""
    if not family.startswith("gost"):
        return None
    half = len(value) // 2
    first, second = value[:half], value[half:]
    for hint, spelt in (
        ("r and s stand in the other order", second + first),
        ("the value is written from its last octet", value[::-1]),
        ("r and s are written from their last octets", first[::-1] + second[::-1]),
    ):
        if holds(spelt):
            return f"wrong encoding of the signature value: {hint}"
    return None
