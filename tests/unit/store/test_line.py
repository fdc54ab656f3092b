"""The whole path of a submission through the store: kept, claimed, settled, delivered."""

from __future__ import annotations

from gateway.model import DeliveryState, Status
from tests.unit.store.house import LEASE, SNILS, House


def test_a_submission_goes_from_the_door_to_the_clinic(house: House) -> None:
    """Every step leaves the state, the events and the receipts a sender is promised."""
    store = house.store
    kept = store.keep(house.arrive(b'{"a": 5.00}'))
    assert (kept.known, kept.status) == (False, Status.RECEIVED)

    order = house.claim()
    store.begin(order)
    view = store.view(kept.submission, ("lab-1",))
    assert view is not None
    assert view.status is Status.PROCESSING

    submission = store.submission(order.subject)
    assert submission.document.body == b'{"a": 5.00}'
    store.settle(order, (house.outcome(kept.submission),), None)

    sending = house.claim("delivery")
    house.deliver(sending)

    view = store.view(kept.submission, None)
    assert view is not None
    assert view.status is Status.ACCEPTED
    (delivery,) = view.documents[0].deliveries
    assert (delivery.state, delivery.reference) == (DeliveryState.DELIVERED, "Bundle/77")
    kinds = [row.receipt.kind for row in store.receipts(kept.submission)]
    assert sorted(kinds) == ["accepted", "delivered", "registered"]
    names = [event.name for event in store.events(kept.submission)]
    assert names == [
        "received",
        "processing",
        "map",
        "accepted",
        "settled",
        "delivery.sending",
        "delivery.delivered",
    ]
    (patient,) = store.patients_by_identifier(SNILS)
    assert [one["resourceType"] for one in store.everything(patient)] == ["Patient", "Observation"]
    assert not store.claim("submission", 9, LEASE)
    assert not store.claim("delivery", 9, LEASE)
