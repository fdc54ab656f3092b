"""Consents over HTTP: recorded, listed, asked about, revoked.

A client sees the consents its own organisation recorded; anything else is not found, like
what does not exist.  A patient is named in bodies only: addresses are written to logs.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from gateway.access import CONSENT, Principal
from gateway.api.answers import answer, checked, not_found
from gateway.api.bodies import json_object
from gateway.api.present import instant
from gateway.consents import STATES, Answer, Consents, Question, patient_of
from gateway.door import body, context, media
from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import Grant, Json, Problem
from gateway.store import KeyDestroyed, audit_entry
from gateway.store.values import ConsentFilter, StoredConsent

OPERATOR = "operator"
BODY_BYTES_MAX = 256 * 1024
MEDIA_TYPES = ("application/fhir+json", "application/json")
_ID = validate.Regexp(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")

WHY = {
    "ru": {
        "active": "действующее согласие разрешает передачу этому получателю с этой целью",
        "partial": "согласие разрешает передачу не всех исследований",
        "expired": "согласие было, но его срок кончился",
        "rejected": "пациент отказал",
        "revoked": "согласие было, но пациент его отозвал",
        "none": "о передаче этому получателю с этой целью пациент ничего не сказал",
    },
    "en": {
        "active": "a consent in force lets this recipient have results for this purpose",
        "partial": "a consent in force lets this recipient have some of the tests, not all",
        "expired": "there was a consent and its time is over",
        "rejected": "the patient refused",
        "revoked": "there was a consent and the patient revoked it",
        "none": "the patient has said nothing of this recipient and purpose",
    },
}
"""Why the answer is what it is, by state; a delivery may have another basis than a consent."""

blueprint = Blueprint("consents", __name__, url_prefix="/v1/consents")


class _ListQuery(Schema):
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(STATES[:-1]),
        metadata={"expected": ", ".join(STATES[:-1])},
    )
    recipient = fields.String(load_default=None, validate=_ID, metadata={"expected": "id"})
    cursor = fields.String(load_default=None, validate=_ID, metadata={"expected": "next_cursor"})
    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, 200), metadata={"expected": "1–200"}
    )
    lang = fields.String(load_default=None)


class _Question(Schema):
    patient = fields.String(
        required=True, validate=validate.Length(1, 200), metadata={"expected": "system|value"}
    )
    recipient = fields.String(required=True, validate=_ID, metadata={"expected": "id"})
    purpose = fields.String(
        load_default="TREAT",
        validate=validate.Regexp(r"[A-Z]{2,20}\Z"),
        metadata={"expected": "TREAT"},
    )
    test = fields.String(
        load_default=None,
        validate=validate.Regexp(r"\S{1,150}\|\S{1,50}\Z"),
        metadata={"expected": "system|code"},
    )


@blueprint.post("")
def record() -> Response:
    """Record a FHIR Consent; the same one posted again is the same consent."""
    who = context.principal(CONSENT)
    stored = _consents().record(_resource(), who.organization, who.client)
    made = {**present(stored), "in_flight": stored.in_flight}
    return answer(made, 201, {"Location": f"/v1/consents/{stored.id}"})


@blueprint.get("")
def list_page() -> Response:
    """One page of the organisation's consents, newest first."""
    who = context.principal(CONSENT)
    query = checked(_ListQuery(), request.args.to_dict())
    query.pop("lang")
    found = context.gateway().store.consents(ConsentFilter(organizations=seen_by(who), **query))
    return answer(
        {"items": [present(one) for one in found.items], "next_cursor": found.next_cursor}
    )


@blueprint.post("/check")
def check() -> Response:
    """Say whether results about a patient may go to a recipient, as far as the client knows."""
    who = context.principal(CONSENT)
    expected = "{patient, recipient, purpose, test}"
    asked = checked(_Question(), json_object(expected))
    question = Question(**{**asked, "patient": patient_of(asked["patient"])})
    found = _consents().ask(question, seen_by(who), who.client)
    return answer(present_answer(found, context.language()))


@blueprint.get("/<key:consent>")
def one(consent: str) -> Response:
    """A consent with the FHIR resource as it was recorded; the read is traced."""
    who = context.principal(CONSENT)
    stored, gateway = _own(consent, who), context.gateway()
    gateway.store.record_read(
        audit_entry(who.client, "consent.read", stored.id, {}, gateway.clock())
    )
    resource: Json | None
    try:
        resource = gateway.store.consent_resource(stored.id)
    except KeyDestroyed:
        resource = None
    return _exact({**present(stored), "resource": resource})


@blueprint.get("/<key:consent>/status")
def status(consent: str) -> Response:
    stored = _own(consent, context.principal(CONSENT))
    return answer(
        {"id": stored.id, "state": stored.state, "revoked_at": instant(stored.revoked_at)}
    )


@blueprint.post("/<key:consent>/revoke")
def revoke(consent: str) -> Response:
    """Revoke; once this answers with `in_flight` 0, nothing more leaves on the consent."""
    who = context.principal(CONSENT)
    stored = _own(consent, who)
    done = context.gateway().store.revoke_grant(stored.id, who.client)
    state = present(_own(consent, who))
    return answer({**state, "held": done.held, "in_flight": done.in_flight})


def present_answer(found: Answer, language: str) -> dict[str, Any]:
    """Return what was decided, on which basis, and why in words; no patient in it."""
    return {
        "state": found.state,
        "permitted": found.decision.permitted,
        "partial": found.decision.partial,
        "basis": found.decision.basis,
        "consent": found.decision.reference or None,
        "why": WHY[language]["partial" if found.decision.partial else found.state],
    }


def present(stored: StoredConsent) -> dict[str, Any]:
    """Return a consent as JSON; no patient in it."""
    return {
        "id": stored.id,
        "state": stored.state,
        "organization": stored.organization,
        "scope": "partial" if any(one.tests for one in stored.grants) else "full",
        "provisions": [_provision(one) for one in stored.grants],
        "created_at": instant(stored.created_at),
        "revoked_at": instant(stored.revoked_at),
    }


def seen_by(who: Principal) -> tuple[str, ...] | None:
    """Return whose consents a client sees; None: everybody's."""
    return None if who.role == OPERATOR else who.organizations


def _provision(grant: Grant) -> dict[str, Any]:
    return {
        "type": "deny" if grant.deny or grant.state == "rejected" else "permit",
        "recipient": grant.recipient,
        "purpose": grant.purpose,
        "tests": list(grant.tests),
        "from": instant(grant.valid_from),
        "to": instant(grant.valid_to),
    }


def _own(consent: str, who: Principal) -> StoredConsent:
    stored = context.gateway().store.consent(consent, seen_by(who))
    if stored is None:
        not_found()
    assert stored is not None
    return stored


def _consents() -> Consents:
    gateway = context.gateway()
    return Consents(gateway.store, gateway.clock)


def _resource() -> Json:
    media_type, _ = media.media_type(request.environ.get("CONTENT_TYPE"))
    if media_type not in MEDIA_TYPES:
        raise Rejected(
            Problem(code="FMT-101", place="Content-Type", detail={"media_type": media_type})
        )
    return text.loads(body.read(request.environ, BODY_BYTES_MAX))


def _exact(content: Json) -> Response:
    """Return JSON with the resource's decimals as they came."""
    return Response(text.dumps(content) + b"\n", mimetype="application/json")
