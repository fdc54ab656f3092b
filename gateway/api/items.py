"""Open items over HTTP: what only a person can bring to an end.

A client sees those about its own organisation's submissions; anything else is not found, like
what does not exist.
"""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from gateway.access import FOLLOW, REPAIR, Principal
from gateway.api import present
from gateway.api.answers import answer, checked, not_found
from gateway.api.bodies import json_object
from gateway.door import context

OPERATOR = "operator"
NOTE_LENGTH_MAX = 2000

blueprint = Blueprint("items", __name__, url_prefix="/v1/items")


class _ListQuery(Schema):
    closed = fields.Boolean(load_default=False, metadata={"expected": "true, false"})
    lang = fields.String(load_default=None)


class _Closing(Schema):
    note = fields.String(
        required=True,
        validate=validate.Length(1, NOTE_LENGTH_MAX),
        metadata={"expected": f"1–{NOTE_LENGTH_MAX}"},
    )


@blueprint.get("")
def items() -> Response:
    """The organisation's open items, oldest first."""
    who = context.principal(FOLLOW)
    query = checked(_ListQuery(), request.args.to_dict())
    found = context.gateway().store.open_items(_seen_by(who), query["closed"])
    language = context.language()
    return answer({"items": [present.item(one, language) for one in found]})


@blueprint.post("/<key:item>/close")
def close(item: str) -> Response:
    """Close an item with what was done; the first word stands."""
    who = context.principal(REPAIR)
    given = checked(_Closing(), json_object("{note}"))
    store = context.gateway().store
    try:
        closed = store.close_item(item, who.client, given["note"], _seen_by(who))
    except KeyError:
        return not_found()
    return answer(present.item(closed, context.language()))


def _seen_by(who: Principal) -> tuple[str, ...] | None:
    """Return whose items a client sees; None: everybody's."""
    return None if who.role == OPERATOR else who.organizations
