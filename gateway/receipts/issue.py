"""Issues receipts and signs the heads of the audit log.

A receipt is a JWS in compact form, signed with Ed25519.  It is issued before the log is
sealed and never changes, so it carries the leaf of its audit entry and the promise to be
sealed; the inclusion proof is fetched apart (semantics, rule 16).

Source: RFC 7515 (JWS), RFC 8037 (EdDSA), RFC 7638 (thumbprint as key id).
"""

from __future__ import annotations

import base64
import json
import secrets
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.model import Json, Receipt

ALGORITHM = "EdDSA"
RECEIPT_TYPE = "receipt+jws"
HEAD_TYPE = "head+jws"
SEALED_WITHIN_S = 60
"""What a receipt promises about its audit entry."""

KINDS = ("accepted", "registered", "refused", "delivered")

NUMBER_LENGTH = 10
"""Characters after the date: 50 random bits, so that a busy day sees no number twice."""

# RFC 9864 prefers the name "Ed25519" for the same algorithm; "EdDSA" is what verifiers of
# today know, and a receipt must be read by whoever holds it.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", module="joserfc")

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)


class Audited(Protocol):
    """The part of an audit entry that a receipt carries."""

    @property
    def id(self) -> str: ...
    @property
    def leaf(self) -> str: ...


class Receipts:
    """Signs with one key.  Safe to use from several threads."""

    def __init__(
        self, key: bytes, issuer: str, random_number: Callable[[int], int] = secrets.randbelow
    ) -> None:
        """`key` is an Ed25519 private key (32 raw bytes), `issuer` the gateway's address."""
        private = Ed25519PrivateKey.from_private_bytes(key)
        public = private.public_key().public_bytes_raw()
        self._key = OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": _base64(public), "d": _base64(key)}
        )
        self.kid = self._key.thumbprint()
        self.issuer = issuer
        self._public: Json = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _base64(public),
            "kid": self.kid,
            "alg": ALGORITHM,
            "use": "sig",
        }
        self._random = random_number

    def jwks(self) -> Json:
        """Return the public key as a JWK set."""
        return {"keys": [dict(self._public)]}

    def issue(self, kind: str, claims: Mapping[str, Any], audit: Audited, at: datetime) -> Receipt:
        """Return a signed receipt of `kind` with `claims` and the promise about `audit`.

        Claims that are None are left out.  `claims` may not name what the receipt itself says.
        """
        assert kind in KINDS, kind
        number = self._number(at)
        own = {
            "iss": self.issuer,
            "number": number,
            "kind": kind,
            "issued_at": at.astimezone(UTC).isoformat(),
            "audit": {
                "entry": audit.id,
                "leaf": audit.leaf,
                "promise": f"sealed within {SEALED_WITHIN_S} s",
            },
        }
        clash = own.keys() & claims.keys()
        assert not clash, clash
        said = own | {name: value for name, value in claims.items() if value is not None}
        return Receipt(number=number, kind=kind, jws=self._sign(RECEIPT_TYPE, said), issued_at=at)

    def sign_head(self, size: int, root: str, at: datetime) -> str:
        """Return a JWS that states the log's size and Merkle root (hex)."""
        said = {
            "iss": self.issuer,
            "size": size,
            "root": root,
            "at": at.astimezone(UTC).isoformat(),
        }
        return self._sign(HEAD_TYPE, said)

    def read_head(self, text: str) -> Mapping[str, Any] | None:
        """Return what a head of ours states, or None when its signature does not hold."""
        return read(text, self._key, HEAD_TYPE)

    def _sign(self, type: str, said: Mapping[str, Any]) -> str:
        header = {"alg": ALGORITHM, "typ": type, "kid": self.kid}
        payload = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return jws.serialize_compact(header, payload, self._key, registry=_REGISTRY)

    def _number(self, at: datetime) -> str:
        """Like `R-20261121-7H2K9QX4ZD`: no letter that is misread over the telephone."""
        drawn = "".join(_CROCKFORD[self._random(32)] for _ in range(NUMBER_LENGTH))
        return f"R-{at.astimezone(UTC):%Y%m%d}-{drawn}"


def read(text: str, key: OKPKey, type: str) -> Mapping[str, Any] | None:
    """Return the claims of a JWS of `type` when its signature by `key` holds, else None."""
    try:
        signed = jws.deserialize_compact(text, key, registry=_REGISTRY)
        said = json.loads(signed.payload)
    except (JoseError, ValueError):
        return None
    if signed.headers().get("typ") != type or not isinstance(said, dict):
        return None
    return said


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
