"""What is sent twice, at once, or cut off: one record, one receipt, or none at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from gateway.cli.remote import Remote
from gateway.sandbox.walk import Walk
from tests import sandboxes

CUTS = 50


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with sandboxes.running(tmp_path_factory.mktemp("once") / "var") as up:
        yield up


def test_twenty_concurrent_sends_make_one_record_and_one_receipt(walk: Walk) -> None:
    """A laboratory whose network stutters must not double a result."""
    told = walk.tell(sandboxes.story("09"))
    assert told.ok, (told.failure, told.actual)
    (found,) = told.actual
    assert (found.records, found.submissions, found.deliveries) == (1, 1, 1)


def test_a_resend_gives_the_first_receipt_word_for_word(walk: Walk) -> None:
    """The receipt is evidence: there is one, however often it is asked for."""
    story = sandboxes.story("01")
    what, laboratory = sandboxes.outgoing(walk, story), walk.laboratories[story.first.laboratory]
    first, second = sandboxes.send(laboratory, what), sandboxes.send(laboratory, what)
    assert first["id"] == second["id"]
    assert first["receipt"] == second["receipt"]


def test_one_key_with_other_bytes_is_a_conflict(walk: Walk) -> None:
    """A reused key is a mistake of the sender; silently taking either content would lose one."""
    laboratory = walk.laboratories["polaris"]
    bodies = [sandboxes.outgoing(walk, sandboxes.story("03")).document for _ in range(2)]
    answers = [
        laboratory.post(
            "/v1/submissions",
            data=body.body,
            headers={"Content-Type": body.media_type, "Idempotency-Key": "one-and-the-same"},
        )
        for body in bodies
    ]
    assert [answer.status for answer in answers] == [202, 409]
    assert answers[1].body["code"] == "DUP-001"


def test_an_upload_cut_anywhere_leaves_no_receipt_and_no_record(walk: Walk) -> None:
    """Whole or nothing: a receipt for half a document would be a lie."""
    story = sandboxes.story("03")
    laboratory = walk.laboratories[story.first.laboratory]
    before = _count(laboratory)
    document = sandboxes.outgoing(walk, story).document
    places = [len(document.body) * number // CUTS for number in range(CUTS)]
    token = laboratory._bearer()
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda at: _cut(laboratory.url, token, document.body, at), places)
        )
    assert not [answer for answer in answers if b"receipt" in answer]
    assert {answer[9:12] for answer in answers if answer} <= {b"400", b"408"}
    assert _count(laboratory) == before
    whole = sandboxes.send(laboratory, sandboxes.outgoing(walk, story))
    assert whole["receipt"]
    assert _count(laboratory) == before + 1


def _cut(url: str, token: str, body: bytes, at: int) -> bytes:
    """Send the head and `at` bytes of the body, close our half, and return what came back."""
    where = urlsplit(url)
    head = (
        f"POST /v1/submissions HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    answer = b""
    with socket.create_connection((where.hostname, where.port), 10) as connection:
        connection.sendall(head.encode() + body[:at])
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        try:
            while piece := connection.recv(65536):
                answer += piece
        except (ConnectionResetError, TimeoutError):
            return answer
    return answer


def _count(laboratory: Remote) -> int:
    page = laboratory.get("/v1/submissions", limit="200")
    assert page.status == 200, json.dumps(page.body)
    return len(page.body["items"])
