"""A FHIR transaction of several reports: each its own series, all of them or none (rule 7)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.fhir import text
from gateway.formats.interface import TOGETHER_MAX
from gateway.model import Part
from gateway.repair.replays import Choice
from gateway.store import tables
from gateway.store.values import DocumentView
from gateway.store.wholes import owner_of
from tests.scenarios import batches, laboratory
from tests.scenarios.laboratory import (
    ANNA,
    BORIS,
    CLINIC,
    FHIR,
    HBA1C,
    OGRN,
    SNILS,
    Day,
    Person,
    Report,
)

GLUCOSE = "14749-6"
SUGAR = Report(number="000017", values={HBA1C: "5.10"})
SERUM = Report(number="000018", values={GLUCOSE: "5.20"})
"""Two reports of Anna's."""

CORRECTION = SERUM.but(version=2, status="corrected", values={GLUCOSE: "5.90"})


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url) as opened:
        yield opened


def transaction(*reports: Report, more: tuple[Any, ...] = ()) -> bytes:
    """Return one transaction of all reports; whose patient is the same share the entry."""
    bundles = [batches.bundle(one) for one in reports]
    names: dict[str, str] = {}
    entries: list[Any] = []
    renamed: dict[str, str] = {}
    for report, bundle in zip(reports, bundles, strict=True):
        for entry in bundle["entry"]:
            if "birthDate" not in entry["resource"]:
                entries.append(entry)
                continue
            first = names.setdefault(report.patient.snils, entry["fullUrl"])
            renamed[entry["fullUrl"]] = first
            if first == entry["fullUrl"]:
                entries.append(entry)
    octets = batches.flat({"entry": [*entries, *more]}, kind="transaction")
    for old, new in renamed.items():
        octets = octets.replace(old.encode(), new.encode())
    return octets


def documents(day: Day, submission: str) -> tuple[DocumentView, ...]:
    return day.view(submission).documents


def statuses(day: Day, submission: str) -> list[str]:
    return [str(one.status) for one in documents(day, submission)]


def codes(day: Day, submission: str) -> list[list[str]]:
    return [[one.code for one in document.problems] for document in documents(day, submission)]


def places(octets: bytes) -> list[str]:
    """Return where the reports stand in a Bundle."""
    return [
        f"/entry/{position}/resource"
        for position, entry in enumerate(json.loads(octets)["entry"])
        if entry["resource"]["resourceType"] == "DiagnosticReport"
    ]


def entry(resource: dict[str, Any]) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": "urn:uuid:more", "resource": resource, "request": request}


# --- each report by itself --------------------------------------------------------------


def test_every_report_of_a_transaction_is_a_document_with_a_receipt_of_its_own(day: Day) -> None:
    octets = transaction(SUGAR, SERUM)
    id = day.send(octets)
    assert statuses(day, id) == ["accepted", "accepted"]
    assert [one.place for one in documents(day, id)] == places(octets)
    assert len({one.receipt for one in documents(day, id)}) == 2
    assert day.results() == {HBA1C: "5.10", GLUCOSE: "5.20"}
    assert day.received() == [
        {"report": "final", HBA1C: "5.10"},
        {"report": "final", GLUCOSE: "5.20"},
    ]


def test_the_second_report_of_a_transaction_is_corrected_alone(day: Day) -> None:
    """It has a series of its own: its correction need not wait for an original for ever."""
    id = day.send(transaction(SUGAR, SERUM))
    assert day.status(day.send(CORRECTION)) == "accepted"
    assert statuses(day, id) == ["accepted", "replaced"]
    assert day.results() == {HBA1C: "5.10", GLUCOSE: "5.90"}


def test_a_resend_in_another_grouping_doubles_nothing(day: Day) -> None:
    first, second = documents(day, day.send(transaction(SUGAR, SERUM)))
    again = [
        *documents(day, day.send(SERUM)),
        *documents(day, day.send(transaction(SERUM, SUGAR))),
    ]
    assert [one.duplicate_of for one in again] == [second.id, second.id, first.id]
    assert len(day.reports()) == 2
    assert len(day.received()) == 2


def test_a_report_that_is_known_does_not_hold_the_others_back(day: Day) -> None:
    known = day.document(day.send(SERUM))
    first, second = documents(day, day.send(transaction(SUGAR, SERUM)))
    assert [str(first.status), str(second.status)] == ["accepted", "accepted"]
    assert (first.duplicate_of, second.duplicate_of) == (None, known.id)


