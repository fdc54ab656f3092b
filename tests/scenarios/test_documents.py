"""Many reports in one message: rule 7 of the semantics and day 22, as a FHIR batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Status
from gateway.repair.replays import Choice
from gateway.store.values import DocumentView
from tests.scenarios import batches, laboratory
from tests.scenarios.laboratory import ANNA, BORIS, HBA1C, Day, Report


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url) as opened:
        yield opened


def documents(day: Day, submission: str) -> tuple[DocumentView, ...]:
    return day.view(submission).documents


def statuses(day: Day, submission: str) -> list[str]:
    return [str(one.status) for one in documents(day, submission)]


def reports(count: int) -> list[batches.Bundle]:
    """Return so many reports of so many patients."""
    return [
        batches.bundle(Report(number=f"{number:06}", patient=batches.person(number), order=None))
        for number in range(count)
    ]


@pytest.mark.parametrize("shape", ["nested", "flat"])
def test_day_22_forty_reports_two_of_them_broken(day: Day, shape: str) -> None:
    """One broken СНИЛС, one broken entry: 38 accepted, and a replay touches only the two."""
    forty = reports(40)
    batches.resources(forty[7], "Patient")[0]["identifier"][0]["value"] = "22000000799"
    batches.resources(forty[23], "Observation")[0]["status"] = "banana"
    octets = getattr(batches, shape)(*forty)
    id = day.send(octets)
    found = documents(day, id)
    assert Counter(str(one.status) for one in found) == {"accepted": 38, "rejected": 2}
    assert day.status(id) == "rejected"
    broken = [one for one in found if one.status is Status.REJECTED]
    assert [one.ordinal for one in broken] == [7, 23]
    ((code, place),) = [(p.code, p.place) for p in broken[0].problems]
    assert code == "PAT-101"
    assert place.endswith("/identifier/0/value")
    ((code, place),) = [(p.code, p.place) for p in broken[1].problems]
    assert code == "FMT-315"
    assert place.endswith("/status")
    assert len({one.receipt for one in found}) == 40
    assert day.results(batches.person(0)) == {HBA1C: "5.10"}
    assert day.results(batches.person(23)) == {}

    before = {one.id: _settled(day, one.id) for one in found}
    day.gateway.store.replay(id, "operator:test")
    assert Counter(statuses(day, id)) == {"accepted": 38, "received": 2}
    day.work()
    assert Counter(statuses(day, id)) == {"accepted": 38, "rejected": 2}
    after = {one.id: _settled(day, one.id) for one in found}
    assert {name for name in after if after[name] != before[name]} == {one.id for one in broken}


@pytest.mark.parametrize("shape", ["nested", "flat"])
def test_a_report_whose_json_is_at_fault_is_refused_alone(day: Day, shape: str) -> None:
    """A name twice is found while reading, before there are documents; it is one document's."""
    three = reports(3)
    batches.resources(three[1], "Observation")[0]["status"] = "FAULT"
    octets = getattr(batches, shape)(*three)
    id = day.send(octets.replace(b'"FAULT"', b'"final","status":"amended"'))
    assert statuses(day, id) == ["accepted", "rejected", "accepted"]
    (problem,) = documents(day, id)[1].problems
    assert (problem.code, problem.detail) == ("FMT-303", {"name": "status"})
    assert day.results(batches.person(0)) == day.results(batches.person(2)) == {HBA1C: "5.10"}
    assert day.results(batches.person(1)) == {}


GLUCOSE = "14749-6"
APART = '[transactions]\napart = ["polaris"]\n'


def one_transaction(*bundles: batches.Bundle) -> bytes:
    return batches.flat(*bundles, kind="transaction")


def of_one_patient(broken: bool) -> bytes:
    """Return a transaction of two reports of one patient, the second as it should be or not."""
    first, second = (
        batches.bundle(Report(number=number, values={code: "5.10"}, order=None))
        for number, code in (("000001", HBA1C), ("000002", GLUCOSE))
    )
    if broken:
        batches.resources(second, "Observation")[0]["status"] = "banana"
    names = [
        next(one["fullUrl"] for one in made["entry"] if "birthDate" in one["resource"])
        for made in (first, second)
    ]
    second["entry"] = [one for one in second["entry"] if one["fullUrl"] != names[1]]
    return one_transaction(first, second).replace(names[1].encode(), names[0].encode())


