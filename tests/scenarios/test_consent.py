"""Consent and its basis: rule 9 and day 13 of the semantics, and what races with a revocation."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model import DeliveryState, Destination, Identifier, Json, Part, Provision
from gateway.store.values import NewConsent, Organization
from tests.doorway import doorway
from tests.scenarios import laboratory
from tests.scenarios.laboratory import ANNA, BORIS, FHIR, HBA1C, SNILS, Day, Person, Report

GLUCOSE = "14749-6"
LOINC = "http://loinc.org"
UNORDERED = Report(order=None)
"""Nobody's order: it leaves on a consent or not at all."""


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url, clinics={"clinic": {}, "a": {}}) as opened:
        store = opened.gateway.store
        store.put_organization(Organization(id="clinic-a", name="A", kind="clinic", identifiers=()))
        destination = store.destination("a")
        assert destination is not None
        store.put_destination(replace(destination, organization="clinic-a"))
        yield opened


def states(day: Day, submission: str) -> dict[str, tuple[str, str | None]]:
    found = day.document(submission).deliveries
    return {
        one.destination: (str(one.state), one.problem.code if one.problem else None)
        for one in found
    }


def said(day: Day, person: Person = ANNA, **words: Any) -> str:
    """Record a consent with the words of one provision; return its id."""
    usual = {"recipient": "clinic-a", "purpose": "TREAT", "valid_to": None}
    provision = Provision(**(usual | {"valid_from": day.gateway.clock()} | words))
    new = NewConsent(
        identifiers=(Identifier(system=SNILS, value=person.snils),),
        provisions=(provision,),
        resource={"resourceType": "Consent", "status": "active"},
        organization="clinic-a",
        actor="anna",
    )
    return day.gateway.store.add_consent(new).id


def test_day_13_revoked_between_acceptance_and_claim(day: Day) -> None:
    """Accepted 14:00:00, revoked 14:00:03, claimed 14:00:04; clinic B has its own order."""
    given = said(day)
    day.at("14:00")
    submission = day.keep(Report())
    day.line()
    assert day.status(submission) == "accepted"
    day.gateway.store.revoke_grant(given, "anna")
    day.deliver()
    assert states(day, submission) == {"a": ("held", "CON-304"), "clinic": ("delivered", None)}
    assert day.received("a") == []
    assert day.clinics["a"].received == [], "not one byte"
    assert "delivery.held" in [one.name for one in day.gateway.store.events(submission)]
    said(day)
    day.deliver()
    day.deliver()
    assert states(day, submission)["a"] == ("delivered", None)
    assert day.received("a") == [{"report": "final", HBA1C: "5.10"}]
    assert len(day.received("clinic")) == 1


def test_the_sender_reads_over_http_that_a_delivery_is_held(tmp_path: Path) -> None:
    """Day 13 as the laboratory sees it: the state, the code and the moment, and nobody else's."""
    with doorway(tmp_path, '[[routes]]\nto = "clinic"\n') as door:
        store, lease = door.gateway.store, door.gateway.settings.work.lease
        options = {"url": "http://127.0.0.1:9/fhir"}
        destination = Destination(
            name="clinic", kind="fhir_rest", organization="org-clinic", options=options
        )
        store.put_destination(destination)
        who = (Identifier(system=SNILS, value=ANNA.snils),)
        words: Json = {"resourceType": "Consent", "status": "active"}
        given = store.add_grant(
            who, "org-clinic", "TREAT", door.gateway.clock(), None, words, "anna"
        )
        submission = door.keep(UNORDERED.but(performer="1027700000000").octets()).get_json()["id"]
        door.work()
        store.revoke_grant(given.id, "anna")
        for order in store.claim("delivery", 1, lease):
            door.gateway.deliverer.work(order)
        path = f"/v1/submissions/{submission}"
        (document,) = door.get(path).get_json()["documents"]
        (delivery,) = document["deliveries"]
        assert (delivery["state"], delivery["problem"]["code"]) == ("held", "CON-304")
        found = door.get(f"{path}/events").get_json()["events"]
        (held,) = [one for one in found if one["name"] == "delivery.held"]
        assert held["document"] == document["id"]
        assert (held["detail"]["code"], held["detail"]["destination"]) == ("CON-304", "clinic")
        assert door.get(f"{path}/events", client="lab2").status_code == 404


def test_without_a_basis_a_result_is_kept_and_its_sender_told(day: Day) -> None:
    submission = day.send(UNORDERED)
    assert day.status(submission) == "accepted"
    assert day.codes(submission) == ["CON-301", "CON-301"]
    assert day.results() == {HBA1C: "5.10"}
    assert states(day, submission) == {}


