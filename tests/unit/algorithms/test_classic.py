"""RSA and ECDSA: what is exactly right passes, and only that."""

from __future__ import annotations

import pytest
from asn1crypto import keys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.algorithms.classic import Classic
from gateway.algorithms.interface import Scheme, Unsupported

CLASSIC = Classic()
OCTETS = b"result"
SCHEMES = [
    Scheme(family="rsa", digest="sha256"),
    Scheme(family="rsa", digest="sha1"),
    Scheme(family="rsa-pss", digest="sha256"),
    Scheme(family="rsa-pss", digest="sha384", salt_length=20),
    Scheme(family="ecdsa", digest="sha256"),
    Scheme(family="ecdsa", digest="sha512", encoding="raw"),
    Scheme(family="rsa", digest="md5"),
    Scheme(family="rsa", digest="sha3_256"),
    Scheme(family="rsa-pss", digest="sha3_512", salt_length=0),
    Scheme(family="rsa-pss", digest="sha256", mask_digest="sha1"),
    Scheme(family="ecdsa", digest="sha3_384"),
    Scheme(family="ed25519", digest="sha512"),
    Scheme(family="ed448", digest="shake256"),
]
KEYS = {family: CLASSIC.generate(family) for family in ("rsa", "ecdsa", "ed25519", "ed448")}
KEYS["rsa-pss"] = KEYS["rsa"]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: f"{s.family}-{s.digest}-{s.encoding}")
def test_only_the_signed_octets_pass(scheme: Scheme) -> None:
    private, public = KEYS[scheme.family]
    signature = CLASSIC.sign(private, scheme, OCTETS)
    assert CLASSIC.verify(public, scheme, OCTETS, signature)
    assert not CLASSIC.verify(public, scheme, OCTETS + b"\n", signature)
    assert not CLASSIC.verify(public, scheme, OCTETS, signature[:-1])
    assert not CLASSIC.verify(public, scheme, OCTETS, signature + b"\0")
    assert not CLASSIC.verify(public + b"\0", scheme, OCTETS, signature)
    assert not CLASSIC.verify(b"noise", scheme, OCTETS, signature)


def test_der_and_raw_ecdsa_are_not_taken_for_each_other() -> None:
    """CMS carries DER, XMLDSig r‖s; a verifier that takes both takes forgeries of form."""
    private, public = KEYS["ecdsa"]
    der, raw = (
        Scheme(family="ecdsa", digest="sha256"),
        Scheme(family="ecdsa", digest="sha256", encoding="raw"),
    )
    assert not CLASSIC.verify(public, raw, OCTETS, CLASSIC.sign(private, der, OCTETS))
    assert not CLASSIC.verify(public, der, OCTETS, CLASSIC.sign(private, raw, OCTETS))


@pytest.mark.parametrize("r", [0, 1])
def test_zero_in_an_ecdsa_signature_is_refused(r: int) -> None:
    scheme = Scheme(family="ecdsa", digest="sha256", encoding="raw")
    _, public = KEYS["ecdsa"]
    assert not CLASSIC.verify(public, scheme, OCTETS, bytes(31) + bytes([r]) + bytes(32))


def test_brainpool_signatures_verify() -> None:
    """German prescriptions are all brainpoolP256r1."""
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    scheme = Scheme(family="ecdsa", digest="sha256")
    signature = CLASSIC.sign(private, scheme, OCTETS)
    assert CLASSIC.verify(public, scheme, OCTETS, signature)
    assert not CLASSIC.verify(public, scheme, OCTETS[1:], signature)


def test_pss_masks_are_not_taken_for_each_other() -> None:
    private, public = KEYS["rsa"]
    own = Scheme(family="rsa-pss", digest="sha256")
    other = Scheme(family="rsa-pss", digest="sha256", mask_digest="sha512")
    assert not CLASSIC.verify(public, own, OCTETS, CLASSIC.sign(private, other, OCTETS))
    assert not CLASSIC.verify(public, other, OCTETS, CLASSIC.sign(private, own, OCTETS))


def test_digests_are_those_of_the_standards() -> None:
    """FIPS 202 and RFC 8702: the empty message, so that no length or order is wrong."""
    assert CLASSIC.digest("sha3_256", b"").hex().startswith("a7ffc6f8bf1ed76651c14756a061d662")
    assert CLASSIC.digest("shake256", b"").hex().startswith("46b9dd2b0ba88d13233b3feb743eeb24")
    assert len(CLASSIC.digest("shake256", b"")) == 64
    assert CLASSIC.digest("md5", b"").hex() == "d41d8cd98f00b204e9800998ecf8427e"


def test_pkcs1_and_pss_are_not_taken_for_each_other() -> None:
    private, public = KEYS["rsa"]
    plain, pss = Scheme(family="rsa", digest="sha256"), Scheme(family="rsa-pss", digest="sha256")
    assert not CLASSIC.verify(public, pss, OCTETS, CLASSIC.sign(private, plain, OCTETS))
    assert not CLASSIC.verify(public, plain, OCTETS, CLASSIC.sign(private, pss, OCTETS))


def test_the_salt_of_pss_has_the_stated_length() -> None:
    private, public = KEYS["rsa"]
    short = Scheme(family="rsa-pss", digest="sha256", salt_length=20)
    whole = Scheme(family="rsa-pss", digest="sha256")
    assert not CLASSIC.verify(public, whole, OCTETS, CLASSIC.sign(private, short, OCTETS))


def test_a_key_marked_for_pss_verifies() -> None:
    """The library underneath takes plain RSA keys only."""
    private, public = KEYS["rsa"]
    info = keys.PublicKeyInfo.load(public)
    marked = keys.PublicKeyInfo(
        {"algorithm": {"algorithm": "rsassa_pss"}, "public_key": info["public_key"].parsed}
    ).dump()
    assert marked != public
    scheme = Scheme(family="rsa-pss", digest="sha256")
    signature = CLASSIC.sign(private, scheme, OCTETS)
    assert CLASSIC.verify(marked, scheme, OCTETS, signature)
    assert not CLASSIC.verify(marked, scheme, OCTETS + b"!", signature)


def test_a_key_of_another_family_is_refused() -> None:
    private, _ = KEYS["rsa"]
    scheme = Scheme(family="rsa", digest="sha256")
    signature = CLASSIC.sign(private, scheme, OCTETS)
    assert not CLASSIC.verify(KEYS["ecdsa"][1], scheme, OCTETS, signature)
    with pytest.raises(ValueError):
        CLASSIC.sign(KEYS["ecdsa"][0], scheme, OCTETS)


def test_an_unknown_digest_is_unsupported_and_not_bad() -> None:
    _, public = KEYS["rsa"]
    with pytest.raises(Unsupported):
        CLASSIC.verify(public, Scheme(family="rsa", digest="streebog256"), OCTETS, b"")
    with pytest.raises(Unsupported):
        CLASSIC.digest("gost94", OCTETS)
    with pytest.raises(Unsupported):
        CLASSIC.generate("gost256")
