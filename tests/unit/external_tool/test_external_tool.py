"""An outside tool takes the decision: over real sockets, and with every answer it may give."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.app import open_gateway
from gateway.external_tool import Answer, Asked, ToolFailed
from gateway.external_tool.http_service import HttpService
from gateway.external_tool.protocol import (
    ANSWER_BYTES_MAX,
    PATH,
    PROTOCOL,
    answer,
    question,
    read_answer,
    read_question,
)
from gateway.model import Indication, Part, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.sandbox.verification_service import TOOL, create_service
from gateway.settings import BadSettings, Settings
from gateway.trust import Trust
from gateway.verification import SIGNATURES_MAX, ExternalVerifier, Policy, Verifier
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier

DOCUMENT = document(BUNDLE, "application/fhir+json")
PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def service(url: str, token: Path | None = None, seconds: float = 5) -> HttpService:
    return HttpService(
        name="KeyTool",
        url=url,
        certified=True,
        timeout=timedelta(seconds=seconds),
        token_file=token,
    )


@dataclass(frozen=True)
class Says:
    """A tool that answers one thing."""

    change: Callable[[dict[str, Any]], None]
    truth: Verifier
    name: str = "KeyTool"
    certified: bool = True

    def ask(self, asked: Asked) -> Answer:
        report = self.truth.verify(asked.document, asked.signatures, asked.at, asked.kept)
        said = json.loads(answer("tool", report))
        self.change(said)
        return read_answer(json.dumps(said).encode())


def decided(
    pki: Pki,
    change: Callable[[dict[str, Any]], None],
    signatures: tuple[Part, ...] | None = None,
    octets: Part = DOCUMENT,
    policy: Policy | None = None,
) -> SignatureReport:
    built_in = Verifier(Trust.load([pki.trust], ALGORITHMS), ALGORITHMS, policy)
    outside = ExternalVerifier(built_in, Says(change, verifier(pki)))
    return outside.verify(octets, signatures or beside(signed(pki)), NOW)


def test_the_tool_behind_a_socket_decides(pki: Pki, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    with served(create_service(verifier(pki), token="secret")) as url:
        outside = ExternalVerifier(verifier(pki), service(url, token))
        report = outside.verify(DOCUMENT, beside(signed(pki)), NOW)
        bad = outside.verify(document(BUNDLE + b" "), beside(signed(pki)), NOW)
    assert (report.indication, report.judge.engine, report.judge.certified) == (PASSED, TOOL, True)
    told = {check.name: check for check in report.signatures[0].qualification_checks}
    assert told["tool_certified"].detail == "KeyTool"
    assert bad.indication is FAILED


def test_more_signatures_than_are_judged_never_pass(pki: Pki) -> None:
    """A tool that says the same of the first ones has not seen the rest either."""
    good = beside(signed(pki))
    assert decided(pki, lambda said: None, good * SIGNATURES_MAX).indication is PASSED
    rest = beside(signed(pki, octets=BUNDLE + b" "))
    assert decided(pki, lambda said: None, good * SIGNATURES_MAX + rest).indication is UNKNOWN


def test_a_wrong_token_is_waited_with_and_names_the_tool(pki: Pki, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wrong")
    with served(create_service(verifier(pki), token="secret")) as url:
        outside = ExternalVerifier(verifier(pki), service(url, token))
        report = outside.verify(DOCUMENT, beside(signed(pki)), NOW)
    one = report.signatures[0]
    assert (one.indication, one.sub_indication) == (UNKNOWN, "TRY_LATER")
    assert one.awaited_issuer == "KeyTool"


def test_a_tool_that_is_down_is_no_soft_pass_and_hides_no_failure(pki: Pki) -> None:
    outside = ExternalVerifier(verifier(pki), service("http://127.0.0.1:1"))
    good = outside.verify(DOCUMENT, beside(signed(pki)), NOW)
    assert good.signatures[0].sub_indication == "TRY_LATER"
    bad = outside.verify(document(b"{}"), beside(signed(pki)), NOW)
    assert bad.signatures[0].indication is FAILED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("certificate_sha256", "0" * 64),
        ("signed_content", ["0" * 64]),
        ("signed_content", []),
        ("place", "signature[7]"),
    ],
)
def test_a_pass_for_somebody_or_something_else_does_not_count(
    pki: Pki, field: str, value: object
) -> None:
    assert decided(pki, lambda said: None).indication is PASSED
    report = decided(pki, lambda said: said["signatures"][0].update({field: value}))
    assert report.indication is UNKNOWN
    assert report.signatures[0].sub_indication == "GENERIC"


def test_what_the_tool_refuses_is_refused(pki: Pki) -> None:
    def refuse(said: dict[str, Any]) -> None:
        said["signatures"][0].update(indication="TOTAL_FAILED", sub_indication="REVOKED")

    report = decided(pki, refuse)
    assert (report.indication, report.signatures[0].sub_indication) == (FAILED, "REVOKED")


def test_a_tool_that_passes_what_is_broken_here_is_for_a_person(pki: Pki) -> None:
    def passes(said: dict[str, Any]) -> None:
        said["signatures"][0].update(indication="TOTAL_PASSED", sub_indication=None)

    report = decided(pki, passes, octets=document(BUNDLE + b" "))
    assert (report.indication, report.signatures[0].sub_indication) == (UNKNOWN, "GENERIC")


def test_the_tool_may_believe_an_authority_that_nobody_here_knows(pki: Pki) -> None:
    def passes(said: dict[str, Any]) -> None:
        said["signatures"][0].update(indication="TOTAL_PASSED", sub_indication=None)

    stranger = beside(signed(pki, "stranger"))
    report = decided(pki, passes, stranger)
    assert report.indication is PASSED
    strict = decided(pki, passes, stranger, policy=Policy(levels=("T",)))
    assert strict.signatures[0].sub_indication == "SIG_CONSTRAINTS_FAILURE"


def test_a_signature_that_only_the_tool_sees_keeps_from_passing(pki: Pki) -> None:
    def more(said: dict[str, Any]) -> None:
        said["signatures"].append({**said["signatures"][0], "place": "document:/Signature"})

    assert decided(pki, more).indication is UNKNOWN


def test_a_document_without_signatures_is_not_sent_anywhere(pki: Pki) -> None:
    outside = ExternalVerifier(verifier(pki), service("http://127.0.0.1:1"))
    assert outside.verify(DOCUMENT, (), NOW).signatures == ()


def test_the_stand_in_answers_from_the_command_line(pki: Pki) -> None:
    words = [sys.executable, "-m", "gateway.cli", "mock", "verifier", "--json"]
    words += ["--port", "0", "--trust", str(pki.trust)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            outside = ExternalVerifier(verifier(pki), service(url))
            assert outside.verify(DOCUMENT, beside(signed(pki)), NOW).indication is PASSED
        finally:
            process.terminate()
        assert process.wait(timeout=20) == 0


def test_a_question_comes_through_whole() -> None:
    asked = Asked(document=DOCUMENT, signatures=beside(b"\x00\xff"), at=NOW, kept=True)
    read = read_question(question(asked))
    assert (read.at, read.kept, read.document) == (NOW, True, DOCUMENT)
    assert [part.body for part in read.signatures] == [b"\x00\xff"]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({"protocol": PROTOCOL}).encode(),
        json.dumps({"protocol": PROTOCOL, "signatures": [1], "at": "2026-01-01"}).encode(),
        json.dumps({"protocol": "other/1", "tool": "t", "signatures": []}).encode(),
        json.dumps({"protocol": PROTOCOL, "tool": "t", "signatures": [{}]}).encode(),
        json.dumps({"protocol": PROTOCOL, "tool": "t" * 201, "signatures": []}).encode(),
    ],
)
def test_neither_end_takes_what_is_not_the_protocol(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_question(broken)
    with pytest.raises(ToolFailed):
        read_answer(broken)


def test_an_answer_without_end_is_cut(pki: Pki) -> None:
    class Flood(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            # A question left unread would reset the connection before the answer is read.
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b" " * (ANSWER_BYTES_MAX + 1))

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Elsewhere(Flood):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1" + PATH)
            self.end_headers()

    asked = Asked(document=DOCUMENT, signatures=(), at=NOW, kept=False)
    for handler, why in ((Flood, "too long"), (Elsewhere, "302")):
        with (
            served(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url,
            pytest.raises(ToolFailed, match=why),
        ):
            service(url).ask(asked)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"]
)
def test_an_answer_that_drips_is_not_waited_for(head: bytes) -> None:
    """An octet now and then is in time for each read of the socket, in the head and in the body."""

    class Drip(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(head)
            with suppress(OSError):
                for _ in range(50):
                    self.wfile.write(b"x")
                    time.sleep(0.1)

        def log_message(self, format: str, *args: object) -> None:
            pass

    asked = Asked(document=DOCUMENT, signatures=(), at=NOW, kept=False)
    started = time.monotonic()
    with (
        served(ThreadingHTTPServer(("127.0.0.1", 0), Drip)) as url,
        pytest.raises(ToolFailed, match="too slow"),
    ):
        service(url, seconds=0.5).ask(asked)
    assert time.monotonic() - started < 3


def test_settings_name_the_service(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        '[verification]\nurl = "https://verify.example"\nname = "KeyTool"\ncertified = true\n'
        'token_file = "token"\n'
    )
    found = Settings.load(tmp_path, {}).verification
    assert found is not None
    assert (found.name, found.certified, found.token_file) == ("KeyTool", True, tmp_path / "token")
    gateway = open_gateway(Settings.load(tmp_path, {}))
    try:
        assert isinstance(gateway.verifier, ExternalVerifier)
        assert gateway.verifier.service.name == "KeyTool"
    finally:
        gateway.close()
    for wrong in ('url = "https://x.example"', 'name = "x"', 'url = "ftp://x"\nname = "x"'):
        (tmp_path / "gateway.toml").write_text(f"[verification]\n{wrong}\n")
        with pytest.raises(BadSettings, match="verification"):
            Settings.load(tmp_path, {})
