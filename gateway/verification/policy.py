"""What a verifier asks beyond the standard, and under which name and digest it asks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from gateway import __version__
from gateway.algorithms.interface import Algorithms
from gateway.algorithms.policy import AlgorithmPolicy
from gateway.model import SignatureFinding
from gateway.verification.content import covers_whole

PRODUCT = "fhir-gateway"

LEVELS = ("BES", "B", "T", "LT", "LTA")
"""Levels a policy may name."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is asked of a document's signatures; the default asks nothing beyond the standard."""

    name: str = "standard"
    forms: tuple[str, ...] = ()
    """Forms that may pass (`CAdES`, `XMLDSig`, `XAdES`, `JWS`, …); empty means all known ones."""

    levels: tuple[str, ...] = ()
    """Levels that may pass (`BES`, `B`, `T`, `LT`, `LTA`); empty means any, none included."""

    qualifications: tuple[str, ...] = ()
    """Qualifications that may pass (`QES`, `AdES-QC`, `AdES`); empty means any."""

    roles: tuple[str, ...] = ()
    """Roles that must have signed, each by a signature that passed: `doctor`, `organisation`."""

    signatures_min: int = 0
    """So many must have signed, each with a certificate of their own."""

    whole_document: bool = False
    """A signature that covers less than the whole document does not pass."""

    def sha256(self, algorithms: AlgorithmPolicy) -> str:
        """Return a digest (hex) of everything asked, the policy of algorithms included."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        digest.update(algorithms.sha256().encode())
        return digest.hexdigest()


def asked_for_more(finding: SignatureFinding, policy: Policy) -> Iterator[str]:
    """Yield what the policy asks of each signature and this one does not give."""
    if policy.forms and finding.format not in policy.forms:
        yield f"form {finding.format} is not in the policy"
    if policy.levels and finding.level not in policy.levels:
        yield f"level {finding.level or 'none'} is not in the policy"
    if policy.qualifications and finding.qualification not in policy.qualifications:
        yield f"qualification {finding.qualification} is not in the policy"
    if policy.whole_document and not any(map(covers_whole, finding.covered)):
        yield "the whole document is not covered"


def engine_of(algorithms: Algorithms) -> tuple[str, bool]:
    """Return product, version and tools in one line, and whether all tools are certified."""
    tools = ", ".join(provider.NAME for provider in algorithms.providers)
    certified = all(provider.CERTIFIED for provider in algorithms.providers)
    return f"{PRODUCT} {__version__} ({tools})", certified
