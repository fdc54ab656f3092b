"""Case E9: signature values and keys that are nearly right, for every family of keys.

Numbers of zero or beyond the order, points off the curve, parameter sets of another curve,
octets in another order: each once let somebody forge signatures somewhere.

Source: FIPS 186-5, section 6.4.2; GOST R 34.10-2012, section 6.2; CVE-2022-21449.
"""

from __future__ import annotations

import pytest
from asn1crypto import algos, core, keys

from gateway.algorithms import gost_keys, standard
from gateway.algorithms.gost_pure import GostPure
from gateway.algorithms.interface import Algorithms, Scheme, Unsupported

OCTETS = b"haemoglobin 141 g/l"
DER = Scheme(family="ecdsa", digest="sha256")
RAW = Scheme(family="ecdsa", digest="sha256", encoding="raw")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GOST = {
    "gost256": Scheme(family="gost256", digest="streebog256"),
    "gost512": Scheme(family="gost512", digest="streebog512"),
}
PURE = standard("pure")
PRIVATE, PUBLIC = PURE.generate("ecdsa")


def _both() -> list[Algorithms]:
    try:
        return [PURE, standard("engine")]
    except Unsupported:
        return [PURE]


EACH = pytest.mark.parametrize("algorithms", _both(), ids=lambda a: a.providers[1].NAME)


@pytest.mark.parametrize("encoding", ["der", "raw"])
def test_ecdsa_numbers_of_zero_or_beyond_the_order_are_refused(encoding: str) -> None:
    """Psychic signatures: with r = s = 0 every document of every signer once passed in Java."""
    numbers = algos.DSASignature.load(PURE.sign(PRIVATE, DER, OCTETS))
    r, s = numbers["r"].native, numbers["s"].native

    def holds(one: int, two: int) -> bool:
        if encoding == "der":
            written = algos.DSASignature({"r": one, "s": two}).dump()
            return PURE.verify(PUBLIC, DER, OCTETS, written)
        raw = one.to_bytes(32, "big") + two.to_bytes(32, "big")
        return PURE.verify(PUBLIC, RAW, OCTETS, raw)

    assert holds(r, s)
    n = P256_ORDER
    for one, two in ((0, 0), (0, s), (r, 0), (n, s), (r, n), (n, n), (s, r)):
        assert not holds(one, two)
    if encoding == "der":
        for one, two in ((r + n, s), (r, s + n), (-r, s), (r, -s)):
            assert not holds(one, two)


def test_ecdsa_der_with_another_spelling_is_refused() -> None:
    """One signature has one DER; whoever takes two lets a file be changed unnoticed."""
    signature = PURE.sign(PRIVATE, DER, OCTETS)
    assert PURE.verify(PUBLIC, DER, OCTETS, signature)
    long = b"\x30\x81" + signature[1:]
    padded = b"\x30" + bytes([signature[1] + 1, 2, signature[3] + 1, 0]) + signature[4:]
    for wrong in (long, padded, signature + b"\0", signature[:-1], b"\x30\x00", b""):
        assert not PURE.verify(PUBLIC, DER, OCTETS, wrong)


def test_an_ecdsa_key_off_its_curve_is_refused() -> None:
    signature = PURE.sign(PRIVATE, DER, OCTETS)
    off = PUBLIC[:-1] + bytes([PUBLIC[-1] ^ 1])
    assert not PURE.verify(off, DER, OCTETS, signature)
    nowhere = PUBLIC[:-64] + bytes(64)
    assert not PURE.verify(nowhere, DER, OCTETS, signature)


def test_an_ecdsa_key_under_another_curves_name_is_refused() -> None:
    signature = PURE.sign(PRIVATE, DER, OCTETS)
    info = keys.PublicKeyInfo.load(PUBLIC)
    info["algorithm"]["parameters"] = keys.ECDomainParameters("named", "brainpoolp256r1")
    assert not PURE.verify(info.dump(force=True), DER, OCTETS, signature)


@pytest.mark.parametrize("family", ["ed25519", "ed448"])
def test_edwards_scalars_beyond_the_order_are_refused(family: str) -> None:
    """RFC 8032, 5.1.7: S and S + L would be two signatures of one document."""
    scheme = Scheme(family=family, digest="sha512")
    private, public = PURE.generate(family)
    signature = PURE.sign(private, scheme, OCTETS)
    half = len(signature) // 2
    order = {
        "ed25519": 2**252 + 27742317777372353535851937790883648493,
        "ed448": 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885,
    }[family]
    more = int.from_bytes(signature[half:], "little") + order
    again = signature[:half] + more.to_bytes(half, "little")
    assert PURE.verify(public, scheme, OCTETS, signature)
    assert not PURE.verify(public, scheme, OCTETS, again)
    assert not PURE.verify(public, scheme, OCTETS, bytes(len(signature)))


