"""A signature algorithm counts only when it belongs to the key and the digest."""

from __future__ import annotations

import pytest
from asn1crypto import algos, core, keys

from gateway.algorithms import asn1, standard
from gateway.algorithms.asn1 import (
    Mismatch,
    scheme_for,
    scheme_of_certificate_signature,
    signature_algorithm,
)
from gateway.algorithms.interface import Scheme, Unsupported

ALGORITHMS = standard("pure")
PUBLIC = {
    family: ALGORITHMS.generate(family)[1] for family in ("gost256", "gost512", "rsa", "ecdsa")
}
DIGESTS = {"gost256": "streebog256", "gost512": "streebog512", "rsa": "sha256", "ecdsa": "sha256"}


def algorithm(name: str, **parameters: object) -> algos.SignedDigestAlgorithm:
    stated: dict[str, object] = {"algorithm": name}
    if parameters:
        stated["parameters"] = parameters
    return algos.SignedDigestAlgorithm(stated)


@pytest.mark.parametrize("family", sorted(PUBLIC))
def test_an_algorithm_of_the_key_gives_its_scheme(family: str) -> None:
    stated = signature_algorithm(family, DIGESTS[family])
    scheme = Scheme(family=family, digest=DIGESTS[family])
    assert scheme_of_certificate_signature(PUBLIC[family], stated) == scheme
    assert scheme_for(PUBLIC[family], DIGESTS[family], stated) == scheme
    assert scheme_for(PUBLIC[family], DIGESTS[family]) == scheme


@pytest.mark.parametrize("family", sorted(PUBLIC))
def test_an_algorithm_of_another_key_is_a_mismatch(family: str) -> None:
    """libcrypto's CMS_verify does not look at SignerInfo.signatureAlgorithm at all."""
    for other in PUBLIC:
        stated = signature_algorithm(other, DIGESTS[other])
        if other == family:
            continue
        with pytest.raises(Mismatch):
            scheme_for(PUBLIC[family], DIGESTS[family], stated)
        with pytest.raises(Mismatch):
            scheme_of_certificate_signature(PUBLIC[family], stated)


@pytest.mark.parametrize(
    ("family", "name", "digest"),
    [
        ("gost256", "gost2012_256", "streebog256"),
        ("gost512", "gost2012_512", "streebog512"),
        ("rsa", "rsassa_pkcs1v15", "sha512"),
        ("ecdsa", "1.2.840.10045.2.1", "sha384"),
    ],
)
def test_cms_may_state_the_key_kind_and_the_digest_apart(
    family: str, name: str, digest: str
) -> None:
    stated = algorithm(name)
    assert scheme_for(PUBLIC[family], digest, stated) == Scheme(family=family, digest=digest)
    with pytest.raises(Mismatch):
        scheme_of_certificate_signature(PUBLIC[family], stated)


@pytest.mark.parametrize(
    ("family", "name"), [("gost256", "gost2012_512"), ("gost512", "gost2012_256")]
)
def test_a_gost_key_of_the_other_size_is_a_mismatch(family: str, name: str) -> None:
    with pytest.raises(Mismatch):
        scheme_for(PUBLIC[family], DIGESTS[family], algorithm(name))


@pytest.mark.parametrize("digest", ["streebog512", "gost94", "sha256"])
def test_a_gost_key_takes_one_digest_only(digest: str) -> None:
    with pytest.raises(Mismatch):
        scheme_for(PUBLIC["gost256"], digest)


def test_a_digest_beside_the_algorithm_must_be_the_algorithms_own() -> None:
    with pytest.raises(Mismatch):
        scheme_for(PUBLIC["rsa"], "sha512", algorithm("sha256_rsa"))


@pytest.mark.parametrize(
    "name", ["md2_rsa", "sha256_dsa", "ed25519", "2.16.840.1.101.3.4.3.12", "1.2.3.4"]
)
def test_what_nobody_computes_is_unsupported(name: str) -> None:
    with pytest.raises((Unsupported, Mismatch)):
        scheme_of_certificate_signature(PUBLIC["rsa"], algorithm(name))


def test_gost_2001_has_a_scheme_of_its_own() -> None:
    info = keys.PublicKeyInfo.load(PUBLIC["gost256"]).copy()
    info["algorithm"]["algorithm"] = "gost2001"
    assert scheme_for(info, "gost94") == Scheme(family="gost2001", digest="gost94")
    with pytest.raises(Mismatch):
        scheme_for(info, "streebog256")
    with pytest.raises(Mismatch):
        scheme_for(PUBLIC["gost256"], "streebog256", algorithm("gost2001_gost94"))


