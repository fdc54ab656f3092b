"""What was taken back says which result was meant and nothing of what it was."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.fhir import structure, text
from gateway.fhir.withdrawal import KEPT, withdrawn

PATIENT = {"reference": "Patient/p"}
CODE = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
SECRET = "7.77"
RESOURCES: list[dict[str, Any]] = [
    {
        "resourceType": "Observation",
        "status": "final",
        "code": CODE,
        "subject": PATIENT,
        "effectiveDateTime": "2026-11-20T08:15:00Z",
        "valueQuantity": {"value": Decimal(SECRET), "unit": "%"},
        "referenceRange": [{"text": SECRET}],
        "note": [{"text": SECRET}],
        "component": [{"code": {"text": "other"}, "valueString": SECRET}],
    },
    {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": CODE,
        "subject": PATIENT,
        "conclusion": SECRET,
        "presentedForm": [{"title": SECRET}],
        "result": [{"reference": "Observation/o"}],
    },
    {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": PATIENT,
        "content": [{"attachment": {"title": SECRET}}],
    },
    {
        "resourceType": "Composition",
        "status": "final",
        "type": CODE,
        "date": "2026-11-20",
        "author": [{"reference": "Practitioner/x"}],
        "title": SECRET,
        "section": [{"title": SECRET, "entry": [{"reference": "Observation/o"}]}],
    },
    {"resourceType": "Media", "status": "completed", "content": {"title": SECRET}},
    {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": PATIENT,
        "description": SECRET,
    },
    {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": PATIENT,
        "note": [{"text": SECRET}],
    },
]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: str(one["resourceType"]))
def test_it_is_marked_and_empty_and_still_fhir(resource: dict[str, Any]) -> None:
    whole = {**resource, "id": "a", "identifier": []}
    del whole["identifier"]
    assert structure.problems(whole, "") == ()
    made = withdrawn(whole)
    assert made is not None
    assert made["status"] == "entered-in-error"
    assert made["id"] == "a"
    assert SECRET.encode() not in text.dumps(made)
    assert structure.problems(made, "") == ()


def test_every_kind_that_can_be_taken_back_is_tested() -> None:
    assert {one["resourceType"] for one in RESOURCES} == set(KEPT)


@pytest.mark.parametrize("kind", ["Patient", "Organization", "ServiceRequest", "Provenance"])
def test_who_and_why_are_not_taken_back(kind: str) -> None:
    assert withdrawn({"resourceType": kind, "id": "a"}) is None
