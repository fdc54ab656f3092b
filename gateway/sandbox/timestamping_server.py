"""The sandbox time-stamping authority over HTTP, in a process of its own.

Source: RFC 3161, section 3.4.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gateway.sandbox.timestamping import TimestampAuthority

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
REQUEST_BYTES_MAX = 16 * 1024
SECONDS_MAX = 10.0
"""How long a client may take over its request."""


def make_server(
    authority: TimestampAuthority,
    port: int,
    clock: Callable[[], datetime],
    credentials: str = "",
) -> ThreadingHTTPServer:
    """Return the server of an authority on 127.0.0.1, listening and not yet answering.

    With `credentials` (`user:password`) it answers nobody else (RFC 7617).
    """
    expected = "Basic " + base64.b64encode(credentials.encode()).decode() if credentials else ""

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS_MAX

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if expected and self.headers.get("Authorization") != expected:
                self.send_error(401)
            elif not length.isdigit():
                self.send_error(411)
            elif int(length) > REQUEST_BYTES_MAX:
                self.send_error(413)
            elif self.headers.get_content_type() != QUERY:
                self.send_error(415)
            else:
                self._answer(authority.respond(self.rfile.read(int(length)), clock()))

        def _answer(self, octets: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", REPLY)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: stderr is for the verb's own messages."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/"
