"""When a proof ages out: its certificates end, or an algorithm it rests on is to be replaced.

Source: ETSI EN 319 102-1, clause 5.2.8; RFC 4998, section 5.2 (renew before it is too late).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from asn1crypto import x509

from gateway.algorithms.asn1 import MALFORMED
from gateway.algorithms.interface import Algorithms, Scheme
from gateway.algorithms.policy import AlgorithmPolicy
from gateway.trust.fitness import FAMILIES
from gateway.trust.hook import strength
from gateway.verification.evidence import ANCHOR, CERTIFICATE, Objects

PATH_MAX = 10
CERTIFICATE_ENDS = "certificate"

Asked = tuple[Scheme | str, int]
"""What a policy was asked about: a scheme with a key's size, or a digest."""


@dataclass(frozen=True, kw_only=True)
class End:
    """When a proof ages out, and by what; `at` is None where no end is known."""

    at: datetime | None = None
    by: str = ""


class Asking(Algorithms):
    """The same mathematics, which notes what its policy is asked about."""

    def __init__(self, algorithms: Algorithms) -> None:
        super().__init__(*algorithms.providers)
        self.policy = algorithms.policy
        self.moment = algorithms.moment
        self.asked: set[Asked] = set()

    def refused(self, what: Scheme | str, bits: int = 0) -> str | None:
        self.asked.add((what, bits))
        return super().refused(what, bits)


def end_of(
    path: Iterable[x509.Certificate],
    asked: Iterable[Asked],
    policy: AlgorithmPolicy,
    made_at: datetime,
) -> End:
    """Return when something ages out that was made at a moment and rests on all of this.

    A date foreseen for an algorithm that had passed when it was made counts no more: whoever
    goes on with it goes on until it is refused.
    """
    ends = [(one.not_valid_after, CERTIFICATE_ENDS) for one in path]
    for what, bits in asked:
        day = policy.foreseen(what, bits, after=made_at.astimezone(UTC).date())
        if day is not None:
            name = what if isinstance(what, str) else f"{what.family} {bits}"
            ends.append((datetime.combine(day, time(), UTC), name))
    at, by = min(ends, default=(None, ""))
    return End(at=at, by=by)


def path_of(certificate_sha256: str, evidence: Objects) -> list[x509.Certificate]:
    """Return a certificate and the authorities above it, the anchor aside, as far as kept."""
    anchors = {blob for kind, blob in evidence if kind == ANCHOR}
    kept = {hashlib.sha256(blob).digest(): blob for kind, blob in evidence if kind == CERTIFICATE}
    parsed = _parsed({name: der for name, der in kept.items() if name not in anchors})
    found: list[x509.Certificate] = []
    below = parsed.get(bytes.fromhex(certificate_sha256))
    while below is not None and below not in found and len(found) < PATH_MAX:
        found.append(below)
        issuer = below.issuer.hashable
        above = [one for one in parsed.values() if one.subject.hashable == issuer]
        below = above[0] if above else None
    return found


def chain_of(ders: Sequence[bytes]) -> list[x509.Certificate]:
    """Return a path as trust gives it."""
    return [x509.Certificate.load(der) for der in ders]


def keys_of(path: Iterable[x509.Certificate]) -> set[Asked]:
    """Return the keys of a path, each as the policy is asked about it."""
    found: set[Asked] = set()
    for certificate in path:
        key = certificate.public_key
        family, digest = FAMILIES.get(str(key["algorithm"]["algorithm"].native), ("", ""))
        if family:
            found.add((Scheme(family=family, digest=digest), strength(family, key)))
    return found


def _parsed(ders: Mapping[bytes, bytes]) -> dict[bytes, x509.Certificate]:
    found = {}
    for name, der in ders.items():
        try:
            one = x509.Certificate.load(der, strict=True)
            _ = (one.subject.hashable, one.issuer.hashable, one.not_valid_after)
        except MALFORMED:
            continue
        found[name] = one
    return found
