"""A signature report in the form that a request accepts."""

from __future__ import annotations

from flask import Response, request

from gateway.api.answers import answer
from gateway.door import context
from gateway.model import SignatureReport
from gateway.signature_report.as_html import content_policy
from gateway.signature_report.render import MEDIA_TYPES, render
from gateway.verification import to_json

JSON = "application/json"
_KINDS = {media_type: kind for kind, media_type in MEDIA_TYPES.items()}


def signature_report(report: SignatureReport, document: bytes | None) -> Response:
    """Return the report on `document` as JSON, or as the XML, HTML or PDF that is preferred."""
    wanted = request.accept_mimetypes.best_match([JSON, *_KINDS])
    if wanted not in _KINDS:
        return answer(to_json(report))
    rendered = render(_KINDS[wanted], report, document, context.language())
    response = Response(rendered.octets, mimetype=rendered.media_type)
    response.headers["Content-Security-Policy"] = content_policy()
    return response
