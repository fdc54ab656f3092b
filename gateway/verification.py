"""Verification: every signature in or beside a document, its mathematics and its certificate.

The forms check the mathematics, trust judges the certificate; here the two become one
finding each, and one verdict on all.  Nothing here raises for a bad signature: a check
returns its finding and the line decides.

Source: ETSI EN 319 102-1, clause 5.3 (validation of basic signatures).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.errors import Rejected
from gateway.formats.interface import formats
from gateway.model import (
    Check,
    CheckedSignature,
    CheckStatus,
    Covered,
    Indication,
    Json,
    JsonValue,
    Part,
    Problem,
    SignatureFinding,
    SignatureReport,
    Signer,
    Times,
)
from gateway.signatures.interface import forms
from gateway.trust import Trust, read_signer

HEAD_BYTES = 4096
SIGNATURES_MAX = 32
INSIDE = "(content)"
"""Follows `document` in the place of a signature inside the content of a CMS file."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a verifier asks beyond the standard; the default asks nothing more."""

    forms: tuple[str, ...] = ()
    """Forms that may pass (`CAdES`, `XMLDSig`, `XAdES`, `JWS`); empty means all known ones."""

    signatures_min: int = 0
    whole_document: bool = False
    """A signature that covers less than the whole document does not pass."""


class Verifier:
    """Verifies documents; safe to use from any number of threads."""

    def __init__(self, trust: Trust, algorithms: Algorithms, policy: Policy | None = None) -> None:
        self.trust = trust
        self.algorithms = algorithms
        self.policy = policy or Policy()
        self._forms = forms()

    def verify(
        self,
        document: Part,
        signatures: tuple[Part, ...],
        at: datetime,
        kept: bool = True,
    ) -> SignatureReport:
        """Return the verdict on every signature in `document` and in `signatures`.

        `at` is the moment to judge at; `kept` says that it is the moment of keep, which our
        log proves, and so the best time of each signature.  A document without any signature
        is INDETERMINATE with no findings.
        """
        assert at.tzinfo is not None, "Times are aware."
        checked = self._checked(document, signatures)
        checked.extend(_unclaimed(signatures, checked))
        checked.extend(self._within(document, checked))
        findings = tuple(self._finding(one, at, kept) for one in checked[:SIGNATURES_MAX])
        indication = _together(findings, self.policy.signatures_min)
        if len(checked) > SIGNATURES_MAX and indication is Indication.TOTAL_PASSED:
            indication = Indication.INDETERMINATE
        return SignatureReport(indication=indication, signatures=findings)

    def signed_octets(self, report: SignatureReport, document: Part) -> tuple[bytes, str]:
        """As the function of this name."""
        return signed_octets(report, document)

    def _checked(self, document: Part, signatures: tuple[Part, ...]) -> list[CheckedSignature]:
        return [
            one
            for form in self._forms.values()
            for one in form.check(document, signatures, self.algorithms)
        ]

    def _within(
        self, document: Part, checked: Sequence[CheckedSignature]
    ) -> Iterator[CheckedSignature]:
        """Check the signatures inside the content that `document`, a CMS file, carries.

        Signing a signed document anew does not mend what is broken in it.  Every layer adds
        a finding, so SIGNATURES_MAX bounds the layers.
        """
        prefix, layers = "document", 0
        while (octets := _enclosed(checked)) is not None and layers <= SIGNATURES_MAX:
            prefix, layers = prefix + INSIDE, layers + 1
            checked = self._checked(Part(name="document", media_type="", body=octets), ())
            for one in checked:
                yield replace(one, place=prefix + one.place.removeprefix("document"))

    def _finding(self, checked: CheckedSignature, at: datetime, kept: bool) -> SignatureFinding:
        """Join the mathematics of one signature with the verdict on its certificate."""
        checks = [*checked.checks, *self._by_policy(checked)]
        indication, sub_indication = checked.indication, checked.sub_indication
        if len(checks) > len(checked.checks) and indication is Indication.TOTAL_PASSED:
            indication, sub_indication = Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"
        signer: Signer | None = None
        evidence: tuple[tuple[str, bytes], ...] = ()
        awaited_issuer = ""
        if indication is Indication.TOTAL_FAILED:
            # What is broken needs no path; the signer is named as the file claims.
            signer = _named(checked.certificate)
        elif checked.certificate is not None:
            trust = self.trust.judge(checked.certificate, checked.other_certificates, at)
            checks.extend(trust.checks)
            signer, evidence = trust.signer, trust.evidence
            awaited_issuer = trust.awaited_issuer
            if indication is Indication.TOTAL_PASSED:
                indication, sub_indication = trust.status, trust.sub_indication
        return SignatureFinding(
            indication=indication,
            sub_indication=sub_indication,
            format=checked.format,
            level=checked.level,
            signer=signer,
            covered=checked.covered,
            qualification="UNKNOWN",
            times=Times(claimed=checked.claimed_at, best=at if kept else None, validation=at),
            checks=tuple(checks),
            hints=checked.hints,
            place=checked.place,
            evidence=evidence,
            awaited_issuer=awaited_issuer,
            claimed=checked.claimed,
        )

    def _by_policy(self, checked: CheckedSignature) -> list[Check]:
        """Return the checks of the policy that did not pass."""
        found = []
        if self.policy.forms and checked.format not in self.policy.forms:
            found.append(f"form {checked.format} is not in the policy")
        if self.policy.whole_document and not any(map(covers_whole, checked.covered)):
            found.append("the whole document is not covered")
        status = CheckStatus.INDETERMINATE
        return [Check(name="policy", status=status, detail=detail) for detail in found]


