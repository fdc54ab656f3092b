"""A verdict given again, years later, from the evidence that was kept with it: no network.

What is asked of nobody any more: the certificates, lists and answers of that day, what the
list of accredited authorities said then, and the rules.  What still computes is today's
program, so a difference shows something that is not what it was.

Source: ETSI EN 319 102-1, clause 4.2.5 (proofs of existence kept by the verifier).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.model import Indication, Part, RecordFinding, SignatureFinding, SignatureReport
from gateway.qualification import Accreditation
from gateway.verification.evidence import (
    KeptAccreditation,
    Objects,
    gathered,
    kept_accreditations,
    kept_rules,
    trust_of,
)
from gateway.verification.policy import Policy
from gateway.verification.records import KeptRecord
from gateway.verification.verifier import Verifier, together

UNKNOWN = KeptAccreditation(state="unknown")
NO_PROOF = {"EXPIRED": "OUT_OF_BOUNDS_NO_POE", "REVOKED": "REVOKED_NO_POE"}
"""What a failure by time is where nothing tells whether the signature came before it."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that came out otherwise."""

    place: str
    what: str
    was: str
    now: str


def from_objects(
    objects: Objects, algorithms: Algorithms, *, rules_of_then: bool = True
) -> Verifier:
    """Return a verifier that trusts what was trusted then, by the rules of then.

    Without `rules_of_then` what is asked stays as it was, and what is known of algorithms is
    today's.
    """
    trust = trust_of(objects, algorithms)
    said, rules = kept_accreditations(objects), kept_rules(objects)

    def accreditation(issuer: bytes, at: datetime) -> Accreditation:
        return said.get((hashlib.sha256(issuer).hexdigest(), at.isoformat()), UNKNOWN)

    if rules is None:
        return Verifier(trust, algorithms, None, accreditation)
    if rules_of_then:
        algorithms = algorithms.under(rules.algorithms)
    return Verifier(trust, algorithms, rules.policy, accreditation)


def judged_again(
    stored: SignatureReport,
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    kept_at: datetime,
    at: datetime | None = None,
) -> SignatureReport:
    """Return the verdict on a kept document from the evidence in `stored` alone.

    It is judged at the moment of keep, as it was; with `at`, at that moment by what is known
    of algorithms today, and then keep proves nothing.
    """
    objects = gathered(*(finding.evidence for finding in stored.signatures))
    verifier = from_objects(objects, algorithms, rules_of_then=at is None)
    report = verifier.verify(document, signatures, at or kept_at, kept=at is None)
    return report if at is None else _too_late(report, verifier.policy)


def judged_by_record(
    stored: SignatureReport,
    kept: KeptRecord,
    proof: RecordFinding,
    signatures: tuple[Part, ...],
    document: Part,
    algorithms: Algorithms,
    at: datetime,
) -> SignatureReport:
    """Return the verdict at moment `at` on a document that an evidence record speaks for.

    Everything that the record covers existed at its first stamp, so the signatures are judged
    then, by what it covers and nothing else.  A record that does not hold proves nothing.
    """
    if proof.proven is None:
        report = judged_again(stored, document, signatures, algorithms, at, at)
    else:
        verifier = from_objects(kept.material[0], algorithms, rules_of_then=False)
        report = verifier.verify(document, signatures, proof.proven, kept=True)
        report = _too_late(report, verifier.policy)
    findings = tuple(
        replace(
            finding,
            checks=(*finding.checks, *proof.checks),
            times=replace(finding.times, validation=at),
        )
        for finding in report.signatures
    )
    return replace(report, signatures=findings)


def _too_late(report: SignatureReport, policy: Policy) -> SignatureReport:
    """Return a verdict that calls nothing false for having ended before it was proven.

    The signature was there earlier than the moment it is judged at, only nobody can prove it
    (EN 319 102-1, clause 5.2.6.4).
    """
    findings = tuple(
        replace(
            finding,
            indication=Indication.INDETERMINATE,
            sub_indication=NO_PROOF[finding.sub_indication],
        )
        if finding.sub_indication in NO_PROOF
        else finding
        for finding in report.signatures
    )
    return replace(report, indication=together(findings, policy), signatures=findings)


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
