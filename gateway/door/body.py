"""Reads a request's body whole or not at all.

An upload that breaks off reaches a WSGI application as a clean end of the stream, so the
length and the digest are checked here, and never more than the limit plus one byte is read.

Source: RFC 9110 section 8.6 (Content-Length), RFC 9112 section 6 (framing), RFC 9530.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from gateway.door import digests
from gateway.errors import Rejected, TryLater
from gateway.model import Problem

CHUNK_BYTES = 64 * 1024
_LENGTH_DIGITS_MAX = 19
FORM_BYTES_MAX = 128 * 1024
FORMS_AT_ONCE = 6
BODIES_AT_ONCE = 18
"""A sender who dawdles holds one of the server's 32 threads for as long as he likes, so only
so many may read; forms, which need no token, have places of their own."""

TURN_SECONDS = 1.0
_forms = threading.BoundedSemaphore(FORMS_AT_ONCE)
_bodies = threading.BoundedSemaphore(BODIES_AT_ONCE)


def read(environ: Mapping[str, Any], limit: int) -> bytes:
    """Return the body of a request, at most `limit` bytes.

    Raises Rejected: LIM-411 (neither length nor digest), LIM-413 (too large), FMT-103
    (cut short), FMT-104 and FMT-105 (digest), FMT-109 (length), FMT-110 (encoded); TryLater
    (LIM-503) when too many bodies are being read.
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise Rejected(Problem(code="FMT-110", place="Content-Encoding"))
    wanted = digests.declared(environ.get("HTTP_CONTENT_DIGEST"))
    length = _length(environ)
    if length is None and not wanted:
        raise Rejected(Problem(code="LIM-411", place="Content-Length"))
    if length is not None and length > limit:
        raise _too_large(limit)
    turns = _forms if limit <= FORM_BYTES_MAX else _bodies
    if not turns.acquire(timeout=TURN_SECONDS):
        raise TryLater(Problem(code="LIM-503", place="body"))
    try:
        octets = _stream(environ, length, limit)
    finally:
        turns.release()
    if len(octets) > limit:
        raise _too_large(limit)
    if length is not None and len(octets) != length:
        detail = {"expected": str(length), "received": str(len(octets))}
        raise Rejected(Problem(code="FMT-103", place="Content-Length", detail=detail))
    digests.check(octets, wanted)
    return octets


def _length(environ: Mapping[str, Any]) -> int | None:
    text = str(environ.get("CONTENT_LENGTH") or "").strip()
    # Two lengths on one request are how requests are smuggled past a proxy.
    doubtful = bool(text) and "HTTP_TRANSFER_ENCODING" in environ
    digits = text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS_MAX
    if doubtful or (text and not digits):
        detail = {"name": "Content-Length", "expected": "one decimal number"}
        raise Rejected(Problem(code="FMT-109", place="Content-Length", detail=detail))
    return int(text) if text else None


def _stream(environ: Mapping[str, Any], length: int | None, limit: int) -> bytes:
    stream = environ["wsgi.input"]
    # A server that does not end the stream at the end of the body would let us wait for
    # ever; there we read exactly what was declared, and without a length nothing.
    ends_by_itself = bool(environ.get("wsgi.input_terminated"))
    bound = limit if length is None else length
    left = bound + 1 if ends_by_itself else (length or 0)
    octets = bytearray()
    try:
        while left > 0:
            chunk = stream.read(min(left, CHUNK_BYTES))
            if not chunk:
                break
            octets += chunk
            left -= len(chunk)
    except OSError as error:
        detail = {"expected": str(length or "?"), "received": str(len(octets))}
        raise Rejected(Problem(code="FMT-103", detail=detail)) from error
    return bytes(octets)


def _too_large(limit: int) -> Rejected:
    return Rejected(Problem(code="LIM-413", place="Content-Length", detail={"limit": str(limit)}))
