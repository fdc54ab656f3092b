"""A verdict given again, years later, from the evidence that was kept with it: no network.

What is asked of nobody any more: the certificates, lists and answers of that day, what the
list of accredited authorities said then, and the rules.  What still computes is today's
program, so a difference shows something that is not what it was.

Source: ETSI EN 319 102-1, clause 4.2.5 (proofs of existence kept by the verifier).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.model import (
    Attached,
    AttorneyFinding,
    Check,
    CheckStatus,
    Indication,
    Part,
    RecordFinding,
    RegistryState,
    SignatureFinding,
    SignatureReport,
)
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
from gateway.verification.powers import every, with_powers
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
    objects: Objects,
    stored: SignatureReport,
    algorithms: Algorithms,
    *,
    rules_of_then: bool = True,
) -> Verifier:
    """Return a verifier that trusts what was trusted then, by the rules of then.

    The registry of powers of attorney says what it said for `stored`.  Without `rules_of_then`
    what is asked stays as it was, and what is known of algorithms is today's.
    """
    trust = trust_of(objects, algorithms)
    said, rules = kept_accreditations(objects), kept_rules(objects)

    def accreditation(issuer: bytes, at: datetime) -> Accreditation:
        return said.get((hashlib.sha256(issuer).hexdigest(), at.isoformat()), UNKNOWN)

    known = {one.number: one.registry for one in stored.attorneys}

    def registry(number: str) -> RegistryState:
        return known.get(number, RegistryState())

    if rules is None:
        return Verifier(trust, algorithms, None, accreditation, registry)
    if rules_of_then:
        algorithms = algorithms.under(rules.algorithms)
    return Verifier(trust, algorithms, rules.policy, accreditation, registry)


def judged_again(
    stored: SignatureReport,
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    kept_at: datetime,
    at: datetime | None = None,
    attached: Sequence[Attached] = (),
) -> SignatureReport:
    """Return the verdict on a kept document from the evidence in `stored` alone.

    It is judged at the moment of keep, as it was; with `at`, at that moment by what is known
    of algorithms today, and then keep proves nothing but that it was not known before.
    """
    objects = gathered(*(finding.evidence for finding in every(stored)))
    verifier = from_objects(objects, stored, algorithms, rules_of_then=at is None)
    moment, kept = at or kept_at, at is None
    report = verifier.verify(document, signatures, moment, kept)
    report = report if kept else _too_late(report, verifier.policy)
    if moment < kept_at:
        report = _before_keep(report, stored, kept_at, verifier.policy)
    return with_powers(report, attached, verifier, moment, kept=kept)


def judged_by_record(
    stored: SignatureReport,
    kept: KeptRecord,
    proof: RecordFinding,
    signatures: tuple[Part, ...],
    document: Part,
    algorithms: Algorithms,
    at: datetime,
    attached: Sequence[Attached] = (),
) -> SignatureReport:
    """Return the verdict at moment `at` on a document that an evidence record speaks for.

    Everything that the record covers existed at its first stamp, so the signatures are judged
    then, by what it covers and nothing else.  A record that does not hold proves nothing.
    """
    if proof.proven is None:
        report = judged_again(stored, document, signatures, algorithms, at, at, attached)
    else:
        verifier = from_objects(kept.material[0], stored, algorithms, rules_of_then=False)
        report = verifier.verify(document, signatures, proof.proven, kept=True)
        report = _too_late(report, verifier.policy)
        report = with_powers(report, attached, verifier, proof.proven, kept=True)
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
    return _no_better(report, findings, policy)


def _before_keep(
    report: SignatureReport, stored: SignatureReport, kept_at: datetime, policy: Policy
) -> SignatureReport:
    """Return a verdict that passes nothing which came when its certificate was over.

    A certificate that lived at an earlier moment proves nothing then: the signature is known
    since keep, and whoever has the key of a certificate that was revoked may make one any day.
    """
    detail = f"known only since {kept_at.isoformat()}, when its certificate was over"
    check = Check(name="time", status=CheckStatus.INDETERMINATE, detail=detail)
    over = {one.place: NO_PROOF.get(one.sub_indication or "") for one in stored.signatures}
    findings = tuple(
        replace(
            finding,
            indication=Indication.INDETERMINATE,
            sub_indication=over[finding.place],
            checks=(*finding.checks, check),
        )
        if finding.indication is Indication.TOTAL_PASSED
        and finding.times.best is None
        and over.get(finding.place)
        else finding
        for finding in report.signatures
    )
    return _no_better(report, findings, policy)


def _no_better(
    report: SignatureReport, findings: tuple[SignatureFinding, ...], policy: Policy
) -> SignatureReport:
    """Return the report with findings none of which passes that did not.

    What kept it from passing may not be in them: more signatures than are judged.
    """
    more = report.indication is not Indication.TOTAL_PASSED
    return replace(report, indication=together(findings, policy, more), signatures=findings)


def differences(was: SignatureReport, now: SignatureReport) -> tuple[Difference, ...]:
    """Return what came out otherwise, signature by signature; none: the verdict stands."""
    found = []
    for what, first, second in (
        ("signatures", was.signatures, now.signatures),
        ("attorneys", was.attorneys, now.attorneys),
    ):
        if len(first) != len(second):
            counts = str(len(first)), str(len(second))
            found.append(Difference(place="", what=what, was=counts[0], now=counts[1]))
    pairs = [
        *zip(map(_signature, was.signatures), map(_signature, now.signatures), strict=False),
        *zip(map(_attorney, was.attorneys), map(_attorney, now.attorneys), strict=False),
    ]
    for then, today in pairs:
        found += [
            Difference(place=then["place"], what=what, was=then[what], now=value)
            for what, value in today.items()
            if then[what] != value
        ]
    if was.judge.policy_sha256 != now.judge.policy_sha256:
        hashes = was.judge.policy_sha256, now.judge.policy_sha256
        found.append(Difference(place="", what="policy", was=hashes[0], now=hashes[1]))
    return tuple(found)


def _signature(finding: SignatureFinding) -> dict[str, str]:
    """Return what a verdict says, less the bare moment it was given for."""
    digests = [hashlib.sha256(covered.octets).hexdigest() for covered in finding.covered]
    return {
        "place": finding.place,
        "indication": finding.indication.value,
        "sub_indication": finding.sub_indication or "",
        "format": finding.format,
        "level": finding.level,
        "qualification": finding.qualification,
        "signer": finding.signer.certificate_sha256 if finding.signer else "",
        "best": finding.times.best.isoformat() if finding.times.best else "",
        "signed_content": ", ".join(digests),
        "attorney": finding.attorney,
        "powers": _statuses(
            one for one in finding.qualification_checks if one.name.startswith("attorney")
        ),
    }


def _attorney(finding: AttorneyFinding) -> dict[str, str]:
    """Return what is said of a power of attorney."""
    return {
        "place": finding.place,
        "sha256": finding.sha256,
        "indication": finding.indication.value,
        "sub_indication": finding.sub_indication or "",
        "registry": finding.registry.state,
        "checks": _statuses(finding.checks),
    }


def _statuses(checks: Iterable[Check]) -> str:
    return ", ".join(f"{one.name}={one.status.value}" for one in checks)
