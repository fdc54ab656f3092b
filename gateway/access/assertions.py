"""Client assertions: a client proves itself with a JWT signed by its own key.

Source: RFC 7523; HL7 SMART App Launch 2.2, backend services (`private_key_jwt`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.access.principal import Refused

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384", "RS256", "PS256", "PS384", "ES256", "Ed25519", "EdDSA")
LIFETIME_MAX = timedelta(minutes=5)
SKEW = timedelta(seconds=60)
ASSERTION_CHARACTERS_MAX = 8192

FirstUse = Callable[[str, str, datetime], bool]
"""Says of (client, number, until) whether it is new, and remembers it until then."""


class Assertions:
    """Checks client assertions; each is good once."""

    def __init__(
        self, audiences: tuple[str, ...], clock: Callable[[], datetime], first_use: FirstUse
    ) -> None:
        self._audiences, self._clock, self._first_use = audiences, clock, first_use

    def subject(self, assertion: str) -> str:
        """Return the client id an assertion claims, unproven.  Raises Refused (AUTH-110)."""
        if len(assertion) > ASSERTION_CHARACTERS_MAX:
            raise Refused("AUTH-110")
        try:
            payload = jws.extract_compact(assertion.encode()).payload
            claims = _claims(payload)
        except (JoseError, ValueError) as error:
            raise Refused("AUTH-110") from error
        return str(claims.get("sub", ""))

    def check(self, assertion: str, client: str, jwks: Mapping[str, Any]) -> None:
        """Raise Refused (AUTH-110) unless `client` signed `assertion` for us, now, once."""
        try:
            keys = KeySet.import_key_set(cast("Any", dict(jwks)))
            claims = jwt.decode(assertion, keys, algorithms=list(ALGORITHMS)).claims
            expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
            begins = datetime.fromtimestamp(int(claims.get("nbf", 0)), UTC)
            audience = claims["aud"]
            number = str(claims["jti"])
        except (JoseError, ValueError, KeyError, TypeError, OverflowError, OSError) as error:
            raise Refused("AUTH-110") from error
        now = self._clock()
        named = audience if isinstance(audience, list) else [audience]
        good = (
            claims.get("iss") == client == claims.get("sub")
            and any(name in self._audiences for name in named if isinstance(name, str))
            and now < expires + SKEW
            and begins - SKEW <= now
            and expires <= now + LIFETIME_MAX + SKEW
            and 0 < len(number) <= 255
        )
        # Kept a little longer than it is good for: another worker's clock may be behind.
        if not good or not self._first_use(client, number, expires + 2 * SKEW):
            raise Refused("AUTH-110")


def _claims(payload: bytes) -> dict[str, Any]:
    """Return the claims in a JWT's payload.  Raises ValueError when it is no JSON object."""
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise ValueError("claims are not an object")
    return claims
