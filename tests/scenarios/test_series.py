"""Reports as series: what must come out of days 1 to 4 and rules 2 and 3 of the semantics."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.model import Identifier, Problem
from gateway.store.keys import KeyDestroyed
from tests.scenarios import laboratory
from tests.scenarios.laboratory import ANNA, BORIS, HBA1C, SIRIUS, SNILS, Day, Report

GLUCOSE = "14749-6"


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url) as opened:
        yield opened


def test_day_1_versions_out_of_order(day: Day) -> None:
    """Final v2, corrected v3, and preliminary v1 after a jam."""
    report = Report(number="77-104")
    day.at("10:02")
    second = day.send(report.but(version=2, values={HBA1C: "5.20"}))
    day.at("10:05")
    third = day.send(report.but(version=3, status="corrected", values={HBA1C: "5.30"}))
    day.at("10:20")
    first = day.send(report.but(version=1, status="preliminary", values={HBA1C: "5.10"}))
    assert [day.status(one) for one in (first, second, third)] == [
        "replaced",
        "replaced",
        "accepted",
    ]
    assert day.received() == [
        {"report": "final", HBA1C: "5.20"},
        {"report": "corrected", HBA1C: "5.30"},
    ]
    assert day.results() == {HBA1C: "5.30"}
    (shown,) = day.reports()
    assert [one["status"] for one in day.versions(shown)] == ["final", "corrected", "preliminary"]
    assert all("registered" in [r.kind for r in day.receipts(one)] for one in (first, second))


def test_a_result_left_out_of_the_correction_leaves_card_and_clinic(day: Day) -> None:
    report = Report(values={HBA1C: "5.10", GLUCOSE: "4.40"})
    day.send(report)
    day.send(report.but(version=2, status="corrected", values={HBA1C: "5.20"}))
    assert day.results() == {HBA1C: "5.20"}
    assert day.holds() == {HBA1C: "5.20"}
    assert day.received()[-1] == {
        "report": "corrected",
        HBA1C: "5.20",
        GLUCOSE: "entered-in-error",
    }


def test_a_result_that_comes_back_is_shown_again(day: Day) -> None:
    report = Report(values={HBA1C: "5.10", GLUCOSE: "4.40"})
    day.send(report)
    day.send(report.but(version=2, status="corrected", values={HBA1C: "5.10"}))
    day.send(report.but(version=3, status="corrected"))
    assert day.results() == day.holds() == {HBA1C: "5.10", GLUCOSE: "4.40"}


def test_day_2_the_wrong_patient(day: Day) -> None:
    """HbA1c of B went under A; the laboratory withdraws A's and sends B's."""
    mistaken = Report(patient=ANNA)
    first = day.send(mistaken)
    assert day.document(first).deliveries[0].state == "delivered"
    back = day.send(mistaken.but(version=2, status="entered-in-error"))
    right = day.send(mistaken.but(version=3, patient=BORIS))
    assert day.status(first) == "withdrawn"
    assert day.results(ANNA) == {}
    assert day.results(BORIS) == {HBA1C: "5.10"}
    assert day.holds() == {HBA1C: "5.10"}
    assert [one["report"] for one in day.received()] == ["final", "entered-in-error", "final"]
    assert [r.kind for r in day.receipts(back)] == ["accepted", "registered", "delivered"]
    assert day.status(right) == "accepted"
    assert day.reports(ANNA) == []


def test_a_version_that_names_another_patient_moves_the_report(day: Day) -> None:
    """One transaction: A never sees it again, B has it, the clinic hears of A first."""
    first = day.send(Report(patient=ANNA))
    (shown,) = day.reports(ANNA)
    right = day.send(Report(patient=BORIS, version=2, status="corrected"))
    assert (day.status(first), day.status(right)) == ("withdrawn", "accepted")
    assert (day.results(ANNA), day.results(BORIS)) == ({}, {HBA1C: "5.10"})
    assert [one["report"] for one in day.received()] == ["final", "entered-in-error", "corrected"]
    assert day.received()[1] == {"report": "entered-in-error", HBA1C: "entered-in-error"}
    statuses = [one["status"] for one in day.versions(shown)]
    assert statuses == ["final", "entered-in-error"]


def test_the_right_patients_report_waits_for_the_withdrawal(day: Day) -> None:
    """A clinic that is down hears of the withdrawal first whenever it is back."""
    day.send(Report(patient=ANNA))
    day.clinics["clinic"].mode = "down"
    day.send(Report(patient=BORIS, version=2, status="corrected"))
    assert len(day.received()) == 1
    day.clinics["clinic"].mode = "up"
    day.at("12:00")
    day.work()
    assert [one["report"] for one in day.received()] == ["final", "entered-in-error", "corrected"]


@pytest.mark.parametrize("refuses", ["option", "answer"])
def test_a_clinic_that_takes_no_withdrawals_is_an_open_item(tmp_path: Path, refuses: str) -> None:
    options = {"withdrawals": "no"} if refuses == "option" else {}
    with laboratory.day(tmp_path / "var", clinics={"clinic": options}) as day:
        first = day.send(Report())
        if refuses == "answer":
            day.clinics["clinic"].mode = "refuse"
        back = day.send(Report(version=2, status="entered-in-error"))
        assert day.status(first) == "withdrawn"
        store = day.gateway.store
        (item,) = store.open_items()
        assert (item.submission, item.destination) == (back, "clinic")
        expected = "withdrawal-unsupported" if refuses == "option" else "withdrawal-refused"
        assert item.kind == expected
        assert store.open_items(("sirius",)) == ()
        store.close_item(item.id, "operator:anna", "Позвонили в клинику")
        assert store.open_items() == ()
        (closed,) = store.open_items(closed=True)
        assert (closed.closed_by, closed.note) == ("operator:anna", "Позвонили в клинику")


def test_nothing_withdrawn_is_sent_any_more(day: Day) -> None:
    """What never left the gateway needs no withdrawal either."""
    first = day.keep(Report())
    day.line()
    back = day.send(Report(version=2, status="cancelled"))
    assert day.received() == []
    (ended,) = [e for e in day.gateway.store.events(first) if e.name == "delivery.cancelled"]
    assert ended.detail["code"] == "DLV-302"
    assert day.document(back).deliveries == ()


def test_a_withdrawal_reaches_who_may_have_it_though_the_answer_was_lost(day: Day) -> None:
    day.clinics["clinic"].mode = "lose"
    first = day.send(Report())
    day.clinics["clinic"].mode = "up"
    day.send(Report(version=2, status="entered-in-error"))
    day.at("23:00")
    day.work()
    assert day.holds() == {}
    assert [one["report"] for one in day.received()] == ["final", "entered-in-error"]
    assert day.status(first) == "withdrawn"


def test_what_was_on_the_wire_when_it_was_withdrawn_is_not_tried_again(day: Day) -> None:
    """The clinic may have it though the answer never came; it hears of the withdrawal next."""
    day.keep(Report())
    day.line()
    store = day.gateway.store
    (order,) = store.claim("delivery", 1, day.gateway.settings.work.lease)
    sent = store.delivery(order)
    assert [one["status"] for one in sent.resources if one["resourceType"] == "Observation"] == [
        "final"
    ]
    day.send(Report(version=2, status="entered-in-error"))
    store.delivery_failed(order, Problem(code="DLV-101"), day.gateway.clock())
    day.at("12:00")
    day.work()
    assert [one["report"] for one in day.received()] == ["entered-in-error"]


def test_versions_of_one_report_in_one_batch(day: Day) -> None:
    """They are settled together, in their order, and the corrected one stands."""
    original = Report(issued=Report().issued)
    corrected = original.but(version=2, status="corrected", values={HBA1C: "6.00"})
    sent = day.send(laboratory.batch(original, corrected, original))
    documents = day.view(sent).documents
    assert [str(one.status) for one in documents] == ["replaced", "accepted", "accepted"]
    assert documents[0].succeeded_by == documents[1].id
    assert documents[2].duplicate_of == documents[0].id
    assert day.results() == day.holds() == {HBA1C: "6.00"}


def test_a_correction_goes_where_the_original_went_and_after_it(day: Day) -> None:
    """The correction names no order any more; it answers the one its original answered."""
    day.clinics["clinic"].mode = "down"
    day.send(Report())
    day.send(Report(version=2, status="corrected", order=None, values={HBA1C: "6.00"}))
    day.clinics["clinic"].mode = "up"
    day.at("12:00")
    day.work()
    assert [one[HBA1C] for one in day.received()] == ["5.10", "6.00"]


def test_a_correction_that_may_not_go_takes_the_old_one_back(day: Day) -> None:
    """The order was another clinic's: the first clinic keeps nothing of it."""
    day.send(Report())
    day.send(Report(version=2, status="corrected", ordering=SIRIUS))
    assert day.results() == {HBA1C: "5.10"}
    assert day.holds() == {}