def test_a_late_version_in_a_transaction_is_history_and_holds_nothing_back(day: Day) -> None:
    day.send(SERUM)
    day.send(CORRECTION)
    older = SERUM.but(version=None, status="preliminary", values={GLUCOSE: "5.00"})
    assert statuses(day, day.send(transaction(SUGAR, older))) == ["accepted", "replaced"]


def test_a_transaction_of_two_patients_is_two_cards(day: Day) -> None:
    id = day.send(transaction(SUGAR, SERUM.but(patient=BORIS)))
    assert statuses(day, id) == ["accepted", "accepted"]
    assert (day.results(ANNA), day.results(BORIS)) == ({HBA1C: "5.10"}, {GLUCOSE: "5.20"})
    assert key_owner(day, id) == owner_of(id)


def test_the_original_of_one_patient_stays_whole_under_that_patients_key(day: Day) -> None:
    """What was signed once for all reports can be shown as long as they stand."""
    id = day.send(transaction(SUGAR, SERUM))
    (card,) = [one for one in day.card() if one["resourceType"] == "Patient"]
    assert key_owner(day, id) == card["id"]


def key_owner(day: Day, submission: str) -> str:
    table = tables.submission
    with day.gateway.store.database.read() as connection:
        found = select(table.c.key_owner).where(table.c.id == submission)
        return str(connection.execute(found).scalar_one())


# --- all or nothing ---------------------------------------------------------------------


def test_a_report_that_is_refused_holds_back_all_others(day: Day) -> None:
    octets = transaction(SUGAR, SERUM.but(patient=Person("22445766060", "Златоустов")))
    id = day.send(octets)
    assert statuses(day, id) == ["rejected", "rejected"]
    assert codes(day, id) == [["FMT-339"], ["PAT-101"]]
    first, second = documents(day, id)
    (held,) = first.problems
    assert held.place == first.place
    assert held.detail == {"other": second.place, "code": "PAT-101"}
    assert (day.card(), day.received()) == ((), [])
    kinds = [one.kind for one in day.receipts(id)]
    assert kinds == ["accepted", "refused", "refused"]
    # What was held back left no trace that it was taken.
    assert day.document(day.send(SUGAR)).duplicate_of is None


def test_a_report_that_cannot_be_read_holds_back_all_others(day: Day) -> None:
    octets = transaction(SUGAR, SERUM.but(status="banana"))
    id = day.send(octets)
    assert (statuses(day, id), codes(day, id)) == (["rejected"] * 2, [["FMT-339"], ["FMT-315"]])
    assert day.card() == ()


def test_a_report_that_waits_holds_back_all_others_until_they_go_together(day: Day) -> None:
    """A correction whose original is on its way: it comes, and nobody has to do anything."""
    id = day.send(transaction(SUGAR, CORRECTION))
    assert statuses(day, id) == ["needs_info", "needs_info"]
    assert codes(day, id) == [["FMT-339"], ["DUP-103"]]
    assert (day.card(), day.received()) == ((), [])
    assert [one.kind for one in day.receipts(id)] == ["accepted"]
    assert day.status(day.send(SERUM)) == "replaced"
    assert statuses(day, id) == ["accepted", "accepted"]
    assert day.results() == {HBA1C: "5.10", GLUCOSE: "5.90"}
    assert {"report": "final", HBA1C: "5.10"} in day.received()


@pytest.mark.parametrize("asked", [0, 1, None])
def test_a_replay_of_one_document_works_the_transaction(day: Day, asked: int | None) -> None:
    """Whichever of them is repeated: one is never taken without the other."""
    id = day.send(transaction(SUGAR, CORRECTION))
    only = None if asked is None else documents(day, id)[asked].id
    day.gateway.store.replay(id, "operator:test", only)
    day.work()
    assert codes(day, id) == [["FMT-339"], ["DUP-103"]]
    day.keep(SERUM)
    day.gateway.store.replay(id, "operator:test", only)
    day.work()
    assert statuses(day, id) == ["accepted", "accepted"]


