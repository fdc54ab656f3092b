"""The Content-Digest header: what a sender says the bytes are.

Source: RFC 9530; RFC 8941 (dictionaries of byte sequences).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from gateway.errors import Rejected
from gateway.model import Problem

_LENGTHS = {"sha-256": 32, "sha-512": 64}
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:;[\x21-\x7e]*)?")
HEADER_CHARACTERS_MAX = 2048


def declared(header: str | None) -> dict[str, bytes]:
    """Return the digests a Content-Digest header declares, by algorithm.

    Algorithms we do not know are passed over as long as one we know is there.  None
    gives an empty dictionary.  Raises Rejected (FMT-105).
    """
    if header is None:
        return {}
    unreadable = Rejected(Problem(code="FMT-105", place="Content-Digest"))
    if len(header) > HEADER_CHARACTERS_MAX:
        raise unreadable
    found: dict[str, bytes] = {}
    for member in header.split(","):
        match = _MEMBER.fullmatch(member.strip(" \t"))
        if match is None:
            raise unreadable
        name, coded = match.groups()
        try:
            value = base64.b64decode(coded, validate=True)
        except binascii.Error as error:
            raise unreadable from error
        if name in _LENGTHS:
            if len(value) != _LENGTHS[name]:
                raise unreadable
            found[name] = value
    if not found:
        raise unreadable
    return found


def check(octets: bytes, digests: dict[str, bytes]) -> None:
    """Raise Rejected (FMT-104) unless every declared digest is that of `octets`."""
    for name, value in digests.items():
        if hashlib.new(name.replace("-", ""), octets).digest() != value:
            raise Rejected(
                Problem(code="FMT-104", place="Content-Digest", detail={"algorithm": name})
            )
