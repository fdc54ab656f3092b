"""A small JSON object in the body of a request."""

from __future__ import annotations

import json

from flask import request

from gateway.door import body, media
from gateway.errors import Rejected
from gateway.model import Problem

BODY_BYTES_MAX = 128 * 1024


def json_object(expected: str) -> dict[str, object]:
    """Return the object in the body; `expected` says what it should hold.

    Raises Rejected (FMT-101 for another media type, FMT-109 for what is no object).
    """
    media_type, _ = media.media_type(request.environ.get("CONTENT_TYPE"))
    if media_type != "application/json":
        raise Rejected(
            Problem(code="FMT-101", place="Content-Type", detail={"media_type": media_type})
        )
    octets = body.read(request.environ, BODY_BYTES_MAX)
    detail = {"name": "body", "expected": f"JSON {expected}"}
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise Rejected(Problem(code="FMT-109", place="body", detail=detail)) from error
    if not isinstance(found, dict):
        raise Rejected(Problem(code="FMT-109", place="body", detail=detail))
    return found
