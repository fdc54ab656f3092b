"""Answers of the /v1 face: JSON, and what the routes of a resource share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, abort, g
from marshmallow import Schema, ValidationError
from werkzeug.routing import BaseConverter

from gateway.door import context, problems
from gateway.errors import Rejected
from gateway.model import Problem


class IdConverter(BaseConverter):
    """An id of ours in a path; whatever cannot be one is not found."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def answer(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `body` as JSON."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text + "\n", status, dict(headers or {}), mimetype="application/json")


def problem(
    found: Sequence[Problem],
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Return problem details; `more` adds members, never replaces them."""
    body = problems.document(found, context.language(), context.trace_id(), status)
    g.code = found[0].code
    text = json.dumps({**(more or {}), **body}, ensure_ascii=False, separators=(",", ":"))
    return Response(
        text + "\n", body["status"], dict(headers or {}), content_type=problems.MEDIA_TYPE
    )


def not_found() -> Response:
    """Stop with 404: the same for what does not exist and for what is another's."""
    return abort(404)


def checked(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` as `schema` reads it.  Raises Rejected (FMT-109), one per parameter."""
    try:
        found: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {"body": ""}
        raise Rejected(
            *(
                Problem(
                    code="FMT-109",
                    place=_own(schema, str(name)),
                    detail={
                        "name": _own(schema, str(name)),
                        "expected": _expected(schema, str(name)),
                    },
                )
                for name in messages
            )
        ) from error
    return found


def _own(schema: Schema, name: str) -> str:
    # The name of an unknown parameter is the sender's text and is not said back.
    known = {field.data_key or key for key, field in schema.fields.items()}
    return name if name in known else "?"


def _expected(schema: Schema, name: str) -> str:
    for key, field in schema.fields.items():
        if name == (field.data_key or key):
            return str(field.metadata.get("expected", "/docs"))
    return "/docs"
