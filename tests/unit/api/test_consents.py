"""Consents over HTTP: one's own, exact, the same when posted again, and revoked for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.store import log_tables
from tests.doorway import FHIR, Doorway, doorway

SNILS = "urn:oid:1.2.643.100.3"
NUMBER = "112-233-445 95"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def consent(recipient: str = "org-clinic", at: str = "2026-01-01", **provision: Any) -> Any:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://loinc.org", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"identifier": {"system": SNILS, "value": NUMBER}},
        "dateTime": at,
        "policyRule": {"text": "323"},
        "provision": {
            "type": "permit",
            "actor": [
                {
                    "role": {"coding": [{"code": "IRCP"}]},
                    "reference": {"reference": f"Organization/{recipient}"},
                }
            ],
            **provision,
        },
    }


def post(door: Doorway, body: Any, client: str = "lab") -> TestResponse:
    return door.post("/v1/consents", json.dumps(body).encode(), FHIR, client)


def ask(door: Doorway, client: str = "lab", **words: str) -> Any:
    usual = {"patient": f"{SNILS}|11223344595", "recipient": "org-clinic"}
    body = json.dumps(usual | words).encode()
    return door.post("/v1/consents/check", body, "application/json", client).get_json()


def test_a_recorded_consent_is_found_by_its_organization_only(door: Doorway) -> None:
    answer = post(door, consent(at="2026-01-02"))
    stored = answer.get_json()
    assert answer.status_code == 201
    assert (stored["state"], stored["scope"]) == ("active", "full")
    assert NUMBER not in answer.text
    path = answer.headers["Location"]
    assert door.get(path).get_json()["resource"]["patient"]["identifier"]["value"] == NUMBER
    assert door.get(f"{path}/status").get_json()["state"] == "active"
    unknown = door.get("/v1/consents/none", "lab2")
    for method in ("", "/status"):
        other = door.get(f"{path}{method}", "lab2")
        assert (other.status_code, other.get_json()["title"]) == (
            404,
            unknown.get_json()["title"],
        )
    assert door.post(f"{path}/revoke", b"", client="lab2").status_code == 404
    assert stored["id"] not in door.get("/v1/consents", "lab2").text
    assert stored["id"] in door.get("/v1/consents").text


def test_the_same_consent_posted_again_is_the_same(door: Doorway) -> None:
    """A lost answer must not leave two consents, of which one would be revoked."""
    first, second = (post(door, consent(at="2026-01-03")).get_json() for _ in range(2))
    assert first["id"] == second["id"]


def test_revoked_is_revoked_also_for_who_posts_it_again(door: Doorway) -> None:
    stored = post(door, consent(at="2026-01-04")).get_json()
    done = door.post(f"/v1/consents/{stored['id']}/revoke", b"").get_json()
    assert (done["state"], done["in_flight"]) == ("revoked", 0)
    assert post(door, consent(at="2026-01-04")).get_json()["state"] == "revoked"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"actor": []}, "/provision/actor"),
        ({"class": [{"code": "x", "system": "urn:x"}]}, "/provision/class"),
        ({"securityLabel": [{"code": "R", "system": "urn:x"}]}, "/provision/securityLabel"),
        ({"code": [{"text": "кровь"}]}, "/provision/code/0"),
    ],
)
def test_what_cannot_be_carried_out_exactly_is_refused(
    door: Doorway, changes: Any, place: str
) -> None:
    """A condition left out would let go more than the patient said."""
    body = consent(at="2026-01-05", **changes)
    if not changes.get("actor", True):
        del body["provision"]["actor"]
    answer = post(door, body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "CON-305")
    assert answer.get_json()["problems"][0]["place"] == place


def test_an_unknown_recipient_is_refused_and_not_said_back(door: Doorway) -> None:
    answer = post(door, consent("org-somebody"))
    assert answer.get_json()["code"] == "CON-305"
    assert "org-somebody" not in answer.text


def test_a_broken_number_is_refused(door: Doorway) -> None:
    body = consent()
    body["patient"]["identifier"]["value"] = "112-233"
    assert post(door, body).get_json()["code"] == "PAT-101"


def test_a_bundle_is_no_consent(door: Doorway) -> None:
    answer = post(door, {"resourceType": "Bundle", "type": "collection"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "CON-305")
    assert door.post("/v1/consents", b"<a/>", "text/xml").status_code == 415


def test_a_question_is_answered_from_what_the_asker_may_know(door: Doorway) -> None:
    """A laboratory must not learn of a consent that another organisation keeps."""
    body = consent("org-clinic2", at="2026-02-01")
    stored = post(door, body, "clinic2").get_json()
    asked = {"recipient": "org-clinic2"}
    for client in ("clinic2",):
        found = ask(door, client, **asked)
        assert (found["state"], found["consent"]) == ("active", stored["id"])
    stranger = ask(door, "lab2", **asked)
    nobody = ask(door, "lab2", **asked, patient=f"{SNILS}|00000000000")
    assert stranger == nobody
    assert stranger["state"] == "none"


def test_every_question_is_in_the_log_without_the_number(door: Doorway) -> None:
    ask(door)
    entry = log_tables.audit_entry
    with door.gateway.store.database.read() as connection:
        rows = connection.execute(entry.select().where(entry.c.action == "consent.check")).all()
    assert rows
    assert "11223344595" not in str(rows)


def test_states_of_a_question(door: Doorway) -> None:
    """active, expired, rejected, revoked, none: each is an answer of its own."""
    asked = {"recipient": "org-lab2", "patient": f"{SNILS}|08765430300"}

    def say(at: str, **provision: Any) -> Any:
        body = consent("org-lab2", at=at, **provision)
        body["patient"]["identifier"]["value"] = "08765430300"
        return post(door, body).get_json()

    assert ask(door, **asked)["state"] == "none"
    say("2026-03-01", period={"end": "2026-03-02"})
    assert ask(door, **asked)["state"] == "expired"
    given = say("2026-03-03")
    assert ask(door, **asked)["state"] == "active"
    door.post(f"/v1/consents/{given['id']}/revoke", b"")
    assert ask(door, **asked)["state"] == "revoked"
    say("2026-03-04", type="deny")
    assert ask(door, **asked)["state"] == "rejected"
    say("2026-03-05", code=[{"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}])
    found = ask(door, **asked)
    assert (found["state"], found["partial"]) == ("active", True)
    assert ask(door, **asked, test="http://loinc.org|2345-7")["permitted"]
    assert not ask(door, **asked, test="http://loinc.org|1988-5")["permitted"]


def test_a_list_is_filtered_and_paged(door: Doorway) -> None:
    page = door.get("/v1/consents?limit=1").get_json()
    assert len(page["items"]) == 1
    following = door.get(f"/v1/consents?limit=1&cursor={page['next_cursor']}").get_json()
    assert following["items"][0]["id"] != page["items"][0]["id"]
    states = {one["state"] for one in door.get("/v1/consents?state=revoked").get_json()["items"]}
    assert states == {"revoked"}
    assert door.get("/v1/consents?state=none").status_code == 400


def test_the_clock_alone_ends_a_consent(door: Doorway) -> None:
    soon = door.gateway.clock() + timedelta(days=1)
    answer = post(door, consent(at="2026-04-01", period={"end": soon.isoformat()}))
    assert answer.get_json()["provisions"][0]["to"].startswith(soon.isoformat()[:16])