@pytest.mark.parametrize(
    ("taken", "expected"), [("care", "corrected"), ("order", "entered-in-error")]
)
def test_a_correction_goes_on_a_basis_its_destination_takes(
    tmp_path: Path, taken: str, expected: str
) -> None:
    """The rule that sent the original names the bases, though it does not name this order."""
    rule = f'ordering = "{laboratory.OGRN}|{laboratory.CLINIC}"\nbases = ["{taken}"]\n'
    with laboratory.day(tmp_path / "var", settings=rule) as day:
        if taken == "order":
            day.consent()  # There is a basis, and it is none the destination takes.
        day.send(Report())
        assert [one["report"] for one in day.received()] == ["final"]
        elsewhere = {"ordering": laboratory.SIRIUS, "order": "77-105"}
        day.send(Report(version=2, status="corrected", **elsewhere))
        assert [one["report"] for one in day.received()] == ["final", expected]


def test_a_correction_whose_consent_is_gone_takes_the_old_one_back(day: Day) -> None:
    """Revoked while the correction waited: the clinic is told that the old one is not right."""
    consent = day.consent()
    day.send(Report(order=None))
    day.clinics["clinic"].mode = "down"
    day.send(Report(order=None, version=2, status="corrected", values={HBA1C: "6.00"}))
    day.gateway.store.revoke_grant(consent, "anna")
    day.clinics["clinic"].mode = "up"
    day.at("12:00")
    day.work()
    assert day.holds() == {}
    assert day.received()[-1] == {"report": "entered-in-error", HBA1C: "entered-in-error"}
    assert day.results() == {HBA1C: "6.00"}


