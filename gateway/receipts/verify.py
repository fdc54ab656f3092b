"""Checks a receipt offline: its signature, and its place in the log when a proof is at hand.

Source: RFC 7515 section 5.2; RFC 9162 section 2.1.3.2 (inclusion proofs).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.algorithms.merkle import root_from_path
from gateway.model import Json
from gateway.receipts.issue import HEAD_TYPE, RECEIPT_TYPE, read

RECEIPT_LENGTH_MAX = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found out about a receipt."""

    valid: bool
    claims: Mapping[str, Any]
    """Empty unless the signature holds: what nobody signed is not repeated."""

    reason: str
    """Empty when valid; else what is wrong, for people."""

    included: str
    """`sealed`, `pending` (no proof at hand yet) or `no` (the proof does not hold)."""


def verify(text: str, jwks: Json, proof: Json | None = None) -> Verified:
    """Verify a receipt against the gateway's public keys, and `proof` with it if given.

    A pending proof is as none: the receipt itself stays valid.
    """
    text = text.strip()
    if len(text) > RECEIPT_LENGTH_MAX:
        return _invalid("The receipt is too long to be one of ours.")
    if not _canonical(text):
        return _invalid("The receipt is not a JWS in compact form.")
    key = _key(text, jwks)
    if key is None:
        return _invalid("The receipt names a key that is not among the gateway's keys.")
    claims = read(text, key, RECEIPT_TYPE)
    if claims is None:
        return _invalid("The signature does not hold: the receipt was changed or is not ours.")
    if proof is None or proof.get("included") == "pending":
        return Verified(valid=True, claims=claims, reason="", included="pending")
    if not _included(claims, proof, jwks):
        reason = "The receipt is signed, but the proof does not show it in the sealed log."
        return Verified(valid=False, claims=claims, reason=reason, included="no")
    return Verified(valid=True, claims=claims, reason="", included="sealed")


def _included(claims: Mapping[str, Any], proof: Json, jwks: Json) -> bool:
    """The receipt's own leaf, not the proof's, must lead to a root that we signed."""
    text = str(proof.get("head", ""))
    key = _key(text, jwks)
    head = read(text, key, HEAD_TYPE) if key is not None else None
    path = proof.get("path")
    index = proof.get("index")
    if head is None or not isinstance(path, list) or not isinstance(index, int):
        return False
    try:
        leaf = bytes.fromhex(claims["audit"]["leaf"])
        nodes = [bytes.fromhex(str(node)) for node in path]
        size, root = int(head["size"]), bytes.fromhex(head["root"])
    except (KeyError, TypeError, ValueError):
        return False
    return root_from_path(leaf, index, size, nodes) == root


def _key(text: str, jwks: Json) -> OKPKey | None:
    """The one of the gateway's keys that the header names."""
    try:
        header = json.loads(_octets(text.split(".")[0]))
    except ValueError:
        return None
    kid = header.get("kid") if isinstance(header, dict) else None
    keys = jwks.get("keys")
    for one in keys if isinstance(keys, list) else []:
        if isinstance(one, dict) and one.get("kid") == kid and one.get("crv") == "Ed25519":
            try:
                return OKPKey.import_key({name: str(one[name]) for name in ("kty", "crv", "x")})
            except (JoseError, KeyError, ValueError):
                return None
    return None


def _canonical(text: str) -> bool:
    """Base64url has one spelling of each octet string; every other is a changed receipt.

    Decoders drop the unused bits of the last character, so without this check a receipt
    could be altered in a byte and still pass.
    """
    pieces = text.split(".")
    if len(pieces) != 3 or not text.isascii():
        return False
    try:
        return all(
            base64.urlsafe_b64encode(_octets(piece)).rstrip(b"=").decode() == piece
            for piece in pieces
        )
    except (ValueError, binascii.Error):
        return False


def _octets(piece: str) -> bytes:
    return base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))


def _invalid(reason: str) -> Verified:
    return Verified(valid=False, claims={}, reason=reason, included="no")
