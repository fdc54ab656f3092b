"""A verdict given again, years later, from the evidence that was kept with it: no network.

What is asked of nobody any more: the certificates, lists and answers of that day, what the
list of accredited authorities said then, and the rules.  What still computes is today's
program, so a difference shows something that is not what it was.

Source: ETSI EN 319 102-1, clause 4.2.5 (proofs of existence kept by the verifier).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.model import Part, SignatureFinding, SignatureReport
from gateway.qualification import Accreditation
from gateway.trust import Trust
from gateway.verification.evidence import (
    ANCHOR,
    CERTIFICATE,
    CRL,
    OCSP,
    KeptAccreditation,
    Objects,
    gathered,
    kept_accreditations,
    kept_rules,
)
from gateway.verification.verifier import Verifier

UNKNOWN = KeptAccreditation(state="unknown")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that came out otherwise."""

    place: str
    what: str
    was: str
    now: str


def from_evidence(stored: SignatureReport, algorithms: Algorithms) -> Verifier:
    """Return a verifier that trusts what was trusted for `stored`, by the rules of then."""
    objects = gathered(*(finding.evidence for finding in stored.signatures))
    anchors = {blob for kind, blob in objects if kind == ANCHOR}
    certificates = _of(objects, CERTIFICATE)
    trust = Trust(
        [der for der in certificates if hashlib.sha256(der).digest() in anchors],
        [der for der in certificates if hashlib.sha256(der).digest() not in anchors],
        _of(objects, CRL),
        _of(objects, OCSP),
        algorithms=algorithms,
    )
    said, rules = kept_accreditations(objects), kept_rules(objects)

    def accreditation(issuer: bytes, at: datetime) -> Accreditation:
        return said.get((hashlib.sha256(issuer).hexdigest(), at.isoformat()), UNKNOWN)

    if rules is None:
        return Verifier(trust, algorithms, None, accreditation)
    return Verifier(trust, algorithms.under(rules.algorithms), rules.policy, accreditation)


def judged_again(
    stored: SignatureReport,
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    kept_at: datetime,
    at: datetime | None = None,
) -> SignatureReport:
    """Return the verdict on a kept document from the evidence in `stored` alone.

    It is judged at the moment of keep, as it was; with `at`, at that moment, and then keep
    proves nothing.
    """
    verifier = from_evidence(stored, algorithms)
    return verifier.verify(document, signatures, at or kept_at, kept=at is None)


def differences(was: SignatureReport, now: SignatureReport) -> tuple[Difference, ...]:
    """Return what came out otherwise, signature by signature; none: the verdict stands."""
    found = []
    if len(was.signatures) != len(now.signatures):
        counts = str(len(was.signatures)), str(len(now.signatures))
        found.append(Difference(place="", what="signatures", was=counts[0], now=counts[1]))
    for before, after in zip(was.signatures, now.signatures, strict=False):
        then = dict(_told(before))
        found += [
            Difference(place=before.place, what=what, was=then[what], now=value)
            for what, value in _told(after)
            if then[what] != value
        ]
    if was.judge.policy_sha256 != now.judge.policy_sha256:
        hashes = was.judge.policy_sha256, now.judge.policy_sha256
        found.append(Difference(place="", what="policy", was=hashes[0], now=hashes[1]))
    return tuple(found)


def _told(finding: SignatureFinding) -> Iterator[tuple[str, str]]:
    """Yield what a verdict says, less the bare moment it was given for."""
    yield "place", finding.place
    yield "indication", finding.indication.value
    yield "sub_indication", finding.sub_indication or ""
    yield "format", finding.format
    yield "level", finding.level
    yield "qualification", finding.qualification
    yield "signer", finding.signer.certificate_sha256 if finding.signer else ""
    yield "best", finding.times.best.isoformat() if finding.times.best else ""
    digests = [hashlib.sha256(covered.octets).hexdigest() for covered in finding.covered]
    yield "signed_content", ", ".join(digests)


def _of(objects: Objects, wanted: str) -> list[bytes]:
    return [blob for kind, blob in objects if kind == wanted]