def test_a_held_report_that_was_corrected_leaves_once_and_corrected(day: Day) -> None:
    """A new consent lets go what stands, never the version that was replaced meanwhile."""
    consent = day.consent()
    day.keep(Report(order=None))
    day.line()
    day.gateway.store.revoke_grant(consent, "anna")
    day.send(Report(order=None, version=2, status="corrected", values={HBA1C: "6.00"}))
    assert day.received() == []
    day.consent()
    day.work()
    assert day.received() == [{"report": "corrected", HBA1C: "6.00"}]


def test_withdrawals_leave_whatever_consent_says(day: Day) -> None:
    consent = day.consent()
    day.send(Report(order=None))
    day.gateway.store.revoke_grant(consent, "anna")
    day.send(Report(order=None, version=2, status="entered-in-error"))
    assert day.holds() == {}
    assert [one["report"] for one in day.received()] == ["final", "entered-in-error"]


@pytest.mark.parametrize("status", ["corrected", "entered-in-error"])
def test_what_changes_an_unknown_report_waits_and_goes_on_by_itself(day: Day, status: str) -> None:
    change = day.send(Report(version=2, status=status, values={HBA1C: "7.00"}))
    assert (day.status(change), day.codes(change)) == ("needs_info", ["DUP-103"])
    original = day.send(Report(version=1))
    assert day.status(change) == "accepted"
    assert day.status(original) == ("replaced" if status == "corrected" else "withdrawn")
    assert day.results() == ({HBA1C: "7.00"} if status == "corrected" else {})


def test_only_the_performing_organisation_changes_a_report(day: Day) -> None:
    day.send(Report())
    for status in ("corrected", "entered-in-error", "final"):
        foreign = day.send(Report(version=9, status=status, values={HBA1C: "1.00"}), "sirius")
        assert (day.status(foreign), day.codes(foreign)) == ("rejected", ["SIG-210"])
    assert day.results() == {HBA1C: "5.10"}


def test_day_3_an_export_after_a_crash(day: Day) -> None:
    """Sixty reports again under new ids, three of them really changed without a mark."""
    _day_3(day, 60)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_day_3_in_full(tmp_path: Path) -> None:
    with laboratory.day(tmp_path / "var") as day:
        _day_3(day, 1240)


def _day_3(day: Day, count: int) -> None:
    reports = [Report(number=f"{n:06}", order=f"A-{n}") for n in range(count)]
    for report in reports:
        day.keep(report)
    day.work()
    before = len(day.received())
    assert before == count
    changed = [report.but(values={HBA1C: "9.99"}) for report in reports[:3]]
    again = [day.keep(report) for report in (*changed, *reports[3:])]
    day.work()
    assert [day.status(one) for one in again[:3]] == ["needs_info"] * 3
    assert {code for one in again[:3] for code in day.codes(one)} == {"DUP-102"}
    for one in again[3:]:
        document = day.document(one)
        assert document.status == "accepted"
        assert document.duplicate_of
        assert document.deliveries == ()
        assert day.codes(one) == ["DUP-101"]
        assert [r.kind for r in day.receipts(one)] == ["accepted", "registered"]
    assert len(day.received()) == before


