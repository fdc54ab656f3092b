"""A laboratory keeps a document, follows it to its end, and sees nobody else's."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from gateway.door.context import WAITERS_MAX
from tests.doorway import FHIR, Doorway, document, doorway, form

MEMBERS = {"type", "title", "status", "detail", "code", "place", "reason", "fix", "trace_id"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("home"), "[limits]\nbody_bytes_max = 4096") as opened:
        yield opened


def said(answer: TestResponse, status: int, code: str) -> None:
    """The answer refuses as the contract says: every member, and the code's own page."""
    body = answer.get_json(force=True)
    assert (answer.status_code, body["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert set(body) >= MEMBERS
    assert body["status"] == status
    assert body["type"] == f"/docs/errors/{code}"
    assert all(body[name] for name in ("place", "reason", "fix"))


def submissions(door: Doorway) -> int:
    return len(door.get("/v1/submissions?limit=200").get_json()["items"])


def test_a_kept_document_is_answered_with_its_place_and_signed_receipt(door: Doorway) -> None:
    octets = document()
    answer = door.keep(octets)
    body = answer.get_json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == body["location"] == f"/v1/submissions/{body['id']}"
    assert (body["status"], body["receipt"]["kind"]) == ("received", "accepted")
    middle = body["receipt"]["jws"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    assert claims["number"] == body["receipt"]["number"]
    assert claims["sha256"] == hashlib.sha256(octets).hexdigest()


def test_known_content_gets_the_first_receipt_word_for_word(door: Doorway) -> None:
    octets = document()
    first, again = door.keep(octets), door.keep(octets)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.get_json()["receipt"] == first.get_json()["receipt"]
    assert again.get_json()["id"] == first.get_json()["id"]


def test_the_frame_of_a_form_is_not_its_content(door: Doorway) -> None:
    parts = (("document", FHIR, document()), ("signature", "application/pkcs7-signature", b"0"))
    types = [form(*parts, boundary=name) for name in ("one", "two")]
    ids = {door.post("/v1/submissions", body, type).get_json()["id"] for type, body in types}
    assert len(ids) == 1
    type, body = form(parts[0], ("signature", "application/pkcs7-signature", b"1"))
    assert door.post("/v1/submissions", body, type).get_json()["id"] not in ids


def test_the_same_bytes_of_two_laboratories_are_two_submissions(door: Doorway) -> None:
    octets = document()
    assert door.keep(octets).status_code == 202
    assert door.keep(octets, client="lab2").status_code == 202


def test_a_key_used_for_other_content_is_a_conflict(door: Doorway) -> None:
    octets = document()
    assert door.keep(octets, Idempotency_Key="k-1").status_code == 202
    assert door.keep(octets, Idempotency_Key="k-1").status_code == 200
    assert door.keep(octets, Idempotency_Key="k-2").status_code == 200
    for key in ("k-1", "k-2"):
        said(door.keep(document(), Idempotency_Key=key), 409, "DUP-001")
    assert door.keep(document(), client="lab2", Idempotency_Key="k-1").status_code == 202


def test_each_refusal_at_the_door_says_why_and_keeps_nothing(door: Doorway) -> None:
    before = submissions(door)
    octets = document()
    type, body = form(("document", FHIR, octets), ("attachment", "a/b", b"x"))
    said(door.http.post("/v1/submissions", data=octets, content_type=FHIR), 401, "AUTH-101")
    said(door.keep(octets, client="clinic"), 403, "AUTH-104")
    said(door.keep(b"x" * 4097), 413, "LIM-413")
    said(door.keep(octets, type="text/x-unknown"), 415, "FMT-101")
    said(door.keep(octets, type=""), 415, "FMT-101")
    said(door.keep(octets, type="application/xml"), 415, "FMT-102")
    said(door.keep(b"%PDF-1.7"), 415, "FMT-102")
    said(door.keep(octets, type="application/pkcs7-mime"), 415, "FMT-102")
    said(door.keep(octets, Content_Encoding="gzip"), 415, "FMT-110")
    said(door.keep(octets, Content_Digest="sha-256=:AAAA:"), 400, "FMT-105")
    said(door.keep(octets, Idempotency_Key="\x7f"), 400, "FMT-109")
    said(door.keep(octets, Idempotency_Key="x" * 256), 400, "FMT-109")
    said(door.post("/v1/submissions", body, type), 400, "FMT-107")
    said(door.post("/v1/submissions", body[:-9], type), 400, "FMT-106")
    said(door.http.post("/v1/submissions", headers={**door.bearer(), "Content-Type": FHIR},
                        input_stream=None, environ_overrides={"CONTENT_LENGTH": ""}),
         411, "LIM-411")  # fmt: skip
    said(door.http.post("/v1/submissions", headers={**door.bearer(), "Content-Type": FHIR},
                        data=octets, environ_overrides={"CONTENT_LENGTH": str(len(octets) + 1)}),
         400, "FMT-103")  # fmt: skip
    said(door.http.delete("/v1/submissions"), 405, "SYS-405")
    assert submissions(door) == before


def test_a_method_that_is_not_taken_names_those_that_are(door: Doorway) -> None:
    assert "POST" in door.http.delete("/v1/submissions").headers["Allow"]


def test_an_upload_cut_anywhere_leaves_no_trace(door: Doorway) -> None:
    """The sender has no receipt, so the gateway must have nothing."""
    octets, before = document(), submissions(door)
    length = {"CONTENT_LENGTH": str(len(octets))}
    for cut in range(0, len(octets), max(1, len(octets) // 50)):
        answer = door.http.post(
            "/v1/submissions",
            data=octets[:cut],
            headers={**door.bearer(), "Content-Type": FHIR},
            environ_overrides={**length, "wsgi.input_terminated": True},
        )
        said(answer, 400, "FMT-103")
    assert submissions(door) == before


def test_twenty_at_once_make_one_submission(door: Doorway) -> None:
    octets, answers = document(), []
    door.bearer()

    def send() -> None:
        answers.append(
            door.app.test_client().post(
                "/v1/submissions", data=octets, headers={**door.bearer(), "Content-Type": FHIR}
            )
        )

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [200] * 19 + [202]
    assert len({a.get_json()["receipt"]["jws"] for a in answers}) == 1


def test_anothers_submission_is_answered_like_one_that_never_was(door: Doorway) -> None:
    id = door.keep().get_json()["id"]
    unknown = "00000000-0000-7000-8000-000000000000"
    for rest in ("", "/events", "/receipts", "/receipts/accepted", "/signatures", "/ledger"):
        answers = [door.get(f"/v1/submissions/{one}{rest}", "lab2") for one in (id, unknown)]
        bodies = [answer.get_json(force=True) for answer in answers]
        for answer, body in zip(answers, bodies, strict=True):
            said(answer, 404, "SYS-404")
            body.pop("trace_id")
        assert bodies[0] == bodies[1]
    said(door.post(f"/v1/submissions/{id}/replay", b"", client="lab2"), 404, "SYS-404")
    listed = door.get("/v1/submissions", "lab2").get_json()["items"]
    assert id not in [one["id"] for one in listed]


def test_a_refused_submission_is_followed_to_its_reason_and_receipts(door: Doorway) -> None:
    id = door.keep().get_json()["id"]
    door.work()
    view = door.get(f"/v1/submissions/{id}").get_json()
    assert (view["status"], view["status_label"]) == ("rejected", "Отклонено")
    assert view["problems"][0]["code"].startswith("FMT-")
    assert all(view["problems"][0][name] for name in ("reason", "fix"))
    english = door.get(f"/v1/submissions/{id}?lang=en").get_json()
    assert english["status_label"] == "Rejected"
    events = door.get(f"/v1/submissions/{id}/events").get_json()["events"]
    assert len(events) >= 2
    assert all(set(one) == {"at", "name", "document", "duration_ms", "detail"} for one in events)
    rows = door.get(f"/v1/submissions/{id}/receipts").get_json()["receipts"]
    assert [row["kind"] for row in rows] == ["accepted", "refused"]
    one = door.get(f"/v1/submissions/{id}/receipts/refused")
    assert one.get_json() == rows[1]
    raw = door.get(f"/v1/submissions/{id}/receipts/refused", Accept="application/jose")
    assert (raw.text, raw.mimetype) == (rows[1]["jws"], "application/jose")
    said(door.get(f"/v1/submissions/{id}/receipts/delivered"), 404, "SYS-404")


def test_a_proof_is_pending_until_the_log_is_sealed(door: Doorway) -> None:
    id = door.keep().get_json()["id"]
    place = f"/v1/submissions/{id}/receipts/accepted/proof"
    assert door.get(place).get_json()["included"] == "pending"
    door.gateway.store.seal()
    assert door.get(place).get_json()["included"] == "sealed"


def test_waiting_answers_with_the_final_state(door: Doorway) -> None:
    """`Prefer: wait=N` while a worker is at it: 422 with reasons for a refused document."""
    timer = threading.Timer(0.2, door.work)
    timer.start()
    answer = door.keep(Prefer="respond-async, wait=10")
    timer.join()
    body = answer.get_json(force=True)
    assert answer.status_code == 422
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert body["state"] == "rejected"
    assert all(body[name] for name in ("receipt", "id", "problems"))
    assert body["code"] == body["problems"][0]["code"]


def test_waiting_ends_when_the_time_is_up(door: Doorway) -> None:
    answer = door.keep(Prefer="wait=0")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "received")


def test_a_wait_that_did_not_happen_is_not_said_to_be_applied(door: Doorway) -> None:
    """When too many wait already the answer comes at once, and says nothing of waiting."""
    waiters = door.app.extensions["gateway"].waiters
    while waiters.acquire(blocking=False):
        pass
    try:
        crowded = door.keep(Prefer="wait=10")
    finally:
        waiters.release(WAITERS_MAX)
    assert (crowded.status_code, crowded.get_json()["status"]) == (202, "received")
    assert "Preference-Applied" not in crowded.headers
    assert door.keep(Prefer="wait=0").headers["Preference-Applied"] == "wait=0"


def test_a_replay_puts_a_refused_submission_on_the_line_again(door: Doorway) -> None:
    id = door.keep().get_json()["id"]
    door.work()
    answer = door.post(f"/v1/submissions/{id}/replay", b"")
    assert answer.status_code == 202
    assert answer.get_json()["status"] in ("received", "processing")
    door.work()
    assert door.get(f"/v1/submissions/{id}").get_json()["status"] == "rejected"


def test_many_are_replayed_by_cause_or_by_id(door: Doorway) -> None:
    ids = {door.keep().get_json()["id"] for _ in range(2)}
    foreign = door.keep(client="lab2").get_json()["id"]
    door.work()
    cause = door.get(f"/v1/submissions/{min(ids)}").get_json()["problems"][0]["code"]

    def order(**words: object) -> TestResponse:
        return door.post("/v1/replays", json.dumps(words).encode(), "application/json")

    shown = order(cause=cause, dry_run=True).get_json()
    assert ids <= set(shown["submissions"])
    assert foreign not in shown["submissions"]
    done = order(ids=[*ids, foreign])
    assert (done.status_code, set(done.get_json()["submissions"])) == (202, ids)
    for words in ({}, {"ids": ["a"], "cause": cause}, {"ids": []}, {"cause": "x"}, {"more": 1}):
        said(order(**words), 400, "FMT-109")
    for octets in (b"[]", b"{", b"[" * 50_000, b"\xff"):
        answer = door.post("/v1/replays", octets, "application/json")
        said(answer, 400, "FMT-109")
    door.work()


def test_a_list_is_paged_and_filtered(tmp_path: Path) -> None:
    with doorway(tmp_path) as door:
        ids = [door.keep().get_json()["id"] for _ in range(5)]
        door.work()
        ids.append(door.keep().get_json()["id"])
        seen: list[str] = []
        path = "/v1/submissions?limit=2"
        while path:
            page = door.get(path).get_json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
            path = f"/v1/submissions?limit=2&cursor={cursor}" if cursor else ""
        assert seen == ids[::-1]

        def found(query: str) -> int:
            return len(door.get(f"/v1/submissions?{query}").get_json()["items"])

        assert (found("status=received"), found("status=rejected")) == (1, 5)
        assert (found("sender=org-lab"), found("sender=org-lab2")) == (6, 0)
        assert (found("from=2020-01-01T00:00:00Z"), found("to=2020-01-01T00:00:00Z")) == (6, 0)
        assert found("number=77-104") == 0


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "cause=abc",
        "number=%00",
        "sender=%0a",
        "from=yesterday",
        "from=0001-01-01T00:00:00%2B14:00",
        "to=9999-12-31T23:59:59-14:00",
        "cursor=%00",
        "cursor=AAAA",
        "cursor=Ljk",
        "limit=0",
        "limit=201",
        "limit=many",
        "surname=x",
    ],
)
def test_a_query_that_cannot_be_read_is_refused(door: Doorway, query: str) -> None:
    """And an unknown parameter's name, which may be anything, is not said back."""
    answer = door.get(f"/v1/submissions?{query}")
    said(answer, 400, "FMT-109")
    assert "surname" not in answer.text


def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    with doorway(tmp_path, "[limits]\nrequests_per_second = 1.0") as door:
        answers = [door.get("/v1/submissions") for _ in range(4)]
        said(answers[-1], 429, "LIM-429")
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert door.get("/v1/submissions", "lab2").status_code == 200
