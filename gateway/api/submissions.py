"""Submissions over HTTP: keep one, follow it, repeat it.

Tenancy is in every query: another organisation's submission is found no more than one that
never was, by the same reads and with the same answer (semantics, rule 8).
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from gateway.access import FOLLOW, SUBMIT, Principal
from gateway.api import present
from gateway.api.answers import answer, checked, not_found, problem
from gateway.api.signature_reports import signature_report
from gateway.door import context
from gateway.errors import Rejected
from gateway.model import Problem, Status
from gateway.store import BadCursor
from gateway.store.values import Filter, Kept, ReceiptRow, SubmissionView

WAIT_SECONDS_MAX = 60
POLL_SECONDS = (0.02, 0.05, 0.1, 0.2)
FINAL = frozenset(
    {
        Status.ACCEPTED,
        Status.REJECTED,
        Status.REPLACED,
        Status.WITHDRAWN,
        Status.NEEDS_INFO,
    }
)
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?=$|[,;\s])", re.IGNORECASE)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)

blueprint = Blueprint("submissions", __name__, url_prefix="/v1/submissions")


class _ListQuery(Schema):
    status = fields.Enum(
        Status, by_value=True, load_default=None, metadata={"expected": ", ".join(Status)}
    )
    cause = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[A-Z]{3,4}-[0-9]{3}\Z"),
        metadata={"expected": "XXX-000"},
    )
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
        validate=validate.Range(_EARLIEST, _LATEST),
        metadata={"expected": "ISO 8601"},
    )
    until = fields.AwareDateTime(
        load_default=None,
        data_key="to",
        default_timezone=UTC,
        validate=validate.Range(_EARLIEST, _LATEST),
        metadata={"expected": "ISO 8601"},
    )
    cursor = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[A-Za-z0-9_.:=~+-]{1,200}\Z"),
        metadata={"expected": "next_cursor"},
    )
    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, 200), metadata={"expected": "1–200"}
    )
    lang = fields.String(load_default=None)


@blueprint.post("")
def keep() -> Response:
    """Keep what was posted and answer with the signed acceptance receipt."""
    who = context.principal(SUBMIT)
    posted = context.posted()
    kept = context.gateway().line.keep(
        who, posted.media_type, posted.parts, idempotency_key=posted.idempotency_key
    )
    headers = {"Location": present.location(kept.submission)}
    seconds = _wait_asked(request.headers.get("Prefer", ""))
    if seconds is None:
        return answer(_kept(kept), 200 if kept.known else 202, headers)
    if not context.door().waiters.acquire(blocking=False):
        # Too many wait: the preference is not applied, and the answer does not say it was.
        view = context.gateway().store.view(kept.submission, who.organizations)
        return _final(kept, view, headers)
    try:
        view = _await(kept, who, seconds)
    finally:
        context.door().waiters.release()
    return _final(kept, view, {**headers, "Preference-Applied": f"wait={seconds}"})


@blueprint.get("")
def list_page() -> Response:
    """One page of the client's own submissions, newest first."""
    who = context.principal(FOLLOW)
    query = checked(_ListQuery(), request.args.to_dict())
    query.pop("lang")
    try:
        found = context.gateway().store.list(Filter(organizations=who.organizations, **query))
    except BadCursor as error:
        detail = {"name": "cursor", "expected": "next_cursor"}
        raise Rejected(Problem(code="FMT-109", place="cursor", detail=detail)) from error
    return answer(present.page(found, context.language()))


@blueprint.get("/<key:submission>")
def one(submission: str) -> Response:
    return answer(present.submission(_own(submission), context.language()))


@blueprint.get("/<key:submission>/events")
def events(submission: str) -> Response:
    """The timeline, each step with how long it took."""
    view = _own(submission)
    found = context.gateway().store.events(view.id)
    return answer(
        {
            "id": view.id,
            "status": str(view.status),
            "events": [present.event(event) for event in found],
        }
    )


@blueprint.get("/<key:submission>/receipts")
def receipts(submission: str) -> Response:
    view = _own(submission)
    rows = context.gateway().store.receipts(view.id)
    return answer({"id": view.id, "receipts": [present.receipt_row(row, view.id) for row in rows]})


@blueprint.get("/<key:submission>/receipts/<key:kind>")
def receipt(submission: str, kind: str) -> Response:
    """The newest receipt of a kind (`?number=`, `?document=` choose); JWS when asked for."""
    row = _receipt(_own(submission), kind)
    wants_jws = request.accept_mimetypes.best_match(["application/json", "application/jose"])
    if wants_jws == "application/jose":
        return Response(row.receipt.jws, mimetype="application/jose")
    return answer(present.receipt_row(row, submission))


