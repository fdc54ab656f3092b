"""What an evidence record proves at a moment: every stamp judged at the time of the next.

A stamp is believed by what is kept beside the one that renewed it, for that existed in time;
the last one, which nothing renews, by what its judge holds at the moment of judgement.
A digest or a key that aged counts as of the time at which the next stamp covered it.

Source: RFC 4998, section 5.3; ETSI EN 319 102-1, clause 5.6.3 (evidence records).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.model import (
    CLOCK_TOLERANCE,
    Check,
    CheckedTimestamp,
    CheckStatus,
    Indication,
    RecordFinding,
    TimestampFinding,
)
from gateway.signatures import evidence_records
from gateway.signatures.evidence_records import CHECK, NotARecord, Record
from gateway.signatures.findings import FORMAT_FAILURE, Flaw, failed
from gateway.signatures.timestamps import UNREAD
from gateway.trust import Trust, TrustFinding
from gateway.verification.evidence import CRL, OCSP, Objects, trust_of
from gateway.verification.naming import named

PASSED, UNKNOWN = Indication.TOTAL_PASSED, Indication.INDETERMINATE

JudgeLast = Callable[[CheckedTimestamp, datetime, Objects], TrustFinding]
"""Judges the authority of the last stamp at a moment, with what is kept for it."""


@dataclass(frozen=True, kw_only=True)
class KeptRecord:
    """An evidence record with what it covers, as the store keeps it."""

    record: bytes
    parts: tuple[bytes, ...]
    """The octets that came: the document and its signatures."""

    material: tuple[Objects, ...]
    """What the first stamp covers beside the parts; then for each stamp, the last included,
    what the verdict on it rests on."""

    def objects(self) -> tuple[bytes, ...]:
        """Return the group that the record is about."""
        return (*self.parts, *_blobs(self.material[0]))

    def materials(self) -> tuple[tuple[bytes, ...], ...]:
        """Return what stands beside the stamp that each stamp renews; none for the first."""
        return ((), *(tuple(_blobs(one)) for one in self.material[1:]))


def last_by(trust: Trust) -> JudgeLast:
    """Return who judges the last stamp: `trust`, as it is at hand now."""

    def judge(checked: CheckedTimestamp, at: datetime, kept: Objects) -> TrustFinding:
        assert checked.certificate is not None, "It was asked before."
        return trust.judge(
            checked.certificate,
            (*checked.other_certificates, *(der for kind, der in kept if kind == "certificate")),
            at,
            revocations=[one for one in kept if one[0] in (CRL, OCSP)],
            purpose="timestamping",
        )

    return judge


def judge_record(
    kept: KeptRecord, algorithms: Algorithms, at: datetime, last: JudgeLast
) -> RecordFinding | None:
    """Return what a record proves at moment `at`; None before its first stamp.

    Stamps that came after `at` are left out of account.  Never raises for a bad record.
    """
    try:
        record = evidence_records.read(kept.record)
        roots = evidence_records.roots(record, kept.objects(), kept.materials(), algorithms)
    except NotARecord as error:
        return _flawed(failed(CHECK, FORMAT_FAILURE, str(error)))
    except Flaw as flaw:
        return _flawed(flaw)
    # The time of a stamp is read first, under no policy's eyes: it says what is judged when.
    times = [
        evidence_records.check_stamp(stamp, root, algorithms.at(at)).at
        for stamp, root in zip(record.stamps, roots, strict=True)
    ]
    if UNREAD in times:
        return _flawed(failed(CHECK, FORMAT_FAILURE, "a token that cannot be read"))
    if sorted(times) != times:
        late = "a time stamp is older than the one it renews"
        return _flawed(failed(CHECK, "TIMESTAMP_ORDER_FAILURE", late))
    count = sum(1 for time in times if time - at <= CLOCK_TOLERANCE)
    if not count:
        return None
    moments = [*times[1:count], max(at, times[count - 1])]
    findings = _Bench(record.first(count), roots, kept, algorithms, moments, last).findings()
    bad = [one for one in findings if one.indication is not PASSED]
    failures = [one for one in bad if one.indication is Indication.TOTAL_FAILED]
    return RecordFinding(
        indication=failures[0].indication if failures else UNKNOWN if bad else PASSED,
        sub_indication=(failures or bad)[0].sub_indication if bad else None,
        proven=None if bad else times[0],
        stamps=tuple(findings),
        digests=tuple(stamp.digest for stamp in record.stamps[:count]),
        checks=(_about(findings),),
    )


@dataclass(frozen=True)
class _Bench:
    record: Record
    roots: Sequence[bytes]
    kept: KeptRecord
    algorithms: Algorithms
    moments: Sequence[datetime]
    """For each stamp when it is judged: the time of the next one, or of the judgement."""

    last: JudgeLast

    def findings(self) -> list[TimestampFinding]:
        then = [self.algorithms.at(moment) for moment in self.moments]
        checked = evidence_records.check_stamps(self.record, self.roots, then)
        return [
            _judged(one, self._authority(one, number, self.moments[number]))
            for number, one in enumerate(checked)
        ]

    def _authority(
        self, checked: CheckedTimestamp, number: int, moment: datetime
    ) -> TrustFinding | None:
        if checked.indication is not PASSED or checked.certificate is None:
            return None
        material = self.kept.material[number + 1]
        if number == len(self.record.stamps) - 1:
            return self.last(checked, moment, material)
        # Stamps at another time do not come in: what is here was covered by the next one.
        return last_by(trust_of(material, self.algorithms))(checked, moment, ())


def _judged(checked: CheckedTimestamp, trust: TrustFinding | None) -> TimestampFinding:
    indication, sub_indication = checked.indication, checked.sub_indication
    if checked.indication is PASSED and trust is None:
        indication, sub_indication = UNKNOWN, "NO_SIGNING_CERTIFICATE_FOUND"
    elif trust is not None:
        indication, sub_indication = trust.status, trust.sub_indication
    return TimestampFinding(
        kind="archive",
        at=checked.at,
        indication=indication,
        sub_indication=sub_indication,
        authority=trust.signer if trust else named(checked.certificate),
        checks=(*checked.checks, *(trust.checks if trust else ())),
    )


def _about(findings: Sequence[TimestampFinding]) -> Check:
    bad = next((n for n, one in enumerate(findings) if one.indication is not PASSED), None)
    if bad is None:
        detail = f"{len(findings)} time stamps since {findings[0].at.isoformat()}"
        return Check(name=CHECK, status=CheckStatus.PASSED, detail=detail)
    detail = f"time stamp {bad + 1}: {findings[bad].sub_indication}"
    return Check(name=CHECK, status=CheckStatus.INDETERMINATE, detail=detail)


def _flawed(flaw: Flaw) -> RecordFinding:
    failure = flaw.check.status is CheckStatus.FAILED
    return RecordFinding(
        indication=Indication.TOTAL_FAILED if failure else UNKNOWN,
        sub_indication=flaw.sub_indication,
        proven=None,
        stamps=(),
        checks=(flaw.check,),
    )


def _blobs(objects: Objects) -> list[bytes]:
    return [blob for _, blob in objects]