@pytest.mark.parametrize("asked", [0, 1])
def test_a_refusal_of_the_whole_leaves_none_of_its_documents_waiting(day: Day, asked: int) -> None:
    """The sender may not send unsigned any more when one of them is repeated."""
    id = day.send(transaction(SUGAR, CORRECTION))
    store = day.gateway.store
    organization = store.organization("polaris")
    assert organization is not None
    store.put_organization(replace(organization, allow_unsigned=False))
    store.replay(id, "operator:test", documents(day, id)[asked].id)
    day.work()
    assert (day.status(id), statuses(day, id)) == ("rejected", ["rejected", "rejected"])


def test_a_refusal_weighs_more_than_a_question(day: Day) -> None:
    """The sender must send all again, so nobody is to wait for an answer."""
    stranger = Report(number="9", patient=Person("22445766060", "Златоустов"))
    octets = transaction(SUGAR, CORRECTION, stranger)
    id = day.send(octets)
    assert statuses(day, id) == ["rejected"] * 3
    assert codes(day, id) == [["FMT-339"], ["DUP-103", "FMT-339"], ["PAT-101"]]
    assert {one.detail["other"] for d in documents(day, id)[:2] for one in d.problems[-1:]} == {
        places(octets)[2]
    }


def test_one_report_twice_in_a_transaction_is_refused(day: Day) -> None:
    """FHIR lets a transaction write a thing once; in a batch the order decides."""
    octets = transaction(SERUM, CORRECTION)
    id = day.send(octets)
    assert (statuses(day, id), codes(day, id)) == (["rejected"] * 2, [["FMT-339"], ["FMT-340"]])
    (problem,) = documents(day, id)[1].problems
    assert problem.detail == {"other": places(octets)[0]}
    other = CORRECTION.but(performer=laboratory.SIRIUS, version=1, status="final")
    assert "FMT-340" not in str(codes(day, day.send(transaction(SERUM, other))))


@pytest.mark.parametrize("count", [TOGETHER_MAX, TOGETHER_MAX + 1])
def test_a_transaction_has_a_limit_and_up_to_it_is_one(tmp_path: Path, count: int) -> None:
    reports = [Report(number=f"{number:06}", order=None) for number in range(count)]
    with laboratory.day(tmp_path / "var") as day:
        id = day.send(transaction(*reports))
        if count > TOGETHER_MAX:
            (problem,) = day.view(id).problems
            assert (problem.code, problem.detail) == ("FMT-338", {"count": "51", "limit": "50"})
            assert (day.status(id), documents(day, id), day.card()) == ("rejected", (), ())
            return
        assert statuses(day, id) == ["accepted"] * count


def overtaken(day: Day, octets: bytes, by: Report) -> str:
    """Work a transaction while another worker settles a report after it was judged."""
    id = day.keep(octets)
    store, lease = day.gateway.store, day.gateway.settings.work.lease
    (order,) = store.claim("submission", 1, lease)
    settle = store.settle

    def late(*given: Any, **more: Any) -> None:
        store.settle = settle  # type: ignore[method-assign]
        day.keep(by)
        day.line()
        settle(*given, **more)

    store.settle = late  # type: ignore[method-assign]
    day.gateway.line.work(order)
    return id


def test_what_moved_meanwhile_is_looked_at_again_for_all(day: Day) -> None:
    """Another worker settles one of the reports between judgement and settlement."""
    id = overtaken(day, transaction(SUGAR, SERUM), SERUM)
    first, second = documents(day, id)
    assert [str(first.status), str(second.status)] == ["accepted", "accepted"]
    assert (first.duplicate_of, second.duplicate_of is None) == (None, False)
    assert len(day.reports()) == 2


def test_what_moved_meanwhile_may_hold_back_all(day: Day) -> None:
    """Nothing of the first attempt stays: other content of one report came in between."""
    id = overtaken(day, transaction(SUGAR, SERUM), SERUM.but(values={GLUCOSE: "7.70"}))
    assert (statuses(day, id), codes(day, id)) == (["needs_info"] * 2, [["FMT-339"], ["DUP-102"]])
    assert day.results() == {GLUCOSE: "7.70"}


