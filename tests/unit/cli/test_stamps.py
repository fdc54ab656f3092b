"""`gateway sign -T`: time stamps by an authority over a real socket, and what refuses them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from asn1crypto import cms, tsp

from gateway.algorithms import standard
from gateway.cli import stamps
from gateway.sandbox import pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.sandbox.timestamping_server import QUERY, make_server
from gateway.signatures.timestamps import TimeStampResp
from tests.running import running
from tests.unit.cli.conftest import ROOT, Call
from tests.unit.signatures.made import BUNDLE, XML
from tests.unit.signatures.pdf_made import REPORT

FAMILIES = ("gost256", "gost512", "rsa", "ecdsa")


def authority_of(sandbox: Path, name: str = "gost256-tsa") -> TimestampAuthority:
    files = pki.load(sandbox).signer(name)
    return TimestampAuthority(key=files.private_key(), chain=files.chain(), algorithms=standard())


@pytest.fixture
def tsa(sandbox: Path) -> Iterator[str]:
    with running(make_server(authority_of(sandbox), 0, lambda: datetime.now(UTC))) as url:
        yield url


def answering(answer: Callable[[bytes], tuple[int, bytes]]) -> ThreadingHTTPServer:
    """Return a server that answers requests with whatever `answer` makes of them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, octets = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def keys(sandbox: Path, name: str) -> list[str | Path]:
    place = sandbox / "signers"
    return ["--key", place / f"{name}.key.pem", "--cert", place / f"{name}.crt.pem"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["CAdES", "XAdES", "PAdES", "JAdES"])
def test_a_stamped_signature_reaches_level_t(
    call: Call, sandbox: Path, tmp_path: Path, tsa: str, family: str, form: str
) -> None:
    file, signed = tmp_path / "file", tmp_path / "signed"
    file.write_bytes({"XAdES": XML, "PAdES": REPORT}.get(form, BUNDLE))
    named = {"JAdES": "jws"}.get(form, form.lower())
    signing = ["sign", file, *keys(sandbox, f"{family}-doctor"), "--format", named, "--out", signed]
    made = call(*signing, "-T", "--tsa", tsa)
    assert made.code == 0, made.stderr
    inside = form in ("XAdES", "PAdES")
    beside = [] if inside else ["--signature", signed]
    target = signed if inside else file
    said = call("verify", target, *beside, "--trust", sandbox / "trust", "--json")
    assert said.code == 0, said.stdout
    (one,) = said.json["signatures"]
    assert (one["indication"], one["format"], one["level"]) == ("TOTAL_PASSED", form, "T")
    assert one["times"]["best"] is not None
    plain = call(*signing)
    assert plain.code == 0
    again = call("verify", target, *beside, "--trust", sandbox / "trust", "--json")
    assert again.json["signatures"][0]["level"] != "T"


def refused(call: Call, sandbox: Path, tmp_path: Path, url: str, language: str = "en") -> str:
    file = tmp_path / "b.json"
    file.write_bytes(BUNDLE)
    said = call("sign", file, *keys(sandbox, "rsa-doctor"), "-T", "--tsa", url, "--lang", language)
    assert said.code == 4, said.stdout
    assert not Path(f"{file}.sig").exists()
    return said.stderr