def test_a_consent_by_test_lets_only_these_results_go(day: Day) -> None:
    said(day, tests=(f"{LOINC}|{HBA1C}",))
    day.send(UNORDERED.but(values={HBA1C: "5.10", GLUCOSE: "4.40"}))
    assert day.received("a") == [{"report": "final", HBA1C: "5.10"}]
    sent = json.dumps([*day.clinics["a"].resources.values()], default=str)
    assert "4.40" not in sent
    assert GLUCOSE not in sent
    assert "SUBSETTED" in sent
    assert day.results() == {HBA1C: "5.10", GLUCOSE: "4.40"}, "the card has both"


def test_a_refusal_of_one_test_keeps_it_back(day: Day) -> None:
    said(day)
    said(day, deny=True, tests=(f"{LOINC}|{GLUCOSE}",))
    day.send(UNORDERED.but(values={HBA1C: "5.10", GLUCOSE: "4.40"}))
    assert day.received("a") == [{"report": "final", HBA1C: "5.10"}]


def test_a_consent_to_none_of_the_tests_plans_nothing(day: Day) -> None:
    said(day, tests=(f"{LOINC}|{GLUCOSE}",))
    submission = day.send(UNORDERED)
    assert "CON-303" in day.codes(submission)
    assert states(day, submission) == {}


def test_a_consent_beside_its_document_lets_it_go(day: Day) -> None:
    submission = _with_consent(day, UNORDERED, _consent(ANNA))
    assert states(day, submission) == {"a": ("delivered", None)}
    assert day.codes(submission) == ["CON-301"], "the other clinic has no basis"
    (found,) = day.gateway.store.grants(_number(day, ANNA))
    assert found.id == f"{submission}-consent-1"


def test_another_patients_consent_beside_a_document_waits_for_a_person(day: Day) -> None:
    submission = _with_consent(day, UNORDERED, _consent(BORIS))
    assert (day.status(submission), day.codes(submission)) == ("needs_info", ["CON-302"])
    assert day.received("a") == []


def test_a_consent_that_cannot_be_carried_out_leaves_the_result_sound(day: Day) -> None:
    consent = json.loads(_consent(ANNA))
    consent["provision"]["securityLabel"] = [{"system": "urn:x", "code": "R"}]
    submission = _with_consent(day, UNORDERED, json.dumps(consent).encode())
    assert day.status(submission) == "accepted"
    assert "CON-305" in day.codes(submission)
    assert day.received("a") == []


def test_every_question_is_in_the_audit(day: Day) -> None:
    from gateway.store import log_tables

    said(day)
    submission = day.send(Report())
    entry = log_tables.audit_entry
    with day.gateway.store.database.read() as connection:
        rows = connection.execute(entry.select().where(entry.c.action == "consent.ask")).all()
    document = day.document(submission).id
    at_accept = [row.detail for row in rows if row.subject == document]
    assert {one["destination"]: one["basis"] for one in at_accept} == {
        "clinic": "order",
        "a": "consent",
    }
    assert [row.detail["permitted"] for row in rows if row.subject != document] == ["yes"]


