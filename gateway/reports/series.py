"""A report is a series: preliminary, final, corrected or amended, withdrawn.

`place` says where a document stands in its series.  Order comes from version, then status,
then the time of issue, never from arrival.  Pure: what is known comes in as values.

Source: semantics, rules 2 and 3; FHIR R4 DiagnosticReportStatus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from gateway.errors import NeedsOperator, Rejected
from gateway.model import Identifier, Placement, PlacementKind, Problem, ReportClaim
from gateway.store.values import KnownVersion

CORRECTIONS = frozenset({"amended", "corrected", "appended"})
WITHDRAWALS = frozenset({"entered-in-error", "cancelled"})
UNFINISHED = frozenset({"registered", "partial", "preliminary"})

_RANK = {"registered": 0, "partial": 1, "preliminary": 2, "unknown": 3, "final": 3}
_RANK |= dict.fromkeys(CORRECTIONS, 4) | dict.fromkeys(WITHDRAWALS, 5)

ORGANIZATION = "urn:gateway:organization"
"""System of our own ids of organisations, for one that documents do not name."""


def place(
    claim: ReportClaim,
    patient: str | None,
    digest: str,
    sender: Sequence[Identifier],
    known: Sequence[KnownVersion],
) -> Placement:
    """Return what a document does to its series.

    `sender` is everything the sending organisation goes by; `known` the documents of the
    series that were settled.  Raises Rejected (DUP-104) when another organisation than the
    performing one touches a report, NeedsOperator DUP-102 for other content under the same
    version, DUP-103 for a correction or withdrawal whose original is unknown.
    """
    seen = tuple((one.document, one.state) for one in known)
    touches = claim.status in CORRECTIONS | WITHDRAWALS
    if (known or touches) and not shares(claim.performer, sender):
        raise Rejected(Problem(code="DUP-104"))
    if not known:
        if touches:
            raise NeedsOperator(Problem(code="DUP-103", detail={"status": claim.status}))
        return Placement(kind=PlacementKind.FIRST, seen=seen)
    same = [one for one in known if (one.version, one.digest) == (claim.version, digest)]
    if same and not _comes_back(claim, same, known):
        # What stands, else the last time it was said.
        double = max(enumerate(same), key=lambda one: (one[1].current, one[0]))[1]
        return Placement(kind=PlacementKind.DUPLICATE, duplicate_of=double.document, seen=seen)
    if not same and not _is_newer(claim, known):
        return Placement(kind=PlacementKind.LATE, seen=seen)
    if claim.status in WITHDRAWALS:
        return Placement(
            kind=PlacementKind.WITHDRAWAL,
            replaces=_ids(one for one in known if one.current and one.status in WITHDRAWALS),
            withdraws=_ids(one for one in known if _holds_content(one)),
            seen=seen,
        )
    return Placement(
        kind=PlacementKind.NEWER,
        replaces=_ids(
            one
            for one in known
            if one.current and (one.patient == patient or one.status in WITHDRAWALS)
        ),
        # The report names another patient now: what the first one was told is taken back.
        withdraws=_ids(one for one in known if _holds_content(one) and one.patient != patient),
        seen=seen,
    )


def shares(left: Sequence[Identifier], right: Sequence[Identifier]) -> bool:
    """Say whether two lists name one organisation."""
    keys = {(one.system, one.value) for one in left}
    return any((one.system, one.value) in keys for one in right)


def moment(issued: datetime | date) -> datetime:
    """Return a time of issue as one instant: UTC where no offset is given, a day's beginning."""
    if isinstance(issued, datetime):
        return issued if issued.tzinfo else issued.replace(tzinfo=UTC)
    return datetime(issued.year, issued.month, issued.day, tzinfo=UTC)


def _comes_back(
    claim: ReportClaim, same: Sequence[KnownVersion], known: Sequence[KnownVersion]
) -> bool:
    """Say whether what was said before is said anew, after the current document.

    A copy of an old version was issued when that was; only a later time of issue tells a
    correction back to an earlier value, or a report taken back and given out again.
    """
    current = _current(known)
    if current in same:
        return False
    ordered = _one_after_another(claim, current)
    if not ordered and claim.status not in CORRECTIONS | WITHDRAWALS:
        # A final report issued anew beside another one is an export like any other.
        return False
    if not _later(claim, current):
        return False
    return ordered or _order(claim, current) is not False


def _is_newer(claim: ReportClaim, known: Sequence[KnownVersion]) -> bool:
    """Say whether the claim comes after the current document.  Raises NeedsOperator DUP-102."""
    current = _current(known)
    if _one_after_another(claim, current):
        return _issued_after(claim, current)
    if claim.status not in CORRECTIONS | WITHDRAWALS and any(
        (one.version, _rank(one.status)) == (claim.version, _rank(claim.status)) for one in known
    ):
        raise _other_content(claim)
    newer = _order(claim, current)
    return _issued_after(claim, current) if newer is None else newer


def _order(claim: ReportClaim, current: KnownVersion) -> bool | None:
    """Say whether version, then status make the claim newer; None where they do not differ."""
    if (
        claim.version is not None
        and current.version is not None
        and claim.version != current.version
    ):
        return claim.version > current.version
    mine, theirs = _rank(claim.status), _rank(current.status)
    return None if mine == theirs else mine > theirs


def _one_after_another(claim: ReportClaim, current: KnownVersion) -> bool:
    """Say whether only the time of issue can order the two, and may.

    Without versions a preliminary report may follow a preliminary one, and a report that was
    taken back may come again; a final one beside a final one is a question for a person.
    """
    if claim.version != current.version and None not in (claim.version, current.version):
        return False
    if current.status in WITHDRAWALS:
        return claim.status not in WITHDRAWALS
    both = {claim.status, current.status}
    return claim.version is None and len(both) == 1 and both <= UNFINISHED


def _issued_after(claim: ReportClaim, current: KnownVersion) -> bool:
    later = _later(claim, current)
    if later is None:
        raise _other_content(claim)
    return later


def _later(claim: ReportClaim, current: KnownVersion) -> bool | None:
    """Say whether the claim was issued later; None where the times do not tell."""
    if claim.issued is None or current.issued is None:
        return None
    mine, theirs = moment(claim.issued), moment(current.issued)
    return None if mine == theirs else mine > theirs


def _current(known: Sequence[KnownVersion]) -> KnownVersion:
    return next(one for one in known if one.current)


def _other_content(claim: ReportClaim) -> NeedsOperator:
    return NeedsOperator(Problem(code="DUP-102", detail={"version": str(claim.version or "—")}))


def _rank(status: str) -> int:
    return _RANK.get(status, _RANK["final"])


def _holds_content(one: KnownVersion) -> bool:
    return one.status not in WITHDRAWALS and one.state in ("accepted", "replaced")


def _ids(found: Iterable[KnownVersion]) -> tuple[str, ...]:
    return tuple(one.document for one in found)
