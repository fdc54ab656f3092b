"""Access tokens: JWTs we sign with Ed25519 and read back.

Source: RFC 9068 (JWT profile for access tokens), RFC 9864 (the algorithm's name).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.access.principal import Principal, Refused

LIFETIME = timedelta(minutes=15)
TOKEN_CHARACTERS_MAX = 4096
_ALGORITHM = "Ed25519"
_REMEMBERED = 1024


@dataclass(frozen=True)
class _Claims:
    principal: Principal
    expires: datetime


class Tokens:
    """Signs and reads access tokens of one issuer."""

    def __init__(self, key: bytes, issuer: str, clock: Callable[[], datetime]) -> None:
        """`key` is the 32 bytes of an Ed25519 private key."""
        self._key = OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(key))
        self._kid = self._key.thumbprint()
        self._issuer, self._clock = issuer, clock
        # Ed25519 and JSON cost 0.2 ms a request; a token's claims never change.
        self._read_once = lru_cache(maxsize=_REMEMBERED)(self._decode)

    def issue(self, principal: Principal) -> str:
        """Return a token that says who `principal` is for the next 15 minutes."""
        now = self._clock()
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": principal.client,
            "client_id": principal.client,
            "org": principal.organization,
            "role": principal.role,
            "scope": " ".join(sorted(principal.scopes)),
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "jti": secrets.token_urlsafe(12),
        }
        header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": self._kid}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])

    def read(self, token: str) -> Principal:
        """Return who a token of ours speaks for.  Raises Refused: AUTH-102, AUTH-103."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Refused("AUTH-102")
        claims = self._read_once(token)
        if self._clock() >= claims.expires:
            raise Refused("AUTH-103")
        return claims.principal

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JWK set."""
        public = dict(self._key.as_dict(private=False))
        return {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": _ALGORITHM}]}

    def _decode(self, token: str) -> _Claims:
        try:
            read = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            claims = read.claims
            if read.header.get("typ") != "at+jwt" or claims["iss"] != self._issuer:
                raise Refused("AUTH-102")
            if claims["aud"] != self._issuer:
                raise Refused("AUTH-102")
            principal = Principal(
                client=str(claims["sub"]),
                organization=str(claims["org"]),
                role=str(claims["role"]),
                scopes=frozenset(str(claims["scope"]).split()),
            )
            expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Refused("AUTH-102") from error
        return _Claims(principal, expires)