def test_a_transaction_with_one_bad_report_accepts_nothing(day: Day) -> None:
    """All or nothing is what FHIR says of it, and what a sender may rely on."""
    id = day.send(of_one_patient(broken=True))
    assert (day.status(id), statuses(day, id)) == ("rejected", ["rejected", "rejected"])
    assert day.codes(id) == ["FMT-339", "FMT-315"]
    assert day.card(ANNA) == ()
    assert day.status(day.send(of_one_patient(broken=False))) == "accepted"
    assert day.results() == {HBA1C: "5.10", GLUCOSE: "5.10"}


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("polaris", ["accepted", "rejected", "accepted"]), ("sirius", ["rejected"] * 3)],
)
def test_a_senders_policy_lets_a_transaction_be_judged_report_by_report(
    tmp_path: Path, sender: str, expected: list[str]
) -> None:
    """The policy is that sender's; another's transactions stay whole."""
    three = [
        batches.bundle(
            Report(
                number=f"{number:06}",
                patient=batches.person(number),
                order=None,
                performer=laboratory.POLARIS if sender == "polaris" else laboratory.SIRIUS,
            )
        )
        for number in range(3)
    ]
    batches.resources(three[1], "Observation")[0]["status"] = "banana"
    with laboratory.day(tmp_path / "var", settings=APART) as day:
        id = day.send(one_transaction(*three), sender)
        assert statuses(day, id) == expected
        assert day.status(id) == "rejected"
        stands = {HBA1C: "5.10"} if "accepted" in expected else {}
        assert day.results(batches.person(0)) == day.results(batches.person(2)) == stands
        assert day.results(batches.person(1)) == {}


def test_a_fault_of_the_json_refuses_one_report_of_a_transaction_taken_apart(
    tmp_path: Path,
) -> None:
    three = reports(3)
    batches.resources(three[1], "Observation")[0]["status"] = "FAULT"
    octets = one_transaction(*three).replace(b'"FAULT"', b"1e999")
    with laboratory.day(tmp_path / "var", settings=APART) as day:
        assert statuses(day, day.send(octets)) == ["accepted", "rejected", "accepted"]
        assert day.status(day.send(octets, "sirius")) == "rejected"


def test_a_transaction_of_one_report_is_one_document_whatever_the_policy(tmp_path: Path) -> None:
    """What belongs to no report by a reference still came with the only one there is."""
    made = reports(1)[0]
    note = {"resourceType": "Basic", "code": {"text": "note"}}
    request = {"method": "POST", "url": "Basic"}
    made["entry"].append({"fullUrl": "urn:uuid:lone", "resource": note, "request": request})
    with laboratory.day(tmp_path / "var", settings=APART) as day:
        id = day.send(one_transaction(made))
        assert statuses(day, id) == ["accepted"]


def _settled(day: Day, document: str) -> int:
    """Return how often a document was settled, by the timeline."""
    submission = document.rpartition("-")[0]
    events = day.gateway.store.events(submission)
    return sum(event.document == document and event.name in list(Status) for event in events)


def test_a_replay_of_one_document_touches_no_other(day: Day) -> None:
    """An operator repeats what was repaired, not what still waits."""
    three = reports(3)
    for number in (1, 2):
        batches.resources(three[number], "Patient")[0]["identifier"][0]["value"] = "22000000799"
    id = day.send(batches.nested(*three))
    first, second, third = documents(day, id)
    day.gateway.store.replay(id, "operator:test", second.id)
    assert statuses(day, id) == ["accepted", "received", "rejected"]
    day.work()
    assert statuses(day, id) == ["accepted", "rejected", "rejected"]
    assert [_settled(day, one.id) for one in (first, second, third)] == [1, 2, 1]
    with pytest.raises(KeyError):
        day.gateway.store.replay(id, "operator:test", f"{id}-4")


def test_a_dry_run_judges_only_what_a_replay_would_touch(day: Day) -> None:
    """What stands is not judged again, so no change of it is foretold either."""
    made = [batches.bundle(Report(number="000001", order=None)), *reports(2)[1:]]
    batches.resources(made[1], "Patient")[0]["identifier"][0]["value"] = "22000000199"
    id = day.send(batches.nested(*made))
    day.send(Report(number="000001", version=2, status="corrected", order=None))
    assert statuses(day, id) == ["replaced", "rejected"]
    run, _ = day.gateway.replays.start(Choice(ids=(id,)), None, actor="lab", dry_run=True)
    day.gateway.replays.step()
    (item,) = day.gateway.store.replay_items(run.id)
    assert item.after is not None
    shown: Any = item.after["documents"]
    assert [(one["status"], one["codes"]) for one in shown] == [
        ("replaced", ["CON-301"]),
        ("rejected", ["PAT-101"]),
    ]
    assert (item.after["status"], item.after["changes"]) == ("rejected", [])


