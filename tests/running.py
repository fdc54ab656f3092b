"""A small server on a socket of this machine, for as long as a test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from gateway.sandbox.timestamping_server import address


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """Run a server; give its address."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
