"""GOST R 34.10/34.11-2012 in Python alone: the fallback where there is no gost-engine.

Streebog and the curves' numbers come from `gostcrypto`; the point arithmetic is ours,
because the library's own repeats a modular inversion per step and goes wrong where two
points are opposite (2 verifications a second there, 300 here).  It is not constant-time:
it verifies, and it signs for the sandbox and tests; keys of value belong in the engine or
in a certified tool.

Source: GOST R 34.10-2012, sections 6.1 and 6.2; Jacobian formulas "dbl-2007-bl" and
"add-2007-bl" of the Explicit-Formulas Database.
"""

from __future__ import annotations

import secrets

from asn1crypto import core, keys
from gostcrypto import gosthash

from gateway.algorithms import gost_keys
from gateway.algorithms.gost_keys import Curve
from gateway.algorithms.interface import Scheme, Unsupported

Point = tuple[int, int, int]
"""Jacobian coordinates (X, Y, Z): the point is (X/Z², Y/Z³), at infinity when Z is 0."""

INFINITY: Point = (0, 1, 0)
KEY_KINDS = {
    "gost256": ("gost2012_256", "1.2.643.7.1.2.1.1.2", None),
    "gost512": ("gost2012_512", "1.2.643.7.1.2.1.2.1", "1.2.643.7.1.1.2.3"),
}
"""Family → (key algorithm, curve, digest parameters) of the keys we make, as the engine's."""


class GostPure:
    """The provider of GOST that needs nothing but Python."""

    NAME = "gostcrypto"
    CERTIFIED = False
    FAMILIES: tuple[str, ...] = ("gost256", "gost512")
    DIGESTS: tuple[str, ...] = ("streebog256", "streebog512")

    def digest(self, name: str, octets: bytes) -> bytes:
        if name not in self.DIGESTS:
            raise Unsupported(name)
        return bytes(gosthash.new(name, data=bytearray(octets)).digest())

    def verify(self, key: bytes, scheme: Scheme, octets: bytes, signature: bytes) -> bool:
        try:
            public = gost_keys.read_public(key)
        except gost_keys.BadKey:
            return False
        if (public.family, public.digest) != (scheme.family, scheme.digest):
            return False
        numbers = gost_keys.read_signature(signature, public.curve)
        if numbers is None:
            return False
        curve, (r, s) = public.curve, numbers
        inverse = pow(self._message_number(scheme.digest, octets, curve), -1, curve.q)
        point = _sum(
            s * inverse % curve.q,
            (curve.x, curve.y),
            -r * inverse % curve.q,
            (public.x, public.y),
            curve,
        )
        x = _affine_x(point, curve)
        return x is not None and x % curve.q == r

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        family, curve, scalar = gost_keys.read_private(key)
        if family != scheme.family or scheme.digest != _digest_of(family):
            raise ValueError(f"The key is not of the family {scheme.family}.")
        e = self._message_number(scheme.digest, octets, curve)
        while True:
            k = 1 + secrets.randbelow(curve.q - 1)
            x = _affine_x(_times(k, (curve.x, curve.y), curve), curve)
            assert x is not None
            r = x % curve.q
            s = (r * scalar + k * e) % curve.q
            if r and s:
                return s.to_bytes(curve.size, "big") + r.to_bytes(curve.size, "big")

    def generate(self, family: str) -> tuple[bytes, bytes]:
        if family not in KEY_KINDS:
            raise Unsupported(family)
        return self.generate_on(family, KEY_KINDS[family][1])

    def generate_on(self, family: str, oid: str) -> tuple[bytes, bytes]:
        """As `generate`, in parameter set `oid` of the family's size.  Raises Unsupported."""
        kind, usual, digest = KEY_KINDS[family]
        curve = gost_keys.curve_named(oid)
        scalar = 1 + secrets.randbelow(curve.q - 1)
        x, y = _affine(_times(scalar, (curve.x, curve.y), curve), curve)
        parameters: dict[str, str] = {"public_key_param_set": oid}
        if digest is not None and oid == usual:
            parameters["digest_param_set"] = digest
        algorithm = {"algorithm": kind, "parameters": parameters}
        point = x.to_bytes(curve.size, "little") + y.to_bytes(curve.size, "little")
        public = keys.PublicKeyInfo(
            {
                "algorithm": algorithm,
                "public_key": core.OctetBitString(core.OctetString(point).dump()),
            }
        )
        private = keys.PrivateKeyInfo(
            {
                "version": 0,
                "private_key_algorithm": algorithm,
                "private_key": core.ParsableOctetString(scalar.to_bytes(curve.size, "little")),
            }
        )
        return private.dump(), public.dump()

    def _message_number(self, digest: str, octets: bytes, curve: Curve) -> int:
        # The digest counts as a little-endian number (RFC 7091, section 6; gostcrypto gives
        # the octets in the order they go on the wire).
        return int.from_bytes(self.digest(digest, octets), "little") % curve.q or 1


def _digest_of(family: str) -> str:
    return {"gost256": "streebog256", "gost512": "streebog512"}[family]


def _double(point: Point, curve: Curve) -> Point:
    x, y, z = point
    p = curve.p
    if not z or not y:
        return INFINITY
    yy = y * y % p
    s = 4 * x * yy % p
    zz = z * z % p
    m = (3 * x * x + curve.a * zz * zz) % p
    x_next = (m * m - 2 * s) % p
    return x_next, (m * (s - x_next) - 8 * yy * yy) % p, 2 * y * z % p


def _add(left: Point, right: Point, curve: Curve) -> Point:
    if not left[2]:
        return right
    if not right[2]:
        return left
    p = curve.p
    z1z1, z2z2 = left[2] * left[2] % p, right[2] * right[2] % p
    u1, u2 = left[0] * z2z2 % p, right[0] * z1z1 % p
    s1, s2 = left[1] * right[2] * z2z2 % p, right[1] * left[2] * z1z1 % p
    h, r = (u2 - u1) % p, (s2 - s1) % p
    if not h:
        return INFINITY if r else _double(left, curve)
    hh = h * h % p
    hhh, v = h * hh % p, u1 * hh % p
    x = (r * r - hhh - 2 * v) % p
    return x, (r * (v - x) - s1 * hhh) % p, left[2] * right[2] * h % p


def _times(scalar: int, point: tuple[int, int], curve: Curve) -> Point:
    return _sum(scalar, point, 0, point, curve)


def _sum(
    first: int, one: tuple[int, int], second: int, two: tuple[int, int], curve: Curve
) -> Point:
    """Return first·one + second·two, both at once (Shamir's trick)."""
    left: Point = (one[0], one[1], 1)
    right: Point = (two[0], two[1], 1)
    both = _add(left, right, curve)
    choices = (INFINITY, left, right, both)
    result = INFINITY
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        result = _double(result, curve)
        choice = (first >> bit & 1) | (second >> bit & 1) << 1
        if choice:
            result = _add(result, choices[choice], curve)
    return result


def _affine_x(point: Point, curve: Curve) -> int | None:
    """Return the point's x, or None at infinity."""
    if not point[2]:
        return None
    return _affine(point, curve)[0]


def _affine(point: Point, curve: Curve) -> tuple[int, int]:
    assert point[2]
    inverse = pow(point[2], -1, curve.p)
    square = inverse * inverse % curve.p
    return point[0] * square % curve.p, point[1] * square * inverse % curve.p