def test_a_replay_that_comes_while_another_is_worked_is_not_lost(day: Day) -> None:
    """Its document was not in the run's hands, and nobody would come back for it."""
    two = reports(2)
    for one in two:
        batches.resources(one, "Patient")[0]["identifier"][0]["value"] = "22000000799"
    id = day.send(batches.nested(*two))
    first, second = documents(day, id)
    store = day.gateway.store
    store.replay(id, "operator:test", first.id)
    (order,) = store.claim("submission", 1, day.gateway.settings.work.lease)
    settle = store.settle

    def replayed_meanwhile(*given: Any, **more: Any) -> None:
        store.replay(id, "operator:test", second.id)
        settle(*given, **more)

    store.settle = replayed_meanwhile  # type: ignore[method-assign]
    day.gateway.line.work(order)
    store.settle = settle  # type: ignore[method-assign]
    assert statuses(day, id) == ["rejected", "received"]
    day.work()
    assert statuses(day, id) == ["rejected", "rejected"]
    assert [_settled(day, one.id) for one in (first, second)] == [2, 2]


def test_a_submission_shows_the_least_finished_of_its_documents(day: Day) -> None:
    """A sender who looks at one word must not believe that all is well."""
    two = reports(2)
    assert day.status(day.send(batches.nested(*two))) == "accepted"
    unknown = Report(number="77", status="entered-in-error", version=2, order=None)
    id = day.send(batches.nested(reports(1)[0], batches.bundle(unknown)))
    assert statuses(day, id) == ["accepted", "needs_info"]
    assert day.status(id) == "needs_info"


def test_two_reports_of_a_new_patient_in_one_batch_are_one_card(day: Day) -> None:
    """Neither document finds the card that the other is about to open."""
    one, two = Report(number="1", patient=ANNA), Report(number="2", patient=ANNA)
    id = day.send(batches.nested(batches.bundle(one), batches.bundle(two)))
    assert statuses(day, id) == ["accepted", "accepted"]
    assert len(day.reports(ANNA)) == 2


def test_two_versions_in_one_batch_are_one_series(day: Day) -> None:
    """A clinic sees the newer one only, whichever stands first."""
    report = Report(patient=ANNA)
    newer = report.but(version=2, status="corrected", values={HBA1C: "5.30"})
    id = day.send(batches.nested(batches.bundle(report), batches.bundle(newer)))
    assert sorted(statuses(day, id)) == ["accepted", "replaced"]
    assert day.results(ANNA) == {HBA1C: "5.30"}


def test_each_document_is_delivered_by_itself(day: Day) -> None:
    """The clinic gets one Bundle of one patient for each, never the batch."""
    one, two = Report(number="1", patient=ANNA), Report(number="2", patient=BORIS)
    id = day.send(batches.flat(batches.bundle(one), batches.bundle(two)))
    assert statuses(day, id) == ["accepted", "accepted"]
    assert day.received() == [{"report": "final", HBA1C: "5.10"}] * 2
    assert [len(document.deliveries) for document in documents(day, id)] == [1, 1]


def test_a_batch_of_one_report_is_worked_like_the_report(day: Day) -> None:
    """The wrapper says nothing about the patient: the second is a duplicate of the first."""
    first = day.send(Report(patient=ANNA))
    again = day.send(batches.nested(batches.bundle(Report(patient=ANNA))))
    assert day.document(again).duplicate_of == day.document(first).id


def test_a_refusal_of_the_whole_ends_the_documents_a_replay_woke(day: Day) -> None:
    """A document that is `received` for ever is a result nobody waits for."""
    two = reports(2)
    batches.resources(two[1], "Patient")[0]["identifier"][0]["value"] = "22000000799"
    id = day.send(batches.nested(*two))
    organization = day.gateway.store.organization("polaris")
    assert organization is not None
    day.gateway.store.put_organization(replace(organization, allow_unsigned=False))
    day.gateway.store.replay(id, "operator:test")
    day.work()
    assert statuses(day, id) == ["accepted", "rejected"]
    assert [p.code for p in documents(day, id)[1].problems] == ["SIG-201"]
