"""Whatever is thrown at the door, the answer is an answer: never a fault of ours.

Two thousand requests, each a good one with a few things broken at random (from a fixed seed),
go through the whole application over a real store; what is kept is worked too.
"""

import io
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import run_wsgi_app

from tests.doorway import FHIR, SECRET, Doorway, document, doorway, form
from tests.fuzz.octets import NASTY

REQUESTS = 2_000
SEED = 20261121
SAMPLES = Path(__file__).parents[2] / "samples"
SNILS = "urn:oid:1.2.643.100.3|112-233-445 95"

HEADERS = (
    "HTTP_ACCEPT", "HTTP_ACCEPT_LANGUAGE", "HTTP_AUTHORIZATION", "HTTP_CONTENT_DIGEST",
    "HTTP_CONTENT_ENCODING", "HTTP_COOKIE", "HTTP_EXPECT", "HTTP_HOST", "HTTP_IDEMPOTENCY_KEY",
    "HTTP_IF_NONE_MATCH", "HTTP_PREFER", "HTTP_RANGE", "HTTP_TRACEPARENT",
    "HTTP_TRANSFER_ENCODING", "HTTP_X_FORWARDED_FOR", "CONTENT_TYPE", "CONTENT_LENGTH",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW", "\u00ff")

Request = dict[str, Any]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    limits = "[limits]\nrequests_per_second = 100000.0\nbody_bytes_max = 65536"
    with doorway(tmp_path_factory.mktemp("home"), limits) as opened:
        yield opened


def request(
    path: str, body: bytes = b"", type: str = "", method: str = "POST", **headers: str
) -> Request:
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "gateway.test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": type,
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "body": body,
        **headers,
    }


def good_requests(door: Doorway) -> list[Request]:
    """Requests of every kind that are answered well, to be broken."""
    lab = door.bearer("lab")["Authorization"]
    clinic = door.bearer("clinic")["Authorization"]
    texts = [(FHIR, path.read_bytes()) for path in sorted(SAMPLES.glob("*/*.json"))[:2]]
    texts += [("application/xml", p.read_bytes()) for p in sorted(SAMPLES.glob("*/*.xml"))[:2]]
    texts.append((FHIR, document()))
    kept = door.keep().get_json()["id"]
    found = []
    for type, octets in texts:
        framed, body = form(
            ("document", type, octets),
            ("signature", "application/pkcs7-signature", b"0\x03\x02\x01\x01"),
        )
        for path in ("/v1/submissions", "/v1/check", "/v1/verify"):
            found.append(request(path, octets, type, HTTP_AUTHORIZATION=lab))
            found.append(request(path, body, framed, HTTP_AUTHORIZATION=lab))
        found.append(request("/fhir", octets, FHIR, HTTP_AUTHORIZATION=lab))
    for rest in ("", "/events", "/receipts/accepted", "/receipts/accepted/proof", "/ledger"):
        path = f"/v1/submissions/{kept}{rest}"
        found.append(request(path, method="GET", HTTP_AUTHORIZATION=lab))
    query = urlencode({"status": "rejected", "cause": "FMT-101", "number": "1", "limit": "5",
                       "from": "2026-01-01T00:00:00Z", "cursor": "MTIzLmFiYw"})  # fmt: skip
    found.append(request(f"/v1/submissions?{query}", method="GET", HTTP_AUTHORIZATION=lab))
    order = b'{"ids": ["' + kept.encode() + b'"], "dry_run": true}'
    found.append(request("/v1/replays", order, "application/json", HTTP_AUTHORIZATION=lab))
    search = f"identifier={quote(SNILS)}"
    form_type = "application/x-www-form-urlencoded"
    for path in (f"/fhir/Patient?{search}", "/fhir/Patient/1/$everything", "/fhir/Observation/1"):
        found.append(request(path, method="GET", HTTP_AUTHORIZATION=clinic))
    found.append(
        request("/fhir/Patient/_search", search.encode(), form_type, HTTP_AUTHORIZATION=clinic)
    )
    token = urlencode({"grant_type": "client_credentials", "client_id": "lab",
                       "client_secret": SECRET}).encode()  # fmt: skip
    found.append(request("/oauth/token", token, form_type))
    for path in ("/docs", "/docs/errors/SYS-404", "/v1/capabilities", "/healthz"):
        found.append(request(f"{path}?lang=en", method="GET"))
    return found


