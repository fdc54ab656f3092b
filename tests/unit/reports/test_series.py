"""Placing a document in its series: by version, status and time of issue, never by arrival."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.errors import NeedsOperator, Rejected
from gateway.model import Identifier, Placement, PlacementKind, ReportClaim
from gateway.reports import series
from gateway.store.values import KnownVersion

LAB = (Identifier(system="urn:oid:1.2.643.100.1", value="1267700000116"),)
STRANGER = (Identifier(system="urn:oid:1.2.643.100.1", value="1267700000226"),)
MORNING = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
A, B = "patient-a", "patient-b"


def claim(status: str = "final", version: int | None = None, minute: int = 0) -> ReportClaim:
    return ReportClaim(
        performer=LAB,
        number="000017",
        version=version,
        status=status,
        issued=MORNING.replace(minute=minute),
        order_number="77-104",
        ordering=(),
    )


def known(
    name: str,
    status: str = "final",
    version: int | None = None,
    minute: int = 0,
    *,
    patient: str = A,
    current: bool = True,
    state: str = "accepted",
) -> KnownVersion:
    return KnownVersion(
        document=name,
        submission=name,
        patient=patient,
        version=version,
        status=status,
        issued=MORNING.replace(minute=minute),
        digest=f"digest of {name}",
        current=current,
        state=state,
    )


def placed(
    what: ReportClaim, *before: KnownVersion, digest: str = "new", patient: str = A
) -> Placement:
    return series.place(what, patient, digest, LAB, before)


def code(what: ReportClaim, *before: KnownVersion) -> str:
    with pytest.raises(NeedsOperator) as raised:
        placed(what, *before)
    return raised.value.problems[0].code


def test_the_first_of_a_series_is_first_whatever_its_version() -> None:
    assert placed(claim(version=2)).kind is PlacementKind.FIRST


def test_a_higher_version_takes_the_place_of_the_current_one() -> None:
    found = placed(claim("corrected", 3, 5), known("v2", version=2))
    assert (found.kind, found.replaces, found.withdraws) == (PlacementKind.NEWER, ("v2",), ())
    assert found.seen == (("v2", "accepted"),)


def test_an_earlier_version_that_comes_late_is_history() -> None:
    """Day 1: the preliminary report sat in a jam while the final one was corrected."""
    old = known("v2", version=2, current=False, state="replaced")
    found = placed(claim("preliminary", 1, 59), old, known("v3", "corrected", 3))
    assert (found.kind, found.replaces) == (PlacementKind.LATE, ())


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("registered", "preliminary"),
        ("preliminary", "final"),
        ("final", "corrected"),
        ("final", "amended"),
    ],
)
def test_without_versions_the_status_gives_the_order(earlier: str, later: str) -> None:
    """Even where the clocks of two analysers disagree."""
    assert placed(claim(later), known("x", earlier, None, 5)).kind is PlacementKind.NEWER
    assert placed(claim(earlier, None, 5), known("x", later)).kind is PlacementKind.LATE


@pytest.mark.parametrize("status", ["preliminary", "corrected", "amended"])
def test_without_versions_one_status_twice_is_ordered_by_issue(status: str) -> None:
    assert placed(claim(status, None, 2), known("x", status, None, 1)).kind is PlacementKind.NEWER
    assert placed(claim(status, None, 1), known("x", status, None, 2)).kind is PlacementKind.LATE
    assert code(claim(status, None, 1), known("x", status, None, 1)) == "DUP-102"


def test_the_same_content_under_the_same_version_is_a_duplicate() -> None:
    old = known("v1", version=1, current=False, state="replaced")
    found = placed(claim(version=1), old, known("v2", version=2), digest="digest of v1")
    assert (found.kind, found.duplicate_of) == (PlacementKind.DUPLICATE, "v1")


@pytest.mark.parametrize("version", [None, 4])
def test_a_correction_back_to_an_earlier_value_is_the_newest(version: int | None) -> None:
    before = (
        known("first", "corrected", version, 1, current=False, state="replaced"),
        known("second", "corrected", version, 2),
    )
    found = placed(claim("corrected", version, 3), *before, digest="digest of first")
    assert (found.kind, found.replaces) == (PlacementKind.NEWER, ("second",))
    for minute in (1, 2):
        late = placed(claim("corrected", version, minute), *before, digest="digest of first")
        assert (late.kind, late.duplicate_of) == (PlacementKind.DUPLICATE, "first")


def test_the_content_of_the_current_version_is_its_duplicate_whenever_it_was_issued() -> None:
    before = (
        known("first", "corrected", None, 1, current=False, state="replaced"),
        known("second", "corrected", None, 2, current=False, state="replaced"),
        replace(known("third", "corrected", None, 3), digest="digest of first"),
    )
    for minute in (1, 3, 9):
        found = placed(claim("corrected", None, minute), *before, digest="digest of first")
        assert found.duplicate_of == "third"


def test_a_final_report_issued_anew_does_not_undo_its_correction() -> None:
    """Status comes before the time of issue: an export may say when it was made."""
    before = (
        known("first", current=False, state="replaced"),
        known("second", "corrected", None, 1),
    )
    found = placed(claim(minute=9), *before, digest="digest of first")
    assert (found.kind, found.duplicate_of) == (PlacementKind.DUPLICATE, "first")


def test_the_same_content_comes_back_only_after_its_withdrawal() -> None:
    before = (
        known("first", current=False, state="withdrawn"),
        known("back", "entered-in-error", None, 5),
    )
    again = placed(claim(minute=6), *before, digest="digest of first")
    assert (again.kind, again.replaces) == (PlacementKind.NEWER, ("back",))
    for minute in (0, 5):
        copy = placed(claim(minute=minute), *before, digest="digest of first")
        assert (copy.kind, copy.duplicate_of) == (PlacementKind.DUPLICATE, "first")


def test_a_second_withdrawal_counts_and_a_copy_of_the_first_does_not() -> None:
    before = (
        known("first", current=False, state="withdrawn"),
        known("back", "entered-in-error", None, 5, current=False, state="replaced"),
        replace(known("again", minute=6), digest="digest of first"),
    )
    second = placed(claim("entered-in-error", None, 7), *before, digest="digest of back")
    assert (second.kind, second.withdraws) == (PlacementKind.WITHDRAWAL, ("again",))
    copy = placed(claim("entered-in-error", None, 5), *before, digest="digest of back")
    assert (copy.kind, copy.duplicate_of) == (PlacementKind.DUPLICATE, "back")


def test_the_same_content_under_a_higher_version_is_a_version() -> None:
    found = placed(claim(version=2), known("v1", version=1), digest="digest of v1")
    assert found.kind is PlacementKind.NEWER


@pytest.mark.parametrize("version", [None, 1])
def test_other_content_without_a_mark_of_correction_waits(version: int | None) -> None:
    """Day 3: the export after a crash changed three results and did not say so."""
    assert code(claim(version=version, minute=9), known("x", version=version)) == "DUP-102"


def test_other_content_of_a_version_long_replaced_waits_too() -> None:
    old = known("v1", version=1, current=False, state="replaced")
    assert code(claim(version=1), old, known("v2", version=2)) == "DUP-102"


def test_a_correction_within_its_version_takes_the_place_of_what_it_corrects() -> None:
    assert placed(claim("corrected", 1, 5), known("x", version=1)).kind is PlacementKind.NEWER


@pytest.mark.parametrize("status", ["corrected", "amended", "entered-in-error", "cancelled"])
def test_what_changes_an_unknown_report_waits_for_it(status: str) -> None:
    assert code(claim(status, 2)) == "DUP-103"


@pytest.mark.parametrize("status", ["corrected", "entered-in-error", "final"])
def test_another_organisation_touches_no_report(status: str) -> None:
    with pytest.raises(Rejected) as raised:
        series.place(claim(status, 9), A, "new", STRANGER, (known("x", version=1),))
    assert raised.value.problems[0].code == "DUP-104"


def test_another_organisation_learns_nothing_of_an_unknown_report() -> None:
    with pytest.raises(Rejected) as raised:
        series.place(claim("entered-in-error"), A, "new", STRANGER, ())
    assert raised.value.problems[0].code == "DUP-104"


def test_a_withdrawal_takes_back_every_version() -> None:
    before = (
        known("v1", version=1, current=False, state="replaced"),
        known("v2", version=2),
    )
    found = placed(claim("entered-in-error", 3), *before)
    assert (found.kind, found.withdraws) == (PlacementKind.WITHDRAWAL, ("v1", "v2"))


def test_a_withdrawal_without_a_version_takes_back_the_report() -> None:
    found = placed(claim("cancelled", None), known("v2", version=2))
    assert (found.kind, found.withdraws) == (PlacementKind.WITHDRAWAL, ("v2",))


def test_a_withdrawal_of_an_earlier_version_is_history_after_a_later_one() -> None:
    assert placed(claim("entered-in-error", 2), known("v3", version=3)).kind is PlacementKind.LATE


def test_a_report_taken_back_may_come_again_and_an_older_one_stays_history() -> None:
    before = (
        known("v1", version=None, current=False, state="withdrawn"),
        known("w", "entered-in-error", None, 10),
    )
    again = placed(claim(minute=20), *before)
    assert (again.kind, again.replaces, again.withdraws) == (PlacementKind.NEWER, ("w",), ())
    assert placed(claim("preliminary", minute=5), *before).kind is PlacementKind.LATE


def test_a_version_that_names_another_patient_takes_back_the_first_ones() -> None:
    """Day 2: one report, two patients; only one of them is right."""
    before = (
        known("v1", version=1, current=False, state="replaced"),
        known("v2", version=2),
    )
    found = placed(claim("corrected", 3), *before, patient=B)
    assert (found.kind, found.replaces) == (PlacementKind.NEWER, ())
    assert found.withdraws == ("v1", "v2")
