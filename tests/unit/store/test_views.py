"""What senders, clinics and operators are shown: their own, and nothing that hints at more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model import DeliveryState, Destination, Identifier
from gateway.store import BadCursor
from gateway.store.values import Client, Filter, Organization
from tests.unit.store.house import SNILS, House

EVERYBODYS = Filter(organizations=None)


def test_a_stranger_sees_what_does_not_exist(house: House) -> None:
    kept = house.store.keep(house.arrive())
    assert house.store.view(kept.submission, ("lab-1",)) is not None
    assert house.store.view(kept.submission, ("lab-2",)) is None
    assert house.store.view(kept.submission, ()) is None
    assert house.store.view("none", ("lab-1",)) is None
    assert house.store.list(replace(EVERYBODYS, organizations=("lab-2",))).items == ()


def test_pages_follow_each_other_without_gap_or_double(house: House) -> None:
    ids = []
    for number in range(7):
        ids.append(house.store.keep(house.arrive(b"%d" % number)).submission)
        house.clock.forward(seconds=number % 2)
    seen: list[str] = []
    cursor = None
    while True:
        page = house.store.list(replace(EVERYBODYS, limit=3, cursor=cursor))
        seen += [item.id for item in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == 7
    assert set(seen) == set(ids)
    with pytest.raises(BadCursor):
        house.store.list(replace(EVERYBODYS, cursor="not-a-cursor"))


def test_a_filter_keeps_what_it_says(house: House) -> None:
    first = house.store.keep(house.arrive(b"1")).submission
    house.clock.forward(hours=1)
    house.store.keep(house.arrive(b"2", client="lis-2"))
    middle = house.clock.now
    assert [one.id for one in house.store.list(replace(EVERYBODYS, until=middle)).items] == [first]
    assert len(house.store.list(replace(EVERYBODYS, since=middle)).items) == 1
    assert [one.id for one in house.store.list(replace(EVERYBODYS, sender="lis-1")).items] == [
        first
    ]


def test_a_ground_lasts_as_long_as_its_consent(house: House) -> None:
    """One second past the end, or one organisation beside, and there is no ground."""
    now = house.clock.now
    end = now + timedelta(days=1)
    grant = house.store.add_grant(
        (SNILS,), "clinic-1", "care", now, end, {"resourceType": "Consent"}, "operator:anna"
    )
    assert house.store.has_ground(grant.patient, "clinic-1")
    assert not house.store.has_ground(grant.patient, "clinic-2")
    house.clock.now = end
    assert not house.store.has_ground(grant.patient, "clinic-1")
    house.clock.now = now
    house.store.revoke_grant(grant.id, "operator:anna")
    house.store.revoke_grant(grant.id, "operator:anna")
    assert not house.store.has_ground(grant.patient, "clinic-1")
    assert [one.state for one in house.store.grants(grant.patient)] == ["revoked"]
    assert house.store.consent_version(grant.patient) > grant.version
    with pytest.raises(KeyError):
        house.store.revoke_grant("none", "operator:anna")


def test_two_consents_of_one_person_are_one_persons(house: House) -> None:
    now = house.clock.now
    first, second = (
        house.store.add_grant(
            (SNILS,), to, "care", now, None, {"resourceType": "Consent"}, "operator:anna"
        )
        for to in ("clinic-1", "clinic-2")
    )
    assert first.patient == second.patient
    assert (first.version, second.version) == (1, 2)


def test_an_order_gives_its_clinic_a_ground_unless_held(house: House) -> None:
    house.store.put_destination(
        Destination(name="clinic", kind="fhir_rest", organization="clinic-1", options={})
    )
    house.through()
    (patient,) = house.store.patients_by_identifier(SNILS)
    assert house.store.has_ground(patient, "clinic-1")
    assert not house.store.has_ground(patient, "clinic-2")


def test_a_refusal_by_the_clinic_is_an_answer_and_not_tried_again(house: House) -> None:
    submission = house.through()
    house.deliver(house.claim("delivery"), DeliveryState.REFUSED)
    view = house.store.view(submission, None)
    assert view is not None
    (delivery,) = view.documents[0].deliveries
    assert (delivery.state, delivery.problem and delivery.problem.code) == (
        DeliveryState.REFUSED,
        "DLV-201",
    )
    assert house.store.claim("delivery", 9, timedelta(seconds=1)) == ()


def test_the_directory_gives_back_what_was_put(house: House) -> None:
    organization = Organization(
        id="lab-1",
        name="Лаборатория",
        kind="laboratory",
        identifiers=(Identifier(system="urn:oid:1.2.643.100.1", value="1027700132195"),),
    )
    client = Client(
        id="lis-1", name="LIS", organization="lab-1", role="laboratory", secret_hash="$argon2id$"
    )
    destination = Destination(
        name="clinic", kind="fhir_rest", organization="c-1", options={"password": "s3cret-word"}
    )
    for _ in range(2):
        house.store.put_organization(organization)
        house.store.put_client(client)
        house.store.put_destination(destination)
    assert house.store.organizations() == (organization,)
    assert house.store.client("lis-1") == client
    assert house.store.destination("clinic") == destination
    assert house.store.client("lis-2") is None
    house.store.put_client(replace(client, disabled=True))
    assert [one.disabled for one in house.store.clients()] == [True]


def test_the_counters_count(house: House) -> None:
    house.through(b"1")
    house.store.keep(house.arrive(b"2"))
    counts = house.store.counts()
    assert counts["submissions_accepted"] == counts["submissions_received"] == 1
    assert counts["deliveries_waiting"] == counts["work_delivery"] == 1
    assert counts["audit_pending"] == 3
    house.store.seal()
    assert (house.store.counts()["audit_pending"], house.store.counts()["audit_sealed"]) == (0, 3)