@pytest.mark.parametrize(("kind", "inner"), [("ed25519", "sha512"), ("ed448", "shake256")])
def test_edwards_keys_sign_the_octets_whatever_digests_the_content(kind: str, inner: str) -> None:
    public = ALGORITHMS.generate(kind)[1]
    stated = algorithm(kind)
    assert scheme_for(public, "sha256", stated) == Scheme(family=kind, digest="sha256")
    by_certificate = scheme_of_certificate_signature(public, stated)
    assert by_certificate == Scheme(family=kind, digest=inner)
    with pytest.raises(Mismatch):
        scheme_for(public, "sha256", algorithm("sha256_rsa"))


@pytest.mark.parametrize(
    ("oid", "digest"), [("2.16.840.1.101.3.4.3.14", "sha3_256"), ("sha3_512_rsa", "sha3_512")]
)
def test_rsa_with_sha3_is_known_by_its_identifier(oid: str, digest: str) -> None:
    scheme = scheme_of_certificate_signature(PUBLIC["rsa"], algorithm(oid))
    assert scheme == Scheme(family="rsa", digest=digest)
    with pytest.raises(Mismatch):
        scheme_of_certificate_signature(PUBLIC["ecdsa"], algorithm(oid))


def test_shake256_of_a_stated_length_is_known_at_512_bits_alone() -> None:
    """Ours gives 512 bits (RFC 8419); another length is another digest."""

    def stated(bits: int) -> algos.DigestAlgorithm:
        length = core.Integer(bits)
        return algos.DigestAlgorithm({"algorithm": "shake256_len", "parameters": length})

    assert asn1.digest_name(stated(512)) == "shake256"
    assert asn1.digest_name(stated(256)) == "shake256_len"


def test_pss_takes_salt_and_digest_from_its_parameters() -> None:
    stated = algorithm(
        "rsassa_pss",
        hash_algorithm={"algorithm": "sha384"},
        mask_gen_algorithm={"algorithm": "mgf1", "parameters": {"algorithm": "sha384"}},
        salt_length=48,
    )
    scheme = Scheme(family="rsa-pss", digest="sha384", salt_length=48)
    assert scheme_of_certificate_signature(PUBLIC["rsa"], stated) == scheme
    with pytest.raises(Mismatch):
        scheme_for(PUBLIC["rsa"], "sha256", stated)
    with pytest.raises(Mismatch):
        scheme_for(PUBLIC["ecdsa"], "sha384", stated)


def test_pss_may_have_a_mask_digest_of_its_own() -> None:
    def stated(mask: str, salt: int = 32) -> algos.SignedDigestAlgorithm:
        return algorithm(
            "rsassa_pss",
            hash_algorithm={"algorithm": "sha256"},
            mask_gen_algorithm={"algorithm": "mgf1", "parameters": {"algorithm": mask}},
            salt_length=salt,
        )

    scheme = Scheme(family="rsa-pss", digest="sha256", salt_length=32, mask_digest="sha1")
    assert scheme_of_certificate_signature(PUBLIC["rsa"], stated("sha1")) == scheme
    with pytest.raises(Unsupported):
        scheme_of_certificate_signature(PUBLIC["rsa"], stated("shake128"))


def test_a_key_bound_to_pss_parameters_takes_no_others() -> None:
    """RFC 4055, section 3.3: digest and mask as the key says, the salt at least as long."""

    def parameters(digest: str, salt: int) -> dict[str, object]:
        return {
            "hash_algorithm": {"algorithm": digest},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": digest}},
            "salt_length": salt,
        }

    info = keys.PublicKeyInfo.load(PUBLIC["rsa"])
    bound = keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "rsassa_pss", "parameters": parameters("sha256", 32)},
            "public_key": info["public_key"].parsed,
        }
    )
    for digest, salt, allowed in (
        ("sha256", 32, True),
        ("sha256", 20, False),
        ("sha512", 64, False),
    ):
        stated = algorithm("rsassa_pss", **parameters(digest, salt))
        if allowed:
            assert scheme_for(bound, digest, stated).salt_length == salt
        else:
            with pytest.raises(Mismatch):
                scheme_for(bound, digest, stated)


def test_noise_is_no_key() -> None:
    for octets in (b"", b"noise", PUBLIC["rsa"] + b"\0"):
        with pytest.raises(Mismatch):
            scheme_for(octets, "sha256")


def test_registering_twice_changes_nothing() -> None:
    """Whoever imports the module again must not wrap the tables in themselves."""
    before = algos.SignedDigestAlgorithm.signature_algo
    asn1._register()
    assert algos.SignedDigestAlgorithm.signature_algo is before
    assert algorithm("sha256_rsa").hash_algo == "sha256"
    assert signature_algorithm("gost256", "streebog256").hash_algo == "streebog256"


def test_the_fallback_is_chosen_by_name_and_the_engine_where_there_is_one() -> None:
    assert [p.NAME for p in standard("pure").providers] == ["cryptography", "gostcrypto"]
    assert standard().provider("gost256").NAME in ("gost-engine", "gostcrypto")
    with pytest.raises(Unsupported):
        standard("pure").provider("gost2001")
