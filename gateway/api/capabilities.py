"""What this gateway takes, within which limits, and every code it may answer with."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from gateway import __version__, errors
from gateway.access import ALGORITHMS
from gateway.api.answers import answer
from gateway.api.submissions import WAIT_SECONDS_MAX
from gateway.door import context, media
from gateway.door.intake import ATTORNEY_SIGNATURES_MAX, ATTORNEYS_MAX, NAMES
from gateway.formats.interface import formats
from gateway.qualification.attorney import NAMESPACE
from gateway.signatures.interface import forms

blueprint = Blueprint("capabilities", __name__)


@blueprint.get("/v1/capabilities")
def capabilities() -> Response:
    """Formats, limits, signature forms, supported tests, error codes; needs no token."""
    language = context.language()
    limits = context.gateway().settings.limits
    return answer(
        {
            "version": __version__,
            "fhir_version": "4.0.1",
            "formats": [
                {"name": name, "media_types": list(plugin.MEDIA_TYPES)}
                for name, plugin in formats().items()
            ],
            "media_types": [*media.taken(), media.MULTIPART],
            "signatures": list(forms()),
            "parts": list(NAMES),
            "attorneys": [NAMESPACE],
            "limits": {
                "body_bytes_max": limits.body_bytes_max,
                "signatures_max": limits.signatures_max,
                "attorneys_max": ATTORNEYS_MAX,
                "attorney_signatures_max": ATTORNEY_SIGNATURES_MAX,
                "requests_per_second": limits.requests_per_second,
                "wait_seconds_max": WAIT_SECONDS_MAX,
            },
            "content_digest": ["sha-256", "sha-512"],
            "token_signing_algorithms": list(ALGORITHMS),
            "tests": tests(),
            "errors": [error(code, language) for code in errors.codes()],
        }
    )


def tests() -> list[dict[str, Any]]:
    """Return the laboratory tests the catalogue knows."""
    return [
        {"fsli": one.fsli, "loinc": one.loinc, "name": one.name, "units": list(one.units)}
        for one in context.gateway().catalogue.codes.tests()
    ]


def error(code: str, language: str) -> dict[str, Any]:
    page = errors.explain(code, language)
    return {"code": code, "status": page.http, "title": page.title, "fix": page.fix}
