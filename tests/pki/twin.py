"""A twin of NIST's PKITS with GOST keys: the same questions, asked of authorities of ours.

Each case is a function that builds its world and returns the certificate in question.  Its
number is that of the test in PKITS; `expected` is the sub-indication, None for a right path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asn1crypto import x509

from tests.pki.world import World

Build = Callable[[World], x509.Certificate]

BROKEN = "NO_CERTIFICATE_CHAIN_FOUND"
WRONG = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
OUTSIDE = "OUT_OF_BOUNDS_NO_POE"
WAIT = "TRY_LATER"
REVOKED = "REVOKED"
REVOKED_CA = "REVOKED_CA_NO_POE"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question and its answer."""

    number: str
    name: str
    expected: str | None
    build: Build


CASES: list[Case] = []


def case(number: str, expected: str | None = None) -> Callable[[Build], Build]:
    """Take a function into the suite; its name says what is asked."""

    def take(build: Build) -> Build:
        name = build.__name__.strip("_")
        CASES.append(Case(number=number, name=name, expected=expected, build=build))
        return build

    return take
