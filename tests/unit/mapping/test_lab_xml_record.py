"""Laboratory XML on the card: what is built, what waits for a person, what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import NeedsOperator, Rejected
from gateway.fhir import structure, text
from gateway.mapping import engine
from gateway.mapping.catalogue import Catalogue
from gateway.model import Json, PatientRecord
from tests.unit.mapping.conftest import CONTEXT, PATIENT, MakeRecord, ReadDocument

ZOO = [
    ("5,10", "valueQuantity"),
    ("&lt;0,01", "valueQuantity"),
    ("&gt;1000", "valueQuantity"),
    ("0,0000001", "valueQuantity"),
    ("1:160", "valueRatio"),
    ("5-7", "valueRange"),
    ("3+", "valueCodeableConcept"),
    ("не обнаружено", "valueCodeableConcept"),
    ("гемолиз", "dataAbsentReason"),
    ("12.5*", "valueString"),
]


def of_type(record: PatientRecord, name: str) -> list[Json]:
    return [r for r in record.resources if r["resourceType"] == name]


def stopped(make: MakeRecord, changed: str) -> list[tuple[str, str]]:
    with pytest.raises(NeedsOperator) as caught:
        make(changed)
    return [(problem.code, problem.place) for problem in caught.value.problems]


def with_value(lab_xml: str, value: str) -> str:
    return lab_xml.replace("<value>5,10</value>", f"<value>{value}</value>")


def second_opinion(resource: Json) -> None:
    model = get_fhir_model_class(str(resource["resourceType"]))
    model.model_validate_json(text.dumps(resource))


def test_makes_every_resource_of_a_card(make: MakeRecord, lab_xml: str) -> None:
    kinds = [r["resourceType"] for r in make(lab_xml).resources]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Patient": 1,
        "Organization": 2,
        "Practitioner": 2,
        "PractitionerRole": 2,
        "ServiceRequest": 1,
        "Specimen": 1,
        "Observation": 3,
        "DiagnosticReport": 1,
        "DocumentReference": 1,
        "Provenance": 1,
    }


@pytest.mark.parametrize(("value", "element"), ZOO)
def test_every_kind_of_value_makes_valid_fhir(
    make: MakeRecord, lab_xml: str, value: str, element: str
) -> None:
    record = make(with_value(lab_xml, value))
    for resource in record.resources:
        assert structure.problems(resource, "") == ()
        second_opinion(resource)
    observation = of_type(record, "Observation")[0]
    assert element in observation
    written = value.replace("&lt;", "<").replace("&gt;", ">")
    assert {"url": "urn:gateway:value-as-written", "valueString": written} in extensions(
        observation
    )


def extensions(resource: Json) -> list[object]:
    found = resource["extension"]
    assert isinstance(found, list)
    return list(found)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("5,00", b'"value":5.00,'),
        ("0.40", b'"value":0.40,'),
        ("120", b'"value":120,'),
        ("0,0000001", b'"value":0.0000001,'),
    ],
)
def test_values_print_with_the_digits_they_came_with(
    make: MakeRecord, lab_xml: str, value: str, printed: bytes
) -> None:
    observation = of_type(make(with_value(lab_xml, value)), "Observation")[0]
    assert printed in text.dumps(observation)


def test_a_comparator_is_kept_apart_from_the_number(make: MakeRecord, lab_xml: str) -> None:
    quantity = of_type(make(lab_xml), "Observation")[2]["valueQuantity"]
    assert isinstance(quantity, dict)
    assert (quantity["comparator"], str(quantity["value"])) == ("<", "0.40")


def test_a_local_code_gets_the_standard_codings_beside_it(make: MakeRecord, lab_xml: str) -> None:
    code = of_type(make(lab_xml), "Observation")[0]["code"]
    assert isinstance(code, dict)
    coding = code["coding"]
    assert isinstance(coding, list)
    assert [(c["system"], c["code"]) for c in coding if isinstance(c, dict)] == [
        ("urn:gateway:local-code", "GLU"),
        ("urn:oid:1.2.643.5.1.13.13.11.1080", "1003870"),
        ("http://loinc.org", "14749-6"),
    ]


def test_without_an_order_no_order_is_invented(make: MakeRecord, lab_xml: str) -> None:
    start, end = lab_xml.index("  <order>"), lab_xml.index("  <performer>")
    record = make(lab_xml[:start] + lab_xml[end:])
    assert of_type(record, "ServiceRequest") == []
    assert "basedOn" not in of_type(record, "DiagnosticReport")[0]


def test_a_comment_alone_says_why_there_is_no_value(make: MakeRecord, lab_xml: str) -> None:
    record = make(lab_xml.replace("<value>88</value>", ""))
    observation = of_type(record, "Observation")[1]
    assert "dataAbsentReason" in observation
    assert observation["note"] == [{"text": "Повторено на втором анализаторе"}]


TEST = "/l:labResult/l:results/l:test[1]"


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        (">GLU<", ">GLUX<", "MAP-101", f"{TEST}/l:code"),
        ('"local">GLU', '"loinc">0000-0', "MAP-101", f"{TEST}/l:code"),
        (">5,10<", ">1,000<", "MAP-107", f"{TEST}/l:value"),
        (">5,10<", ">007<", "MAP-106", f"{TEST}/l:value"),
        ("<unit>ммоль/л</unit>", "", "MAP-108", TEST),
        ("<unit>ммоль/л<", "<unit>попугаев<", "MAP-108", f"{TEST}/l:unit"),
        (
            "08:15:00+03:00",
            "08:15:00",
            "MAP-113",
            "/l:labResult/l:specimens/l:specimen/l:collectedAt",
        ),
    ],
)
def test_what_cannot_be_decided_waits_for_a_person(
    make: MakeRecord, lab_xml: str, old: str, new: str, code: str, place: str
) -> None:
    assert old in lab_xml
    assert (code, place) in stopped(make, lab_xml.replace(old, new, 1))


def test_everything_that_waits_is_told_at_once(make: MakeRecord, lab_xml: str) -> None:
    changed = lab_xml.replace(">GLU<", ">GLUX<").replace("<value>88", "<value>1,000")
    assert {code for code, _ in stopped(make, changed)} == {"MAP-101", "MAP-107"}


def test_a_broken_snils_is_the_senders_to_mend(
    catalogue: Catalogue, read: ReadDocument, lab_xml: str
) -> None:
    document = read(lab_xml.replace("112-233-445 95", "112-233-445 94"))
    with pytest.raises(Rejected) as caught:
        engine.facts(catalogue.choose(document), document)
    problem = caught.value.problems[0]
    assert (problem.code, problem.place) == (
        "PAT-101",
        "/l:labResult/l:patient/l:identifier[1]",
    )


@pytest.mark.parametrize("day", ["-0001-01-01", "10000-01-01"])
def test_a_birth_date_of_no_human_is_the_senders_to_mend(
    catalogue: Catalogue, read: ReadDocument, lab_xml: str, day: str
) -> None:
    """XML Schema knows years that no calendar of ours has."""
    document = read(lab_xml.replace("1984-05-17", day))
    with pytest.raises(Rejected) as caught:
        engine.facts(catalogue.choose(document), document)
    assert [p.code for p in caught.value.problems] == ["MAP-114"]


def test_the_facts_say_who_and_what(catalogue: Catalogue, read: ReadDocument, lab_xml: str) -> None:
    document = read(lab_xml)
    facts = engine.facts(catalogue.choose(document), document)
    report = facts.report
    assert (report.number, report.version, report.status) == ("000017", 1, "final")
    assert report.order_number == "77-104"
    assert report.performer[0].value == "1027700132195"
    assert report.ordering[0].value == "1027739054420"
    assert report.authors[0].value == "08765430300"
    assert [i.value for i in facts.patient.identifiers] == ["11223344595", "2657020837000348"]


def leaves(record: PatientRecord) -> Iterator[str]:
    for resource in record.resources:
        yield from (value for value in _texts(resource) if len(value) >= 4)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def test_the_ledger_accounts_for_every_leaf_once(
    make: MakeRecord, read: ReadDocument, lab_xml: str
) -> None:
    """Nothing disappears unsaid, and here nothing is dropped."""
    ledger = make(lab_xml).ledger
    places = [place for place, _ in read(lab_xml).root.leaves()]
    mapped = {place for place, _ in ledger.mapped}
    rest = [place for place, _ in (*ledger.carried, *ledger.dropped)]
    assert mapped | set(rest) == set(places)
    assert not mapped & set(rest)
    assert ledger.dropped == ()


def test_the_ledger_holds_places_and_no_values(make: MakeRecord, lab_xml: str) -> None:
    record = make(lab_xml)
    told = repr(record.ledger)
    for value in (
        "Образцова",
        "Анна",
        "112-233",
        "11223344595",
        "1984",
        "5,10",
        "77-104",
        "Глюкоза",
    ):
        assert value not in told


def test_ids_are_the_same_each_time_and_another_patients_are_others(
    catalogue: Catalogue, read: ReadDocument, lab_xml: str
) -> None:
    from dataclasses import replace

    document = read(lab_xml)
    mapping = catalogue.choose(document)

    def ids(patient: str) -> set[object]:
        context = replace(CONTEXT, patient=patient)
        return {r["id"] for r in engine.record(mapping, document, context).resources}

    assert ids(PATIENT) == ids(PATIENT)
    assert not ids(PATIENT) & ids("00000000-0000-4000-8000-00000000000b")


def test_a_new_version_lands_on_the_same_resources(make: MakeRecord, lab_xml: str) -> None:
    first = make(lab_xml)
    second = make(
        lab_xml.replace("<version>1<", "<version>2<")
        .replace(">5,10<", ">5,20<")
        .replace("3f0c7c52", "3f0c7c53")
    )
    for kind in ("DiagnosticReport", "Observation", "Specimen", "ServiceRequest"):
        assert [r["id"] for r in of_type(first, kind)] == [r["id"] for r in of_type(second, kind)]


def test_two_laboratories_with_one_number_make_two_reports_and_one_order(
    make: MakeRecord, lab_xml: str
) -> None:
    """Day 4: one order, two laboratories, both number their report 000017."""
    other = make(lab_xml.replace(">1027700132195<", ">1037700132194<"))
    ours = make(lab_xml)
    assert of_type(ours, "DiagnosticReport")[0]["id"] != of_type(other, "DiagnosticReport")[0]["id"]
    assert of_type(ours, "ServiceRequest")[0]["id"] == of_type(other, "ServiceRequest")[0]["id"]


def test_every_resource_says_its_assurance(make: MakeRecord, lab_xml: str) -> None:
    for resource in make(lab_xml).resources:
        meta = resource["meta"]
        assert isinstance(meta, dict)
        tags = meta["tag"]
        assert isinstance(tags, list)
        codes = [(t["system"], t["code"]) for t in tags if isinstance(t, dict)]
        assert codes == [("urn:gateway:assurance", "signed")]


def test_anonymous_testing_makes_no_patient(
    catalogue: Catalogue, read: ReadDocument, lab_xml: str
) -> None:
    from dataclasses import replace

    document = read(lab_xml)
    context = replace(CONTEXT, patient=None)
    record = engine.record(catalogue.choose(document), document, context)
    assert of_type(record, "Patient") == []
    for resource in record.resources:
        assert structure.problems(resource, "") == ()
    assert "Образцова" not in text.dumps(list(record.resources)).decode()
