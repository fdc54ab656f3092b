"""What may leave is what the patient allows at the moment of leaving, judged by commit order."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from gateway.model import (
    DeliveryState,
    Destination,
    Json,
    PlannedDelivery,
    Problem,
    Provision,
)
from gateway.store import Held
from gateway.store.values import ConsentFilter, NewConsent, StoredConsent, WorkOrder
from tests.unit.store.house import LEASE, POLICY, SNILS, House, card

NO_WAIT = timedelta(0)
GLUCOSE = "http://loinc.org|2345-7"
OTHER = "http://loinc.org|1988-5"


def consent(house: House, **words: Any) -> StoredConsent:
    """Record a consent to `clinic-1`; `provisions` or the words of one."""
    provisions = words.pop("provisions", None) or (provision(house, **words),)
    return house.store.add_consent(
        NewConsent(
            identifiers=(SNILS,),
            provisions=provisions,
            resource={"resourceType": "Consent", "status": "active"},
            organization="clinic-1",
            actor="anna",
            rejected=words.get("rejected", False),
        )
    )


def provision(house: House, **words: Any) -> Provision:
    usual = {
        "recipient": "clinic-1",
        "purpose": "TREAT",
        "valid_from": house.clock.now,
        "valid_to": None,
    }
    words.pop("rejected", None)
    return Provision(**(usual | words))


def planned(house: House, body: bytes = b"1", basis: str = "consent", **other: Any) -> str:
    """Settle a document whose delivery to clinic-1 rests on `basis`; return the submission."""
    house.store.put_destination(
        Destination(name="clinic", kind="folder", organization="clinic-1", options={})
    )
    deliveries = (PlannedDelivery(destination="clinic", basis=basis),)
    patient = other.pop("patient", None) or _patient(house)
    return house.through(
        body,
        patient=patient,
        identifiers=(SNILS,),
        deliveries=deliveries,
        resources=other.pop("resources", None),
        **other,
    )


def _patient(house: House) -> str:
    found = house.store.cards(SNILS)
    return found[0].patient if found else house.store.new_patient_number()


def state(house: House, submission: str) -> tuple[DeliveryState, str | None]:
    view = house.store.view(submission, None)
    assert view is not None
    (delivery,) = view.documents[0].deliveries
    return delivery.state, delivery.problem.code if delivery.problem else None


def asked(house: House, subject: str | None = None) -> list[dict[str, str]]:
    from gateway.store import log_tables

    entry = log_tables.audit_entry
    with house.store.database.read() as connection:
        rows = connection.execute(entry.select().where(entry.c.action == "consent.ask")).all()
    return [row.detail for row in rows if subject in (None, row.subject)]


def test_a_delivery_leaves_on_a_consent_in_force(house: House) -> None:
    given = consent(house)
    submission = planned(house)
    order = house.claim("delivery")
    assert house.store.delivery(order).resources
    assert state(house, submission)[0] is DeliveryState.SENDING
    (question,) = asked(house, order.subject)
    assert (question["permitted"], question["consent"]) == ("yes", given.id)


def test_what_was_revoked_before_the_claim_is_held_and_nothing_leaves(house: House) -> None:
    """Day 13: accepted, revoked, claimed: not one byte."""
    given = consent(house)
    submission = planned(house)
    order = house.claim("delivery")
    house.store.revoke_grant(given.id, "anna", NO_WAIT)
    with pytest.raises(Held):
        house.store.delivery(order)
    assert state(house, submission) == (DeliveryState.HELD, "CON-304")
    assert [one["permitted"] for one in asked(house, order.subject)] == ["no"]
    assert house.store.claim("delivery", 9, LEASE) == ()


def test_what_waits_unclaimed_is_held_by_the_revocation_itself(house: House) -> None:
    """The sender sees at once that a result will not go, and why."""
    given = consent(house)
    submission = planned(house)
    assert house.store.revoke_grant(given.id, "anna", NO_WAIT).held == 1
    assert state(house, submission) == (DeliveryState.HELD, "CON-304")
    assert house.store.events(submission)[-1].name == "delivery.held"


@pytest.mark.parametrize("basis", ["order", "legal-duty", "correction"])
def test_an_order_a_duty_and_a_correction_stand_whatever_is_said(house: House, basis: str) -> None:
    """Clinic B has its own order: a revocation to A is nothing to it."""
    given = consent(house)
    submission = planned(house, basis=basis)
    house.store.revoke_grant(given.id, "anna", NO_WAIT)
    house.deliver(house.claim("delivery"))
    assert state(house, submission)[0] is DeliveryState.DELIVERED


def test_care_stands_until_the_patient_refuses(house: House) -> None:
    submission = planned(house, basis="care")
    consent(house, deny=True)
    assert state(house, submission) == (DeliveryState.HELD, "CON-304")
    consent(house)
    house.deliver(house.claim("delivery"))
    assert state(house, submission)[0] is DeliveryState.DELIVERED


def test_a_new_consent_releases_exactly_the_held_ones_once(house: House) -> None:
    first = consent(house)
    held = planned(house, b"1")
    delivered = planned(house, b"2", basis="order")
    (order,) = [o for o in house.store.claim("delivery", 1, LEASE) if o]
    house.store.revoke_grant(first.id, "anna", NO_WAIT)
    with pytest.raises(Held):
        house.store.delivery(order)
    house.deliver(house.claim("delivery"))
    again = consent(house)
    assert state(house, held) == (DeliveryState.WAITING, None)
    assert state(house, delivered)[0] is DeliveryState.DELIVERED
    house.deliver(house.claim("delivery"))
    assert state(house, held)[0] is DeliveryState.DELIVERED
    consent(house)
    assert house.store.claim("delivery", 9, LEASE) == ()
    assert [one["consent"] for one in asked(house, order.subject)][-1] == again.id


def test_a_consent_to_another_clinic_releases_nothing(house: House) -> None:
    given = consent(house)
    submission = planned(house)
    house.store.revoke_grant(given.id, "anna", NO_WAIT)
    consent(house, recipient="clinic-2")
    assert state(house, submission)[0] is DeliveryState.HELD


def test_a_dead_delivery_is_not_released_by_a_consent(house: House) -> None:
    """Exactly the held: what was given up for another reason waits for a person."""
    consent(house)
    submission = planned(house)
    house.store.delivery_failed(house.claim("delivery"), Problem(code="DLV-101"), None)
    consent(house)
    assert state(house, submission)[0] is DeliveryState.DEAD


def test_an_ended_consent_holds_at_the_claim_to_the_microsecond(house: House) -> None:
    consent(house, valid_to=house.clock.now + timedelta(seconds=5))
    one, other = planned(house, b"1"), planned(house, b"2", patient=_patient(house))
    first = house.claim("delivery")
    house.clock.forward(seconds=4, microseconds=999_999)
    house.deliver(first)
    house.clock.forward(microseconds=1)
    with pytest.raises(Held):
        house.store.delivery(house.claim("delivery"))
    assert state(house, one)[0] is DeliveryState.DELIVERED
    assert state(house, other) == (DeliveryState.HELD, "CON-304")


def test_the_recheck_marks_what_ended_and_holds_what_rested_on_it(house: House) -> None:
    given = consent(house, valid_to=house.clock.now + timedelta(hours=1))
    submission = planned(house)
    assert house.store.recheck_consents() == 0
    house.clock.forward(hours=1)
    assert house.store.recheck_consents() == 1
    assert state(house, submission) == (DeliveryState.HELD, "CON-304")
    stored = house.store.consent(given.id, None)
    assert stored is not None
    assert stored.state == "expired"
    assert house.store.recheck_consents() == 0


def test_the_recheck_releases_what_a_consent_that_begins_lets_go(house: House) -> None:
    first = consent(house)
    submission = planned(house)
    house.store.revoke_grant(first.id, "anna", NO_WAIT)
    consent(house, valid_from=house.clock.now + timedelta(days=1))
    assert state(house, submission)[0] is DeliveryState.HELD
    house.clock.forward(days=1)
    assert house.store.recheck_consents() == 1
    assert state(house, submission)[0] is DeliveryState.WAITING


def test_a_consent_by_test_sends_the_permitted_results_and_says_so(house: House) -> None:
    consent(house, tests=(GLUCOSE,))
    planned(house, resources=two_results(_patient(house)))
    delivery = house.store.delivery(house.claim("delivery"))
    kinds = [f"{one['resourceType']}/{one['id']}" for one in delivery.resources]
    assert "Observation/glucose" in kinds
    assert "Observation/crp" not in kinds
    assert delivery.partial
    (report,) = [one for one in delivery.resources if one["resourceType"] == "DiagnosticReport"]
    assert report["result"] == [{"reference": "Observation/glucose"}]
    assert "conclusion" not in report
    assert {"SUBSETTED"} == {tag["code"] for tag in report["meta"]["tag"]}  # type: ignore


def test_a_consent_to_none_of_the_tests_sends_nothing(house: House) -> None:
    consent(house, tests=(OTHER,))
    submission = planned(house)
    with pytest.raises(Held):
        house.store.delivery(house.claim("delivery"))
    assert state(house, submission) == (DeliveryState.HELD, "CON-303")
    consent(house, tests=("http://loinc.org|9999-9",))
    assert state(house, submission)[0] is DeliveryState.HELD, "none of these either"
    consent(house, tests=(GLUCOSE,))
    assert state(house, submission)[0] is DeliveryState.WAITING


def test_a_revocation_waits_for_what_is_on_the_wire(house: House) -> None:
    """The claim committed first, so it may finish; `revoke` returns when nothing leaves."""
    given = consent(house)
    planned(house)
    order = house.claim("delivery")
    house.store.delivery(order)
    ended: list[float] = []

    def finish() -> None:
        time.sleep(0.2)
        ended.append(time.monotonic())
        house.store.delivery_failed(order, Problem(code="DLV-101"), house.clock.now)

    sender = threading.Thread(target=finish)
    sender.start()
    done = house.store.revoke_grant(given.id, "anna", timedelta(seconds=10))
    assert ended, "it returned while the delivery was on the wire"
    assert done.in_flight == 0
    sender.join()
    with pytest.raises(Held):
        house.store.delivery(house.claim("delivery"))


def test_a_revocation_does_not_wait_longer_than_it_was_told(house: House) -> None:
    given = consent(house)
    planned(house)
    house.store.delivery(house.claim("delivery"))
    done = house.store.revoke_grant(given.id, "anna", timedelta(seconds=0.05))
    assert done.in_flight == 1


def test_a_revocation_does_not_wait_for_what_another_consent_lets_go(house: House) -> None:
    given, _ = consent(house), consent(house)
    planned(house)
    house.store.delivery(house.claim("delivery"))
    assert house.store.revoke_grant(given.id, "anna", timedelta(seconds=5)).in_flight == 0


def test_starts_and_revocations_at_once_agree_by_commit_order(house: House) -> None:
    """Either the claim committed first and is on the wire, or nothing leaves."""
    patients = [house.store.new_patient_number() for _ in range(12)]
    given, orders = {}, []
    for number, patient in enumerate(patients):
        mine = type(SNILS)(system=SNILS.system, value=f"9000000{number:04}")
        stored = house.store.add_consent(
            NewConsent(
                identifiers=(mine,),
                provisions=(provision(house),),
                resource={"resourceType": "Consent"},
                organization="clinic-1",
                actor="anna",
            )
        )
        patient = stored.grants[0].patient
        given[patient] = stored.id
        body = b"%d" % number
        kept = house.store.keep(house.arrive(body))
        outcome = house.outcome(
            kept.submission,
            resources=({"resourceType": "Observation", "id": f"o-{number}", "status": "final"},),
            patient=patient,
            identifiers=(mine,),
            deliveries=(PlannedDelivery(destination="clinic", basis="consent"),),
        )
        house.store.settle(house.claim(), (outcome,), None)
    house.store.put_destination(
        Destination(name="clinic", kind="folder", organization="clinic-1", options={})
    )
    orders = list(house.store.claim("delivery", 50, LEASE))
    assert len(orders) == len(patients)
    started: list[str] = []
    in_flight: list[int] = []

    def start(mine: list[WorkOrder]) -> None:
        for order in mine:
            try:
                started.append(house.store.delivery(order).patient)
            except Held:
                continue

    def revoke(mine: list[str]) -> None:
        for id in mine:
            in_flight.append(house.store.revoke_grant(id, "anna", NO_WAIT).in_flight)

    threads = [threading.Thread(target=start, args=(orders[n::2],)) for n in range(2)]
    threads += [threading.Thread(target=revoke, args=(list(given.values()),))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == sum(in_flight)


def test_consents_are_their_organizations_own(house: House) -> None:
    stored = consent(house)
    assert house.store.consent(stored.id, ("clinic-1",)) is not None
    assert house.store.consent(stored.id, ("clinic-2",)) is None
    mine = ConsentFilter(organizations=("clinic-1",))
    assert [one.id for one in house.store.consents(mine).items] == [stored.id]
    assert house.store.consents(ConsentFilter(organizations=("clinic-2",))).items == ()


def test_a_list_of_consents_is_read_page_by_page(house: House) -> None:
    made = []
    for _ in range(5):
        house.clock.forward(seconds=1)
        made.append(consent(house).id)
    house.store.revoke_grant(made[0], "anna", NO_WAIT)
    first = house.store.consents(ConsentFilter(organizations=None, limit=3))
    rest = house.store.consents(
        ConsentFilter(organizations=None, limit=3, cursor=first.next_cursor)
    )
    assert [one.id for one in (*first.items, *rest.items)] == made[::-1]
    assert rest.next_cursor is None
    active = house.store.consents(ConsentFilter(organizations=None, state="active"))
    assert len(active.items) == 4


def test_a_consent_that_is_stored_again_is_one(house: House) -> None:
    """A repeat of the line brings the same enclosed consent under the same id."""
    new = NewConsent(
        id="submission-1-consent-1",
        identifiers=(SNILS, POLICY),
        provisions=(provision(house),),
        resource={"resourceType": "Consent"},
        organization="lab-1",
        actor="lis-1",
    )
    first, second = house.store.add_consent(new), house.store.add_consent(new)
    assert first.id == second.id
    assert len(house.store.grants(first.grants[0].patient)) == 1


def test_a_partial_consent_opens_no_card(house: House) -> None:
    """Its results are delivered; the rest of the card is not for its recipient to read."""
    given = consent(house, tests=(GLUCOSE,))
    patient = given.grants[0].patient
    assert not house.store.has_ground(patient, "clinic-1")
    consent(house)
    assert house.store.has_ground(patient, "clinic-1")
    consent(house, deny=True, tests=(OTHER,))
    assert not house.store.has_ground(patient, "clinic-1")


def two_results(patient: str) -> tuple[Json, ...]:
    person, glucose = card(patient)
    code: Json = {"coding": [{"system": "http://loinc.org", "code": "1988-5"}]}
    return (
        person,
        {**glucose, "id": "glucose"},
        {"resourceType": "Observation", "id": "crp", "status": "final", "code": code},
        {
            "resourceType": "DiagnosticReport",
            "id": "report",
            "status": "final",
            "code": code,
            "result": [{"reference": "Observation/glucose"}, {"reference": "Observation/crp"}],
            "conclusion": "CRP is raised",
        },
    )
