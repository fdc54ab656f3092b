"""A FHIR bundle on the card: everything valid stays, and what changes is said."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gateway.errors import NeedsOperator, Rejected
from gateway.fhir import structure, text
from gateway.mapping import engine
from gateway.mapping.catalogue import Catalogue
from gateway.model import (
    Facts,
    Indication,
    Json,
    Part,
    PatientRecord,
    SignatureFinding,
    Signer,
    Times,
)
from tests.unit.mapping.conftest import CONTEXT, PATIENT, MakeRecord, ReadDocument
from tests.unit.mapping.test_lab_xml_record import of_type, second_opinion

CHANGED = frozenset(("id", "fullUrl", "reference", "system", "value", "code", "meta"))


def facts_of(catalogue: Catalogue, read: ReadDocument, changed: str) -> Facts:
    document = read(changed)
    return engine.facts(catalogue.choose(document), document)


def test_every_resource_is_valid_fhir(make: MakeRecord, bundle: str) -> None:
    for resource in make(bundle).resources:
        assert structure.problems(resource, "") == ()
        second_opinion(resource)


def test_the_facts_say_who_and_what(catalogue: Catalogue, read: ReadDocument, bundle: str) -> None:
    facts = facts_of(catalogue, read, bundle)
    report = facts.report
    assert (report.number, report.version, report.status) == ("000017", 1, "final")
    assert report.order_number == "77-104"
    assert report.performer[0].value == "1027700132195"
    assert report.ordering[0].value == "1027739054420"
    assert report.authors[0].value == "08765430300"
    assert facts.patient.name is not None
    assert facts.patient.name.patronymic == "Петровна"
    assert facts.patient.identifiers[0].value == "11223344595"


def test_a_strangers_card_number_is_bound_to_its_organisation(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    """Card 77 of one clinic is not card 77 of another."""
    number = facts_of(catalogue, read, bundle).patient.identifiers[2]
    assert number.system == "urn:oid:1.2.643.5.1.13.2.7.100.5"
    assert number.value.startswith("urn:oid:1.2.643.100.1|1027700132195/")


@pytest.mark.parametrize("number", ["5.00", "0.40", "120", "1E2", "0.0000001", "-0.0"])
def test_numbers_come_out_as_they_went_in(make: MakeRecord, bundle: str, number: str) -> None:
    record = make(bundle.replace('"value": 5.00', f'"value": {number}'))
    printed = text.dumps(of_type(record, "Observation")[0]).decode()
    assert f'"valueQuantity":{{"value":{number},' in printed


def _scalars(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _scalars(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item, path)
    else:
        yield path, value


def test_everything_the_sender_said_is_still_said(make: MakeRecord, bundle: str) -> None:
    """Elements that are not ids, references, identifiers or codes come through unchanged."""
    made = {
        (str(r["resourceType"]), path, str(value))
        for r in make(bundle).resources
        for path, value in _scalars(r)
    }
    for entry in json.loads(bundle, parse_float=str)["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Basic":
            continue
        for path, value in _scalars(resource):
            if path[-1] not in CHANGED and "meta" not in path:
                assert (resource["resourceType"], path, str(value)) in made


def test_references_lead_to_resources_of_the_record(make: MakeRecord, bundle: str) -> None:
    record = make(bundle)
    held = {f"{r['resourceType']}/{r['id']}" for r in record.resources}
    found = [
        str(value)
        for r in record.resources
        for path, value in _scalars(r)
        if path[-1] == "reference"
    ]
    assert found
    assert set(found) <= held


def test_a_reference_into_the_senders_system_stays_as_a_logical_one(
    make: MakeRecord, bundle: str
) -> None:
    encounter = of_type(make(bundle), "ServiceRequest")[0]["encounter"]
    assert encounter == {
        "display": "Приём",
        "type": "Encounter",
        "identifier": {
            "system": "urn:gateway:source-reference",
            "value": "https://mis.example/fhir/Encounter/5512",
        },
    }


def test_a_test_gets_its_other_standard_coding(make: MakeRecord, bundle: str) -> None:
    code = of_type(make(bundle), "Observation")[0]["code"]
    assert isinstance(code, dict)
    assert code["coding"] == [
        {"system": "http://loinc.org", "code": "14749-6"},
        {"system": "urn:oid:1.2.643.5.1.13.13.11.1080", "code": "1003870", "display": "Глюкоза"},
    ]


def test_a_unit_by_its_federal_id_gets_ucum_and_keeps_what_was_sent(
    make: MakeRecord, bundle: str
) -> None:
    quantity = of_type(make(bundle), "Observation")[1]["valueQuantity"]
    assert isinstance(quantity, dict)
    assert (quantity["system"], quantity["code"]) == ("http://unitsofmeasure.org", "mg/L")
    assert b'"code":"61"' in text.dumps(quantity)


def test_no_sender_raises_its_own_assurance(make: MakeRecord, bundle: str) -> None:
    """The bundle claims signed-qualified; the line says signed."""
    record = make(bundle)
    meta = of_type(record, "DiagnosticReport")[0]["meta"]
    assert isinstance(meta, dict)
    tags = meta["tag"]
    assert isinstance(tags, list)
    assert [t["code"] for t in tags if isinstance(t, dict)] == ["signed"]
    assert "security" in meta
    assert any(place.endswith("/meta/tag/0/code") for place, _ in record.ledger.dropped)


def test_the_ledger_accounts_for_every_leaf_once(
    make: MakeRecord, read: ReadDocument, bundle: str
) -> None:
    ledger = make(bundle).ledger
    places = {place for place, _ in read(bundle).root.leaves()}
    mapped = {place for place, _ in ledger.mapped}
    rest = {place for place, _ in (*ledger.carried, *ledger.dropped)}
    assert mapped | rest == places
    assert not mapped & rest
    assert "Образцова" not in repr(ledger)
    assert "112-233" not in repr(ledger)


def test_fresh_uuids_of_a_second_export_make_no_second_resource(
    make: MakeRecord, bundle: str
) -> None:
    again = bundle.replace("6a1f1c52-7c0e", "7b2f1c52-7c0e").replace(
        '"id": "glucose",', '"id": "g2",'
    )
    ids = [(r["resourceType"], r["id"]) for r in make(bundle).resources]
    assert ids == [(r["resourceType"], r["id"]) for r in make(again).resources]


def edited(bundle: str, change: object) -> str:
    content = json.loads(bundle)
    assert callable(change)
    change({e["resource"]["resourceType"]: e["resource"] for e in content["entry"]})
    return json.dumps(content)


OWN: Json = {"reference": "urn:uuid:6a1f1c52-7c0e-4d0f-8f0a-000000000001"}
STRANGE: Json = {"reference": "https://x.example/Patient/9"}
ANOTHER: Json = {"identifier": {"system": "snils", "value": "08765430300"}}
HALF_A_NUMBER: Json = {"identifier": {"system": "cards", "value": "A-77"}}
"""The patient's own card number is of the system `urn:example:cards`."""


