"""Who sees what: every route asked by everybody (rule 8 of the semantics).

Five ask for the same things: laboratory A, whose they are; laboratory B; a clinic without
ground; a clinic with ground; and somebody without a token.  What is hidden from one of them
must look in status, body and totals like what does not exist.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.model import Identifier, Problem
from gateway.store import items
from tests.doorway import FHIR, Doorway, document, doorway
from tests.scenarios.repairs import lab_document, sent
from tests.unit.fhir_api.test_fhir_api import NUMBER, SAMPLE, SNILS, grant

A, B, WITHOUT, WITH, NOBODY = "lab", "lab2", "clinic2", "clinic", None
ASKERS = (A, B, WITHOUT, WITH, NOBODY)
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
UNKNOWN = "01a10000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class World:
    """A gateway in which A has one of everything, and nobody else has anything."""

    door: Doorway
    things: Mapping[str, str]
    """Name of a thing → its id."""

    def ask(self, case: Case, who: str | None, things: Mapping[str, str]) -> TestResponse:
        path, body = _filled(case.path, things), _filled(case.body, things).encode()
        headers = {} if who is None else self.door.bearer(who)
        if case.method == "POST":
            headers["Content-Type"] = case.type
            body = body or document()
        return self.door.http.open(path, method=case.method, data=body, headers=headers)

    @property
    def nothing(self) -> Mapping[str, str]:
        """Return ids like the things', of things that never were."""
        unknown = dict.fromkeys(self.things, UNKNOWN)
        return {**unknown, "snils": "00000000000", "kind": "accepted"}


@dataclass(frozen=True)
class Case:
    rule: str
    """The route as the application has it."""

    path: str
    statuses: tuple[int, int, int, int, int]
    """What A, B, the clinic without ground, the one with, and nobody get."""

    method: str = "GET"
    body: str = ""
    type: str = JSON
    hidden: tuple[str, ...] = field(default=(B, WITHOUT))
    """Who must not be able to tell whether the thing is there."""


SUB = "/v1/submissions/<key:submission>"
OWN, OWN_TAKEN = (200, 404, 403, 403, 401), (202, 404, 403, 403, 401)
LABS, LABS_TAKEN = (200, 200, 403, 403, 401), (202, 202, 403, 403, 401)
OWN_CONSENT, ALL = (200, 404, 404, 404, 401), (200,) * 4 + (401,)
CLINICS, GROUND = (403, 403, 200, 200, 401), (403, 403, 404, 200, 401)
OPEN = (200,) * 5

