"""The files a JWS comes in: compact, flattened JSON, general JSON with several signatures.

Taken apart only; nothing in it is believed yet.

Source: RFC 7515, sections 3, 7.1 and 7.2; RFC 7797, section 5, for payloads that are no
base64url; ETSI TS 119 182-1, clause 5.3, for the unsigned header `etsiU`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import Json, JsonValue
from gateway.signatures import jose
from gateway.signatures.findings import FORMAT_FAILURE, Flaw, failed

SIGNATURES_MAX = 16

_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\s*")
_PROTECTED = (b'"protected"', b'"signatures"')
_SIGNED = (b'"signature"', b'"signatures"')


@dataclass(frozen=True, kw_only=True)
class Signed:
    """One signature of a file."""

    signing_header: bytes
    """The protected header as it stands in the signing input."""

    header: Json
    unsigned: Json
    """The unprotected header: `etsiU`, certificates, whatever nobody signed."""

    written: bytes | None
    """The payload as it is written in the file; None when detached."""

    value: bytes
    written_value: bytes
    """The value in base64url, as time stamps and counter-signatures take it."""

    position: int | None = None
    """Among several signatures of one file."""


def is_compact(octets: bytes) -> bool:
    """Say whether `octets` look like a compact JWS, well-formed or not.

    Every header is a JSON object, and base64url of `{"` begins with `ey`.
    """
    return octets[:2] == b"ey" and _COMPACT.fullmatch(octets) is not None


def is_json_serialised(octets: bytes) -> bool:
    """Say whether `octets` mean to be a JWS in the JSON serialisation."""
    if octets[:64].lstrip()[:1] != b"{":
        return False
    # Searched for by octets: this is asked of every document there is.
    if not all(any(name in octets for name in names) for names in (_PROTECTED, _SIGNED)):
        return False
    try:
        read = text.loads(octets)
    except Rejected:
        return b'"resourceType"' not in octets
    return "resourceType" not in read and (
        "signatures" in read or {"signature", "protected"} <= read.keys()
    )


def opened(octets: bytes) -> Iterator[Signed]:
    """Yield the signatures of a file that looks like a JWS, or raise the flaw."""
    if is_compact(octets):
        head, payload, value = octets.rstrip().split(b".")
        yield _signed(head, {}, payload or None, value)
    else:
        yield from _opened_json(octets)


def headers(octets: bytes) -> Iterator[Json]:
    """Yield the protected headers of `octets` if they are a JWS, or raise the flaw."""
    if is_compact(octets) or is_json_serialised(octets):
        yield from (signed.header for signed in opened(octets))


def _opened_json(octets: bytes) -> Iterator[Signed]:
    try:
        read = text.loads(octets)
    except Rejected as error:
        raise _broken(f"JSON: {_codes(error)}") from error
    if "signatures" in read and read.keys() & {"signature", "protected", "header"}:
        raise _broken("both of one and of several signatures")
    listed: JsonValue = read.get("signatures", [read])
    if not isinstance(listed, list) or not 0 < len(listed) <= SIGNATURES_MAX:
        raise _broken("signatures are no list of at most 16")
    payload = read.get("payload", "")
    if not isinstance(payload, str):
        raise _broken("payload is no text")
    written = payload.encode("utf-8") or None
    several = [_one(item, written) for item in listed]
    if len({jose.is_encoded(one.header) for one in several}) > 1:
        raise _broken("b64 is not the same in all signatures")  # RFC 7797, section 3
    for position, one in enumerate(several):
        yield replace(one, position=position if len(several) > 1 else None)


def _one(item: JsonValue, payload: bytes | None) -> Signed:
    if not isinstance(item, dict):
        raise _broken("a signature is no object")
    head, unsigned = item.get("protected", ""), item.get("header", {})
    value = item.get("signature")
    if not isinstance(head, str) or not isinstance(value, str) or not isinstance(unsigned, dict):
        raise _broken("a signature without its members")
    if not head:
        # RFC 7515 would allow an algorithm that nobody signed; we do not.
        raise _broken("no protected header")
    return _signed(head.encode(), unsigned, payload, value.encode())


def _signed(head: bytes, unsigned: Json, payload: bytes | None, value: bytes) -> Signed:
    if len(head) > jose.HEADER_BYTES_MAX:
        raise _broken("header too long")
    try:
        header = text.loads(jose.decoded(head, "header"))
    except Rejected as error:
        raise _broken(f"header: {_codes(error)}") from error
    both = header.keys() & unsigned.keys()
    if both or "crit" in unsigned or "b64" in unsigned:
        raise _broken("a member in both headers, or one that must be protected")
    return Signed(
        signing_header=head,
        header=header,
        unsigned=unsigned,
        written=payload,
        value=jose.decoded(value, "value"),
        written_value=value,
    )


def _codes(error: Rejected) -> str:
    return ", ".join(problem.code for problem in error.problems)


def _broken(detail: str) -> Flaw:
    return failed("format", FORMAT_FAILURE, detail)
