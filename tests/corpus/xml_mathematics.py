"""Looking at foreign XML signatures: the mathematics alone, under a policy that takes all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.algorithms.policy import permissive
from gateway.model import Check, CheckedSignature, CheckStatus, Part
from gateway.signatures import xml
from gateway.signatures.directory import NOBODY, Directory
from tests.pki.build import ALGORITHMS

PERMISSIVE = ALGORITHMS.under(permissive())

MATHEMATICS = ("format", "reference_data", "signature_value", "algorithm_binding")
"""The checks that numbers decide; the others say who signed, and how well."""


def part(octets: bytes) -> Part:
    return Part(name="document", media_type="application/octet-stream", body=octets)


def looked_at(
    path: Path,
    beside: Path | None = None,
    known: Sequence[bytes] = (),
    directory: Directory = NOBODY,
) -> tuple[CheckedSignature, ...]:
    """Check the signatures in `path`, which may be detached from the file `beside`."""
    if beside is None:
        return xml.check(part(path.read_bytes()), (), PERMISSIVE, known, directory=directory)
    several = (part(path.read_bytes()),)
    found = xml.check(part(beside.read_bytes()), several, PERMISSIVE, known, directory=directory)
    return tuple(one for one in found if one.place.startswith("signature"))


def why_not_intact(one: CheckedSignature) -> str:
    """Return what is wrong or open in the mathematics, or an empty text when they hold."""
    if not any(c.name == "signature_value" for c in one.checks):
        return "; ".join(f"{c.name}: {c.detail}" for c in one.checks if not _passed(c))
    return "; ".join(
        f"{check.name}: {check.detail or check.status.value}"
        for check in one.checks
        if not _passed(check) and check.name in MATHEMATICS
    )


def _passed(check: Check) -> bool:
    return check.status is CheckStatus.PASSED
