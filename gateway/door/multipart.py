"""multipart/form-data, read strictly: the bytes of a part are exactly those between its lines.

Signatures are over exact bytes, so nothing is guessed: line ends are CRLF, every part names
itself once, and a body without its closing delimiter was cut and is refused.

Source: RFC 7578; RFC 2046 section 5.1.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from werkzeug.http import parse_options_header

from gateway.errors import Rejected
from gateway.model import Problem

PARTS_MAX = 24
HEADER_BYTES_MAX = 8192
HEADERS_MAX = 16
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]")
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")
_ENCODINGS = ("", "7bit", "8bit", "binary")


@dataclass(frozen=True)
class FormPart:
    """One part of a form as it came; `media_type` is lower case and may be empty."""

    name: str
    media_type: str
    body: bytes


def read(octets: bytes, boundary: str) -> tuple[FormPart, ...]:
    """Return the parts of a multipart/form-data body, in their order.

    Raises Rejected (FMT-106) for anything RFC 7578 does not allow.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise _broken("boundary")
    # The first delimiter may stand at the very start, without the CRLF of the others.
    delimiter = b"\r\n--" + boundary.encode("ascii")
    pieces = (b"\r\n" + octets).split(delimiter, PARTS_MAX + 2)
    parts: list[FormPart] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return tuple(parts)
        if len(parts) == PARTS_MAX:
            raise _broken("too many parts")
        parts.append(_part(piece, f"part {len(parts) + 1}"))
    raise _broken("no closing delimiter")


def _part(piece: bytes, place: str) -> FormPart:
    line_end = piece.find(b"\r\n")
    if line_end < 0 or piece[:line_end].strip(b" \t"):
        raise _broken("delimiter line", place)
    head, blank, body = piece[line_end:].partition(b"\r\n\r\n")
    if not blank or len(head) > HEADER_BYTES_MAX:
        raise _broken("part headers", place)
    headers = _headers(head, place)
    disposition, options = parse_options_header(headers.get("content-disposition"))
    name = options.get("name")
    if disposition != "form-data" or not name or not name.isprintable():
        raise _broken("Content-Disposition", place)
    if headers.get("content-transfer-encoding", "").lower() not in _ENCODINGS:
        raise _broken("Content-Transfer-Encoding", place)
    media_type = parse_options_header(headers.get("content-type"))[0].strip().lower()
    if media_type and not MEDIA_TYPE.fullmatch(media_type):
        raise _broken("Content-Type", place)
    return FormPart(name, media_type, body)


def _headers(head: bytes, place: str) -> dict[str, str]:
    lines = [line for line in head.split(b"\r\n") if line]
    if len(lines) > HEADERS_MAX:
        raise _broken("part headers", place)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        name = name.lower()
        # A repeated header, a folded line or a bare line end lets two readers see two parts.
        if not colon or not _HEADER_NAME.fullmatch(name) or name in headers:
            raise _broken("part headers", place)
        if not value.replace("\t", " ").isprintable():
            raise _broken("part headers", place)
        headers[name] = value.strip()
    return headers


def _broken(found: str, place: str = "body") -> Rejected:
    return Rejected(Problem(code="FMT-106", place=place, detail={"found": found}))
