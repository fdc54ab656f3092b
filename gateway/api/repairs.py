"""Questions to persons over HTTP: what waits, why, likely answers; one answer settles them all.

A laboratory sees and answers what its own codes and units ask.  Whose card a document belongs
to is an operator's to decide: candidates, even masked, are shown to nobody else.
"""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from gateway.access import REPAIR, Principal
from gateway.api import present_repairs as present
from gateway.api.answers import answer, checked, not_found
from gateway.api.bodies import json_object
from gateway.door import context
from gateway.repair.answers import NOTE_MAX, PERSONAL
from gateway.store.values import Repair

OPERATOR = "operator"
RATE_MAX = 1000.0
CODE = validate.Regexp(r"[A-Z]{3,4}-[0-9]{3}\Z")

blueprint = Blueprint("repairs", __name__, url_prefix="/v1/repairs")


class _ListQuery(Schema):
    cause = fields.String(load_default=None, validate=CODE, metadata={"expected": "XXX-000"})
    lang = fields.String(load_default=None)


class _Decision(Schema):
    test = fields.String(validate=validate.Length(1, 64), metadata={"expected": "ФСЛИ, LOINC"})
    unit = fields.String(validate=validate.Length(1, 64), metadata={"expected": "UCUM"})
    card = fields.String(validate=validate.Length(1, 64), metadata={"expected": "id, new"})
    consent = fields.String(validate=validate.Length(1, 64), metadata={"expected": "none"})
    valid_from = fields.Date(
        data_key="from", load_default=None, metadata={"expected": "YYYY-MM-DD"}
    )
    note = fields.String(
        load_default="",
        validate=validate.Length(max=NOTE_MAX),
        metadata={"expected": f"≤ {NOTE_MAX}"},
    )
    rate = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0.01, RATE_MAX),
        metadata={"expected": f"0.01–{RATE_MAX:.0f}"},
    )


@blueprint.get("")
def waiting() -> Response:
    """What waits for a person, the most asked first."""
    who = context.principal(REPAIR)
    query = checked(_ListQuery(), request.args.to_dict())
    found = context.gateway().repairs.waiting(seen_by(who), query["cause"])
    language = context.language()
    mine = [present.repair(one, language) for one in found if _theirs(one, who)]
    return answer({"items": mine})


@blueprint.get("/decisions")
def decisions() -> Response:
    """The decisions that stand, newest first."""
    who = context.principal(REPAIR)
    found = context.gateway().store.standing(seen_by(who))
    mine = [one for one in found if who.role == OPERATOR or one.decision.cause not in PERSONAL]
    return answer({"items": [present.standing(one) for one in mine]})


@blueprint.get("/<key:repair>")
def one(repair: str) -> Response:
    """One question with likely answers, and every answer that was given."""
    who = context.principal(REPAIR)
    found = _own(repair, who)
    desk = context.gateway().repairs
    likely = desk.suggestions(found, operator=who.role == OPERATOR)
    return answer(present.whole(found, context.language(), likely, desk.history(found)))


@blueprint.post("/<key:repair>/decide")
def decide(repair: str) -> Response:
    """Settle a question for every document that waits on it; they are replayed."""
    who = context.principal(REPAIR)
    found = _own(repair, who)
    given = checked(_Decision(), json_object('{"test": "…"}'))
    settled = context.gateway().repairs.decide(
        found,
        {name: given[name] for name in ("test", "unit", "card", "consent") if name in given},
        by=who.client,
        valid_from=given["valid_from"],
        note=given["note"],
        rate=given["rate"],
    )
    body = {"decision": present.decision(settled.decision), "replay": present.run(settled.run)}
    return answer(body, 202, {"Location": f"/v1/replays/{settled.run.id}"})


@blueprint.post("/decisions/<key:decision>/undo")
def undo(decision: str) -> Response:
    """Take a decision back; what waits on its question waits again."""
    who = context.principal(REPAIR)
    known = context.gateway().store.standing(seen_by(who))
    mine = [one for one in known if one.decision.id == decision]
    if not mine or (who.role != OPERATOR and mine[0].decision.cause in PERSONAL):
        not_found()
    try:
        undone = context.gateway().repairs.undo(decision, by=who.client)
    except KeyError:
        # Somebody else was faster: it does not stand any more.
        not_found()
    return answer(present.undone(decision, undone), 202)


def seen_by(who: Principal) -> tuple[str, ...] | None:
    """Return whose questions and replays a client sees; None: everybody's."""
    return None if who.role == OPERATOR else who.organizations


def _own(repair: str, who: Principal) -> Repair:
    found = context.gateway().repairs.find(repair, seen_by(who))
    if found is None or not _theirs(found, who):
        not_found()
    assert found is not None
    return found


def _theirs(repair: Repair, who: Principal) -> bool:
    return who.role == OPERATOR or repair.cause not in PERSONAL
