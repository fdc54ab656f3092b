"""Which media types are taken, and whether the bytes bear a type out.

The formats say for themselves what they read; only CMS and JWS envelopes, which hold a
document of any format, are known here.
"""

from __future__ import annotations

from functools import cache

from werkzeug.http import parse_options_header

from gateway.door.multipart import MEDIA_TYPE
from gateway.errors import Rejected
from gateway.formats.interface import formats
from gateway.model import Problem

MULTIPART = "multipart/form-data"
CMS_TYPES = ("application/pkcs7-mime", "application/cms", "application/pkcs7-signature")
JOSE_TYPE = "application/jose"
HEAD_BYTES = 4096


def media_type(header: str | None) -> tuple[str, dict[str, str]]:
    """Return a Content-Type's media type, lower case, and its parameters.

    Raises Rejected (FMT-101) when there is none or it is no media type.
    """
    found, options = parse_options_header(header)
    found = found.strip().lower()
    if not MEDIA_TYPE.fullmatch(found):
        raise Rejected(Problem(code="FMT-101", place="Content-Type", detail={"media_type": "—"}))
    return found, options


@cache
def taken() -> tuple[str, ...]:
    """Return every media type a document may have."""
    own = (one for plugin in formats().values() for one in plugin.MEDIA_TYPES)
    return tuple(dict.fromkeys((*own, *CMS_TYPES, JOSE_TYPE)))


def check(found: str, octets: bytes, place: str) -> None:
    """Raise Rejected unless `found` is taken (FMT-101) and `octets` look like it (FMT-102)."""
    detail = {"media_type": found}
    if found not in taken():
        raise Rejected(Problem(code="FMT-101", place=place, detail=detail))
    head = octets[:HEAD_BYTES]
    if found in CMS_TYPES:
        fits = looks_like_cms(head)
    elif found == JOSE_TYPE:
        fits = head[:2] == b"ey"  # base64url of the brace and quote every header begins with
    else:
        readers = [one for one in formats().values() if found in one.MEDIA_TYPES]
        fits = any(reader.recognises(head) for reader in readers)
    if not fits:
        raise Rejected(Problem(code="FMT-102", place=place, detail=detail))


def looks_like_cms(head: bytes) -> bool:
    """Say whether bytes begin like CMS: a BER SEQUENCE, PEM, or Base64 of a SEQUENCE."""
    text = head.lstrip()
    return head[:1] == b"\x30" or text.startswith(b"-----BEGIN ") or text[:1] == b"M"
