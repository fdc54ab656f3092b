"""Reports and the orders they answer: day 11 of the semantics, no order at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir import text
from gateway.model import Identifier
from tests.scenarios import batches, laboratory
from tests.scenarios.laboratory import ANNA, HBA1C, SNILS, Day, Report


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url) as opened:
        yield opened


def with_stub(report: Report, **content: Any) -> bytes:
    """Return a report based on an order that says nothing but `content`."""
    made, name = batches.bundle(report), f"urn:uuid:{uuid.uuid4()}"
    (stated,) = batches.resources(made, "DiagnosticReport")
    stub = {
        "resourceType": "ServiceRequest",
        "status": "unknown",
        "intent": "order",
        "subject": stated["subject"],
        **content,
    }
    request = {"method": "POST", "url": "ServiceRequest"}
    made["entry"].append({"fullUrl": name, "resource": stub, "request": request})
    for one in (stated, *batches.resources(made, "Observation")):
        one["basedOn"] = [{"reference": name}]
    return text.dumps(made)


def orders(day: Day) -> list[Any]:
    return [one for one in day.card() if one["resourceType"] == "ServiceRequest"]


@pytest.mark.parametrize("stubbed", [False, True])
def test_day_11_no_order(day: Day, stubbed: bool) -> None:
    """Accepted, no ServiceRequest invented, stored with the reason on the timeline."""
    report = Report(order=None)
    id = day.send(with_stub(report) if stubbed else report)
    assert day.status(id) == "accepted"
    assert orders(day) == []
    assert day.results() == {HBA1C: "5.10"}
    assert not any("basedOn" in one for one in day.card())
    assert day.received() == []
    assert day.codes(id) == ["CON-301"]
    told = [event for event in day.gateway.store.events(id) if event.name == "accepted"]
    assert [event.detail for event in told] == [{"codes": "CON-301"}]


def test_day_11_without_an_order_a_consent_is_a_basis(day: Day) -> None:
    """Routed where the patient lets it go."""
    now = day.gateway.clock()
    day.gateway.store.add_grant(
        (Identifier(system=SNILS, value=ANNA.snils),),
        "clinic",
        "TREAT",
        now - timedelta(days=1),
        now + timedelta(days=1),
        {"resourceType": "Consent", "status": "active"},
        "test",
    )
    id = day.send(with_stub(Report(order=None)))
    assert (day.status(id), day.codes(id)) == ("accepted", [])
    (delivery,) = day.document(id).deliveries
    assert delivery.state == "delivered"
    assert day.received() == [{"report": "final", HBA1C: "5.10"}]


def test_what_becomes_of_a_stub_is_said(day: Day) -> None:
    """Nothing disappears unsaid: every leaf of it stands in the ledger."""
    id = day.send(with_stub(Report(order=None)))
    (ledger,) = day.gateway.store.ledger(id)
    said = [reason for place, reason in ledger.carried if "an order without" in reason]
    gone = [place for place, reason in ledger.dropped if "an order without" in reason]
    assert len(said) >= 4
    assert sorted(place.rpartition("/basedOn/")[2] for place in gone) == ["0/reference"] * 2


def test_an_order_with_a_service_and_no_number_is_an_order(day: Day) -> None:
    """The nearest one that is kept: two of them for two reports are two orders."""
    for number in ("1", "2"):
        code = {"text": "Гликированный гемоглобин"}
        assert day.status(day.send(with_stub(Report(number=number, order=None), code=code))) == (
            "accepted"
        )
    assert len(orders(day)) == 2
