"""A good document over HTTP: what its laboratory sees, and what a dry run would have said."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sandbox.pki import Pki
from tests.doorway import Doorway, doorway, form
from tests.unit.signatures.pdf_made import pdf_signed

SAMPLE = Path(__file__).parents[3] / "samples/03-lab-xml-gost256/result.xml"
XML = "application/xml"
OWN = SAMPLE.read_bytes().replace(b"1267700000116", b"1027700000000")
"""The sample as the door's own laboratory performed it: it may not send another's."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def test_a_dry_run_finds_what_the_line_finds_and_keeps_nothing(door: Doorway) -> None:
    body = door.post("/v1/check", OWN, XML).get_json()
    # The door's laboratory has an invented ОГРН, whose check digit is only warned of.
    stops = [problem for problem in body["problems"] if not problem["warning"]]
    assert (body["outcome"], stops) == ("accepted", [])
    unsigned = door.post("/v1/check", OWN, XML, client="lab2").get_json()
    assert unsigned["outcome"] == "rejected"
    assert unsigned["problems"][0]["code"] == "SIG-201"
    assert door.post("/v1/check", OWN, XML, client="clinic").status_code == 200
    assert door.get("/v1/submissions").get_json()["items"] == []


def test_waiting_for_a_good_document_ends_accepted_with_its_documents(door: Doorway) -> None:
    timer = threading.Timer(0.2, door.work)
    timer.start()
    answer = door.keep(OWN, type=XML, Prefer="wait=20")
    timer.join()
    body = answer.get_json()
    assert (answer.status_code, body["status"]) == (200, "accepted")
    assert body["counts"] == {"accepted": 1}
    one = body["documents"][0]
    assert {"id", "status", "place", "problems", "receipt", "duplicate_of", "deliveries"} <= set(
        one
    )
    assert one["receipt"].startswith("R-")
    place = answer.headers["Location"]
    rows = door.get(f"{place}/receipts").get_json()["receipts"]
    assert [row["kind"] for row in rows] == ["accepted", "registered"]
    ledger = door.get(f"{place}/ledger").get_json()
    assert ledger["mapped"]
    assert ledger["documents"][0]["mapped"] == ledger["mapped"]
    report = door.get(f"{place}/signatures").get_json()
    assert (report["indication"], report["signatures"]) == ("INDETERMINATE", [])
    page = door.get(f"{place}/signatures", Accept="application/pdf")
    assert (page.mimetype, page.data[:5]) == ("application/pdf", b"%PDF-")
    durations = [e["duration_ms"] for e in door.get(f"{place}/events").get_json()["events"]]
    assert any(duration is not None for duration in durations)
    # The laboratory's own number finds it, though the store holds no number in clear.
    found = door.get("/v1/submissions?number=77-105").get_json()["items"]
    assert [item["id"] for item in found] == [body["id"]]
    assert door.get("/v1/submissions?number=77-106").get_json()["items"] == []


def test_powers_of_attorney_are_posted_to_both_dry_runs(door: Doorway) -> None:
    """What is none is said; one signature must follow the file it is of."""
    power = ("attorney", "application/xml", b"<a/>")
    type, body = form(("document", "text/plain", b"text"), ("signature", "a/b", b"0"), power)
    (one,) = door.post("/v1/verify?power=CODE", body, type).get_json()["attorneys"]
    assert (one["place"], one["number"], one["registry"]["state"]) == (
        "attorney[0]",
        None,
        "UNKNOWN",
    )
    assert one["problem"] == "not a power of attorney of the format EMCHD_1"
    assert door.post(f"/v1/verify?power={'A' * 65}", body, type).status_code == 400
    type, body = form(("document", XML, OWN), power)
    assert door.post("/v1/check", body, type).get_json()["signatures"]["attorneys"]
    type, body = form(("document", XML, OWN), ("attorney-signature", "a/b", b"0"))
    assert door.post("/v1/check", body, type).get_json()["code"] == "FMT-107"


def test_verify_reads_any_bytes_and_judges_at_the_time_asked(door: Doorway) -> None:
    type, body = form(("document", "text/plain", b"text"), ("signature", "a/b", b"noise"))
    answer = door.post("/v1/verify?at=2026-01-01T00:00:00Z", body, type)
    said = answer.get_json()
    assert answer.status_code == 200
    assert said["indication"] == "TOTAL_FAILED"
    assert said["signatures"][0]["sub_indication"] == "FORMAT_FAILURE"
    assert said["signatures"][0]["times"]["validation"].startswith("2026-01-01T00:00:00")
    unsigned = door.post("/v1/verify", b"text", "text/plain").get_json()
    assert (unsigned["indication"], unsigned["signatures"]) == ("INDETERMINATE", [])
    for query in ("at=now", "at=0001-01-01", "when=1"):
        assert door.post(f"/v1/verify?{query}", b"text", "text/plain").status_code == 400
    assert door.http.post("/v1/verify", data=b"text").status_code == 401


def test_verify_reads_pdf_that_the_line_does_not_take(door: Doorway, pki: Pki) -> None:
    """Verifying is for any file; a PDF says nothing a card could be made of."""
    type = "application/pdf"
    (one,) = door.post("/v1/verify", pdf_signed(pki), type).get_json()["signatures"]
    assert (one["format"], one["level"]) == ("PAdES", "B")
    assert one["signed_content"][0]["scope"] == "FULL"
    assert one["signed_content"][0]["media_type"] == type
    assert door.keep(pdf_signed(pki), type=type).status_code == 415
    claimed = door.get("/v1/capabilities").get_json()
    assert type not in claimed["media_types"]
    assert "pades" in claimed["signatures"]


def test_verify_answers_in_the_form_asked_for(door: Doorway) -> None:
    heads = {
        "application/xml": b"<?xml",
        "text/html": b"<!DOCTYPE html>",
        "application/pdf": b"%PDF-",
        "application/json": b"{",
        "*/*": b"{",
        "image/png": b"{",
    }
    for accept, head in heads.items():
        answer = door.post("/v1/verify", b"text", "text/plain", Accept=accept)
        assert answer.status_code == 200
        assert answer.data.startswith(head), accept
        expected = accept if accept in ("application/xml", "text/html", "application/pdf") else None
        assert answer.mimetype == (expected or "application/json")
    english = door.post("/v1/verify?lang=en", b"text", "text/plain", Accept="text/html")
    assert b'lang="en"' in english.data


def test_the_page_may_use_its_own_style_and_nothing_else(door: Doorway) -> None:
    answer = door.post("/v1/verify", b"text", "text/plain", Accept="text/html")
    style = answer.data.partition(b"<style>")[2].partition(b"</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
