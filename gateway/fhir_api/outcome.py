"""Answers in FHIR's words: resources with exact decimals, refusals as OperationOutcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Response, g, request
from werkzeug.routing import BaseConverter

from gateway.door import context
from gateway.errors import Rejected
from gateway.fhir import text
from gateway.fhir.outcome import operation_outcome
from gateway.model import Json, Problem

MEDIA_TYPE = "application/fhir+json"
_FORMATS = ("json", "application/json", MEDIA_TYPE, "text/json")


class TypeConverter(BaseConverter):
    """The name of a FHIR resource type."""

    regex = "[A-Z][A-Za-z]{1,63}"


class IdConverter(BaseConverter):
    """A FHIR id (R4, datatypes: id)."""

    regex = r"[A-Za-z0-9.-]{1,64}"


def answer(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a resource; its decimals leave as they came."""
    return Response(
        text.dumps(body), status, dict(headers or {}), content_type=f"{MEDIA_TYPE}; charset=utf-8"
    )


def refusal(
    problems: Sequence[Problem], status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an OperationOutcome; its id is the trace id."""
    g.code = problems[0].code
    body = operation_outcome(tuple(problems), context.language())
    named: Json = {"resourceType": body["resourceType"], "id": context.trace_id()}
    return answer({**named, **body}, status, headers)


def json_wanted() -> None:
    """Raise Rejected (FMT-112) when the client will not take JSON, the one form there is."""
    asked = request.args.get("_format")
    if asked is not None:
        # "+" in an unescaped query comes out as a space.
        wanted = asked.split(";")[0].strip().replace(" ", "+") in _FORMATS
    else:
        accepted = request.accept_mimetypes
        wanted = not accepted or any(accepted[name] > 0 for name in _FORMATS[1:])
    if not wanted:
        raise Rejected(Problem(code="FMT-112", place="Accept", detail={"available": MEDIA_TYPE}))
