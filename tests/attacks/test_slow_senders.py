"""Senders who begin a body and dawdle: they wait for themselves, not everybody for them."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.serve import THREADS
from gateway.door import body
from gateway.errors import TryLater
from tests.doorway import doorway

LIMIT = 1024 * 1024


class Dawdling(io.RawIOBase):
    """A body of which nothing comes until the sender goes on."""

    def __init__(self) -> None:
        self.began, self.goes_on = threading.Event(), threading.Event()

    def read(self, _size: int = -1) -> bytes:
        self.began.set()
        self.goes_on.wait(30)
        return b""


@contextmanager
def dawdlers(count: int, limit: int) -> Iterator[None]:
    bodies = [Dawdling() for _ in range(count)]

    def send(one: Dawdling) -> None:
        with pytest.raises(Exception, match="FMT-103"):
            body.read({"CONTENT_LENGTH": "10", "wsgi.input": one}, limit)

    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(send, one) for one in bodies]
        assert all(one.began.wait(5) for one in bodies)
        try:
            yield
        finally:
            for one in bodies:
                one.goes_on.set()
        for ended in waiting:
            ended.result()


def request(octets: bytes) -> dict[str, object]:
    return {"CONTENT_LENGTH": str(len(octets)), "wsgi.input": io.BytesIO(octets)}


def test_slow_bodies_never_take_every_thread_of_the_server() -> None:
    """32 half-sent requests to the token address, no token needed, silenced the gateway."""
    assert body.BODIES_AT_ONCE + body.FORMS_AT_ONCE <= THREADS - 8


def test_one_dawdler_too_many_is_told_to_come_later_and_forms_go_on() -> None:
    with dawdlers(body.BODIES_AT_ONCE, LIMIT):
        with pytest.raises(TryLater, match="LIM-503"):
            body.read(request(b"x"), LIMIT)
        assert body.read(request(b"a=b"), body.FORM_BYTES_MAX) == b"a=b"
    assert body.read(request(b"x"), LIMIT) == b"x", "the places are free again"


def test_dawdling_without_a_token_does_not_keep_documents_out(tmp_path: Path) -> None:
    with doorway(tmp_path) as door:
        door.bearer()
        with dawdlers(body.FORMS_AT_ONCE, body.FORM_BYTES_MAX):
            answer = door.http.post("/oauth/token", data={"grant_type": "client_credentials"})
            assert (answer.status_code, answer.get_json()["code"]) == (503, "LIM-503")
            assert answer.headers["Retry-After"]
            assert door.keep().status_code == 202