def covers_whole(covered: Covered) -> bool:
    """Say whether these octets are all of the document that carried the signature."""
    return covered.scope == "FULL" and covered.covers_enclosing is not False


def signed_octets(report: SignatureReport, document: Part) -> tuple[bytes, str]:
    """Return the content that all passed signatures cover, and its media type.

    Raises Rejected: SIG-217 when they cover different content, SIG-218 when one of them, or
    none, covers the document as a whole.
    """
    passed = [f for f in report.signatures if f.indication is Indication.TOTAL_PASSED]
    if not passed:
        raise Rejected(Problem(code="SIG-218"))
    contents: dict[bytes, str] = {}
    innermost = max(finding.place.count(INSIDE) for finding in passed)
    for finding in passed:
        if finding.place.startswith("document") and finding.place.count(INSIDE) < innermost:
            continue  # It covers the file that the signatures further in stand in.
        whole = [covered for covered in finding.covered if covers_whole(covered)]
        if not whole:
            raise Rejected(Problem(code="SIG-218", place=finding.place))
        for covered in whole:
            contents[covered.received or covered.octets] = covered.media_type
    if len(contents) > 1:
        # A signature beside covers the file; one inside it covers what the file is without
        # it.  Both cover the latter, and that is read.
        contents.pop(document.body, None)
    if len(contents) > 1:
        raise Rejected(Problem(code="SIG-217"))
    octets, media_type = contents.popitem()
    if octets == document.body:
        return octets, document.media_type
    return octets, media_type or _recognised(octets)


def to_json(report: SignatureReport) -> Json:
    """Return the report as `gateway verify` and `POST /v1/verify` show it."""
    return {
        "indication": report.indication.value,
        "signatures": [_finding_json(finding) for finding in report.signatures],
        "bindings": [_check_json(check) for check in report.bindings],
    }


def _together(findings: Sequence[SignatureFinding], at_least: int) -> Indication:
    indications = {finding.indication for finding in findings}
    if Indication.TOTAL_FAILED in indications:
        return Indication.TOTAL_FAILED
    if indications == {Indication.TOTAL_PASSED} and len(findings) >= at_least:
        return Indication.TOTAL_PASSED
    return Indication.INDETERMINATE


def _unclaimed(
    signatures: tuple[Part, ...], checked: Sequence[CheckedSignature]
) -> list[CheckedSignature]:
    """Return a failure for each part sent as a signature that no form took for one."""
    claimed = {one.place.partition("]")[0] for one in checked}
    check = Check(name="format", status=CheckStatus.FAILED, detail="no known signature form")
    return [
        CheckedSignature(
            format="",
            level="",
            certificate=None,
            other_certificates=(),
            covered=(),
            claimed_at=None,
            checks=(check,),
            indication=Indication.TOTAL_FAILED,
            sub_indication="FORMAT_FAILURE",
            place=f"signature[{position}]",
        )
        for position in range(len(signatures))
        if f"signature[{position}" not in claimed
    ]


def _enclosed(checked: Sequence[CheckedSignature]) -> bytes | None:
    """Return the content of the document that was checked if it is a CMS file."""
    for one in checked:
        if one.place.startswith("document") and one.format in ("CMS", "CAdES"):
            return next((covered.octets for covered in one.covered), None)
    return None


def _named(certificate: bytes | None) -> Signer | None:
    if certificate is None:
        return None
    try:
        return read_signer(certificate)
    except ValueError:
        return None


def _recognised(octets: bytes) -> str:
    """Return the media type of content that came without one (inside a CMS file)."""
    for form in formats().values():
        if form.recognises(octets[:HEAD_BYTES]):
            return form.MEDIA_TYPES[0]
    return "application/octet-stream"


def _finding_json(finding: SignatureFinding) -> Json:
    return {
        "indication": finding.indication.value,
        "sub_indication": finding.sub_indication,
        "format": finding.format,
        "level": finding.level,
        "place": finding.place,
        "signer": _signer_json(finding.signer),
        "signed_content": [_covered_json(covered) for covered in finding.covered],
        "qualification": finding.qualification,
        "times": {
            "claimed": _moment(finding.times.claimed),
            "best": _moment(finding.times.best),
            "validation": _moment(finding.times.validation),
        },
        "checks": [_check_json(check) for check in finding.checks],
        "hints": list(finding.hints),
    }


def _check_json(check: Check) -> Json:
    return {"name": check.name, "status": check.status.value, "detail": check.detail}


def _signer_json(signer: Signer | None) -> JsonValue:
    if signer is None:
        return None
    return {
        "subject": signer.subject,
        "role": signer.role,
        "common_name": signer.common_name,
        "snils": signer.snils,
        "inn": signer.inn,
        "ogrn": signer.ogrn,
        "organization": signer.organization,
        "serial": signer.serial,
        "issuer": signer.issuer,
        "certificate_sha256": signer.certificate_sha256,
    }


def _covered_json(covered: Covered) -> Json:
    return {
        "sha256": hashlib.sha256(covered.octets).hexdigest(),
        "size": len(covered.octets),
        "scope": covered.scope,
        "covers_enclosing": covered.covers_enclosing,
        "reference": covered.reference,
        "media_type": covered.media_type,
        "canonicalised": bool(covered.received),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