def test_nobody_answering_is_a_failure_of_the_network(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    nobody = "http://127.0.0.1:9/"
    told = f"the time-stamping authority {nobody} gave no time stamp: ConnectionError"
    assert told in refused(call, sandbox, tmp_path, nobody)
    told = f"служба штампов времени {nobody} не дала штампа: нет связи"
    assert told in refused(call, sandbox, tmp_path, nobody, "ru")


def test_every_reason_that_is_told_in_russian_is_one_that_is_given() -> None:
    """A reason in other words would come out in English unseen."""
    rooms = ("signatures/stamping.py", "evidence/authority.py", "evidence/renewal.py")
    source = "".join((ROOT / "gateway" / room).read_text("utf-8") for room in rooms)
    errors = vars(requests.exceptions)
    assert [one for one in stamps.RUSSIAN if one not in source and one not in errors] == []


def test_an_answer_that_is_no_good_token_signs_nothing(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    """Somebody between us and the authority, or an authority gone wrong."""
    authority, now = authority_of(sandbox), datetime.now(UTC)

    def replayed(request: bytes) -> tuple[int, bytes]:
        asked = tsp.TimeStampReq.load(request).copy()
        asked["nonce"] = 7
        return 200, authority.respond(asked.dump(force=True), now)

    def of_something_else(request: bytes) -> tuple[int, bytes]:
        asked = tsp.TimeStampReq.load(request)
        token = authority.token("sha256", bytes(32), now, nonce=asked["nonce"].native)
        answer = {"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)}
        return 200, TimeStampResp(answer).dump()

    def broken(request: bytes) -> tuple[int, bytes]:
        octets = authority.respond(request, now)
        return 200, octets[:-1] + bytes([octets[-1] ^ 1])

    def unwilling(request: bytes) -> tuple[int, bytes]:
        return 200, authority.respond(b"noise", now)

    cases: list[tuple[Callable[[bytes], tuple[int, bytes]], str]] = [
        (replayed, "to another request"),
        (of_something_else, "HASH_FAILURE"),
        (broken, "SIG_CRYPTO_FAILURE"),
        (unwilling, "bad_data_format"),
        (lambda _: (200, b"<html>"), "no TimeStampResp"),
        (lambda _: (200, bytes(2 << 20)), "too long"),
        (lambda _: (503, b""), "HTTP 503"),
        (lambda _: (302, b""), "HTTP 302"),
    ]
    for answer, expected in cases:
        with running(answering(answer)) as url:
            assert expected in refused(call, sandbox, tmp_path, url)


def test_the_authority_takes_requests_of_its_kind_only(sandbox: Path) -> None:
    with running(make_server(authority_of(sandbox), 0, lambda: datetime.now(UTC))) as url:
        for headers, body, status in (
            ({"Content-Type": QUERY}, b"noise", 200),
            ({"Content-Type": "text/plain"}, b"noise", 415),
            ({"Content-Type": QUERY}, bytes(20_000), 413),
        ):
            answer = requests.post(url, data=body, headers=headers, timeout=5, verify=True)
            assert answer.status_code == status


@pytest.mark.parametrize(
    "options", [["-T"], ["--tsa", "http://127.0.0.1:9/"], ["-T", "--tsa", "ftp://x/"]]
)
def test_time_stamp_options_that_do_not_fit_are_wrong_usage(
    call: Call, sandbox: Path, tmp_path: Path, options: list[str]
) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(BUNDLE)
    assert call("sign", file, *keys(sandbox, "rsa-doctor"), *options).code == 2


@pytest.mark.parametrize(
    ("language", "told"),
    [("ru", "назовите службу штампов времени"), ("en", "name the time-stamping authority")],
)
def test_a_time_stamp_by_nobody_is_told_who_may_give_it(
    call: Call, sandbox: Path, tmp_path: Path, language: str, told: str
) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(BUNDLE)
    said = call("sign", file, *keys(sandbox, "rsa-doctor"), "-T", "--lang", language)
    assert f"-T: {told}, --tsa URL" in said.stderr
    assert "gateway mock tsa" in said.stderr


@pytest.mark.parametrize("form", ["cades", "jws"])
def test_a_bundle_carries_its_stamped_signature_inside(
    call: Call, sandbox: Path, tmp_path: Path, tsa: str, form: str
) -> None:
    file, signed = tmp_path / "b.json", tmp_path / "signed.json"
    file.write_bytes(BUNDLE)
    stamped = ["--inside", "--format", form, "-T", "--tsa", tsa, "--out", signed]
    assert call("sign", file, *keys(sandbox, "gost256-doctor"), *stamped).code == 0
    said = call("verify", signed, "--trust", sandbox / "trust", "--json")
    (one,) = said.json["signatures"]
    assert (one["indication"], one["level"]) == ("TOTAL_PASSED", "T")


def test_a_form_without_a_place_for_a_time_stamp_says_so(
    call: Call, sandbox: Path, tmp_path: Path, tsa: str
) -> None:
    file = tmp_path / "d.xml"
    file.write_bytes(XML)
    stamped = ["-T", "--tsa", tsa, "--format", "xmldsig"]
    said = call("sign", file, *keys(sandbox, "rsa-doctor"), *stamped)
    assert said.code == 2
    assert "cades, jws, xades" in said.stderr


def test_the_mock_names_the_keys_there_are(call: Call, sandbox: Path) -> None:
    said = call("mock", "tsa", "--signer", "nobody", "--home", sandbox)
    assert said.code == 2
    assert "gost256-tsa" in said.stderr


@pytest.mark.parametrize(("language", "told"), [("ru", "нет ключей"), ("en", "no sandbox keys")])
def test_the_mock_says_where_a_sandbox_comes_from(
    call: Call, tmp_path: Path, language: str, told: str
) -> None:
    said = call("mock", "tsa", "--home", tmp_path, "--lang", language)
    assert said.code == 2
    assert told in said.stderr
    assert "gateway demo" in said.stderr


def test_the_mock_authority_runs_as_a_process_and_stops_when_told(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(BUNDLE)
    arguments = ["mock", "tsa", "--port", "0", "--signer", "rsa-tsa", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *arguments, "--home", str(sandbox)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        made = call("sign", file, *keys(sandbox, "gost256-doctor"), "-T", "--tsa", url)
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert made.code == 0, made.stderr
    said = call("verify", file, "--trust", sandbox / "trust", "--json")
    assert said.json["signatures"][0]["level"] == "T"
