"""A stand-in for a certified verification service: the protocol, with the built-in verifier.

It certifies nothing; it shows an integrator what to answer, and lets tests run both ends.
"""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gateway.external_tool import protocol
from gateway.verification import Verifier

TOOL = "sandbox verifier 1"
QUESTION_BYTES_MAX = 64 * 1024 * 1024
READ_SECONDS = 30


def create_service(
    verifier: Verifier, port: int = 0, token: str | None = None
) -> ThreadingHTTPServer:
    """Return the service on 127.0.0.1, not started; with `token` it asks for that bearer."""

    class Handler(BaseHTTPRequestHandler):
        timeout = READ_SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != protocol.PATH:
                self._say(404)
            elif token is not None and self.headers.get("Authorization") != f"Bearer {token}":
                self._say(401)
            elif not length.isascii() or not length.isdigit():
                self._say(411)
            elif int(length) > QUESTION_BYTES_MAX:
                self._say(413)
            else:
                self._verify(self.rfile.read(int(length)))

        def _verify(self, octets: bytes) -> None:
            try:
                asked = protocol.read_question(octets)
            except ValueError:
                self._say(400)
                return
            report = verifier.verify(asked.document, asked.signatures, asked.at, asked.kept)
            self._say(200, protocol.answer(TOOL, report))

        def _say(self, status: int, body: bytes = b"{}") -> None:
            self.send_response(status)
            self.send_header("Content-Type", protocol.MEDIA_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            # What is left of a body that was not read must not be taken for a request.
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def serve_verifier(verifier: Verifier, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` gets the URL."""
    with create_service(verifier, port) as server:
        ready(f"http://127.0.0.1:{server.server_address[1]}")
        server.serve_forever()