@EACH
@pytest.mark.parametrize("family", sorted(GOST))
def test_gost_numbers_of_zero_or_beyond_the_order_are_refused(
    algorithms: Algorithms, family: str
) -> None:
    private, public = PURE.generate(family)
    signature = PURE.sign(private, GOST[family], OCTETS)
    curve = gost_keys.read_public(public).curve
    s, r = signature[: curve.size], signature[curve.size :]
    zero, order = bytes(curve.size), curve.q.to_bytes(curve.size, "big")
    assert algorithms.verify(public, GOST[family], OCTETS, signature)
    for wrong in (zero + zero, zero + r, s + zero, order + r, s + order, order + order, r + s):
        assert not algorithms.verify(public, GOST[family], OCTETS, wrong)


@EACH
@pytest.mark.parametrize("family", sorted(GOST))
def test_a_gost_signature_in_another_byte_order_is_refused(
    algorithms: Algorithms, family: str
) -> None:
    """Tools differ in the order of the digest, of the halves, and of the octets in each."""
    private, public = PURE.generate(family)
    scheme = GOST[family]
    signature = PURE.sign(private, scheme, OCTETS)
    half = len(signature) // 2
    s, r = signature[:half], signature[half:]
    assert algorithms.verify(public, scheme, OCTETS, signature)
    for wrong in (r + s, s[::-1] + r[::-1], signature[::-1]):
        assert not algorithms.verify(public, scheme, OCTETS, wrong)
    backwards = _Backwards().sign(private, scheme, OCTETS)
    assert not algorithms.verify(public, scheme, OCTETS, backwards)


@EACH
@pytest.mark.parametrize("family", sorted(GOST))
def test_a_gost_key_off_its_curve_or_under_anothers_name_is_refused(
    algorithms: Algorithms, family: str
) -> None:
    private, public = PURE.generate(family)
    signature = PURE.sign(private, GOST[family], OCTETS)
    assert not algorithms.verify(
        public[:-1] + bytes([public[-1] ^ 1]), GOST[family], OCTETS, signature
    )
    own = str(keys.PublicKeyInfo.load(public)["algorithm"]["parameters"]["public_key_param_set"])
    for oid in gost_keys._CURVES:
        renamed = _renamed(public, oid)
        curve = gost_keys.curve_named(oid)
        same = curve == gost_keys.read_public(public).curve
        assert algorithms.verify(renamed, GOST[family], OCTETS, signature) is same, (own, oid)


@EACH
@pytest.mark.parametrize("oid", sorted({**gost_keys._CURVES, **gost_keys._EXAMPLES}))
def test_every_gost_parameter_set_signs_and_verifies(algorithms: Algorithms, oid: str) -> None:
    """All of RFC 9215, CryptoPro's names among them: the engine makes no key in most of them."""
    curve = gost_keys.curve_named(oid)
    family = "gost512" if curve.size == 64 else "gost256"
    private, public = _pair(family, oid)
    signature = PURE.sign(private, GOST[family], OCTETS)
    assert algorithms.verify(public, GOST[family], OCTETS, signature)
    assert not algorithms.verify(public, GOST[family], OCTETS + b" ", signature)
    again = algorithms.sign(private, GOST[family], OCTETS)
    assert PURE.verify(public, GOST[family], OCTETS, again)


class _Backwards(GostPure):
    """A tool that takes the digest for a big-endian number."""

    def digest(self, name: str, octets: bytes) -> bytes:
        return super().digest(name, octets)[::-1]


def _renamed(public: bytes, oid: str) -> bytes:
    info = keys.PublicKeyInfo.load(public)
    kind = str(info["algorithm"]["algorithm"].native)
    parameters = {"public_key_param_set": oid}
    return bytes(
        keys.PublicKeyInfo(
            {
                "algorithm": {"algorithm": kind, "parameters": parameters},
                "public_key": core.OctetBitString(bytes(info["public_key"])),
            }
        ).dump()
    )


def _pair(family: str, oid: str) -> tuple[bytes, bytes]:
    """Return a key pair (PKCS#8, SPKI) in a parameter set of choice."""
    return GostPure().generate_on(family, oid)