@blueprint.get("/<key:submission>/receipts/<key:kind>/proof")
def proof(submission: str, kind: str) -> Response:
    """The proof that a receipt's audit entry is in the sealed log (semantics, rule 16)."""
    row = _receipt(_own(submission), kind)
    found = context.gateway().store.proof(row.receipt.number)
    if found is None:
        body = {"receipt": row.receipt.number, "included": "pending"}
        return answer(body, headers={"Retry-After": "1"})
    return answer({"receipt": row.receipt.number, **found})


@blueprint.get("/<key:submission>/signatures")
def signatures(submission: str) -> Response:
    """The verification result in the form that is accepted; 404 until there is one."""
    store, id = context.gateway().store, _own(submission).id
    stored = store.signatures(id)
    if stored is None:
        return not_found()
    document = next(
        (one.body for one in store.submission(id).parts if one.name == "document"), None
    )
    return signature_report(stored.report, document)


@blueprint.get("/<key:submission>/ledger")
def ledger(submission: str) -> Response:
    """What became of every piece of the source, document by document."""
    view = _own(submission)
    found = [present.ledger(one) for one in context.gateway().store.ledger(view.id)]
    merged = {name: [row for one in found for row in one[name]] for name in present.LEDGER}
    return answer({"id": view.id, "documents": found, **merged})


@blueprint.post("/<key:submission>/replay")
def replay(submission: str) -> Response:
    """Put a submission on the line again, or only `?document=`; work under way is left alone."""
    who = context.principal(FOLLOW)
    view = _own_of(submission, who)
    document = request.args.get("document")
    if document is not None and document not in {one.id for one in view.documents}:
        not_found()
    context.gateway().store.replay(view.id, who.client, document)
    view = _own_of(submission, who)
    headers = {"Location": present.location(view.id)}
    return answer(present.submission(view, context.language()), 202, headers)


def _own(submission: str) -> SubmissionView:
    return _own_of(submission, context.principal(FOLLOW))


def _own_of(submission: str, who: Principal) -> SubmissionView:
    view = context.gateway().store.view(submission, who.organizations)
    if view is None:
        not_found()
    assert view is not None
    return view


def _receipt(view: SubmissionView, kind: str) -> ReceiptRow:
    number, document = request.args.get("number"), request.args.get("document")
    rows = [
        row
        for row in context.gateway().store.receipts(view.id)
        if row.receipt.kind == kind
        and number in (None, row.receipt.number)
        and document in (None, row.document)
    ]
    if not rows:
        not_found()
    return rows[-1]


def _kept(kept: Kept) -> dict[str, object]:
    language = context.language()
    return {
        "id": kept.submission,
        "status": str(kept.status),
        "status_label": present.LABELS[language][kept.status],
        "known": kept.known,
        "location": present.location(kept.submission),
        "receipt": present.receipt(kept.receipt),
    }


def _wait_asked(prefer: str) -> int | None:
    """Return the seconds `Prefer: wait=N` asks for, at most WAIT_SECONDS_MAX (RFC 7240)."""
    match = _WAIT.search(prefer)
    return min(int(match[1]), WAIT_SECONDS_MAX) if match else None


def _await(kept: Kept, who: Principal, seconds: int) -> SubmissionView | None:
    """Return the submission as it is when final or when time is up."""
    store = context.gateway().store
    ends = time.monotonic() + seconds
    turn = 0
    while True:
        view = store.view(kept.submission, who.organizations)
        left = ends - time.monotonic()
        if view is None or view.status in FINAL or left <= 0:
            return view
        time.sleep(min(left, POLL_SECONDS[min(turn, len(POLL_SECONDS) - 1)]))
        turn += 1


def _final(kept: Kept, view: SubmissionView | None, headers: dict[str, str]) -> Response:
    if view is None:
        return answer(_kept(kept), 202, headers)
    language = context.language()
    state = present.submission(view, language)
    state |= {"known": kept.known, "location": headers["Location"]}
    state["receipt"] = present.receipt(kept.receipt)
    if view.status is Status.REJECTED:
        found = view.problems + tuple(p for one in view.documents for p in one.problems)
        # `status` of problem details is the HTTP status; the submission's is beside it.
        return problem(found, 422, headers, {**state, "state": str(view.status)})
    done = view.status in FINAL and view.status is not Status.NEEDS_INFO
    return answer(state, 200 if done else 202, headers)