@pytest.mark.parametrize("how", ["revoked in part", "refused in part", "refused"])
def test_whoever_takes_a_word_back_waits_for_what_is_on_the_wire(
    day: Day, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What is being sent whole may not go whole any more: it has left before the answer."""
    whole = said(day)
    said(day, tests=(f"{LOINC}|{HBA1C}",))
    log: list[str] = []
    arrived, go = threading.Event(), threading.Event()
    taking = day.clinics["a"].take

    def slow(bundle: Json, key: str) -> Json:
        arrived.set()
        assert go.wait(30)
        log.append("taken")
        return taking(bundle, key)

    def take_back() -> None:
        if how == "revoked in part":
            assert day.gateway.store.revoke_grant(whole, "anna").in_flight == 0
        else:
            tests = (f"{LOINC}|{GLUCOSE}",) if how == "refused in part" else ()
            said(day, deny=True, tests=tests)
        log.append("taken back")

    monkeypatch.setattr(day.clinics["a"], "take", slow)
    day.keep(UNORDERED.but(values={HBA1C: "5.10", GLUCOSE: "4.40"}))
    day.line()
    with ThreadPoolExecutor(2) as pool:
        sending = pool.submit(day.deliver)
        assert arrived.wait(30)
        answered = pool.submit(take_back)
        # Long enough for the change itself; what waits goes on waiting.
        wait([answered], 0.5)
        go.set()
        sending.result(30)
        answered.result(30)
    assert log == ["taken", "taken back"]


def test_nothing_leaves_after_its_revocation(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 deliveries in flight, 12 random revocations, judged by the clinic's log."""
    _race(day, monkeypatch, deliveries=60, revocations=12)


@pytest.mark.slow
def test_nothing_leaves_after_its_revocation_in_full(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 deliveries in flight, 60 random revocations."""
    _race(day, monkeypatch, deliveries=300, revocations=60)


def _race(day: Day, monkeypatch: pytest.MonkeyPatch, *, deliveries: int, revocations: int) -> None:
    choose = random.Random(13)
    log: list[tuple[float, str]] = []
    clinic = day.clinics["a"]
    taking = clinic.take

    def timed(bundle: Json, key: str) -> Json:
        """Write down whose result came, and when, before anything else is done with it."""
        log.append((time.monotonic(), _whose(bundle)))
        return taking(bundle, key)

    monkeypatch.setattr(clinic, "take", timed)
    people = [Person(_snils(number + 1), "Первая") for number in range(deliveries)]
    given = {person.snils: said(day, person) for person in people}
    submissions = {
        person.snils: day.keep(UNORDERED.but(number=f"{place:06}", patient=person))
        for place, person in enumerate(people)
    }
    day.line()
    revoked: dict[str, float] = {}
    done = threading.Event()
    chosen = choose.sample(people, revocations)
    senders = [threading.Thread(target=_send, args=(day, done)) for _ in range(4)]
    for sender in senders:
        sender.start()
    for person in chosen:
        time.sleep(choose.random() * 0.01)
        left = day.gateway.store.revoke_grant(given[person.snils], "anna").in_flight
        revoked[person.snils] = time.monotonic()
        assert left == 0
    done.set()
    for sender in senders:
        sender.join()
    day.deliver()
    arrived = defaultdict(list)
    for at, number in log:
        arrived[number].append(at)
    late = [n for n, at in revoked.items() if any(one > at for one in arrived[n])]
    assert late == []
    found = {n: states(day, id)["a"][0] for n, id in submissions.items()}
    held = {n for n, state in found.items() if state == DeliveryState.HELD}
    assert held == {n for n in revoked if not arrived[n]}
    assert all(found[n] == "delivered" for n in found if n not in held)
    assert 0 < len(held) < len(people)

    before = len(log)
    for person in chosen:
        said(day, person)
    day.deliver()
    assert sorted(number for _, number in log[before:]) == sorted(held), "exactly the held ones"
    assert all(len(arrived[n]) == 1 for n in found if n not in held)


def _whose(bundle: Json) -> str:
    entries: Any = bundle["entry"]
    (patient,) = [e["resource"] for e in entries if e["resource"]["resourceType"] == "Patient"]
    return next(str(i["value"]) for i in patient["identifier"] if i["system"] == SNILS)


def _send(day: Day, done: threading.Event) -> None:
    store, lease = day.gateway.store, day.gateway.settings.work.lease
    while True:
        orders = store.claim("delivery", 1, lease)
        for order in orders:
            day.gateway.deliverer.work(order)
        if not orders and done.is_set():
            return


def _snils(number: int) -> str:
    """Return a СНИЛС with a true check number."""
    digits = f"{200_000_000 + number:09}"
    total = sum(int(digit) * (9 - place) for place, digit in enumerate(digits))
    check = total % 101
    return f"{digits}{0 if check == 100 else check:02}"


def _number(day: Day, person: Person) -> str:
    (found,) = day.gateway.store.patients_by_identifier(
        Identifier(system=SNILS, value=person.snils)
    )
    return found


def _consent(person: Person) -> bytes:
    return json.dumps(
        {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"system": "urn:x", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
            "patient": {"identifier": {"system": SNILS, "value": person.snils}},
            "dateTime": "2026-11-20",
            "policyRule": {"text": "323"},
            "provision": {
                "type": "permit",
                "actor": [
                    {
                        "role": {"coding": [{"code": "IRCP"}]},
                        "reference": {"reference": "Organization/clinic-a"},
                    }
                ],
            },
        }
    ).encode()


def _with_consent(day: Day, report: Report, consent: bytes) -> str:
    parts = (
        Part(name="document", media_type=FHIR, body=report.octets()),
        Part(name="consent", media_type=FHIR, body=consent),
    )
    sender = laboratory._Sender("polaris")
    id = day.gateway.line.keep(sender, "multipart/form-data", parts).submission
    day.work()
    return id