CASES = (
    # Submissions: the sender's organisation, nobody else's.
    Case("/v1/submissions", "/v1/submissions", LABS_TAKEN, "POST", type=FHIR, hidden=()),
    Case("/v1/submissions", "/v1/submissions?number=77-104", LABS),
    Case(SUB, "/v1/submissions/{submission}", OWN),
    Case(f"{SUB}/events", "/v1/submissions/{submission}/events", OWN),
    Case(f"{SUB}/ledger", "/v1/submissions/{submission}/ledger", OWN),
    Case(f"{SUB}/receipts", "/v1/submissions/{submission}/receipts", OWN),
    Case(f"{SUB}/receipts/<key:kind>", "/v1/submissions/{submission}/receipts/{kind}", OWN),
    Case(
        f"{SUB}/receipts/<key:kind>/proof",
        "/v1/submissions/{submission}/receipts/{kind}/proof",
        OWN,
    ),
    Case("/v1/receipts/<key:number>", "/v1/receipts/{receipt}", OWN),
    Case(f"{SUB}/signatures", "/v1/submissions/{submission}/signatures", OWN),
    Case(f"{SUB}/replay", "/v1/submissions/{submission}/replay", OWN_TAKEN, "POST"),
    Case(
        f"{SUB}/replay",
        "/v1/submissions/{submission}/replay?document={document}",
        OWN_TAKEN,
        "POST",
    ),
    # Replays of many: of ids that are not one's own none is started.
    Case("/v1/replays", "/v1/replays", OWN_TAKEN, "POST", '{{"ids": ["{submission}"]}}'),
    Case("/v1/replays", "/v1/replays", LABS),
    Case("/v1/replays/<key:run>", "/v1/replays/{run}", OWN),
    Case("/v1/replays/<key:run>/stop", "/v1/replays/{run}/stop", OWN, "POST"),
    Case("/v1/replays/<key:run>/resume", "/v1/replays/{run}/resume", OWN, "POST"),
    # What waits for a person.
    Case("/v1/items", "/v1/items", LABS),
    Case("/v1/items/<key:item>/close", "/v1/items/{item}/close", OWN, "POST", '{{"note": "ok"}}'),
    Case("/v1/repairs", "/v1/repairs", LABS),
    Case("/v1/repairs/<key:repair>", "/v1/repairs/{repair}", OWN),
    Case(
        "/v1/repairs/<key:repair>/decide",
        "/v1/repairs/{repair}/decide",
        OWN_TAKEN,
        "POST",
        '{{"test": "2345-7"}}',
    ),
    Case("/v1/repairs/decisions", "/v1/repairs/decisions", LABS),
    Case(
        "/v1/repairs/decisions/<key:decision>/undo",
        "/v1/repairs/decisions/{decision}/undo",
        OWN_TAKEN,
        "POST",
    ),
    # Consents: the organisation that recorded them; the one they favour sees the card instead.
    Case("/v1/consents", "/v1/consents", ALL, hidden=(B, WITHOUT, WITH)),
    Case(
        "/v1/consents/<key:consent>",
        "/v1/consents/{consent}",
        OWN_CONSENT,
        hidden=(B, WITHOUT, WITH),
    ),
    Case(
        "/v1/consents/<key:consent>/status",
        "/v1/consents/{consent}/status",
        OWN_CONSENT,
        hidden=(B, WITHOUT, WITH),
    ),
    Case(
        "/v1/consents/check",
        "/v1/consents/check",
        ALL,
        "POST",
        '{{"patient": "' + SNILS + '|{snils}", "recipient": "org-clinic2"}}',
        hidden=(B, WITHOUT, WITH),
    ),
    Case(
        "/v1/consents/<key:consent>/revoke",
        "/v1/consents/{consent}/revoke",
        OWN_CONSENT,
        "POST",
        hidden=(B, WITHOUT, WITH),
    ),
    # The card: clinics with ground.
    Case("/fhir/<fhir_type:type>/<fhir_id:id>", "/fhir/Patient/{patient}", GROUND),
    Case("/fhir/<fhir_type:type>/<fhir_id:id>", "/fhir/Observation/{observation}", GROUND),
    Case("/fhir/Patient", "/fhir/Patient?identifier=" + SNILS + "|{snils}", CLINICS),
    Case("/fhir/Patient/<fhir_id:id>/$everything", "/fhir/Patient/{patient}/$everything", GROUND),
    Case(
        "/fhir/Patient/_search",
        "/fhir/Patient/_search",
        CLINICS,
        "POST",
        "identifier=" + SNILS + "|{snils}",
        FORM,
    ),
    Case("/fhir", "/fhir", LABS_TAKEN, "POST", type=FHIR, hidden=()),
    Case(
        "/fhir/$process-message", "/fhir/$process-message", LABS_TAKEN, "POST", type=FHIR, hidden=()
    ),
    Case("/fhir/metadata", "/fhir/metadata", (403, 403, 200, 200, 401), hidden=()),
    # Dry runs say nothing of what is kept.
    Case("/v1/check", "/v1/check", ALL, "POST", type=FHIR, hidden=()),
    Case("/v1/verify", "/v1/verify", ALL, "POST", type=FHIR, hidden=()),
    # Nobody's secrets.
    Case("/v1/capabilities", "/v1/capabilities", OPEN, hidden=()),
    Case("/", "/", (302,) * 5, hidden=()),
    Case("/docs", "/docs", OPEN, hidden=()),
    Case("/docs/docs.css", "/docs/docs.css", OPEN, hidden=()),
    Case("/docs/errors", "/docs/errors", OPEN, hidden=()),
    Case("/docs/errors/<key:code>", "/docs/errors/SIG-201", OPEN, hidden=()),
    Case("/healthz", "/healthz", OPEN, hidden=()),
    Case("/readyz", "/readyz", OPEN, hidden=()),
    Case("/metrics", "/metrics", OPEN, hidden=()),
    Case("/oauth/jwks", "/oauth/jwks", OPEN, hidden=()),
    Case("/oauth/token", "/oauth/token", (400,) * 5, "POST", "grant_type=x", FORM, hidden=()),
    *(
        Case(path, path, OPEN, hidden=())
        for path in (
            "/.well-known/smart-configuration",
            "/fhir/.well-known/smart-configuration",
        )
    ),
)


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment the gateway is opened in; tests/postgres names its databases here."""
    return {}


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[World]:
    home = tmp_path_factory.mktemp("tenancy")
    with doorway(home, "[limits]\nrequests_per_second = 100000\n", environ=environ) as door:
        yield World(door, _things(door))


def _things(door: Doorway) -> dict[str, str]:
    """Let A have one of everything."""
    own = SAMPLE.read_bytes().replace(b"1267700000116", b"1027700000000")
    submission = door.keep(own).get_json()["id"]
    door.work()
    waits = sent(door, lab_document("000091", code="UNKNOWN-1"))
    settled = sent(door, lab_document("000092", code="UNKNOWN-2"))
    asked = {one["documents"][0]["submission"]: one["id"] for one in _repairs(door)}
    decided = door.post(
        f"/v1/repairs/{asked[settled]}/decide", b'{"test": "2345-7"}', type=JSON
    ).get_json()
    consent = door.post("/v1/consents", _consent()).get_json()["id"]
    grant(door, "org-clinic")
    store = door.gateway.store
    (patient,) = store.patients_by_identifier(Identifier(system=SNILS, value=NUMBER))
    resources = store.everything(patient)
    return {
        "submission": submission,
        "document": f"{submission}-1",
        "kind": "registered",
        "receipt": store.receipts(submission)[0].receipt.number,
        "run": decided["replay"]["id"],
        "repair": asked[waits],
        "decision": decided["decision"]["id"],
        "item": _open_item(door, submission),
        "consent": consent,
        "patient": patient,
        "observation": next(
            str(one["id"]) for one in resources if one["resourceType"] == "Observation"
        ),
        "snils": NUMBER,
    }


def _repairs(door: Doorway) -> list[Any]:
    return list(door.get("/v1/repairs").get_json()["items"])


def _open_item(door: Doorway, submission: str) -> str:
    """Note that a destination did not take a withdrawal; return the item's id."""
    store = door.gateway.store
    where = items.Recipient(
        id=None, submission=submission, document=f"{submission}-1", destination="registry"
    )
    problem = Problem(code="DLV-303", detail={"destination": "registry"})
    store.room.database.write(
        lambda connection: items.add(
            connection, where, items.UNSUPPORTED, problem, door.gateway.clock()
        )
    )
    (item,) = store.open_items()
    return item.id


