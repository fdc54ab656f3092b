"""Powers of attorney attached to a document: whose signature they give powers, and which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.model import (
    Attached,
    AttorneyFinding,
    Check,
    CheckStatus,
    Powers,
    SignatureFinding,
    SignatureReport,
    Submission,
)
from gateway.qualification.attorney import (
    NotAnAttorney,
    PowerOfAttorney,
    judged,
    names,
    powers_of,
    read_attorney,
    signed_by,
)
from gateway.verification.verifier import Verifier


def verified(
    verifier: Verifier, submission: Submission, at: datetime | None = None
) -> SignatureReport:
    """Return the verdict on a submission's signatures and on its powers of attorney.

    They are judged at the moment of keep, which our log proves; with `at`, at that moment, and
    then keep proves nothing.
    """
    moment, kept = at or submission.kept_at, at is None
    report = verifier.verify(submission.document, submission.signatures, moment, kept)
    return with_powers(report, submission.attorneys, verifier, moment, kept=kept)


def every(report: SignatureReport) -> Iterator[SignatureFinding]:
    """Yield every signature of the document and of its powers of attorney."""
    yield from report.signatures
    for one in report.attorneys:
        yield from one.signatures


def with_powers(
    report: SignatureReport,
    attached: Sequence[Attached],
    verifier: Verifier,
    at: datetime,
    *,
    kept: bool,
    wanted: str = "",
) -> SignatureReport:
    """Return the report with what powers of attorney give beside each signature they name.

    Their own signatures are judged as any others at `at`, `kept` as for the document's.
    `wanted` is the code of the power that is asked for.  A file that is no power of attorney
    is said so.
    """
    if not attached:
        return report
    opened = tuple(
        _opened(one, position, verifier, at, kept) for position, one in enumerate(attached)
    )
    return replace(
        report,
        signatures=tuple(_beside(one, opened, wanted) for one in report.signatures),
        attorneys=tuple(one.finding for one in opened),
    )


@dataclass(frozen=True, kw_only=True)
class _Opened:
    read: PowerOfAttorney | None
    finding: AttorneyFinding

    def for_signature(self, signature: SignatureFinding, wanted: str) -> tuple[Check, ...]:
        """Return all that is asked of this power of attorney for one signature."""
        if self.read is None:
            failed = CheckStatus.FAILED
            return (Check(name="attorney", status=failed, detail=self.finding.unread),)
        signed_at = signature.times.best or signature.times.validation
        powers = powers_of(self.read, signature.signer, signed_at, self.finding.registry, wanted)
        return (*self.finding.checks, *powers)


def _opened(
    attached: Attached, position: int, verifier: Verifier, at: datetime, kept: bool
) -> _Opened:
    """Read a power of attorney and judge its own signatures."""
    octets, place = attached.attorney.body, f"attorney[{position}]"
    bare = AttorneyFinding(place=place, sha256=hashlib.sha256(octets).hexdigest())
    try:
        read = read_attorney(octets)
    except NotAnAttorney as error:
        return _Opened(read=None, finding=replace(bare, unread=str(error)))
    document = replace(attached.attorney, name="document")
    own = verifier.for_attorneys().verify(document, attached.signatures, at, kept)
    words = (one.sub_indication for one in own.signatures if one.sub_indication)
    finding = replace(
        bare,
        number=read.number,
        issued=read.issued,
        expires=read.expires,
        principals=tuple(one.party for one in read.principals),
        signed_by=signed_by(read, own),
        representatives=read.representatives,
        powers=read.codes,
        in_words=read.in_words,
        indication=own.indication,
        sub_indication=next(words, None),
        signatures=tuple(replace(one, place=f"{place}/{one.place}") for one in own.signatures),
        checks=judged(read, own),
        registry=verifier.registry(read.number),
    )
    return _Opened(read=read, finding=finding)


def _beside(
    signature: SignatureFinding, opened: Sequence[_Opened], wanted: str
) -> SignatureFinding:
    """Put the checks of powers in the place of the certificate's own word on them.

    Of several that name the signer the one with the fewest doubts speaks.  An organisation
    needs none, so it is told of those alone that name it.
    """
    signer = signature.signer
    naming = [one for one in opened if one.read is not None and names(one.read, signer)]
    if not naming and (signer is None or not signer.snils):
        return signature
    told = [
        Powers(place=one.finding.place, checks=one.for_signature(signature, wanted))
        for one in naming or opened
    ]
    told.sort(key=lambda one: _doubts(one.checks))
    others = tuple(one for one in signature.qualification_checks if one.name != "powers")
    return replace(
        signature,
        qualification_checks=(*others, *told[0].checks),
        attorney=told[0].place if naming else "",
        powers=tuple(told) if naming else (),
    )


def _doubts(checks: Sequence[Check]) -> int:
    return sum(check.status is not CheckStatus.PASSED for check in checks)
