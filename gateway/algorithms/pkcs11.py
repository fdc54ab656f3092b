"""Signing by a key that never leaves its token: PKCS#11, through the maker's own library.

A key is named by a URI (RFC 7512) in place of its octets:

    pkcs11:token=laboratory;object=doctor?module-path=/usr/lib/…/lib.so&pin-source=file:/run/pin

Only signing is asked of the token; digests and verification stay with the other providers.
RSA (PKCS#1 v1.5) and ECDSA alone: makers agree on no mechanism for GOST R 34.10-2012 and its
byte order, so GOST tokens need their maker's description and a test with the token itself.
SoftHSM2 as Debian builds it (2.6.1) lists 70 mechanisms and none of GOST; what it can be built
with is GOST R 34.10-2001 alone.

Source: PKCS#11 v2.40, sections 2.1 (RSA) and 2.3 (ECDSA); RFC 7512, section 2.3.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from asn1crypto import algos, core

from gateway.algorithms.interface import Algorithms, Scheme, Unsupported

URI_HEAD = "pkcs11:"
URI_CHARACTERS_MAX = 2_000
PIN_BYTES_MAX = 256

_KNOWN = ("token", "object", "id", "type", "module-path", "pin-source")
_INSTALL = "python-pkcs11 is not installed (pip install python-pkcs11)"


_REASONS = {
    "NoSuchToken": "no token of this name is there (NoSuchToken)",
    "NoSuchKey": "no private key of this name is in the token (NoSuchKey)",
    "MultipleObjectsReturned": "several private keys fit (MultipleObjectsReturned)",
    "PinIncorrect": "the PIN is wrong (PinIncorrect)",
    "PinLocked": "the PIN is locked (PinLocked)",
}
"""What the usual faults of the library mean; any other is told by its name."""


class TokenFault(RuntimeError):
    """The token, its library or the URI that names it does not do what was asked."""


@dataclass(frozen=True, kw_only=True)
class KeyName:
    """Which key, in which token, behind which library."""

    module: str
    token: str
    object: str
    id: bytes
    pin_source: str

    def pin(self) -> str | None:
        """Return the PIN out of its file; None where the URI names none.  Raises TokenFault."""
        if not self.pin_source:
            return None
        try:
            octets = Path(self.pin_source.removeprefix("file:")).read_bytes()
        except OSError as error:
            raise TokenFault("pin-source cannot be read") from error
        if len(octets) > PIN_BYTES_MAX:
            raise TokenFault("pin-source is longer than a PIN")
        return octets.decode("utf-8", "replace").strip()


def is_uri(text: str) -> bool:
    """Say whether a key is named by a PKCS#11 URI."""
    return text.startswith(URI_HEAD)


def read_uri(text: str) -> KeyName:
    """Return what a PKCS#11 URI names.  Raises TokenFault; a PIN in the URI is refused."""
    if not is_uri(text) or len(text) > URI_CHARACTERS_MAX:
        raise TokenFault("not a PKCS#11 URI")
    path, _, query = text.removeprefix(URI_HEAD).partition("?")
    found: dict[str, str] = {}
    for part in [*filter(None, path.split(";")), *filter(None, query.split("&"))]:
        name, equals, value = part.partition("=")
        if name == "pin-value":
            # Command lines are read by everybody on the machine.
            raise TokenFault("a PIN belongs into a file: pin-source=file:…")
        if name not in _KNOWN or not equals or name in found:
            raise TokenFault(f"a URI has {', '.join(_KNOWN)}, each once, with a value")
        found[name] = value
    if found.get("type", "private") != "private":
        raise TokenFault("the type can only be private")
    if not found.get("module-path") or not (found.get("object") or found.get("id")):
        raise TokenFault("module-path, and object or id, are needed")
    return KeyName(
        module=unquote(found["module-path"]),
        token=unquote(found.get("token", "")),
        object=unquote(found.get("object", "")),
        id=unquote(found.get("id", ""), "latin-1").encode("latin-1"),
        pin_source=unquote(found.get("pin-source", "")),
    )


class TokenSigner(Algorithms):
    """The mathematics of `algorithms`, but signatures by one key in a token."""

    def __init__(self, algorithms: Algorithms, name: KeyName) -> None:
        """Raises Unsupported where python-pkcs11 is not installed."""
        super().__init__(*algorithms.providers)
        self.policy, self.moment = algorithms.policy, algorithms.moment
        try:
            import pkcs11
        except ImportError as error:
            raise Unsupported(_INSTALL) from error
        self._pkcs11: Any = pkcs11
        self._name = name
        self._lock = threading.Lock()

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        """Return the token's signature over `octets`; `key` is not looked at.

        Raises TokenFault, and Unsupported for what tokens are not asked for here.
        """
        if scheme.family not in ("rsa", "ecdsa"):
            raise Unsupported(f"{scheme.family} in a PKCS#11 token")
        digest = self.digest(scheme.digest, octets)
        # Tokens are slow and their libraries seldom take two threads at once.
        with self._lock:
            try:
                return self._signed(scheme, digest)
            except TokenFault:
                raise
            except RuntimeError as error:  # what the library calls a PKCS11Error is one too
                name = type(error).__name__
                raise TokenFault(_REASONS.get(name, name)) from error

    def _signed(self, scheme: Scheme, digest: bytes) -> bytes:
        p = self._pkcs11
        try:
            library = p.lib(self._name.module)
        except RuntimeError as error:
            raise TokenFault("the library that module-path names cannot be loaded") from error
        token = library.get_token(token_label=self._name.token or None)
        with token.open(user_pin=self._name.pin()) as session:
            private = session.get_key(
                object_class=p.ObjectClass.PRIVATE_KEY,
                label=self._name.object or None,
                id=self._name.id or None,
            )
            if scheme.family == "ecdsa":
                raw = bytes(private.sign(digest, mechanism=p.Mechanism.ECDSA))
                return raw if scheme.encoding == "raw" else _der(raw)
            return bytes(
                private.sign(_digest_info(scheme.digest, digest), mechanism=p.Mechanism.RSA_PKCS)
            )


def _digest_info(name: str, digest: bytes) -> bytes:
    """Return the DigestInfo that PKCS#1 v1.5 pads (RFC 8017, section 9.2)."""
    algorithm = {"algorithm": name, "parameters": core.Null()}
    return bytes(algos.DigestInfo({"digest_algorithm": algorithm, "digest": digest}).dump())


def _der(raw: bytes) -> bytes:
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    return bytes(algos.DSASignature({"r": r, "s": s}).dump())