def of(kind: str, subject: Json) -> Callable[[dict[str, Json]], None]:
    """Return a change of what a resource says of its patient."""
    return lambda resources: resources[kind].update(subject=subject)


def _patient_inside(resources: dict[str, Json]) -> None:
    inside: Json = {"resourceType": "Specimen", "id": "s", "subject": STRANGE}
    resources["Observation"] |= {"contained": [inside], "specimen": {"reference": "#s"}}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (of("Specimen", STRANGE), "/entry/4/resource/subject"),
        (of("Specimen", ANOTHER), "/entry/4/resource/subject"),
        (of("Specimen", OWN | ANOTHER), "/entry/4/resource/subject"),
        (of("DiagnosticReport", OWN | ANOTHER), "/entry/7/resource/subject"),
        (of("DiagnosticReport", STRANGE | ANOTHER), "/entry/0/resource"),
        (of("DiagnosticReport", {"display": "Петров"}), "/entry/7/resource/subject"),
        (of("Observation", {"display": "Петров П. П."}), "/entry/6/resource/subject"),
        (of("Observation", HALF_A_NUMBER), "/entry/6/resource/subject"),
        (_patient_inside, "/entry/6/resource/contained/0/subject"),
    ],
)
def test_a_resource_of_another_patient_is_refused(
    make: MakeRecord, bundle: str, change: object, place: str
) -> None:
    with pytest.raises(Rejected) as caught:
        make(edited(bundle, change))
    assert [(p.code, p.place) for p in caught.value.problems] == [("MAP-112", place)]


