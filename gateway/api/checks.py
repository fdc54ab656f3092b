"""Dry runs: everything the gateway would find, with nothing kept."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from gateway.access import DRY_RUN
from gateway.api.answers import answer, checked
from gateway.api.signature_reports import signature_report
from gateway.door import context
from gateway.door.problems import finding
from gateway.model import attached
from gateway.verification import to_json, with_powers

blueprint = Blueprint("checks", __name__)


class _VerifyQuery(Schema):
    at = fields.AwareDateTime(
        load_default=None,
        default_timezone=UTC,
        validate=validate.Range(datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)),
        metadata={"expected": "ISO 8601"},
    )
    power = fields.String(
        load_default="", validate=validate.Length(max=64), metadata={"expected": "≤ 64"}
    )
    lang = fields.String(load_default=None)


@blueprint.post("/v1/check")
def check() -> Response:
    """Say what would become of a submission, as the verb `check` does."""
    who = context.principal(DRY_RUN)
    organization = context.organization(who)
    posted = context.posted()
    found = context.gateway().line.check(posted.document, posted.beside, organization)
    language = context.language()
    return answer(
        {
            "outcome": str(found.outcome),
            "problems": [finding(one, language) for one in found.problems],
            "signatures": to_json(found.report) if found.report else None,
        }
    )


@blueprint.post("/v1/verify")
def verify() -> Response:
    """Verify every signature in or beside what was posted, as the verb `verify` does.

    `Accept` chooses JSON, the validation report of ETSI TS 119 102-2 (application/xml), or a
    page for people (text/html, application/pdf).
    """
    context.principal(DRY_RUN)
    query = checked(_VerifyQuery(), request.args.to_dict())
    posted = context.posted(any_type=True)
    at = query["at"] or context.gateway().clock()
    verifier, at = context.gateway().verifier, at.astimezone(UTC)
    report = verifier.verify(posted.document, posted.signatures, at, kept=False)
    report = with_powers(
        report, attached(posted.parts), verifier, at, kept=False, wanted=query["power"]
    )
    return signature_report(report, posted.document.body)
