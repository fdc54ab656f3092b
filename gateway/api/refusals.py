"""Every refusal of both faces is said here: problem+json, or OperationOutcome under /fhir."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as Answer

from gateway.access import Refused
from gateway.api import observe
from gateway.api.answers import problem
from gateway.door import context
from gateway.door.problems import explained
from gateway.errors import GatewayError, TryLater
from gateway.fhir_api import outcome
from gateway.model import Problem

CODES_BY_STATUS = {
    404: "SYS-404",
    405: "SYS-405",
    406: "FMT-112",
    411: "LIM-411",
    413: "LIM-413",
    415: "FMT-101",
    429: "LIM-429",
}
RETRY_AFTER = "30"
"""Seconds to wait when what is missing does not say when it will be back."""


def install(app: Flask) -> None:
    """Make every error of `app` an answer with code, place, reason, fix and trace id."""
    app.register_error_handler(GatewayError, _said)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(InternalServerError, _fault)


def refuse(
    problems: Sequence[Problem], status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return a refusal in the words of the face that was asked."""
    status = status or explained(problems[0], "en").http
    if request.path == "/fhir" or request.path.startswith("/fhir/"):
        return outcome.refusal(problems, status, headers)
    return problem(problems, status, headers)


def _said(error: GatewayError) -> Response:
    headers: dict[str, str] = {}
    status = explained(error.problems[0], "en").http
    if isinstance(error, Refused) and error.wait is not None:
        headers["Retry-After"] = str(error.wait)
    elif isinstance(error, TryLater):
        status = 503
        headers["Retry-After"] = RETRY_AFTER
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="gateway"'
    elif error.problems[0].code == "AUTH-104":
        headers["WWW-Authenticate"] = 'Bearer realm="gateway", error="insufficient_scope"'
    return refuse(error.problems, status, headers)


def _of_http(error: HTTPException) -> Answer:
    status = error.code or 500
    if status < 400:
        return error.get_response(request.environ)
    code = CODES_BY_STATUS.get(status, "SYS-400" if status < 500 else "SYS-500")
    headers = {}
    methods = getattr(error, "valid_methods", None)
    if methods:
        headers["Allow"] = ", ".join(sorted(methods))
    return refuse([Problem(code=code)], status, headers)


def _fault(error: InternalServerError) -> Response:
    if "trace_id" not in g:
        context.begin()
    observe.fault(error.original_exception or error, context.trace_id())
    return refuse([Problem(code="SYS-500")], 500)
