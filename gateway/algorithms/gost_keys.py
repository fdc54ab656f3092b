"""GOST R 34.10-2012 and -2001 keys and curves as both GOST providers read them: strictly.

libcrypto forgives unused bits, trailing bytes and foreign digest parameters in a public
key; here they are refused before any provider sees the key.

Source: RFC 7836 and R 1323565.1.024-2019 (curves), RFC 4357 (CryptoPro names of the same
curves), RFC 9215, section 4.3 (public keys: X and Y little endian in an OCTET STRING).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from asn1crypto import core, keys
from gostcrypto.gostsignature import CURVES_R_1323565_1_024_2019 as TABLE

from gateway.algorithms.asn1 import GOST_FAMILIES, KEY_OIDS, MALFORMED
from gateway.algorithms.interface import Unsupported

_CURVES = {
    "1.2.643.7.1.2.1.1.1": "id-tc26-gost-3410-2012-256-paramSetA",
    "1.2.643.7.1.2.1.1.2": "id-tc26-gost-3410-2012-256-paramSetB",
    "1.2.643.7.1.2.1.1.3": "id-tc26-gost-3410-2012-256-paramSetC",
    "1.2.643.7.1.2.1.1.4": "id-tc26-gost-3410-2012-256-paramSetD",
    # CryptoPro's names: A is TC26 B, B is TC26 C, C is TC26 D; the exchange sets repeat A and C.
    "1.2.643.2.2.35.1": "id-tc26-gost-3410-2012-256-paramSetB",
    "1.2.643.2.2.35.2": "id-tc26-gost-3410-2012-256-paramSetC",
    "1.2.643.2.2.35.3": "id-tc26-gost-3410-2012-256-paramSetD",
    "1.2.643.2.2.36.0": "id-tc26-gost-3410-2012-256-paramSetB",
    "1.2.643.2.2.36.1": "id-tc26-gost-3410-2012-256-paramSetD",
    "1.2.643.7.1.2.1.2.1": "id-tc26-gost-3410-12-512-paramSetA",
    "1.2.643.7.1.2.1.2.2": "id-tc26-gost-3410-12-512-paramSetB",
    "1.2.643.7.1.2.1.2.3": "id-tc26-gost-3410-2012-512-paramSetC",
}
_EXAMPLES: dict[str, tuple[int | str, ...]] = {
    "1.2.643.2.2.35.0": (
        32,
        "8000000000000000000000000000000000000000000000000000000000000431",
        "5fbff498aa938ce739b8e022fbafef40563f6e6a3472fc2a514c0ce9dae23b7e",
        "8000000000000000000000000000000150fe8a1892976154c59cfc193accf5b3",
        "2",
        "8e2a8a0e65147d4bd6316030e16d19c85c97f0a9ca267122b96abbcea7e8fc8",
    ),
    "1.2.643.7.1.2.1.2.0": (
        64,
        "4531acd1fe0023c7550d267b6b2fee80922b14b2ffb90f04d4eb7c09b5d2d15d"
        "f1d852741af4704a0458047e80e4546d35b8336fac224dd81664bbf528be6373",
        "1cff0806a31116da29d8cfa54e57eb748bc5f377e49400fdd788b649eca1ac43"
        "61834013b2ad7322480a89ca58e0cf74bc9e540c2add6897fad0a3084f302adc",
        "4531acd1fe0023c7550d267b6b2fee80922b14b2ffb90f04d4eb7c09b5d2d15d"
        "a82f2d7ecb1dbac719905c5eecc423f1d86e25edbe23c595d644aaf187e6e6df",
        "24d19cc64572ee30f396bf6ebbfd7a6c5213b3b3d7057cc825f91093a68cd762"
        "fd60611262cd838dc6b60aa7eee804e28bc849977fac33b4b530f1b120248a9a",
        "2bb312a43bd2ce6e0d020613c857acddcfbf061e91e5f2c3f32447c259f39b2c"
        "83ab156d77f1496bf7eb3351e1ee4e43dc1a18b91b24640b6dbb92cb1add371e",
    ),
}
"""The curves of the standard's own examples (RFC 7091, section 7): bytes, p, b, q, x, y; a is 7.
No authority issues keys on them; the published examples of GOST in X.509 are."""

READ_KEPT_MAX = 256
"""The keys in use at a time; each stays read."""

KEY_BYTES_MAX = 512
"""A key of 512 bits takes some 170; what is kept read must have an end."""

_BYTES = {"gost2012_256": 32, "gost2012_512": 64, "gost2001": 32}
_DIGEST_OIDS = {
    "gost2012_256": "1.2.643.7.1.1.2.2",
    "gost2012_512": "1.2.643.7.1.1.2.3",
    # The parameters of GOST R 34.11-94 by CryptoPro, the only ones in use (RFC 4357, 11.2).
    "gost2001": "1.2.643.2.2.30.1",
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A short Weierstrass curve y² = x³ + ax + b over GF(p), its base point and its order."""

    p: int
    a: int
    b: int
    q: int
    x: int
    y: int
    size: int
    """Bytes in a coordinate."""

    def holds(self, x: int, y: int) -> bool:
        """Return whether (x, y) is a point of the curve, coordinates reduced."""
        if not (0 <= x < self.p and 0 <= y < self.p):
            return False
        return (y * y - (x * x + self.a) * x - self.b) % self.p == 0