@pytest.mark.parametrize(
    "subject",
    [
        {"identifier": {"system": "urn:oid:1.2.643.3.9", "value": "112-233-445 95"}},
        {"identifier": {"system": "urn:example:cards", "value": "A-77"}},
        {"display": "ОБРАЗЦОВА А. П."},
    ],
)
def test_the_same_patient_in_other_words_is_the_same_patient(
    make: MakeRecord, bundle: str, subject: Json
) -> None:
    specimen = of_type(make(edited(bundle, of("Specimen", subject))), "Specimen")[0]
    assert isinstance(specimen["subject"], dict)
    assert specimen["subject"]["reference"] == f"Patient/{PATIENT}"


@pytest.mark.parametrize("server", ["http://a", "http://b"])
def test_a_patient_of_another_server_is_another(make: MakeRecord, bundle: str, server: str) -> None:
    """Both servers call theirs Patient/1, and neither of them is in the bundle."""
    content = json.loads(bundle)
    content |= {"type": "collection", "entry": content["entry"][1:]}
    for entry in content["entry"]:
        del entry["request"]
        if "subject" in entry["resource"]:
            entry["resource"]["subject"] = {"reference": "Patient/1"}
    urn = "urn:uuid:6a1f1c52-7c0e-4d0f-8f0a-00000000000"
    written = json.dumps(content).replace(f"{urn}8", "http://a/DiagnosticReport/8")
    written = written.replace(f"{urn}5", f"{server}/Specimen/5")
    if server == "http://a":
        assert of_type(make(written), "Specimen")
        return
    with pytest.raises(Rejected) as caught:
        make(written)
    assert [(p.code, p.place) for p in caught.value.problems] == [
        ("MAP-112", "/entry/3/resource/subject")
    ]


def _result_inside(resources: dict[str, Json]) -> None:
    inside: Json = {**resources.pop("Observation"), "id": "k"}
    resources["DiagnosticReport"] |= {"contained": [inside], "result": [{"reference": "#k"}]}


def test_a_result_inside_its_report_is_refused(make: MakeRecord, bundle: str) -> None:
    """A consent by test would let it out, and a correction of it would be taken for a copy."""
    with pytest.raises(Rejected) as caught:
        make(edited(bundle, _result_inside))
    assert [(p.code, p.place) for p in caught.value.problems] == [
        ("MAP-116", "/entry/7/resource/contained/0")
    ]


@pytest.mark.parametrize("name", ["active", "link"])
def test_what_a_sender_says_of_its_own_card_says_nothing_of_ours(
    make: MakeRecord, bundle: str, name: str
) -> None:
    """A clinic that read `replaced-by` would join two patients."""
    said = {"active": False, "link": [{"other": STRANGE | ANOTHER, "type": "replaced-by"}]}
    record = make(edited(bundle, lambda resources: resources["Patient"].update({name: said[name]})))
    assert name not in of_type(record, "Patient")[0]
    assert any(f"/{name}" in place for place, _ in record.ledger.dropped)


def _local_unknown(resources: dict[str, Json]) -> None:
    resources["Observation"]["code"] = {"coding": [{"system": "urn:x", "code": "CRP"}]}


def _no_unit(resources: dict[str, Json]) -> None:
    resources["Observation"]["valueQuantity"] = {"value": 5}


def _strange_unit(resources: dict[str, Json]) -> None:
    resources["Observation"]["valueQuantity"] = {"value": 5, "unit": "попугаев"}


def _modifier(resources: dict[str, Json]) -> None:
    resources["Observation"]["modifierExtension"] = [{"url": "urn:not", "valueBoolean": True}]


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        (_local_unknown, "MAP-101", "/entry/6/resource/code"),
        (_no_unit, "MAP-108", "/entry/6/resource/valueQuantity"),
        (_strange_unit, "MAP-108", "/entry/6/resource/valueQuantity"),
        (_modifier, "MAP-111", "/entry/6/resource/modifierExtension"),
    ],
)
def test_what_cannot_be_decided_waits_for_a_person(
    make: MakeRecord, bundle: str, change: object, code: str, place: str
) -> None:
    with pytest.raises(NeedsOperator) as caught:
        make(edited(bundle, change))
    assert (code, place) in [(p.code, p.place) for p in caught.value.problems]


def _loinc_of_no_row(resources: dict[str, Json]) -> None:
    resources["Observation"]["code"] = {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}


