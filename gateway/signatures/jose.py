"""What a JWS says of itself in its protected header, and how its parts are written.

Source: RFC 7515 (JWS), RFC 7518 (algorithms), RFC 7797 (`b64`), ETSI TS 119 182-1 (`sigT`).
The names of the GOST algorithms are those of ЕСИА; IANA has none.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

from gateway.algorithms.interface import Scheme
from gateway.model import Json
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    not_done,
    shown,
    undecided,
)

HEADER_BYTES_MAX = 256 * 1024

ALGORITHMS: dict[str, tuple[Scheme, str]] = {
    **{f"RS{n}": (Scheme(family="rsa", digest=f"sha{n}"), "") for n in (256, 384, 512)},
    **{f"PS{n}": (Scheme(family="rsa-pss", digest=f"sha{n}"), "") for n in (256, 384, 512)},
    "ES256": (Scheme(family="ecdsa", digest="sha256", encoding="raw"), "secp256r1"),
    "ES384": (Scheme(family="ecdsa", digest="sha384", encoding="raw"), "secp384r1"),
    "ES512": (Scheme(family="ecdsa", digest="sha512", encoding="raw"), "secp521r1"),
    "BP256R1": (Scheme(family="ecdsa", digest="sha256", encoding="raw"), "brainpoolp256r1"),
    "BP384R1": (Scheme(family="ecdsa", digest="sha384", encoding="raw"), "brainpoolp384r1"),
    "BP512R1": (Scheme(family="ecdsa", digest="sha512", encoding="raw"), "brainpoolp512r1"),
    "Ed25519": (Scheme(family="ed25519", digest="sha512"), ""),
    "Ed448": (Scheme(family="ed448", digest="shake256"), ""),
    "EdDSA": (Scheme(family="eddsa", digest="sha512"), ""),
    "GOST3410_2012_256": (Scheme(family="gost256", digest="streebog256"), ""),
    "GOST3410_2012_512": (Scheme(family="gost512", digest="streebog512"), ""),
}
"""`alg` → how the value is computed, and the only curve it may be used on.

`EdDSA` leaves the curve to the key (RFC 8037); the BP names are gematik's, no registry's."""

PROVE_NOTHING = re.compile(r"none|HS\d+", re.IGNORECASE)
"""Algorithms that anybody, or anybody who can verify, can compute."""

UNDERSTOOD = (
    *("b64", "iat", "sigT", "sigD", "x5t#o", "sigX5ts"),
    *("srCms", "srAts", "sigPl", "sigPId", "adoTst"),
)
"""What `crit` may name."""

REGISTERED = frozenset(
    ("alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit")
)
"""Names that RFC 7515 defines, which `crit` must not list."""

KNOWN = (
    *("ES256K", "RS1", "SM2", "HS256", "HS384", "HS512"),
    *("exp", "nbf", "http", "canon", "etsiU"),
)
"""Names a report may repeat: those of registries and of ETSI TS 119 182-1."""


def decoded(written: bytes, part: str) -> bytes:
    """Return what base64url stands for, written in the one canonical way."""
    try:
        plain = base64.urlsafe_b64decode(written + b"=" * (-len(written) % 4))
    except binascii.Error as error:
        raise failed("format", FORMAT_FAILURE, f"{part}: not base64url") from error
    if base64.urlsafe_b64encode(plain).rstrip(b"=") != written:
        raise failed("format", FORMAT_FAILURE, f"{part}: base64url with unused bits set")
    return plain


def encoded(octets: bytes) -> bytes:
    """Return base64url without padding.

    >>> encoded(b"a?>")
    b'YT8-'
    """
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def scheme_of(header: Json) -> tuple[Scheme, str]:
    """Return how the value is computed and on which curve, or raise the flaw."""
    name = header.get("alg")
    if not isinstance(name, str):
        raise failed("algorithm_binding", FORMAT_FAILURE, "no alg")
    if PROVE_NOTHING.fullmatch(name):
        raise failed("algorithm_binding", FORMAT_FAILURE, f"alg {name} proves nothing")
    if name not in ALGORITHMS:
        detail = f"alg {shown(name, KNOWN)} unsupported"
        raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail)
    return ALGORITHMS[name]


def is_encoded(header: Json) -> bool:
    """Return `b64`; true where it is not said.  Raises the flaw that it is said wrongly."""
    value = header.get("b64", True)
    if not isinstance(value, bool):
        raise failed("signed_attributes", FORMAT_FAILURE, "b64 is no boolean")
    if "b64" in header and "b64" not in _listed(header):
        # RFC 7797, section 6: who does not know b64 would digest something else.
        raise failed("signed_attributes", FORMAT_FAILURE, "b64 not in crit")
    return value


def check_critical(header: Json) -> None:
    """Raise the flaw when `crit` is malformed, or names what is not understood here."""
    if "crit" not in header:
        return
    listed = _listed(header)
    wrong = (
        not listed
        or len(set(listed)) != len(listed)
        or not REGISTERED.isdisjoint(listed)
        or not set(listed) <= header.keys()
    )
    if wrong:
        raise failed("signed_attributes", FORMAT_FAILURE, "crit malformed")
    unknown = [shown(name, KNOWN, "member") for name in listed if name not in UNDERSTOOD]
    if unknown:
        detail = f"crit {', '.join(unknown)} not understood"
        raise undecided("signed_attributes", SIG_CONSTRAINTS_FAILURE, detail)


def claimed_at(header: Json) -> datetime | None:
    """Return the signing time that the header claims: `sigT` (ISO 8601), else `iat`."""
    written, issued = header.get("sigT"), header.get("iat")
    try:
        if isinstance(written, str):
            moment = datetime.fromisoformat(written)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(issued, int) and not isinstance(issued, bool):
            return datetime.fromtimestamp(issued, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise failed("signed_attributes", FORMAT_FAILURE, "signing time unreadable") from error
    if written is not None or issued is not None:
        raise failed("signed_attributes", FORMAT_FAILURE, "signing time unreadable")
    return None


def media_type(header: Json) -> str:
    """Return the content's media type as `cty` tells it, without parameters."""
    kind = header.get("cty")
    if not isinstance(kind, str):
        return ""
    plain = kind.partition(";")[0].strip().lower()
    return plain if "/" in plain else f"application/{plain}"


def _listed(header: Json) -> list[str]:
    """Return what `crit` lists; nothing when it is no list of names."""
    listed = header.get("crit")
    if not isinstance(listed, list):
        return []
    names = [name for name in listed if isinstance(name, str)]
    return names if len(names) == len(listed) else []
