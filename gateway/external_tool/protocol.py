"""The protocol between the gateway and a verification service: JSON both ways.

Documented in docs/verification-service.md; both ends of it use this module.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

from gateway.external_tool.values import Answer, Asked, ToolFailed, ToolVerdict
from gateway.model import Indication, Part, SignatureReport

PROTOCOL = "fhir-gateway-verification/1"
PATH = "/v1/verifications"
MEDIA_TYPE = "application/json"

SIGNATURES_MAX = 64
ANSWER_BYTES_MAX = 1024 * 1024
TEXT_CHARACTERS_MAX = 200

_WORD = re.compile(r"[A-Z][A-Z_]{1,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def question(asked: Asked) -> bytes:
    """Return the body of a request."""
    return _bytes(
        {
            "protocol": PROTOCOL,
            "at": asked.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "kept": asked.kept,
            "document": _part(asked.document),
            "signatures": [_part(part) for part in asked.signatures],
        }
    )


def read_question(octets: bytes) -> Asked:
    """Return what a request asks.  Raises ValueError for anything else than the protocol."""
    given = _object(octets)
    signatures = given.get("signatures")
    if not isinstance(signatures, list) or len(signatures) > SIGNATURES_MAX:
        raise ValueError("signatures")
    at = datetime.fromisoformat(_text(given, "at", TEXT_CHARACTERS_MAX))
    if at.tzinfo is None or not isinstance(given.get("kept"), bool):
        raise ValueError("at, kept")
    return Asked(
        document=_read_part(given.get("document"), "document"),
        signatures=tuple(_read_part(one, "signature") for one in signatures),
        at=at,
        kept=given["kept"],
    )


def answer(tool: str, report: SignatureReport) -> bytes:
    """Return the body of a response."""
    return _bytes(
        {
            "protocol": PROTOCOL,
            "tool": tool,
            "signatures": [
                {
                    "place": one.place,
                    "indication": one.indication.value,
                    "sub_indication": one.sub_indication,
                    "certificate_sha256": one.signer.certificate_sha256 if one.signer else "",
                    "signed_content": [
                        hashlib.sha256(covered.octets).hexdigest() for covered in one.covered
                    ],
                }
                for one in report.signatures
            ],
        }
    )


def read_answer(octets: bytes) -> Answer:
    """Return what a response says.  Raises ToolFailed for anything else than the protocol."""
    try:
        given = _object(octets)
        verdicts = given.get("signatures")
        if not isinstance(verdicts, list) or len(verdicts) > SIGNATURES_MAX:
            raise ValueError("signatures")
        read = tuple(_verdict(one) for one in verdicts)
        if len({one.place for one in read}) < len(read):
            raise ValueError("a place twice")
        return Answer(tool=_text(given, "tool", TEXT_CHARACTERS_MAX), verdicts=read)
    except (ValueError, KeyError) as error:
        raise ToolFailed("an answer beside the protocol") from error


def _verdict(given: object) -> ToolVerdict:
    if not isinstance(given, dict):
        raise ValueError("a verdict")
    sub_indication = given.get("sub_indication")
    if sub_indication is not None and not _WORD.match(str(sub_indication)):
        raise ValueError("sub_indication")
    certificate, content = given.get("certificate_sha256"), given.get("signed_content")
    if certificate != "" and not _DIGEST.match(str(certificate)):
        raise ValueError("certificate_sha256")
    if not isinstance(content, list) or not all(_DIGEST.match(str(one)) for one in content):
        raise ValueError("signed_content")
    return ToolVerdict(
        place=_text(given, "place", TEXT_CHARACTERS_MAX),
        indication=Indication(str(given.get("indication"))),
        sub_indication=sub_indication,
        certificate_sha256=str(certificate),
        signed_content=frozenset(map(str, content)),
    )


def _object(octets: bytes) -> dict[str, Any]:
    try:
        given = json.loads(octets)
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError("JSON") from error
    if not isinstance(given, dict) or given.get("protocol") != PROTOCOL:
        raise ValueError("protocol")
    return given


def _part(part: Part) -> dict[str, str]:
    content = base64.b64encode(part.body).decode("ascii")
    return {"media_type": part.media_type, "content": content}


def _read_part(given: object, name: str) -> Part:
    if not isinstance(given, dict):
        raise ValueError(name)
    media_type = _text(given, "media_type", TEXT_CHARACTERS_MAX)
    try:
        body = base64.b64decode(given["content"], validate=True)
    except (binascii.Error, TypeError, KeyError) as error:
        raise ValueError(name) from error
    return Part(name=name, media_type=media_type, body=body)


def _text(given: dict[str, Any], name: str, longest: int) -> str:
    text = given.get(name)
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        raise ValueError(name)
    return text


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
