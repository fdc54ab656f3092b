"""A body is read whole or not at all, and never further than its limit."""

import base64
import hashlib
import io
from typing import Any

import pytest

from gateway.door import body
from gateway.errors import Rejected

LIMIT = 100


class Stream(io.BytesIO):
    """A body that remembers how far it was read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        self.taken += len(chunk)
        return chunk


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise ConnectionResetError


def environ(octets: bytes, length: str | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"wsgi.input": Stream(octets), "wsgi.input_terminated": True, **more}
    if length is not None:
        found["CONTENT_LENGTH"] = length
    return found


def digest(octets: bytes, name: str = "sha-256") -> str:
    value = hashlib.new(name.replace("-", ""), octets).digest()
    return f"{name}=:{base64.b64encode(value).decode()}:"


def code(found: dict[str, Any], limit: int = LIMIT) -> str:
    with pytest.raises(Rejected) as caught:
        body.read(found, limit)
    return caught.value.problems[0].code


def test_a_body_of_its_declared_length_is_taken() -> None:
    assert body.read(environ(b"x" * LIMIT, str(LIMIT)), LIMIT) == b"x" * LIMIT


def test_one_byte_over_the_limit_is_refused_before_reading() -> None:
    found = environ(b"x" * 1000, str(LIMIT + 1))
    assert code(found) == "LIM-413"
    assert found["wsgi.input"].taken == 0


def test_a_body_without_length_is_read_one_byte_past_the_limit_and_no_further() -> None:
    octets = b"x" * 1000
    found = environ(octets, HTTP_CONTENT_DIGEST=digest(octets))
    assert code(found) == "LIM-413"
    assert found["wsgi.input"].taken == LIMIT + 1


@pytest.mark.parametrize("sent", [0, 1, 9, 11])
def test_a_body_of_another_length_than_declared_is_refused(sent: int) -> None:
    assert code(environ(b"x" * sent, "10")) == "FMT-103"


def test_a_server_that_does_not_end_the_stream_is_read_to_the_length_only() -> None:
    """Reading on would wait for the next request of the same connection."""
    found = environ(b"0123456789next", "10")
    del found["wsgi.input_terminated"]
    assert body.read(found, LIMIT) == b"0123456789"
    assert found["wsgi.input"].taken == 10


def test_a_connection_that_breaks_is_an_incomplete_body() -> None:
    assert code({**environ(b"", "10"), "wsgi.input": Broken()}) == "FMT-103"


def test_a_body_without_length_needs_a_digest() -> None:
    assert code(environ(b"abc")) == "LIM-411"
    assert code(environ(b"abc", HTTP_TRANSFER_ENCODING="chunked")) == "LIM-411"
    found = environ(b"abc", HTTP_TRANSFER_ENCODING="chunked", HTTP_CONTENT_DIGEST=digest(b"abc"))
    assert body.read(found, LIMIT) == b"abc"


def test_a_chunked_body_that_was_cut_is_refused_by_its_digest() -> None:
    assert code(environ(b"ab", HTTP_CONTENT_DIGEST=digest(b"abc"))) == "FMT-104"


@pytest.mark.parametrize("length", ["-1", "+3", "3.0", "0x3", "3,3", "٣", "9" * 20, "three"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    assert code(environ(b"abc", length)) == "FMT-109"


def test_two_ways_to_end_a_body_are_refused() -> None:
    """Content-Length beside Transfer-Encoding is how requests are smuggled."""
    found = environ(b"abc", "3", HTTP_TRANSFER_ENCODING="chunked")
    assert code(found) == "FMT-109"


@pytest.mark.parametrize("name", ["sha-256", "sha-512"])
def test_a_digest_that_fits_is_taken_and_its_neighbour_is_not(name: str) -> None:
    taken = environ(b"abc", "3", HTTP_CONTENT_DIGEST=digest(b"abc", name))
    assert body.read(taken, LIMIT) == b"abc"
    assert code(environ(b"abd", "3", HTTP_CONTENT_DIGEST=digest(b"abc", name))) == "FMT-104"


def test_every_known_digest_must_fit_and_unknown_ones_are_passed_over() -> None:
    both = f"{digest(b'abc')}, md5=:AAAA:, {digest(b'abc', 'sha-512')};x=1"
    assert body.read(environ(b"abc", "3", HTTP_CONTENT_DIGEST=both), LIMIT) == b"abc"
    mixed = f"{digest(b'abc')}, {digest(b'abd', 'sha-512')}"
    assert code(environ(b"abc", "3", HTTP_CONTENT_DIGEST=mixed)) == "FMT-104"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha-256",
        "sha-256=abc",
        "sha-256=:abc:",
        "sha-256=:AAAA:",
        "SHA-256=:AAAA:",
        "md5=:AAAA:",
        "sha-256=:\xff:",
        "," * 50,
        "x" * 5000,
    ],
)
def test_a_digest_that_cannot_be_read_is_refused(header: str) -> None:
    assert code(environ(b"abc", "3", HTTP_CONTENT_DIGEST=header)) == "FMT-105"


def test_a_compressed_body_is_refused() -> None:
    assert code(environ(b"abc", "3", HTTP_CONTENT_ENCODING="gzip")) == "FMT-110"
    assert body.read(environ(b"abc", "3", HTTP_CONTENT_ENCODING="identity"), LIMIT) == b"abc"
