"""Who may do what: clients prove themselves, get a token, and the token says who they are.

Source: RFC 6749 section 4.4 (client credentials), RFC 7523 (`private_key_jwt`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import unquote_plus

from gateway.access.assertions import ALGORITHMS, ASSERTION_TYPE, Assertions
from gateway.access.limiter import Limiter
from gateway.access.principal import (
    CONSENT,
    DRY_RUN,
    FHIR_READ,
    FOLLOW,
    REPAIR,
    SCOPES_BY_ROLE,
    SUBMIT,
    Principal,
    Refused,
    granted,
)
from gateway.access.secrets import hash_secret, new_secret, secret_fits
from gateway.access.tokens import LIFETIME, Tokens
from gateway.store.values import Client

__all__ = [
    "ALGORITHMS",
    "CONSENT",
    "DRY_RUN",
    "FHIR_READ",
    "FOLLOW",
    "REPAIR",
    "SCOPES_BY_ROLE",
    "SUBMIT",
    "Access",
    "Limiter",
    "Principal",
    "Refused",
    "hash_secret",
    "new_secret",
]

CLIENT_REMEMBERED = timedelta(seconds=5)
"""How long a client may go on after it was disabled."""

CLIENTS_REMEMBERED_MAX = 1000


class Clients(Protocol):
    """What access asks of the store."""

    def client(self, id: str, /) -> Client | None: ...
    def first_use(self, client: str, assertion: str, until: datetime, /) -> bool: ...


class Access:
    """Turns credentials into tokens and tokens into principals."""

    def __init__(
        self, store: Clients, key: bytes, issuer: str, clock: Callable[[], datetime]
    ) -> None:
        """`key` is the 32 bytes of an Ed25519 private key; `issuer` is our public URL."""
        self._store, self._clock = store, clock
        self._tokens = Tokens(key, issuer, clock)
        token_url = f"{issuer.rstrip('/')}/oauth/token"
        self._assertions = Assertions((token_url, issuer), clock, store.first_use)
        self._remembered: dict[str, tuple[Client | None, datetime]] = {}

    def token(self, authorization: str | None, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer to a token request (RFC 6749 section 5.1).

        The client proves itself by `client_secret_basic`, `client_secret_post` or
        `private_key_jwt`.  Raises Refused: AUTH-110 (not proven), AUTH-111 (grant type),
        AUTH-112 (request), AUTH-113 (scope).
        """
        if not form.get("grant_type"):
            raise Refused("AUTH-112")
        if form["grant_type"] != "client_credentials":
            raise Refused("AUTH-111")
        client = self._proven(authorization, form)
        scopes = granted(client.role, form.get("scope", ""))
        principal = Principal(
            client=client.id,
            organization=client.organization,
            role=client.role,
            scopes=frozenset(scopes),
        )
        return {
            "access_token": self._tokens.issue(principal),
            "token_type": "Bearer",
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": " ".join(scopes),
        }

    def principal(self, authorization: str | None) -> Principal:
        """Return who an `Authorization: Bearer` header speaks for.

        Raises Refused: AUTH-101 (no token), AUTH-102 (not ours, or the client is gone),
        AUTH-103 (expired).
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused("AUTH-101")
        principal = self._tokens.read(token.strip())
        client = self._client(principal.client)
        if client is None or client.disabled:
            raise Refused("AUTH-102")
        if (client.organization, client.role) != (principal.organization, principal.role):
            raise Refused("AUTH-102")
        return principal

    def jwks(self) -> dict[str, Any]:
        """Return the public half of the token key as a JWK set."""
        return self._tokens.jwks()

    def _proven(self, authorization: str | None, form: Mapping[str, str]) -> Client:
        if "client_assertion" in form:
            if authorization or "client_secret" in form:
                raise Refused("AUTH-112")
            return self._by_assertion(form)
        if authorization:
            if "client_secret" in form:
                raise Refused("AUTH-112")
            name, secret = _basic(authorization)
        else:
            name, secret = form.get("client_id", ""), form.get("client_secret", "")
        client = self._store.client(name) if _plausible(name) else None
        fits = secret_fits(secret, client.secret_hash if client else None)
        if client is None or client.disabled or not fits:
            raise Refused("AUTH-110")
        return client

    def _by_assertion(self, form: Mapping[str, str]) -> Client:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refused("AUTH-112")
        assertion = form["client_assertion"]
        name = self._assertions.subject(assertion)
        if form.get("client_id", name) != name or not _plausible(name):
            raise Refused("AUTH-110")
        client = self._store.client(name)
        if client is None or client.disabled or not client.jwks:
            raise Refused("AUTH-110")
        self._assertions.check(assertion, client.id, client.jwks)
        return client

    def _client(self, name: str) -> Client | None:
        now = self._clock()
        known = self._remembered.get(name)
        if known and timedelta(0) <= now - known[1] < CLIENT_REMEMBERED:
            return known[0]
        if len(self._remembered) >= CLIENTS_REMEMBERED_MAX:
            self._remembered.clear()
        client = self._store.client(name)
        self._remembered[name] = (client, now)
        return client


def _basic(authorization: str) -> tuple[str, str]:
    """Return id and secret of a Basic header; both are form-encoded (RFC 6749, 2.3.1)."""
    scheme, _, coded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise Refused("AUTH-110")
    try:
        name, colon, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Refused("AUTH-110") from error
    if not colon:
        raise Refused("AUTH-110")
    return unquote_plus(name), unquote_plus(secret)


def _plausible(name: str) -> bool:
    return 0 < len(name) <= 200 and name.isprintable() and name.isascii()
