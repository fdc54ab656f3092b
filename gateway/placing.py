"""Where a mapped document stands in the series of its report: the line's step before *store*.

The rules are `reports.series`; here they are asked with what the store knows and with what
the documents before it in the same submission are about to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from gateway.model import (
    Identifier,
    PatientRecord,
    Placement,
    PlacementKind,
    PlannedDelivery,
    Problem,
    ReportClaim,
    Status,
)
from gateway.reports import identity, series
from gateway.store import Store
from gateway.store.values import KnownVersion, Organization, Outcome


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What became of a document in its series."""

    placement: Placement | None
    """None for a document that was settled before: nothing changes it any more."""

    clinical: str
    status: Status
    problems: tuple[Problem, ...] = ()
    corrects: tuple[PlannedDelivery, ...] = ()

    @property
    def kind(self) -> PlacementKind | None:
        return self.placement.kind if self.placement else None

    @property
    def stands(self) -> bool:
        """Whether its content is the record's from now on."""
        return self.kind in (None, PlacementKind.FIRST, PlacementKind.NEWER)


def claimed(store: Store, report: ReportClaim, sender: Organization) -> ReportClaim:
    """Return what a document says of itself, its performer in the form series are kept under.

    A laboratory writes its ОГРН in one export and its OID in the next; where it is in our
    directory, it goes by our own id first.  One that is not named at all is the sender.
    """
    known = (sender,) if _is(report, sender) else store.organizations()
    found = next((one for one in known if _is(report, one)), None)
    if found is None:
        return report
    return replace(report, performer=(_own(found), *report.performer))


def place(
    store: Store,
    sender: Organization,
    report: ReportClaim,
    patient: str | None,
    record: PatientRecord,
    document: str,
    before: Iterable[Outcome] = (),
    sends_for: Sequence[Identifier] = (),
) -> Placed:
    """Place a document.  Raises Rejected (DUP-104), NeedsOperator (DUP-102, DUP-103).

    `report` is as `claimed` gives it; `before` are the outcomes of the documents that precede
    this one in its submission and are settled with it; `sends_for` names the organisations
    whose reports the sender may send.
    """
    content = identity.canonical(record, patient)
    clinical = store.clinical_token(content)
    known = store.series(report.performer, report.number)
    if any(one.document == document for one in known):
        return Placed(placement=None, clinical=clinical, status=Status.ACCEPTED)
    known = _alike(store, _after(known, before, report), content, clinical)
    speaks_as = (_own(sender), *sender.identifiers, *sends_for)
    placement = series.place(report, patient, clinical, speaks_as, known)
    return Placed(
        placement=placement,
        clinical=_token(store, placement, report, known, content, clinical),
        status=_status(placement, known),
        problems=_warnings(placement),
    )


def is_same(one: ReportClaim, other: ReportClaim) -> bool:
    """Say whether two documents, as `claimed` gives them, are of one series."""
    return one.number == other.number and series.shares(one.performer, other.performer)


def _is(report: ReportClaim, organization: Organization) -> bool:
    return not report.performer or series.shares(report.performer, organization.identifiers)


def _own(organization: Organization) -> Identifier:
    return Identifier(system=series.ORGANIZATION, value=organization.id)


def _alike(
    store: Store, known: Iterable[KnownVersion], content: bytes, clinical: str
) -> tuple[KnownVersion, ...]:
    """Return the series with one digest for all that say `content`, at whatever time."""
    return tuple(
        replace(one, digest=clinical)
        if one.digest != clinical and one.digest == _again(store, content, one.issued)
        else one
        for one in known
    )


def _token(
    store: Store,
    placement: Placement,
    report: ReportClaim,
    known: Iterable[KnownVersion],
    content: bytes,
    clinical: str,
) -> str:
    """Return the token a document is kept under: of its own where it says again what was said."""
    said = any((one.version, one.digest) == (report.version, clinical) for one in known)
    if placement.kind is PlacementKind.DUPLICATE or not said:
        return clinical
    return _again(store, content, report.issued)


def _again(store: Store, content: bytes, issued: datetime | date | None) -> str:
    if issued is None:
        return ""
    return store.clinical_token(identity.again(content, series.moment(issued)))


def _status(placement: Placement, known: Sequence[KnownVersion]) -> Status:
    double = next((one for one in known if one.document == placement.duplicate_of), None)
    if double is not None and double.state == Status.WITHDRAWN.value:
        # A copy of what the laboratory took back is not in the record either.
        return Status.WITHDRAWN
    if placement.kind is not PlacementKind.LATE:
        return Status.ACCEPTED
    back = any(one.current and one.status in series.WITHDRAWALS for one in known)
    return Status.WITHDRAWN if back else Status.REPLACED


def _warnings(placement: Placement) -> tuple[Problem, ...]:
    if placement.duplicate_of is None:
        return ()
    detail = {"document": placement.duplicate_of}
    return (Problem(code="DUP-101", detail=detail, warning=True),)


def _after(
    known: Sequence[KnownVersion], before: Iterable[Outcome], report: ReportClaim
) -> tuple[KnownVersion, ...]:
    """Return the series as it will be once the documents before this one are settled."""
    found = list(known)
    for one in before:
        placement, claim = one.placement, one.report
        if placement is None or claim is None or placement.kind is PlacementKind.DUPLICATE:
            continue
        if not is_same(claim, report):
            continue
        ends = dict.fromkeys(placement.replaces, Status.REPLACED)
        ends |= dict.fromkeys(placement.withdraws, Status.WITHDRAWN)
        found = [
            replace(old, current=False, state=str(ends[old.document]))
            if old.document in ends
            else old
            for old in found
        ]
        found.append(
            KnownVersion(
                document=one.document,
                submission="",
                patient=one.match.patient if one.match else None,
                version=claim.version,
                status=claim.status,
                issued=claim.issued,
                digest=one.clinical,
                current=placement.kind is not PlacementKind.LATE,
                state=str(one.status),
            )
        )
    return tuple(found)
