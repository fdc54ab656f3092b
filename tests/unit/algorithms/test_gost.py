"""Both GOST providers say the same, and only yes to exactly right signatures."""

from __future__ import annotations

import hashlib
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from asn1crypto import core, keys
from hypothesis import given
from hypothesis import strategies as st

from gateway.algorithms import gost_keys
from gateway.algorithms.classic import Classic
from gateway.algorithms.gost import GostEngine
from gateway.algorithms.gost_pure import INFINITY, GostPure, _times
from gateway.algorithms.interface import Provider, Scheme, Unsupported

SCHEMES = {
    "gost256": Scheme(family="gost256", digest="streebog256"),
    "gost512": Scheme(family="gost512", digest="streebog512"),
}
OCTETS = "Глюкоза 5,00 ммоль/л".encode()
PURE = GostPure()
KEYS = {family: PURE.generate(family) for family in SCHEMES}

# RFC 6986, section 10.1, first message; the RFC prints the digests backwards.
EXAMPLE = b"012345678901234567890123456789012345678901234567890123456789012"
EXAMPLE_DIGESTS = {
    "streebog512": "1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa"
    "00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48",
    "streebog256": "9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500",
}


@pytest.fixture(params=sorted(SCHEMES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", sorted(EXAMPLE_DIGESTS))
def test_digests_are_those_of_the_standard(gost: Provider, name: str) -> None:
    """The RFC's own example, so that no byte order can be wrong on both sides at once."""
    assert gost.digest(name, EXAMPLE).hex() == EXAMPLE_DIGESTS[name]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 128, 1000])
def test_providers_agree_on_digests_of_every_block_border(engine: GostEngine, size: int) -> None:
    octets = bytes(range(256)) * 4
    for name in EXAMPLE_DIGESTS:
        assert engine.digest(name, octets[:size]) == PURE.digest(name, octets[:size])


def test_an_unknown_digest_is_unsupported(gost: Provider) -> None:
    with pytest.raises(Unsupported):
        gost.digest("sha256", OCTETS)


def test_what_one_provider_signs_every_provider_verifies(engine: GostEngine, family: str) -> None:
    """A sandbox made by the fallback must go on working once the engine is installed."""
    for maker in (engine, PURE):
        private, public = maker.generate(family)
        for signer in (engine, PURE):
            signature = signer.sign(private, SCHEMES[family], OCTETS)
            for verifier in (engine, PURE):
                assert verifier.verify(public, SCHEMES[family], OCTETS, signature)


def test_a_changed_document_is_refused(gost: Provider, family: str) -> None:
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    assert gost.verify(public, SCHEMES[family], OCTETS, signature)
    assert not gost.verify(public, SCHEMES[family], OCTETS + b" ", signature)
    assert not gost.verify(public, SCHEMES[family], OCTETS[:-1], signature)


def test_only_the_exact_length_of_a_signature_is_taken(gost: Provider, family: str) -> None:
    """libcrypto alone takes a signature with an octet behind it."""
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    for wrong in (signature + b"\0", b"\0" + signature, signature[:-1], signature[1:], b""):
        assert not gost.verify(public, SCHEMES[family], OCTETS, wrong)


def test_the_halves_of_a_signature_have_one_order(gost: Provider, family: str) -> None:
    """s‖r, big endian; PKCS#11 tools give r‖s, raw CryptoPro little endian."""
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    half = len(signature) // 2
    for wrong in (signature[half:] + signature[:half], signature[::-1]):
        assert not gost.verify(public, SCHEMES[family], OCTETS, wrong)


def test_r_and_s_out_of_range_are_refused(gost: Provider, family: str) -> None:
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    curve = gost_keys.read_public(public).curve
    zero, order = bytes(curve.size), curve.q.to_bytes(curve.size, "big")
    s, r = signature[: curve.size], signature[curve.size :]
    s_more = (int.from_bytes(s, "big") + curve.q) % (1 << 8 * curve.size)
    for wrong in (zero + r, s + zero, zero + zero, order + r, s + order):
        assert not gost.verify(public, SCHEMES[family], OCTETS, wrong)
    assert not gost.verify(public, SCHEMES[family], OCTETS, s_more.to_bytes(curve.size, "big") + r)


def test_a_key_of_one_size_takes_no_digest_of_the_other(gost: Provider, family: str) -> None:
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    other = next(s for f, s in SCHEMES.items() if f != family)
    for wrong in (
        other,
        Scheme(family=family, digest=other.digest),
        Scheme(family=other.family, digest=SCHEMES[family].digest),
        Scheme(family=family, digest="sha256"),
    ):
        assert not gost.verify(public, wrong, OCTETS, signature)


def test_a_key_with_octets_behind_it_is_refused(gost: Provider, family: str) -> None:
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    assert not gost.verify(public + b"\0", SCHEMES[family], OCTETS, signature)
    assert not gost.verify(public[:-1], SCHEMES[family], OCTETS, signature)
    assert not gost.verify(b"", SCHEMES[family], OCTETS, signature)


def test_a_key_with_unused_bits_is_refused(gost: Provider, family: str) -> None:
    """libcrypto alone ignores the octet that counts unused bits."""
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    bits = keys.PublicKeyInfo.load(public)["public_key"].contents
    assert public.count(bits) == 1
    wrong = public.replace(bits, b"\x01" + bits[1:])
    assert not gost.verify(wrong, SCHEMES[family], OCTETS, signature)