def test_a_standard_code_outside_our_list_is_taken(make: MakeRecord, bundle: str) -> None:
    """LOINC means the same to everybody: our list is for translating, not for refusing."""
    observation = of_type(make(edited(bundle, _loinc_of_no_row)), "Observation")[1]
    assert observation["code"] == {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}


def _bare_report(resources: dict[str, Json]) -> None:
    for name in ("identifier", "extension", "basedOn", "performer", "issued"):
        resources["DiagnosticReport"].pop(name)


def test_a_report_without_a_number_is_known_by_its_full_url(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    report = facts_of(catalogue, read, edited(bundle, _bare_report)).report
    assert report.number.startswith("urn:uuid:")
    assert report.order_number is None
    assert report.performer[0].value == "1027700132195", "the organisation that did the tests"


def test_a_broken_snils_is_refused_at_its_place(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    with pytest.raises(Rejected) as caught:
        facts_of(catalogue, read, bundle.replace("112-233-445 95", "112-233-445 94"))
    assert [(p.code, p.place) for p in caught.value.problems] == [
        ("PAT-101", "/entry/0/resource/identifier/0/value")
    ]


def finding(snils: str | None, place: str = "signature[0]") -> SignatureFinding:
    return SignatureFinding(
        indication=Indication.TOTAL_PASSED,
        sub_indication=None,
        format="CAdES",
        level="BES",
        signer=Signer(subject="CN=x", snils=snils, common_name="Подписант"),
        covered=(),
        qualification="UNKNOWN",
        times=Times(claimed=None, best=None, validation=CONTEXT.kept_at),
        checks=(),
        place=place,
    )


def provenance_of(catalogue: Catalogue, read: ReadDocument, bundle: str, snils: str | None) -> Json:
    context = replace(
        CONTEXT,
        signatures=(finding(snils),),
        signature_parts=(Part(name="signature", media_type="application/x", body=b"\x30\x00"),),
    )
    document = read(bundle)
    record: PatientRecord = engine.record(catalogue.choose(document), document, context)
    made = of_type(record, "Provenance")[0]
    assert structure.problems(made, "") == ()
    second_opinion(made)
    return made


def test_provenance_holds_the_signature_and_names_the_doctor(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    made = provenance_of(catalogue, read, bundle, "08765430300")
    signatures = made["signature"]
    assert isinstance(signatures, list)
    signature = signatures[0]
    assert isinstance(signature, dict)
    assert signature["data"] == base64.b64encode(b"\x30\x00").decode()
    assert signature["sigFormat"] == "application/pkcs7-signature"
    who = signature["who"]
    assert isinstance(who, dict)
    assert str(who["reference"]).startswith("Practitioner/")


def test_each_signature_in_provenance_has_its_own_bytes(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    """A JWS sent first and a CMS sent second are reported the other way round."""
    context = replace(
        CONTEXT,
        signatures=(
            finding(None, "signature[1]"),
            finding(None, "signature[0]"),
            finding(None, "/signature"),
        ),
        signature_parts=tuple(
            Part(name="signature", media_type="application/x", body=body) for body in (b"a", b"b")
        ),
    )
    document = read(bundle)
    record = engine.record(catalogue.choose(document), document, context)
    signatures = of_type(record, "Provenance")[0]["signature"]
    assert isinstance(signatures, list)
    assert [one.get("data") for one in signatures if isinstance(one, dict)] == [
        base64.b64encode(b"b").decode(),
        base64.b64encode(b"a").decode(),
        None,
    ]


def test_a_signer_who_is_not_in_the_document_is_named_by_number(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    signatures = provenance_of(catalogue, read, bundle, "13877203988")["signature"]
    assert isinstance(signatures, list)
    assert isinstance(signatures[0], dict)
    assert signatures[0]["who"] == {
        "type": "Practitioner",
        "identifier": {"system": "urn:oid:1.2.643.100.3", "value": "13877203988"},
    }


def test_the_card_merges_what_was_sent(
    catalogue: Catalogue, read: ReadDocument, bundle: str
) -> None:
    document = read(bundle)
    context = replace(CONTEXT, card=lambda sent: {**sent, "active": True})
    patient = engine.record(catalogue.choose(document), document, context).resources[0]
    assert (patient["resourceType"], patient["id"], patient["active"]) == ("Patient", PATIENT, True)
