"""The token endpoint and what a client must know to use it.

Source: RFC 6749 (sections 3.2, 5), RFC 6750; HL7 SMART App Launch 2.2 (backend services).
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import parse_qsl

from flask import Blueprint, Response, g, request

from gateway.access import ALGORITHMS, SCOPES_BY_ROLE, Refused
from gateway.api.answers import answer
from gateway.door import body, context, problems
from gateway.errors import Rejected

FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 64 * 1024
FIELDS_MAX = 20
_ERRORS = {
    "AUTH-110": "invalid_client",
    "AUTH-111": "unsupported_grant_type",
    "AUTH-113": "invalid_scope",
    "LIM-429": "slow_down",
}

blueprint = Blueprint("token", __name__)


@blueprint.post("/oauth/token")
def token() -> Response:
    """Give a token for client credentials; errors in the words of RFC 6749 and in ours."""
    address = request.remote_addr or ""
    failures = context.door().failures
    try:
        wait = failures.peek(address)
        if wait is not None:
            raise Refused("LIM-429", wait=wait)
        granted = context.gateway().access.token(request.headers.get("Authorization"), _form())
    except Rejected as error:
        if error.problems[0].code == "AUTH-110":
            failures.take(address)
        return _refused(error)
    return answer(granted, headers={"Pragma": "no-cache"})


@blueprint.get("/oauth/jwks")
def jwks() -> Response:
    """The keys our tokens and receipts are signed with, as a JWK set."""
    gateway = context.gateway()
    keys = (gateway.access.jwks()["keys"], gateway.receipts.jwks()["keys"])
    return answer(
        {"keys": [key for some in keys for key in cast("list[Any]", some)]},
        headers={"Cache-Control": "public, max-age=300"},
    )


@blueprint.get("/.well-known/smart-configuration")
@blueprint.get("/fhir/.well-known/smart-configuration")
def smart_configuration() -> Response:
    url = context.gateway().settings.url.rstrip("/")
    scopes = dict.fromkeys(scope for scopes in SCOPES_BY_ROLE.values() for scope in scopes)
    return answer(
        {
            "issuer": url,
            "jwks_uri": f"{url}/oauth/jwks",
            "token_endpoint": f"{url}/oauth/token",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
            ],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": list(scopes),
            "capabilities": [
                "client-confidential-symmetric",
                "client-confidential-asymmetric",
                "permission-v1",
                "permission-v2",
            ],
        },
        headers={"Cache-Control": "public, max-age=300"},
    )


def _form() -> dict[str, str]:
    if request.mimetype != FORM:
        raise Refused("AUTH-112")
    octets = body.read(request.environ, FORM_BYTES_MAX)
    try:
        pairs = parse_qsl(
            octets.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise Refused("AUTH-112") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused("AUTH-112")
    return form


def _refused(error: Rejected) -> Response:
    first = error.problems[0]
    details = problems.document([first], context.language(), context.trace_id())
    g.code = first.code
    headers = {}
    if details["status"] == 401:
        headers["WWW-Authenticate"] = 'Basic realm="gateway", charset="UTF-8"'
    if isinstance(error, Refused) and error.wait is not None:
        headers["Retry-After"] = str(error.wait)
    said = {
        "error": _ERRORS.get(first.code, "invalid_request"),
        "error_description": problems.explained(first, "en").reason,
    }
    return answer({**said, **details}, details["status"], headers)