def test_a_point_off_its_curve_is_refused(gost: Provider, family: str) -> None:
    private, public = KEYS[family]
    signature = gost.sign(private, SCHEMES[family], OCTETS)
    off = public[:-1] + bytes([public[-1] ^ 1])
    with pytest.raises(gost_keys.BadKey):
        gost_keys.read_public(off)
    assert not gost.verify(off, SCHEMES[family], OCTETS, signature)


def test_foreign_digest_parameters_are_refused(gost: Provider) -> None:
    """A 256-bit key that names the 512-bit digest: libcrypto alone does not look."""
    private, public = KEYS["gost256"]
    signature = gost.sign(private, SCHEMES["gost256"], OCTETS)
    for oid, expected in (("1.2.643.7.1.1.2.2", True), ("1.2.643.7.1.1.2.3", False)):
        info = keys.PublicKeyInfo.load(public)
        parameters = {"public_key_param_set": "1.2.643.7.1.2.1.1.2", "digest_param_set": oid}
        changed = keys.PublicKeyInfo(
            {
                "algorithm": {"algorithm": "gost2012_256", "parameters": parameters},
                "public_key": core.OctetBitString(bytes(info["public_key"])),
            }
        ).dump()
        assert gost.verify(changed, SCHEMES["gost256"], OCTETS, signature) is expected


def test_an_unknown_curve_is_unknown_and_not_bad(gost: Provider) -> None:
    _, public = KEYS["gost256"]
    test_curve = core.ObjectIdentifier("1.2.643.2.2.35.9").dump()
    ours = core.ObjectIdentifier("1.2.643.7.1.2.1.1.2").dump()
    info = keys.PublicKeyInfo.load(public)
    changed = keys.PublicKeyInfo(
        {
            "algorithm": {
                "algorithm": "gost2012_256",
                "parameters": {"public_key_param_set": "1.2.643.2.2.35.9"},
            },
            "public_key": core.OctetBitString(bytes(info["public_key"])),
        }
    ).dump()
    assert ours in public
    assert test_curve in changed
    with pytest.raises(Unsupported):
        gost.verify(changed, SCHEMES["gost256"], OCTETS, bytes(64))


@given(noise=st.binary(max_size=200))
def test_noise_is_refused_and_never_raises(noise: bytes) -> None:
    for provider in _providers():
        for family, (_, public) in KEYS.items():
            assert not provider.verify(public, SCHEMES[family], OCTETS, noise)
            assert not provider.verify(noise, SCHEMES[family], OCTETS, bytes(64))


@given(data=st.data())
def test_one_changed_octet_anywhere_is_refused(data: st.DataObject) -> None:
    """Key or signature, any place, any value: nothing near right is right."""
    family = data.draw(st.sampled_from(sorted(SCHEMES)))
    private, public = KEYS[family]
    signature = PURE.sign(private, SCHEMES[family], OCTETS)
    changed = bytearray(public + signature)
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    for provider in _providers():
        try:
            answer = provider.verify(
                bytes(changed[: len(public)]),
                SCHEMES[family],
                OCTETS,
                bytes(changed[len(public) :]),
            )
        except Unsupported:
            continue
        # A, B, C, D are names of one size: another name of the same curve is the same key.
        if answer:
            assert gost_keys.read_public(bytes(changed[: len(public)])) == (
                gost_keys.read_public(public)
            )


def test_eight_threads_get_right_answers(gost: Provider) -> None:
    """Right and wrong signatures side by side: nobody gets the neighbour's answer."""
    private, public = KEYS["gost256"]
    scheme = SCHEMES["gost256"]
    signature = gost.sign(private, scheme, OCTETS)

    def ask(number: int) -> bool:
        right = number % 2 == 0
        octets = OCTETS if right else OCTETS + str(number).encode()
        return gost.verify(public, scheme, octets, signature) is right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_signing_with_the_wrong_kind_of_key_is_our_mistake_and_raises(gost: Provider) -> None:
    private, _ = KEYS["gost256"]
    for octets, scheme in (
        (private, SCHEMES["gost512"]),
        (private[:-1], SCHEMES["gost256"]),
        (b"noise", SCHEMES["gost256"]),
    ):
        with pytest.raises(ValueError):
            gost.sign(octets, scheme, OCTETS)


@pytest.mark.parametrize("oid", sorted({**gost_keys._CURVES, **gost_keys._EXAMPLES}))
def test_every_curve_has_its_base_point_of_its_order(oid: str) -> None:
    curve = gost_keys.curve_named(oid)
    assert curve.holds(curve.x, curve.y)
    assert curve.size == (64 if oid.startswith("1.2.643.7.1.2.1.2") else 32)
    assert not _times(curve.q, (curve.x, curve.y), curve)[2]
    assert _times(0, (curve.x, curve.y), curve) == INFINITY
    x = _times(curve.q + 1, (curve.x, curve.y), curve)
    assert x[0] * pow(x[2], -2, curve.p) % curve.p == curve.x


def _providers() -> list[Provider]:
    try:
        return [PURE, GostEngine()]
    except Unsupported:
        return [PURE]


def test_the_engine_leaves_pythons_own_cryptography_alone(engine: GostEngine) -> None:
    """`ssl` and `hashlib` share this libcrypto: taking over random numbers would be theirs too."""
    engine.digest("streebog256", OCTETS)
    assert hashlib.sha256(b"").hexdigest().startswith("e3b0c44298fc1c14")
    assert ssl.RAND_status()
    assert ssl.create_default_context().get_ciphers()
    private, public = Classic().generate("rsa")
    scheme = Scheme(family="rsa", digest="sha256")
    assert Classic().verify(public, scheme, OCTETS, Classic().sign(private, scheme, OCTETS))
