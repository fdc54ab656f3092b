"""A clinic reads the cards it has ground to see, exactly as they were written, and no others."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from werkzeug.test import TestResponse

from gateway.model import Identifier
from tests.doorway import FHIR, Doorway, document, doorway

SAMPLE = Path(__file__).parents[3] / "samples/01-transaction-gost256/result.json"
SNILS = "urn:oid:1.2.643.100.3"
NUMBER = "21043160289"
ENP = "urn:oid:1.2.643.2.69.1.1.1.6.228"
POLICY = "7750084310519203"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    """A gateway with one card that `clinic` may see and `clinic2` may not."""
    with doorway(tmp_path_factory.mktemp("home")) as opened:
        own = SAMPLE.read_bytes().replace(b"1267700000116", b"1027700000000")
        assert opened.keep(own).status_code == 202
        opened.work()
        grant(opened, "org-clinic")
        yield opened


def grant(door: Doorway, organization: str) -> str:
    now = door.gateway.clock()
    added = door.gateway.store.add_grant(
        (Identifier(system=SNILS, value=NUMBER),),
        organization,
        "care",
        now - timedelta(days=1),
        now + timedelta(days=1),
        {"resourceType": "Consent", "status": "active"},
        "test",
    )
    return added.id


def read(answer: TestResponse) -> Any:
    assert answer.content_type.startswith(FHIR)
    return json.loads(answer.data, parse_float=Decimal)


def said(answer: TestResponse, status: int, code: str) -> Any:
    """The answer refuses as an OperationOutcome that carries our code."""
    body = read(answer)
    OperationOutcome.model_validate(body)
    coding = body["issue"][0]["details"]["coding"][0]
    assert (answer.status_code, coding["code"]) == (status, code)
    assert re.fullmatch("[0-9a-f-]{36}", body.pop("id"))
    return body


def patient_id(door: Doorway) -> str:
    found = read(door.get(f"/fhir/Patient?identifier={SNILS}|{NUMBER}", "clinic"))
    return str(found["entry"][0]["resource"]["id"])


def test_the_statement_claims_what_the_server_does(door: Doorway) -> None:
    body = read(door.get("/fhir/metadata", "clinic"))
    CapabilityStatement.model_validate(body)
    assert body["fhirVersion"] == "4.0.1"
    stored = {one["resourceType"] for one in everything(door)}
    assert stored <= {one["type"] for one in body["rest"][0]["resource"]}


@pytest.mark.parametrize(
    "path", ["/metadata", "/Patient/1", "/Patient?identifier=1", "/Patient/1/$everything"]
)
def test_without_a_token_or_with_a_laboratorys_nothing_is_read(door: Doorway, path: str) -> None:
    said(door.http.get(f"/fhir{path}"), 401, "AUTH-101")
    said(door.get(f"/fhir{path}", "lab"), 403, "AUTH-104")


@pytest.mark.parametrize(
    "token",
    [
        f"{SNILS}|{NUMBER}",
        f"{SNILS}|210-431-602 89",
        f"https://fhir.ru/core/systems/snils|{NUMBER}",
        NUMBER,
        f"{ENP}|{POLICY}",
        f"{SNILS}|00000000000,{ENP}|{POLICY}",
    ],
)
def test_a_patient_is_found_by_an_identifier_in_any_spelling(door: Doorway, token: str) -> None:
    for answer in (
        door.get(f"/fhir/Patient?identifier={quote(token)}", "clinic"),
        door.post(
            "/fhir/Patient/_search", f"identifier={quote(token)}".encode(), FORM, client="clinic"
        ),
    ):
        body = read(answer)
        Bundle.model_validate(body)
        assert (body["type"], body["total"]) == ("searchset", 1)
        assert body["entry"][0]["resource"]["resourceType"] == "Patient"
        assert body["entry"][0]["fullUrl"].endswith(body["entry"][0]["resource"]["id"])


@pytest.mark.parametrize(
    "query",
    [
        f"identifier={SNILS}|21043160288",
        f"identifier={ENP}|{NUMBER}",
        f"identifier=|{NUMBER}",
        f"identifier={SNILS}|{NUMBER}&identifier={ENP}|0000000000000000",
        f"identifier=urn:oid:9.9.9|{NUMBER}",
    ],
)
def test_the_nearest_other_identifier_finds_nobody(door: Doorway, query: str) -> None:
    body = read(door.get(f"/fhir/Patient?{query}", "clinic"))
    Bundle.model_validate(body)
    assert body["total"] == 0
    assert "entry" not in body


@pytest.mark.parametrize(
    "query", ["", "name=x", "identifier=", "identifier=a|b|c", f"identifier={SNILS}|",
              "identifier=%00", "identifier=" + "1," * 30],
)  # fmt: skip
def test_browsing_and_broken_tokens_are_refused(door: Doorway, query: str) -> None:
    said(door.get(f"/fhir/Patient?{query}", "clinic"), 400, "FMT-109")


def test_a_clinic_without_ground_sees_nothing_totals_included(door: Doorway) -> None:
    """Neither that the patient is here, nor a resource, nor a difference to one that is not."""
    id = patient_id(door)
    hidden = read(door.get(f"/fhir/Patient?identifier={SNILS}|{NUMBER}", "clinic2"))
    assert hidden["total"] == 0
    unknown = "00000000-0000-4000-8000-000000000000"
    for path in ("/fhir/Patient/{}", "/fhir/Patient/{}/$everything"):
        answers = [door.get(path.format(one), "clinic2") for one in (id, unknown)]
        assert said(answers[0], 404, "SYS-404") == said(answers[1], 404, "SYS-404")
    for one in everything(door):
        answer = door.get(f"/fhir/{one['resourceType']}/{one['id']}", "clinic2")
        said(answer, 404, "SYS-404")


def test_what_is_hidden_is_not_even_decrypted(door: Doorway) -> None:
    """Opening a body takes longer than finding none: a stopwatch would tell that it is here."""
    id = patient_id(door)
    with closing(sqlite3.connect(door.gateway.settings.home / "gateway.db")) as database:
        mine = "FROM resource_version WHERE id = ?"
        (sealed,) = database.execute(f"SELECT sealed {mine}", (id,)).fetchone()
        change = "UPDATE resource_version SET sealed = ? WHERE id = ?"
        with database:
            database.execute(change, (b"no body", id))
        try:
            for path in (f"/fhir/Patient/{id}", f"/fhir/Patient/{id}/$everything"):
                said(door.get(path, "clinic2"), 404, "SYS-404")
            assert door.get(f"/fhir/Patient/{id}", "clinic").status_code == 500
        finally:
            with database:
                database.execute(change, (sealed, id))


def test_ground_ends_with_the_consent(door: Doorway) -> None:
    id, consent = patient_id(door), grant(door, "org-clinic2")
    assert door.get(f"/fhir/Patient/{id}", "clinic2").status_code == 200
    door.gateway.store.revoke_grant(consent, "test")
    said(door.get(f"/fhir/Patient/{id}", "clinic2"), 404, "SYS-404")


def everything(door: Doorway) -> list[dict[str, Any]]:
    body = read(door.get(f"/fhir/Patient/{patient_id(door)}/$everything", "clinic"))
    return [entry["resource"] for entry in body["entry"]]


def test_everything_is_the_whole_card_with_the_patient_first(door: Doorway) -> None:
    body = read(door.get(f"/fhir/Patient/{patient_id(door)}/$everything", "clinic"))
    Bundle.model_validate(body)
    types = [entry["resource"]["resourceType"] for entry in body["entry"]]
    assert body["total"] == len(types)
    assert types[0] == "Patient"
    assert {"Observation", "DiagnosticReport", "Provenance", "DocumentReference"} <= set(types)
    assert types.count("Patient") == 1


def test_values_leave_as_they_came(door: Doorway) -> None:
    """`5.00` is not `5.0`: the laboratory stated its precision."""
    raw = door.get(f"/fhir/Patient/{patient_id(door)}/$everything", "clinic").text
    assert '"value":5.00' in raw
    assert '"value":0.40' in raw
    found = [one for one in everything(door) if one["resourceType"] == "Observation"]
    texts = {str(one["valueQuantity"]["value"]) for one in found if "valueQuantity" in one}
    assert {"5.00", "0.40"} <= texts
    for one in found:
        single = door.get(f"/fhir/Observation/{one['id']}", "clinic")
        assert read(single) == one


def test_a_read_carries_its_version_and_is_not_sent_twice(door: Doorway) -> None:
    path = f"/fhir/Patient/{patient_id(door)}"
    first = door.get(path, "clinic")
    body = read(first)
    assert first.headers["ETag"] == f'W/"{body["meta"]["versionId"]}"'
    assert first.headers["Last-Modified"].endswith("GMT")
    again = door.get(path, "clinic", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert door.get(path, "clinic", If_None_Match='W/"0"').status_code == 200


def test_only_json_is_spoken(door: Doorway) -> None:
    path = f"/fhir/Patient/{patient_id(door)}"
    for accept in ("application/fhir+xml", "text/html"):
        said(door.get(path, "clinic", Accept=accept), 406, "FMT-112")
    said(door.get(f"{path}?_format=xml", "clinic"), 406, "FMT-112")
    for accept in (FHIR, "application/json", "*/*", "application/fhir+json;q=0.5, text/html"):
        assert door.get(path, "clinic", Accept=accept).status_code == 200
    for name in ("json", "application/fhir+json", "application/fhir%2Bjson"):
        assert door.get(f"{path}?_format={name}", "clinic").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/Banana/1", "/patient/1", "/Patient/a_b", "/Patient/%00", "/Patient/" + "1" * 65, "/x"],
)
def test_what_cannot_be_is_not_found_in_fhirs_words(door: Doorway, path: str) -> None:
    said(door.get(f"/fhir{path}", "clinic"), 404, "SYS-404")


def test_every_read_and_every_refused_read_leaves_a_trace_without_the_number(
    door: Doorway,
) -> None:
    store, id = door.gateway.store, patient_id(door)

    def grown(path: str, client: str) -> int:
        before = store.counts()
        door.get(path, client)
        after = store.counts()
        return sum(after[k] - before[k] for k in ("audit_pending",))

    store.seal()
    assert grown(f"/fhir/Patient/{id}", "clinic") == 1
    assert grown(f"/fhir/Patient/{id}", "clinic2") == 1
    assert grown(f"/fhir/Patient/{NUMBER}", "clinic") == 1
    assert grown(f"/fhir/Patient?identifier={SNILS}|{NUMBER}", "clinic") == 1
    assert grown(f"/fhir/Patient?identifier={SNILS}|{NUMBER}", "clinic2") == 1
    store.seal()
    assert store.verify_audit().valid
    home = door.gateway.settings.home
    for file in home.glob("gateway.db*"):
        assert NUMBER.encode() not in file.read_bytes()


def test_a_bundle_is_kept_in_fhirs_words(door: Doorway) -> None:
    octets = document()
    first = door.post("/fhir", octets)
    body = read(first)
    OperationOutcome.model_validate(body)
    place = first.headers["Content-Location"]
    assert first.status_code == 202
    assert door.get(place).get_json()["status"] == "received"
    receipt = door.get(body["issue"][0]["diagnostics"]).get_json()
    assert receipt["number"] == body["issue"][0]["details"]["text"]
    again = door.post("/fhir", octets)
    assert (again.status_code, again.headers["Content-Location"]) == (200, place)
    assert door.post("/fhir/$process-message", document()).status_code == 202


def test_intake_refuses_in_fhirs_words(door: Doorway) -> None:
    octets = document()
    said(door.http.post("/fhir", data=octets, content_type=FHIR), 401, "AUTH-101")
    said(door.post("/fhir", octets, client="clinic"), 403, "AUTH-104")
    said(door.post("/fhir", octets, "application/xml"), 415, "FMT-101")
    said(door.post("/fhir", b"<xml/>"), 415, "FMT-102")
    said(door.post("/fhir", octets, Content_Digest="sha-256=:AAAA:"), 400, "FMT-105")
    door.post("/fhir", octets, Idempotency_Key="fhir-1")
    said(door.post("/fhir", document(), Idempotency_Key="fhir-1"), 409, "DUP-001")
    said(door.http.put("/fhir", headers=door.bearer()), 405, "SYS-405")
