"""Which orders still let a clinic read a card: those of documents that stand (rule 8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from gateway.api import create_app
from gateway.model import Identifier
from gateway.store.values import Client, Organization
from tests.doorway import SECRET, SECRET_HASH, basic
from tests.scenarios import laboratory
from tests.scenarios.laboratory import ANNA, BORIS, HBA1C, OGRN, SNILS, Day, Person, Report

CLINIC2 = "1267700000556"
ORDERED = Report(number="3", ordering=CLINIC2)


@dataclass
class Readers:
    """The clinics of a day as they read over HTTP."""

    day: Day

    def __post_init__(self) -> None:
        store = self.day.gateway.store
        self.http = create_app(self.day.gateway).test_client()
        for name in ("clinic", "clinic2"):
            client = Client(
                id=name, name=name, organization=name, role="clinic", secret_hash=SECRET_HASH
            )
            store.put_client(client)

    def get(self, path: str, who: str) -> TestResponse:
        """Ask with a token of its own: days pass between two questions."""
        form = {"grant_type": "client_credentials"}
        answer = self.http.post("/oauth/token", data=form, headers=basic(who, SECRET))
        token = answer.get_json()["access_token"]
        return self.http.get(path, headers={"Authorization": f"Bearer {token}"})

    def found(self, person: Person, who: str = "clinic2") -> int:
        """Return how many cards a clinic finds under a person's number."""
        answer = self.get(f"/fhir/Patient?identifier={SNILS}|{person.snils}", who)
        assert answer.status_code == 200
        return int(json.loads(answer.data)["total"])

    def everything(self, person: Person, who: str = "clinic2") -> int:
        """Return the status of the answer to a request for the whole card."""
        identifier = Identifier(system=SNILS, value=person.snils)
        (patient,) = self.day.gateway.store.patients_by_identifier(identifier)
        return self.get(f"/fhir/Patient/{patient}/$everything", who).status_code


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    clinics: dict[str, dict[str, str]] = {"clinic": {}, "clinic2": {}}
    with laboratory.day(tmp_path / "var", database=url, clinics=clinics) as opened:
        store = opened.gateway.store
        number = Identifier(system=OGRN, value=CLINIC2)
        store.put_organization(
            Organization(id="clinic2", name="clinic2", kind="hospital", identifiers=(number,))
        )
        second = next(one for one in store.destinations() if one.name == "clinic2")
        store.put_destination(replace(second, organization="clinic2"))
        opened.send(Report(number="1"))
        yield opened


@pytest.fixture
def readers(day: Day) -> Readers:
    return Readers(day)


def test_the_wrong_patients_clinic_reads_the_card_no_more(day: Day, readers: Readers) -> None:
    """The report was never Anna's: its order opens her card to nobody, Boris's as before."""
    day.send(ORDERED)
    assert (readers.found(ANNA), readers.everything(ANNA)) == (1, 200)
    day.send(ORDERED.but(version=2, status="corrected", patient=BORIS))
    assert [one["report"] for one in day.received("clinic2")][:2] == ["final", "entered-in-error"]
    assert (readers.found(ANNA), readers.everything(ANNA)) == (0, 404)
    assert (readers.found(BORIS), readers.everything(BORIS)) == (1, 200)
    assert (readers.found(ANNA, "clinic"), readers.everything(ANNA, "clinic")) == (1, 200)


def test_a_withdrawn_report_leaves_its_clinic_no_ground(day: Day, readers: Readers) -> None:
    day.send(ORDERED)
    day.send(ORDERED.but(version=2, status="entered-in-error"))
    assert (readers.found(ANNA), readers.everything(ANNA)) == (0, 404)


def test_a_correction_for_the_same_clinic_keeps_its_ground(day: Day, readers: Readers) -> None:
    day.send(ORDERED)
    day.send(ORDERED.but(version=2, status="corrected", values={HBA1C: "6.00"}))
    assert (readers.found(ANNA), readers.everything(ANNA)) == (1, 200)


def test_a_correction_that_names_another_order_takes_the_ground_along(
    day: Day, readers: Readers
) -> None:
    day.send(ORDERED)
    elsewhere = {"ordering": laboratory.CLINIC, "order": "77-105"}
    day.send(ORDERED.but(version=2, status="corrected", **elsewhere))
    assert (readers.found(ANNA), readers.found(ANNA, "clinic")) == (0, 1)


def test_a_result_that_went_to_another_clinic_is_the_first_ones_own_no_more(day: Day) -> None:
    """What carries a label is read on its own ground alone, and that goes with the order."""
    day.send(ORDERED)
    store = day.gateway.store
    mine = [str(one["id"]) for one in day.card() if one["resourceType"] == "Observation"]
    (before,) = [one for one in mine if store.own_ground("Observation", one, "clinic2")]
    elsewhere = {"ordering": laboratory.CLINIC, "order": "77-105"}
    day.send(ORDERED.but(version=2, status="corrected", **elsewhere))
    found = [store.own_ground("Observation", before, who) for who in ("clinic", "clinic2")]
    assert found == [True, False]


def test_another_order_keeps_the_ground_of_a_withdrawn_one(day: Day, readers: Readers) -> None:
    day.send(ORDERED)
    day.send(ORDERED.but(number="4"))
    day.send(ORDERED.but(version=2, status="entered-in-error"))
    assert (readers.found(ANNA), readers.everything(ANNA)) == (1, 200)


def test_a_refused_delivery_is_no_ground_and_one_under_way_is(day: Day, readers: Readers) -> None:
    day.clinics["clinic2"].mode = "refuse"
    refused = day.keep(ORDERED)
    day.line()
    assert readers.found(ANNA) == 1
    day.deliver()
    assert [one.state for one in day.document(refused).deliveries] == ["refused"]
    assert (readers.found(ANNA), readers.everything(ANNA)) == (0, 404)


def test_a_delivery_that_was_given_up_is_no_ground(day: Day, readers: Readers) -> None:
    day.clinics["clinic2"].mode = "down"
    lost = day.send(ORDERED)
    assert readers.found(ANNA) == 1
    for _ in range(40):
        day.now[0] += day.gateway.settings.work.retry_longest
        day.deliver()
    assert [one.state for one in day.document(lost).deliveries] == ["dead"]
    assert (readers.found(ANNA), readers.everything(ANNA)) == (0, 404)