def test_day_4_two_laboratories_with_one_number(day: Day) -> None:
    """Both number their report 000017: two reports, one order, no false duplicate."""
    ours = day.send(Report())
    theirs = day.send(Report(performer=SIRIUS), "sirius")
    assert [day.status(one) for one in (ours, theirs)] == ["accepted", "accepted"]
    assert day.document(theirs).duplicate_of is None
    assert len(day.reports()) == 2
    assert len([one for one in day.card() if one["resourceType"] == "ServiceRequest"]) == 1


def test_a_shared_specimen_stays_while_a_report_needs_it(day: Day) -> None:
    """Withdrawing one report must not take the order away from its neighbour."""
    day.send(Report(number="1"))
    day.send(Report(number="2"))
    day.send(Report(number="1", version=2, status="entered-in-error"))
    kinds = sorted(str(one["resourceType"]) for one in day.card())
    assert kinds.count("ServiceRequest") == 1
    assert kinds.count("DiagnosticReport") == 1
    day.send(Report(number="2", version=2, status="entered-in-error"))
    assert [one["resourceType"] for one in day.card()] == ["Patient"]


def test_a_duplicate_of_a_withdrawn_report_brings_nothing_back(day: Day) -> None:
    day.send(Report())
    day.send(Report(version=2, status="entered-in-error"))
    again = day.send(Report())
    assert day.document(again).duplicate_of
    assert (day.status(again), day.codes(again)) == ("withdrawn", ["DUP-101"])
    assert day.results() == day.holds() == {}


def test_a_report_taken_back_may_be_sent_again_as_a_new_version(day: Day) -> None:
    day.send(Report())
    day.send(Report(version=2, status="entered-in-error"))
    again = day.send(Report(version=3))
    assert day.status(again) == "accepted"
    assert day.results() == day.holds() == {HBA1C: "5.10"}


def test_a_later_version_does_not_pass_one_that_waits_for_a_withdrawal(day: Day) -> None:
    """The clinic would be left with the older values, and nothing would ever set them right."""
    day.send(Report())
    day.clinics["clinic"].mode = "down"
    day.send(Report(version=2, status="corrected", patient=BORIS, values={HBA1C: "6.00"}))
    day.clinics["clinic"].mode = "up"
    day.send(Report(version=3, status="corrected", patient=BORIS, values={HBA1C: "7.00"}))
    day.now[0] += timedelta(hours=1)
    day.deliver()
    assert [one[HBA1C] for one in day.received()] == ["5.10", "entered-in-error", "6.00", "7.00"]
    assert day.holds() == day.results(BORIS) == {HBA1C: "7.00"}


@pytest.mark.parametrize("next_status", ["entered-in-error", "corrected"])
def test_what_a_worker_had_in_hand_and_never_sent_is_not_taken_back(
    day: Day, next_status: str
) -> None:
    """A person was told that a clinic knows nothing of a withdrawal of what it never had."""
    store, lease = day.gateway.store, day.gateway.settings.work.lease
    consent = day.consent()
    first = day.keep(Report(order=None))
    day.line()
    (claimed,) = store.claim("delivery", 1, lease)
    store.revoke_grant(consent, "anna")
    second = day.keep(Report(order=None, version=2, status=next_status, values={HBA1C: "6.00"}))
    day.line()
    day.gateway.deliverer.work(claimed)
    day.deliver()
    assert day.received() == []
    assert store.open_items() == ()
    assert day.document(first).deliveries[0].state != "sending"
    assert [one.state for one in day.document(second).deliveries] == ["dead"]
    assert not store.claim("delivery", 1, lease)
    day.now[0] += lease
    assert not store.claim("delivery", 1, lease), "nobody holds it"


def test_twenty_copies_at_once_make_one_version(day: Day) -> None:
    kept = [day.keep(Report()) for _ in range(20)]
    store, lease = day.gateway.store, day.gateway.settings.work.lease
    orders = store.claim("submission", 20, lease)
    assert len(orders) == len(kept)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(day.gateway.line.work, orders))
    day.work()
    assert [day.status(one) for one in kept] == ["accepted"] * len(kept)
    originals = [one for one in kept if day.document(one).duplicate_of is None]
    assert len(originals) == 1
    assert len(day.received()) == 1
    (shown,) = day.reports()
    assert len(day.versions(shown)) == 1


def test_a_duplicate_is_kept_under_its_patients_key(day: Day) -> None:
    """The intake key dies with its day; what doubles a report is still a patient's."""
    day.send(Report())
    again = day.send(Report())
    store = day.gateway.store
    (patient,) = store.patients_by_identifier(Identifier(system=SNILS, value=ANNA.snils))
    store.keys.destroy(patient)
    with pytest.raises(KeyDestroyed):
        store.submission(again)
