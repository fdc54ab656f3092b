"""Many replays at once: by id, by cause or by filter; at a pace, stopped, resumed, compared."""

from __future__ import annotations

from datetime import UTC

from flask import Blueprint, Response
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gateway.access import FOLLOW, Principal
from gateway.api import present_repairs as present
from gateway.api.answers import answer, checked, not_found
from gateway.api.bodies import json_object
from gateway.api.repairs import CODE, RATE_MAX, seen_by
from gateway.door import context
from gateway.model import Status
from gateway.repair.replays import Choice
from gateway.store.values import ReplayRun

REPLAYS_MAX = 1000

blueprint = Blueprint("replays", __name__, url_prefix="/v1/replays")


class _Order(Schema):
    ids = fields.List(
        fields.String(validate=validate.Regexp(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")),
        load_default=None,
        validate=validate.Length(1, REPLAYS_MAX),
        metadata={"expected": f"1–{REPLAYS_MAX} id"},
    )
    cause = fields.String(load_default=None, validate=CODE, metadata={"expected": "XXX-000"})
    status = fields.Enum(Status, by_value=True, load_default=None, metadata={"expected": "status"})
    sender = fields.String(
        load_default=None,
        validate=[validate.Length(1, 64), validate.Predicate("isprintable")],
        metadata={"expected": "id"},
    )
    number = fields.String(
        load_default=None,
        validate=[validate.Length(1, 100), validate.Predicate("isprintable")],
        metadata={"expected": "1–100"},
    )
    since = fields.AwareDateTime(
        load_default=None,
        data_key="from",
        default_timezone=UTC,
        metadata={"expected": "ISO 8601"},
    )
    until = fields.AwareDateTime(
        load_default=None, data_key="to", default_timezone=UTC, metadata={"expected": "ISO 8601"}
    )
    dry_run = fields.Boolean(load_default=False, metadata={"expected": "true, false"})
    rate = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0.01, RATE_MAX),
        metadata={"expected": f"0.01–{RATE_MAX:.0f}"},
    )

    @validates_schema
    def something_is_chosen(self, given: dict[str, object], **_: object) -> None:
        chosen = ("cause", "status", "sender", "number", "since", "until")
        filtered = any(given[name] is not None for name in chosen)
        if (given["ids"] is not None) == filtered:
            raise ValidationError("ids or a filter", "ids")


@blueprint.post("")
def start() -> Response:
    """Replay the client's own submissions; ids that are not theirs are passed over.

    Nothing is started when there is nothing to repeat: 404 for ids, 422 for a filter.
    """
    who = context.principal(FOLLOW)
    order = checked(_Order(), json_object("{ids: […]} / {cause: …}"))
    dry_run, rate = order.pop("dry_run"), order.pop("rate")
    ids = order.pop("ids")
    choice = Choice(ids=tuple(ids) if ids is not None else None, **order)
    run, found = context.gateway().replays.start(
        choice, seen_by(who), actor=who.client, rate=rate, dry_run=dry_run
    )
    body = {"submissions": list(found), "dry_run": dry_run, "run": present.run(run)}
    return answer(body, 202, {"Location": f"/v1/replays/{run.id}"})


@blueprint.get("")
def runs() -> Response:
    """The client's runs, newest first."""
    who = context.principal(FOLLOW)
    found = context.gateway().store.replay_runs(seen_by(who))
    return answer({"items": [present.run(one) for one in found]})


@blueprint.get("/<key:run>")
def one(run: str) -> Response:
    """A run with every submission as it was before and after."""
    found = _own(run, context.principal(FOLLOW))
    items = context.gateway().store.replay_items(found.id)
    return answer({**present.run(found), "submissions": [present.item(each) for each in items]})


@blueprint.post("/<key:run>/stop")
def stop(run: str) -> Response:
    """Start no more of a run; what is on the line goes to its end."""
    who = context.principal(FOLLOW)
    context.gateway().store.stop_replay(_own(run, who).id, who.client)
    return answer(present.run(_own(run, who)))


@blueprint.post("/<key:run>/resume")
def resume(run: str) -> Response:
    """Let a stopped run go on where it stood."""
    who = context.principal(FOLLOW)
    context.gateway().store.resume_replay(_own(run, who).id, who.client)
    context.gateway().replays.step()
    return answer(present.run(_own(run, who)))


def _own(run: str, who: Principal) -> ReplayRun:
    found = context.gateway().store.replay_run(run, seen_by(who))
    if found is None:
        not_found()
    assert found is not None
    return found