def _consent() -> bytes:
    """Return A's patient's word that `clinic` may see the card."""
    coding = {
        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
        "code": "patient-privacy",
    }
    category = {"system": "http://loinc.org", "code": "59284-0"}
    return json.dumps(
        {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [coding]},
            "category": [{"coding": [category]}],
            "patient": {"identifier": {"system": SNILS, "value": NUMBER}},
            "dateTime": "2026-01-01",
            "policyRule": {"text": "x"},
            "provision": {
                "type": "permit",
                "period": {"start": "2026-01-01", "end": "2030-01-01"},
                "actor": [
                    {
                        "role": {"text": "recipient"},
                        "reference": {
                            "identifier": {
                                "system": "urn:oid:1.2.643.100.1",
                                "value": "1027700000002",
                            }
                        },
                    }
                ],
            },
        }
    ).encode()


def test_the_table_names_every_route(world: World) -> None:
    """A new route is not released before somebody has said who may use it."""
    served = {
        (rule.rule, method)
        for rule in world.door.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    named = {(case.rule, case.method) for case in CASES} | {("/v1/consents", "POST")}
    assert served == named


def test_everybody_gets_what_the_table_says(world: World) -> None:
    """Everybody but the owner asks first: the owner's calls change what is there."""
    wrong = []
    for case in CASES:
        for position in (4, 3, 2, 1, 0):
            asked = world.ask(case, ASKERS[position], world.things)
            if asked.status_code != case.statuses[position]:
                wrong.append((case.method, case.path, ASKERS[position], asked.status_code))
    assert not wrong, "\n".join(map(str, wrong))


def test_what_is_hidden_looks_like_what_does_not_exist(world: World) -> None:
    """Status, body and totals; only the trace, and what was asked, may differ."""
    for case in CASES:
        for who in case.hidden:
            there = world.ask(case, who, world.things)
            never = world.ask(case, who, world.nothing)
            assert there.status_code == never.status_code, (case.path, who)
            assert _said(world, there) == _said(world, never), (case.path, who)


def test_without_a_token_the_answer_is_the_same_whatever_is_there(world: World) -> None:
    for case in CASES:
        if case.statuses[4] == 401 and "oauth" not in case.path:
            there = world.ask(case, NOBODY, world.things)
            never = world.ask(case, NOBODY, world.nothing)
            assert _said(world, there) == _said(world, never), case.path


def test_a_list_holds_nothing_of_another(world: World) -> None:
    """Not even a count."""
    for path in ("submissions", "replays", "items", "repairs", "repairs/decisions", "consents"):
        mine, others = (world.door.get(f"/v1/{path}", who).get_json() for who in (A, B))
        assert next(value for value in mine.values() if isinstance(value, list)), path
        assert next(value for value in others.values() if isinstance(value, list)) == [], path


def test_ground_is_what_makes_the_difference(world: World) -> None:
    """The same question, the same route: one finds the patient and the other nobody."""
    path = f"/fhir/Patient?identifier={SNILS}|{NUMBER}"
    totals = [json.loads(world.door.get(path, who).data)["total"] for who in (WITHOUT, WITH)]
    assert totals == [0, 1]


def _filled(template: str, things: Mapping[str, str]) -> str:
    return template.format(**things) if template else ""


def _said(world: World, answer: TestResponse) -> str:
    """Return an answer without what differs in every two: its trace, times, and the question."""
    text = answer.get_data(as_text=True)
    for one in (*world.things.values(), *world.nothing.values()):
        if len(one) > 10:
            text = text.replace(one, "…")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "…", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", "…", text)