@dataclass(frozen=True, kw_only=True)
class GostKey:
    """A public key that was read strictly and lies on its curve."""

    family: str
    digest: str
    curve: Curve
    x: int
    y: int


class BadKey(ValueError):
    """The octets are not exactly a GOST public key."""


@lru_cache(maxsize=READ_KEPT_MAX)
def read_public(key: bytes) -> GostKey:
    """Return the GOST key in a SubjectPublicKeyInfo.

    Raises BadKey for anything but its one right encoding on its curve, and Unsupported for
    a curve we do not know.
    """
    if len(key) > KEY_BYTES_MAX:
        raise BadKey("longer than any key")
    try:
        info = keys.PublicKeyInfo.load(key, strict=True)
        kind = str(info["algorithm"]["algorithm"].native)
        if kind not in _BYTES:
            raise BadKey("not a GOST key")
        curve = _curve_of(info["algorithm"]["parameters"], kind)
        point = _point_octets(info["public_key"], curve.size)
    except MALFORMED as error:
        if isinstance(error, BadKey):
            raise
        raise BadKey("not a public key") from error
    x = int.from_bytes(point[: curve.size], "little")
    y = int.from_bytes(point[curve.size :], "little")
    if not curve.holds(x, y):
        raise BadKey("the point is not on the curve")
    family, digest = GOST_FAMILIES[kind]
    return GostKey(family=family, digest=digest, curve=curve, x=x, y=y)


def read_private(key: bytes) -> tuple[str, Curve, int]:
    """Return (family, curve, scalar) of a PKCS#8 private key in plain little-endian form.

    Raises BadKey and Unsupported.
    """
    try:
        info = keys.PrivateKeyInfo.load(key, strict=True)
        algorithm = info["private_key_algorithm"]
        kind = str(algorithm["algorithm"].native)
        if kind not in _BYTES:
            raise BadKey("not a GOST key")
        curve = _curve_of(algorithm["parameters"], kind)
        octets = bytes(info["private_key"].contents)
    except MALFORMED as error:
        if isinstance(error, BadKey):
            raise
        raise BadKey("not a private key") from error
    if len(octets) == curve.size + 2:
        # Some tools wrap the scalar in an OCTET STRING of its own.
        octets = bytes(core.OctetString.load(octets, strict=True).native)
    scalar = int.from_bytes(octets, "little")
    if len(octets) != curve.size or not 0 < scalar < curve.q:
        raise BadKey("the private scalar is out of range")
    return GOST_FAMILIES[kind][0], curve, scalar


def read_signature(signature: bytes, curve: Curve) -> tuple[int, int] | None:
    """Return (r, s) of a signature s‖r, big endian; None unless both lie in 1…q-1."""
    if len(signature) != 2 * curve.size:
        return None
    s = int.from_bytes(signature[: curve.size], "big")
    r = int.from_bytes(signature[curve.size :], "big")
    if not (0 < r < curve.q and 0 < s < curve.q):
        return None
    return r, s


@cache
def curve_named(oid: str) -> Curve:
    """Return the curve of a parameter set.  Raises Unsupported."""
    if oid in _EXAMPLES:
        size, *numbers = _EXAMPLES[oid]
        p, b, q, x, y = (int(str(number), 16) for number in numbers)
        return Curve(p=p, a=7, b=b, q=q, x=x, y=y, size=int(size))
    if oid not in _CURVES:
        raise Unsupported(f"GOST parameter set {oid}")
    entry = TABLE[_CURVES[oid]]
    p, q = int(entry["p"]), int(entry["q"])
    if "a" in entry:
        a, b = int(entry["a"]), int(entry["b"])
    else:
        # Given in twisted Edwards form only; R 1323565.1.024-2019, section 5.4.
        quarter = (entry["e"] - entry["d"]) * pow(4, -1, p) % p
        sixth = (entry["e"] + entry["d"]) * pow(6, -1, p) % p
        a = (quarter * quarter - 3 * sixth * sixth) % p
        b = (2 * sixth**3 - sixth * quarter * quarter) % p
    size = 64 if "512" in _CURVES[oid].removeprefix("id-tc26-gost-3410-") else 32
    curve = Curve(p=p, a=a, b=b, q=q, x=int(entry["x"]), y=int(entry["y"]), size=size)
    assert curve.holds(curve.x, curve.y), oid
    return curve


def _curve_of(parameters: Any, kind: str) -> Curve:
    """Return the curve that key parameters name; the rest of them must agree with it."""
    assert kind in KEY_OIDS.values()
    digest = parameters["digest_param_set"].native
    if digest is not None and digest != _DIGEST_OIDS[kind]:
        raise BadKey("digest parameters of another algorithm")
    curve = curve_named(str(parameters["public_key_param_set"].native))
    if curve.size != _BYTES[kind]:
        raise BadKey("a curve of another size")
    return curve


def _point_octets(bits: Any, size: int) -> bytes:
    """Return X‖Y out of BIT STRING { OCTET STRING }, exactly."""
    raw = bytes(bits.contents)
    if not raw or raw[0] != 0:
        raise BadKey("unused bits in the public key")
    inner = core.OctetString(bytes(raw[3 if size == 32 else 4 :]))
    if inner.dump() != raw[1:] or len(inner.native) != 2 * size:
        raise BadKey("the public key is not two coordinates")
    return bytes(inner.native)