def test_a_dry_run_of_a_replay_judges_the_whole_transaction(day: Day) -> None:
    id = day.send(transaction(SUGAR, CORRECTION))
    run, _ = day.gateway.replays.start(Choice(ids=(id,)), None, actor="lab", dry_run=True)
    day.gateway.replays.step()
    (item,) = day.gateway.store.replay_items(run.id)
    assert item.after is not None
    shown: Any = item.after["documents"]
    assert [(one["status"], one["codes"]) for one in shown] == [
        ("needs_info", ["FMT-339"]),
        ("needs_info", ["DUP-103"]),
    ]


# --- a message, a collection ------------------------------------------------------------


def gathered(octets: bytes, kind: str) -> bytes:
    """Return a transaction's entries as a Bundle that asks for no interaction."""
    found = json.loads(octets, parse_float=Decimal)
    entries = [{k: v for k, v in one.items() if k != "request"} for one in found["entry"]]
    if kind == "message":
        reports = [one for one in entries if one["resource"]["resourceType"] == "DiagnosticReport"]
        header = {
            "resourceType": "MessageHeader",
            "eventCoding": {"system": "urn:test", "code": "results"},
            "source": {"endpoint": "urn:test:lis"},
            "focus": [{"reference": one["fullUrl"]} for one in reports],
        }
        entries.insert(0, {"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": header})
    return text.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})


@pytest.mark.parametrize("kind", ["message", "collection"])
def test_the_reports_of_a_message_or_collection_are_documents_too(day: Day, kind: str) -> None:
    """As one document the second report would have no series to be corrected in."""
    id = day.send(gathered(transaction(SUGAR, SERUM), kind))
    assert statuses(day, id) == ["accepted", "accepted"]
    assert day.results() == {HBA1C: "5.10", GLUCOSE: "5.20"}
    assert day.status(day.send(CORRECTION)) == "accepted"
    assert statuses(day, id) == ["accepted", "replaced"]


@pytest.mark.parametrize("kind", ["message", "collection"])
def test_a_refused_report_of_a_message_holds_no_other_back(day: Day, kind: str) -> None:
    """Only a transaction is all or nothing (semantics, rule 7)."""
    id = day.send(gathered(transaction(SUGAR, CORRECTION), kind))
    assert (statuses(day, id), codes(day, id)) == (["accepted", "needs_info"], [[], ["DUP-103"]])


def test_a_message_of_several_reports_begins_with_its_header(day: Day) -> None:
    found = json.loads(gathered(transaction(SUGAR, SERUM), "message"), parse_float=Decimal)
    found["entry"].append(found["entry"].pop(0))
    id = day.send(text.dumps(found))
    assert day.status(id) == "rejected"
    assert [one.code for one in day.view(id).problems] == ["FMT-320"]


def test_what_speaks_about_two_reports_carries_no_result_from_one_to_the_other(day: Day) -> None:
    found = json.loads(transaction(SUGAR, SERUM), parse_float=Decimal)
    results = [
        {"reference": one["fullUrl"]}
        for one in found["entry"]
        if one["resource"]["resourceType"] in ("DiagnosticReport", "Observation")
    ]
    statement = {
        "resourceType": "Provenance",
        "target": results,
        "recorded": "2026-11-20T10:00:00+03:00",
        "agent": [{"who": {"display": "ЛИС"}}],
    }
    found["entry"].append(entry(statement))
    id = day.send(text.dumps(found))
    assert statuses(day, id) == ["accepted", "accepted"]
    kinds = [one["resourceType"] for one in day.card()]
    assert kinds.count("Observation") == 2


# --- what belongs to no report ----------------------------------------------------------


def test_what_no_report_refers_to_goes_with_the_first_of_its_patient(day: Day) -> None:
    """A batch refuses such an entry alone; here that would refuse the transaction."""
    condition = {
        "resourceType": "Condition",
        "subject": {"identifier": {"system": SNILS, "value": ANNA.snils}},
        "code": {"text": "наблюдение"},
    }
    id = day.send(transaction(SUGAR, SERUM, more=(entry(condition),)))
    assert statuses(day, id) == ["accepted", "accepted"]
    assert [one["resourceType"] for one in day.card()].count("Condition") == 1


def test_what_belongs_to_none_of_two_patients_refuses_the_transaction(day: Day) -> None:
    """Nobody can say whose it is."""
    condition = {
        "resourceType": "Condition",
        "subject": {"identifier": {"system": SNILS, "value": ANNA.snils}},
    }
    octets = transaction(SUGAR, SERUM.but(patient=BORIS), more=(entry(condition),))
    id = day.send(octets)
    assert statuses(day, id) == ["rejected"] * 3
    assert codes(day, id) == [["FMT-339"], ["FMT-339"], ["FMT-337"]]
    assert (day.card(ANNA), day.card(BORIS)) == ((), ())


