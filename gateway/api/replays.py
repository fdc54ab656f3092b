"""Many replays at once: by id, or every submission that waits or was refused for one cause."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gateway.access import FOLLOW, Principal
from gateway.api.answers import answer, checked
from gateway.door import body, context, media
from gateway.errors import Rejected
from gateway.model import Problem, Status
from gateway.store.values import Filter

REPLAYS_MAX = 1000
BODY_BYTES_MAX = 128 * 1024

blueprint = Blueprint("replays", __name__)


class _Order(Schema):
    ids = fields.List(
        fields.String(validate=validate.Regexp(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")),
        load_default=None,
        validate=validate.Length(1, REPLAYS_MAX),
        metadata={"expected": f"1–{REPLAYS_MAX} id"},
    )
    cause = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[A-Z]{3,4}-[0-9]{3}\Z"),
        metadata={"expected": "XXX-000"},
    )
    dry_run = fields.Boolean(load_default=False, metadata={"expected": "true, false"})

    @validates_schema
    def one_of_two(self, given: dict[str, object], **_: object) -> None:
        if (given["ids"] is None) == (given["cause"] is None):
            raise ValidationError("ids or cause", "ids")


@blueprint.post("/v1/replays")
def replays() -> Response:
    """Replay the client's own submissions; ids that are not theirs are passed over."""
    who = context.principal(FOLLOW)
    order = checked(_Order(), _object())
    ids, cause = order["ids"], order["cause"]
    found = _by_cause(cause, who) if ids is None else _own(ids, who)
    store = context.gateway().store
    if not order["dry_run"]:
        for submission in found:
            store.replay(submission, who.client)
    return answer({"submissions": found, "dry_run": order["dry_run"]}, 202)


def _own(ids: list[str], who: Principal) -> list[str]:
    store = context.gateway().store
    return [one for one in dict.fromkeys(ids) if store.view(one, who.organizations) is not None]


def _by_cause(cause: str, who: Principal) -> list[str]:
    store = context.gateway().store
    found: list[str] = []
    for status in (Status.NEEDS_INFO, Status.REJECTED):
        cursor = None
        while len(found) < REPLAYS_MAX:
            page = store.list(
                Filter(
                    organizations=who.organizations,
                    status=status,
                    cause=cause,
                    cursor=cursor,
                    limit=200,
                )
            )
            found += [view.id for view in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    return found[:REPLAYS_MAX]


def _object() -> dict[str, object]:
    media_type, _ = media.media_type(request.environ.get("CONTENT_TYPE"))
    if media_type != "application/json":
        raise Rejected(
            Problem(code="FMT-101", place="Content-Type", detail={"media_type": media_type})
        )
    octets = body.read(request.environ, BODY_BYTES_MAX)
    expected = {"name": "body", "expected": "JSON {ids: […]} / {cause: …}"}
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise Rejected(Problem(code="FMT-109", place="body", detail=expected)) from error
    if not isinstance(found, dict):
        raise Rejected(Problem(code="FMT-109", place="body", detail=expected))
    return found