def broken(good: Request, dice: random.Random) -> Request:
    """Return a request with one to three things broken."""
    bad = dict(good)
    for _ in range(dice.randint(1, 3)):
        what = dice.random()
        if what < 0.5 and bad["body"]:
            bad["body"] = mutated(bad["body"], dice)
            if dice.random() < 0.9:
                bad["CONTENT_LENGTH"] = str(len(bad["body"]))
        elif what < 0.75:
            name = dice.choice(HEADERS)
            old = str(bad.get(name, "")).encode("latin-1", "replace")
            bad[name] = mutated(old, dice).decode("latin-1")
            if dice.random() < 0.1:
                bad.pop(name)
        elif what < 0.85:
            bad["QUERY_STRING"] = mutated(bad["QUERY_STRING"].encode("latin-1"), dice).decode(
                "latin-1"
            )
        elif what < 0.95:
            bad["PATH_INFO"] = "/" + mutated(bad["PATH_INFO"].encode("latin-1"), dice).decode(
                "latin-1"
            )
        else:
            bad["REQUEST_METHOD"] = dice.choice(METHODS)
    # Waiting is tested elsewhere; here it would only take time.
    bad["HTTP_PREFER"] = str(bad.get("HTTP_PREFER", "")).replace("wait", "w")
    return bad


def mutated(octets: bytes, dice: random.Random) -> bytes:
    start = dice.randint(0, len(octets))
    end = min(len(octets), start + dice.choice((0, 1, 1, 4, 60)))
    piece = dice.choice(
        (dice.choice(NASTY), bytes([dice.randrange(256)]), octets[start:end] * 2, b"")
    )
    if dice.random() < 0.1:
        return octets[:start]
    return octets[:start] + piece + octets[end:]


def send(door: Doorway, bad: Request) -> tuple[int, str, bytes]:
    environ = {**bad, "wsgi.input": io.BytesIO(bad["body"])}
    environ.pop("body")
    body, status, headers = run_wsgi_app(door.app, environ, buffered=True)
    return int(status.split()[0]), headers.get("Content-Type", ""), b"".join(body)


def test_two_thousand_broken_requests_meet_no_fault(door: Doorway) -> None:
    """Refusals are said in the words of the face; a fault would be ours."""
    dice = random.Random(SEED)
    good = good_requests(door)
    for one in good:
        assert send(door, one)[0] < 500, one["PATH_INFO"]
    seen: Counter[int] = Counter()
    for number in range(REQUESTS):
        bad = broken(dice.choice(good), dice)
        status, type, body = send(door, bad)
        seen[status] += 1
        assert status < 500, (number, bad["REQUEST_METHOD"], bad["PATH_INFO"], body[:300])
        if status >= 400 and bad["REQUEST_METHOD"] != "HEAD":
            assert b'"code"' in body, (number, status, body[:300])
            assert type.startswith(
                ("application/problem+json", "application/fhir+json", "application/json")
            ), (number, type)
    assert len(seen) >= 8, seen
    # `verify` answers 200 to anything, so more than half may still be answered well.
    assert sum(seen[status] for status in seen if status >= 400) > REQUESTS / 3, seen


def test_what_got_through_the_door_is_worked_to_an_end(door: Doorway) -> None:
    """A broken document that was kept is refused or waits; it never stops the line."""
    door.work()
    counts = door.gateway.store.counts()
    assert counts["submissions_received"] == 0
    assert counts["submissions_processing"] == 0
