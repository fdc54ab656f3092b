"""The sandbox clinic takes what a real one would take, and refuses its nearest neighbour."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.sandbox.clinic import Clinic, create_clinic

URN = "urn:uuid:0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0001"

GOOD: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": URN,
            "resource": {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:ietf:rfc:3986", "value": URN}],
            },
            "request": {"method": "PUT", "url": f"Patient?identifier=urn:ietf:rfc:3986|{URN}"},
        },
        {
            "fullUrl": "urn:uuid:0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0002",
            "resource": {"resourceType": "Provenance", "target": [{"reference": URN}]},
            "request": {"method": "POST", "url": "Provenance"},
        },
    ],
}


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


@pytest.fixture
def client(clinic: Clinic) -> FlaskClient:
    return create_clinic(clinic).test_client()


def test_takes_a_transaction_and_tells_what_it_received(client: FlaskClient) -> None:
    assert client.post("/fhir", json=GOOD, headers={"Idempotency-Key": "a"}).status_code == 200
    received = client.get("/_received").get_json(force=True)
    assert received["deliveries"] == [
        {"idempotency_key": "a", "taken": True, "types": ["Patient", "Provenance"]}
    ]
    assert received["resources"] == ["Patient/mis-000001", "Provenance/mis-000002"]


def test_a_repeated_key_gets_the_first_answer(client: FlaskClient, clinic: Clinic) -> None:
    first = client.post("/fhir", json=GOOD, headers={"Idempotency-Key": "a"})
    second = client.post("/fhir", json=GOOD, headers={"Idempotency-Key": "a"})
    assert second.data == first.data
    assert len(clinic.resources) == 2
    assert [one["taken"] for one in clinic.received] == [True, False]


def test_a_dangling_reference_writes_nothing(client: FlaskClient, clinic: Clinic) -> None:
    """A transaction is whole or not at all."""
    bundle = copy.deepcopy(GOOD)
    bundle["entry"][1]["resource"]["target"][0]["reference"] = URN[:-1] + "9"
    assert client.post("/fhir", json=bundle).status_code == 422
    assert clinic.resources == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"resourceType":"Bundle","type":"batch"}'])
def test_refuses_what_is_no_transaction(client: FlaskClient, body: bytes) -> None:
    assert client.post("/fhir", data=body).status_code == 422


def test_can_be_taken_down_and_up_again(client: FlaskClient) -> None:
    assert client.post("/_control", json={"mode": "down"}).status_code == 200
    assert client.post("/fhir", json=GOOD).status_code == 503
    client.post("/_control", json={"mode": "up"})
    assert client.post("/fhir", json=GOOD).status_code == 200


@pytest.mark.parametrize("order", [{"mode": "sideways"}, {"delay": "long"}, {"delay": True}])
def test_refuses_an_order_it_does_not_know(client: FlaskClient, order: dict[str, Any]) -> None:
    assert client.post("/_control", json=order).status_code == 400
