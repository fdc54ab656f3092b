"""When a signature existed: its time-stamps judged, the best time, and the level it reaches.

A claimed signing time proves nothing.  A time-stamp proves that what it stamps existed at its
time, once its imprint, its signature and its authority all hold.

Source: ETSI EN 319 102-1 v1.3.1, clauses 5.4 (time-stamps), 5.5.4 (order, best signature
time) and 5.6 (archive time-stamps); semantics, rule 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from asn1crypto import x509

from gateway.model import (
    CLOCK_TOLERANCE,
    Check,
    CheckedSignature,
    CheckedTimestamp,
    CheckStatus,
    Indication,
    TimestampFinding,
)
from gateway.trust import TrustFinding
from gateway.verification.evidence import grounds_of
from gateway.verification.naming import named

TIMESTAMPS_MAX = 32
PROVING = ("signature", "archive")
"""Kinds of time-stamp that prove when the signature existed."""

BASIC = ("", "BES", "B")
"""Levels that ask for no time-stamp."""

JudgeAuthority = Callable[[bytes, Sequence[bytes], datetime], TrustFinding]
"""Judges a time-stamping authority's certificate, with those that came along, at a moment."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What a signature's time-stamps say together."""

    timestamps: tuple[TimestampFinding, ...] = ()
    checks: tuple[Check, ...] = ()
    proven: datetime | None = None
    """The earliest believed time at which the signature existed; None without one."""

    sub_indication: str | None = None
    """Why the signature cannot pass, whatever its certificate is worth."""

    awaited_issuer: str = ""
    """A time-stamp may be believed once this authority's revocation list is there."""

    evidence: tuple[tuple[str, bytes], ...] = ()

    def believed(self, kind: str) -> list[datetime]:
        """Return the times of the believed time-stamps of one kind."""
        return [
            one.at
            for one in self.timestamps
            if one.kind == kind and one.indication is Indication.TOTAL_PASSED
        ]


NO_TIMESTAMPS = Moments()


def moments_of(checked: CheckedSignature, at: datetime, judge: JudgeAuthority) -> Moments:
    """Return what the time-stamps in a signature prove, judged at moment `at`."""
    if not checked.timestamps:
        return NO_TIMESTAMPS
    tokens = checked.timestamps[:TIMESTAMPS_MAX]
    findings: dict[int, TimestampFinding] = {}
    evidence: dict[tuple[str, bytes], None] = {}
    awaited = ""
    archives: list[CheckedTimestamp] = []
    # The latest archive time-stamp first: it proves that what it covers existed in its time,
    # so the authorities of the earlier ones are judged then and not now.
    order = sorted(range(len(tokens)), key=lambda i: (*_latest_archive_first(tokens[i]), -i))
    for position in order:
        one = tokens[position]
        moment = min((later.at for later in archives if _covers(later, one)), default=at)
        finding, trust = _judged(one, moment, at, judge)
        finding = _renewed(finding, one, checked.timestamps, findings, at)
        findings[position] = finding
        evidence |= dict.fromkeys(grounds_of(trust) if trust else ())
        if trust and trust.sub_indication == "TRY_LATER" and one.kind in PROVING:
            awaited = awaited or trust.awaited_issuer
        if one.kind == "archive" and finding.indication is Indication.TOTAL_PASSED:
            archives.append(one)
    moments = Moments(timestamps=tuple(findings[i] for i in range(len(tokens))))
    proven = [time for kind in PROVING for time in moments.believed(kind)]
    wrong = list(_wrong(checked.timestamps, moments))
    return replace(
        moments,
        checks=(*map(_shown, moments.timestamps), *(check for _, check in wrong)),
        proven=min(proven, default=None),
        sub_indication=wrong[0][0] if wrong else None,
        awaited_issuer=awaited,
        evidence=tuple(evidence),
    )


def level_of(
    checked: CheckedSignature, moments: Moments, evidence: Sequence[tuple[str, bytes]]
) -> str:
    """Return the level that what is believed amounts to, whatever the form looks like.

    `evidence` is what the verdict on the signer rests on: a signature carries its own proof
    (LT) when a list or an answer that it brought is among it.
    """
    if not checked.level:
        return ""
    if moments.proven is None:
        return checked.level if checked.level in BASIC else "B"
    if not any(brought in evidence for brought in checked.revocations):
        return "T"
    return "LTA" if moments.believed("archive") else "LT"


def _covers(later: CheckedTimestamp, one: CheckedTimestamp) -> bool:
    """Say whether an archive time-stamp proves that another was there in its time.

    Whoever has the key of an authority that has ended can stamp any day before that, but not
    under an archive time-stamp that is there already.
    """
    # What stamps the content is signed, and all that is signed is under it.
    return later.at >= one.at and (one.kind == "content" or one.sha256 in later.covers)


