"""HTTP sessions that end when their time is over, however slowly the other side speaks.

A timeout of `requests` is for one read of the socket: whoever sends an octet of a header now and
then is waited for without end.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


def session_until(ends: float, server_name: str = "") -> requests.Session:
    """Return a session whose connections are cut at `ends` (of `time.monotonic`).

    `server_name` is whom to expect over TLS where the address does not tell.
    """
    session = requests.Session()
    session.mount("https://", _Adapter(ends, server_name))
    session.mount("http://", _Adapter(ends))
    return session


class _Adapter(HTTPAdapter):
    def __init__(self, ends: float, server_name: str = "") -> None:
        self._ends = ends
        self._name = server_name
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._name:
            kwargs |= {"server_hostname": self._name, "assert_hostname": self._name}
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _until(self._ends, HTTPConnectionPool, HTTPConnection),
            "https": _until(self._ends, HTTPSConnectionPool, HTTPSConnection),
        }


def _until(ends: float, pool: type[Any], connection: type[Any]) -> type[Any]:
    """Return a kind of pool whose connections are cut at `ends`."""

    class Bounded(connection):  # type: ignore[misc]
        _cut: threading.Timer | None = None

        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            # TLS takes the socket over; its twin still cuts the connection.
            self._twin = made.dup()
            self._cut = threading.Timer(max(ends - time.monotonic(), 0), _shut, (self._twin,))
            self._cut.daemon = True
            self._cut.start()
            return made

        def close(self) -> None:
            super().close()
            if self._cut is not None:
                self._cut.cancel()
                self._twin.close()

    return type(pool.__name__, (pool,), {"ConnectionCls": Bounded})


def _shut(connected: socket.socket) -> None:
    with connected, suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
