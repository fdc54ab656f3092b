"""The clinical digest: a resend has new bytes and the same content."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.model import Json, Ledger, PatientRecord
from gateway.reports import identity

PATIENT = "0191-a"


def resources() -> list[Any]:
    return [
        {"resourceType": "Patient", "id": PATIENT, "name": [{"family": "Непоседова"}]},
        {
            "resourceType": "Specimen",
            "id": "s1",
            "identifier": [
                {"system": "urn:lab", "value": "4600000017"},
                {
                    "system": "urn:ietf:rfc:3986",
                    "value": f"urn:uuid:{'0' * 8}-0000-0000-0000-{'1' * 12}",
                },
            ],
            "type": {"coding": [{"system": "urn:1081", "code": "108", "display": "Кровь"}]},
            "collection": {"collectedDateTime": "2026-11-20T08:15:00+03:00"},
        },
        {
            "resourceType": "Observation",
            "id": "o1",
            "meta": {"lastUpdated": "2026-11-20T10:00:00Z"},
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Калий"},
            "subject": {"reference": f"Patient/{PATIENT}"},
            "specimen": {"reference": "Specimen/s1"},
            "effectiveDateTime": "2026-11-20T08:15:00+03:00",
            "performer": [{"reference": "Practitioner/p1"}],
            "valueQuantity": {
                "value": Decimal("5.10"),
                "unit": "ммоль/л",
                "system": "http://unitsofmeasure.org",
                "code": "mmol/L",
            },
            "referenceRange": [{"low": {"value": Decimal("3.5"), "code": "mmol/L"}}],
        },
        {
            "resourceType": "DiagnosticReport",
            "id": "r1",
            "status": "final",
            "extension": [{"url": "urn:gateway:report-version", "valueString": "1"}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
            "issued": "2026-11-20T10:10:00+03:00",
            "result": [{"reference": "Observation/o1"}],
            "conclusion": "Без особенностей",
        },
        {"resourceType": "Provenance", "id": "p", "recorded": "2026-11-20T10:10:00Z"},
    ]


def digest(made: list[Any], patient: str = PATIENT) -> bytes:
    record = PatientRecord(
        resources=tuple(made), ledger=Ledger(mapped=(), carried=(), dropped=()), mapping="x@1"
    )
    return identity.canonical(record, patient)


def _set(made: list[Any], path: str, value: object) -> None:
    here: Any = made
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        here = here[step]
    here[last] = value


SAME: dict[str, Callable[[list[Any]], object]] = {
    "ids": lambda r: (_set(r, "2.id", "new"), _set(r, "3.result.0.reference", "Observation/new")),
    "the specimen's id": lambda r: (
        _set(r, "1.id", "new"),
        _set(r, "2.specimen.reference", "Specimen/new"),
    ),
    "the export's uuid on the tube": lambda r: _set(
        r, "1.identifier.1.value", "11111111-0000-0000-0000-000000000000"
    ),
    "order of entries": lambda r: r.reverse(),
    "the same instant elsewhere": lambda r: _set(
        r, "2.effectiveDateTime", "2026-11-20T05:15:00.000Z"
    ),
    "the spelling of the unit": lambda r: _set(r, "2.valueQuantity.unit", "mmol/L"),
    "words beside codes": lambda r: _set(r, "2.code.text", "Калий (K+)"),
    "the moment of letting out": lambda r: _set(r, "3.issued", "2026-11-21T01:00:00Z"),
    "the version, which is the key": lambda r: _set(r, "3.extension.0.valueString", "2"),
    "who performed it": lambda r: _set(r, "2.performer", []),
    "the card's name": lambda r: _set(r, "0.name.0.family", "Новая"),
    "where it came from": lambda r: r.pop(),
}

OTHER: dict[str, Callable[[list[Any]], object]] = {
    "a value": lambda r: _set(r, "2.valueQuantity.value", Decimal("5.11")),
    "its precision": lambda r: _set(r, "2.valueQuantity.value", Decimal("5.1")),
    "a comparator": lambda r: _set(r, "2.valueQuantity.comparator", "<"),
    "a unit": lambda r: _set(r, "2.valueQuantity.code", "umol/L"),
    "a range": lambda r: _set(r, "2.referenceRange.0.low.value", Decimal("3.6")),
    "a test": lambda r: _set(r, "2.code.coding.0.code", "2951-2"),
    "a result's status": lambda r: _set(r, "2.status", "corrected"),
    "the report's status": lambda r: _set(r, "3.status", "corrected"),
    "a time": lambda r: _set(r, "2.effectiveDateTime", "2026-11-20T08:16:00+03:00"),
    "the tube": lambda r: _set(r, "1.identifier.0.value", "4600000018"),
    "the material": lambda r: _set(r, "1.type.coding.0.code", "109"),
    "the conclusion": lambda r: _set(r, "3.conclusion", "Гемолиз"),
    "a result left out": lambda r: r.pop(2),
    "a material inside a result": lambda r: _set(r, "2.contained", [{**r[1], "id": "s"}]),
    "what nobody thought of": lambda r: _set(r, "2.bodySite", {"text": "левая рука"}),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_an_export_makes_anew_changes_nothing(change: Callable[[list[Any]], object]) -> None:
    changed = copy.deepcopy(resources())
    change(changed)
    assert digest(changed) == digest(resources())


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_what_a_doctor_reads_is_the_content(change: Callable[[list[Any]], object]) -> None:
    changed = copy.deepcopy(resources())
    change(changed)
    assert digest(changed) != digest(resources())


@pytest.mark.parametrize("name", ["valueCodeableConcept", "specimen"])
def test_words_that_stand_alone_are_the_content(name: str) -> None:
    """A result given as words without a code: «не обнаружено» is not «обнаружено»."""

    def said(words: str) -> bytes:
        made = resources()
        _set(made, f"2.{name}", {"coding": [{"display": words}]})
        if name == "specimen":
            _set(made, f"2.{name}", {"display": words})
        return digest(made)

    assert said("не обнаружено") != said("обнаружено")
    assert said("обнаружено") == said("обнаружено")


PAGES: dict[str, Callable[[str], Json]] = {
    "DiagnosticReport.presentedForm": lambda data: {"presentedForm": [{"data": data}]},
    "DiagnosticReport.text": lambda data: {"text": {"div": data}},
    "Binary": lambda data: {"resourceType": "Binary", "id": "b", "data": data},
    "Composition": lambda data: {
        "resourceType": "Composition",
        "id": "c",
        "section": [{"text": {"div": data}}],
    },
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_the_content_where_nothing_is_coded(page: str) -> None:
    """A corrected PDF would be taken for a copy and lost; beside numbers it is a mere print."""

    def printed(data: str, *, coded: bool) -> bytes:
        made = resources() if coded else [r for r in resources() if r["id"] != "o1"]
        given = PAGES[page](data)
        if "resourceType" in given:
            made.append(given)
        else:
            made[-2].update(given)
        return digest(made)

    assert printed("eA==", coded=False) != printed("eQ==", coded=False)
    assert printed("eA==", coded=True) == printed("eQ==", coded=True)


def test_the_patient_is_part_of_the_content() -> None:
    assert digest(resources(), "0191-b") != digest(resources())


def test_two_equal_results_are_not_one() -> None:
    made: list[Json] = resources()
    made.insert(3, {**made[2], "id": "o2"})
    assert digest(made) != digest(resources())