def _latest_archive_first(one: CheckedTimestamp) -> tuple[bool, float]:
    return one.kind != "archive", -one.at.timestamp()


def _renewed(
    finding: TimestampFinding,
    one: CheckedTimestamp,
    tokens: Sequence[CheckedTimestamp],
    findings: Mapping[int, TimestampFinding],
    at: datetime,
) -> TimestampFinding:
    """Return the finding on a stamp of an evidence record, less its pass if its renewal has none.

    It was judged by what counted when it was renewed, so that has to be believed (RFC 4998,
    section 5.3); what came after the moment of judgement is left out of account.
    """
    if not one.renewed_by or finding.indication is not Indication.TOTAL_PASSED:
        return finding
    for number, later in enumerate(tokens):
        if later.sha256 != one.renewed_by or later.at - at > CLOCK_TOLERANCE:
            continue
        found = findings.get(number)
        if found is None or found.indication is not Indication.TOTAL_PASSED:
            why = (found and found.sub_indication) or "SIG_CONSTRAINTS_FAILURE"
            detail = f"renewed by a time stamp that is not believed: {why}"
            check = Check(name="evidence_record", status=CheckStatus.INDETERMINATE, detail=detail)
            return replace(
                finding,
                indication=Indication.INDETERMINATE,
                sub_indication=why,
                checks=(*finding.checks, check),
            )
    return finding


def _judged(
    one: CheckedTimestamp, moment: datetime, at: datetime, judge: JudgeAuthority
) -> tuple[TimestampFinding, TrustFinding | None]:
    """Join the mathematics of one token with the verdict on its authority."""
    checks, trust = one.checks, None
    indication, sub_indication = one.indication, one.sub_indication
    if indication is Indication.TOTAL_PASSED:
        if one.at - at > CLOCK_TOLERANCE:
            indication, sub_indication = Indication.INDETERMINATE, "TIMESTAMP_ORDER_FAILURE"
            late = "later than the moment of judgement"
            checks += (Check(name="time", status=CheckStatus.INDETERMINATE, detail=late),)
        elif one.certificate is None:
            indication = Indication.INDETERMINATE
            sub_indication = "NO_SIGNING_CERTIFICATE_FOUND"
        else:
            trust = judge(one.certificate, one.other_certificates, max(moment, one.at))
            checks += trust.checks
            indication, sub_indication = trust.status, trust.sub_indication
            if indication is Indication.TOTAL_PASSED and _begins(one.certificate) - one.at > (
                CLOCK_TOLERANCE
            ):
                indication, sub_indication = Indication.INDETERMINATE, "TIMESTAMP_ORDER_FAILURE"
                early = "earlier than the authority's certificate"
                checks += (Check(name="time", status=CheckStatus.INDETERMINATE, detail=early),)
    finding = TimestampFinding(
        kind=one.kind,
        at=one.at,
        indication=indication,
        sub_indication=sub_indication,
        authority=trust.signer if trust else named(one.certificate),
        checks=checks,
    )
    return finding, trust


def _begins(certificate: bytes) -> datetime:
    """Return when a certificate that was believed begins: its key stamped nothing before."""
    begins: datetime = x509.Certificate.load(certificate).not_valid_before
    return begins


def _wrong(tokens: Sequence[CheckedTimestamp], moments: Moments) -> Iterator[tuple[str, Check]]:
    """Yield what keeps the signature from passing: a false token, or times out of order.

    A token over something else, or changed since, is not simply left out of account: somebody
    put it there, and nobody should rest on the rest unasked.
    """
    for one in tokens:
        if one.indication is Indication.TOTAL_FAILED:
            yield _flaw("SIG_CONSTRAINTS_FAILURE", "timestamp", f"{one.kind}: {one.sub_indication}")
    if len(tokens) > TIMESTAMPS_MAX:
        yield _flaw("SIG_CONSTRAINTS_FAILURE", "timestamp", f"more than {TIMESTAMPS_MAX}")
    content, signed, archived = map(moments.believed, ("content", "signature", "archive"))
    after = [*signed, *archived]
    late = bool(content and after) and max(content) > min(after)
    if late or (signed and archived and min(signed) > min(archived)):
        detail = "what is stamped first bears the later time"
        yield _flaw("TIMESTAMP_ORDER_FAILURE", "timestamp_order", detail)


def _flaw(sub_indication: str, name: str, detail: str) -> tuple[str, Check]:
    return sub_indication, Check(name=name, status=CheckStatus.FAILED, detail=detail)


def _shown(one: TimestampFinding) -> Check:
    passed = one.indication is Indication.TOTAL_PASSED
    return Check(
        name=f"timestamp_{one.kind}",
        status=CheckStatus.PASSED if passed else CheckStatus.INDETERMINATE,
        detail=one.at.isoformat() if passed else f"not believed: {one.sub_indication}",
    )