def consent(person: Person, **patient: Any) -> dict[str, Any]:
    identifier = {"identifier": {"system": SNILS, "value": person.snils}}
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "urn:x", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": patient or identifier,
        "dateTime": "2026-11-20",
        "policyRule": {"text": "323"},
        "provision": {
            "type": "permit",
            "actor": [
                {
                    "role": {"coding": [{"code": "IRCP"}]},
                    "reference": {"identifier": {"system": OGRN, "value": CLINIC}},
                }
            ],
        },
    }


def test_a_consent_in_a_transaction_speaks_for_every_report_of_its_patient(day: Day) -> None:
    two = [one.but(order=None) for one in (SUGAR, SERUM)]
    id = day.send(transaction(*two, more=(entry(consent(ANNA)),)))
    assert statuses(day, id) == ["accepted", "accepted"]
    assert "CON-301" not in str(codes(day, id))
    assert len(day.received()) == 2
    number = next(str(one["id"]) for one in day.card() if one["resourceType"] == "Patient")
    assert len(day.gateway.store.grants(number)) == 1


def test_consents_of_two_patients_in_one_message_are_two(day: Day) -> None:
    """Each stands in the Bundle of its own patient's report."""
    made = [
        batches.bundle(SUGAR.but(order=None)),
        batches.bundle(SERUM.but(order=None, patient=BORIS)),
    ]
    for bundle, person in zip(made, (ANNA, BORIS), strict=True):
        bundle["entry"].append(entry(consent(person)))
    id = day.send(batches.nested(*made))
    assert (statuses(day, id), codes(day, id)) == (["accepted"] * 2, [[], []])
    for person in (ANNA, BORIS):
        number = next(str(r["id"]) for r in day.card(person) if r["resourceType"] == "Patient")
        (grant,) = day.gateway.store.grants(number)
        assert grant.patient == number


# --- a consent beside many reports ------------------------------------------------------


def beside(day: Day, document: bytes, *consents: dict[str, Any]) -> str:
    parts = (
        Part(name="document", media_type=FHIR, body=document),
        *(Part(name="consent", media_type=FHIR, body=json.dumps(one).encode()) for one in consents),
    )
    sender = laboratory._Sender("polaris")
    id = day.gateway.line.keep(sender, "multipart/form-data", parts).submission
    day.work()
    return id


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_consent_beside_many_reports_speaks_for_its_patients_alone(day: Day, kind: str) -> None:
    """Another patient's result is judged as if none had been enclosed."""
    three = [
        SUGAR.but(order=None),
        SERUM.but(order=None, patient=BORIS),
        SERUM.but(order=None, number="000019"),
    ]
    octets = batches.nested(*map(batches.bundle, three)) if kind == "batch" else transaction(*three)
    id = beside(day, octets, consent(ANNA))
    assert statuses(day, id) == ["accepted"] * 3
    assert codes(day, id) == [[], ["CON-301"], []]
    assert len(day.received()) == 2


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_consent_that_fits_no_report_waits_for_a_person(day: Day, kind: str) -> None:
    stranger = consent(Person(batches.snils(5), "Чужой"))
    two = [SUGAR, SERUM.but(patient=BORIS)]
    octets = batches.nested(*map(batches.bundle, two)) if kind == "batch" else transaction(*two)
    id = beside(day, octets, stranger)
    assert statuses(day, id) == ["needs_info"] * 2
    assert codes(day, id) == [["CON-302"], ["CON-302"]]


def test_a_replay_of_another_patients_report_knows_whose_the_consent_is(day: Day) -> None:
    """The consent's own document is not worked again, and counts all the same."""
    two = [SUGAR.but(order=None), CORRECTION.but(order=None, patient=BORIS)]
    id = beside(day, batches.nested(*map(batches.bundle, two)), consent(ANNA))
    assert codes(day, id) == [[], ["DUP-103"]]
    day.gateway.store.replay(id, "operator:test")
    day.work()
    assert codes(day, id) == [[], ["DUP-103"]]
