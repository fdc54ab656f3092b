"""Encryption at rest: compressed, authenticated, and bound to its place in the database.

zstd, then AES-256-GCM with a random nonce.  The place (table, row identity, owner) goes in as
associated data, so a sealed body moved to another row does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import unicodedata

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
PLAIN_BYTES_MAX = 1 << 30
"""What one sealed body may unpack to: a guard against our own mistakes, not against senders."""

_FORM = b"\x01"
_LEVEL = 3
_local = threading.local()


class Unreadable(Exception):
    """A sealed body does not open: wrong key, another row's body, or a changed byte."""


def new_key() -> bytes:
    """Return a fresh 256-bit key."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, plain: bytes, place: str) -> bytes:
    """Return `plain` compressed and encrypted, readable only at `place`."""
    nonce = os.urandom(NONCE_BYTES)
    return _FORM + nonce + AESGCM(key).encrypt(nonce, _pack(plain), place.encode())


def open_sealed(key: bytes, sealed: bytes, place: str) -> bytes:
    """Return what `seal` took.  Raises Unreadable."""
    start = 1 + NONCE_BYTES
    if sealed[:1] != _FORM:
        raise Unreadable(place)
    try:
        packed = AESGCM(key).decrypt(sealed[1:start], sealed[start:], place.encode())
    except InvalidTag as error:
        raise Unreadable(place) from error
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=PLAIN_BYTES_MAX)


def wrap(key: bytes, inner: bytes, place: str) -> bytes:
    """Return key `inner` encrypted under `key`: as `seal`, but keys are not compressed."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, inner, place.encode())


def unwrap(key: bytes, wrapped: bytes, place: str) -> bytes:
    """Return what `wrap` took.  Raises Unreadable."""
    try:
        return AESGCM(key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place.encode())
    except InvalidTag as error:
        raise Unreadable(place) from error


def derive(key: bytes, purpose: str) -> bytes:
    """Return a key for one purpose, made from `key` (HMAC-SHA-256 as a PRF)."""
    return hmac.digest(key, b"gateway/" + purpose.encode(), "sha256")


def token(key: bytes, *words: str) -> str:
    """Return the keyed token (hex) that stands for `words` in a search column.

    Words are folded as people do who compare names: NFKC, case, white space at the ends.
    """
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for word in words:
        folded = unicodedata.normalize("NFKC", word).strip().casefold().encode()
        digest.update(len(folded).to_bytes(4, "big") + folded)
    return digest.hexdigest()


def _pack(plain: bytes) -> bytes:
    compressor: zstandard.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return compressor.compress(plain)
