"""Every signature algorithm claimed, in XML and in CMS; in JWS see test_jws_algorithms."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
from asn1crypto import algos, cms, core, tsp

from gateway.algorithms.interface import Scheme
from gateway.algorithms.policy import permissive
from gateway.model import CheckedSignature, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import cms as cms_form
from gateway.signatures import xml
from gateway.signatures import xml_names as names
from tests.pki.build import ALGORITHMS, Signing
from tests.unit.signatures.made import BUNDLE, beside, document
from tests.unit.signatures.made_json import signing
from tests.unit.signatures.made_xml import WHOLE, Ref, signed_xml

PERMISSIVE = ALGORITHMS.under(permissive())
PASSED = (Indication.TOTAL_PASSED, None)
UNLISTED = (Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE")
FAILED = (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")
ECDSA_KEYS = ("ES256", "ES384", "ES512", "BP256R1", "BP384R1", "BP512R1")
KEYS = {
    "rsa": ("RS256",),
    "rsa-pss": ("RS256",),
    "ecdsa": ECDSA_KEYS,
    "ed25519": ("Ed25519",),
    "ed448": ("Ed448",),
}
"""Family → names of keys, as `signing` makes them."""

SHA2 = ("sha224", "sha256", "sha384", "sha512")
SHA3 = ("sha3_224", "sha3_256", "sha3_384", "sha3_512")
PSS_DIGESTS = ("sha256", "sha512", "sha3_256")


@cache
def key(name: str) -> Signing:
    return signing(name)


def expected(digest: str) -> tuple[Indication, str | None]:
    """Return the verdict on a value that holds: TS 119 312 does not list SHA3-224."""
    return UNLISTED if digest == "sha3_224" else PASSED


def verdict(one: CheckedSignature) -> tuple[Indication, str | None]:
    return one.indication, one.sub_indication


# --- XML ---------------------------------------------------------------------------------

XML_CASES = [
    pytest.param(
        uri, name, Scheme(family=family, digest=digest, encoding="raw"), id=f"{uri}-{name}"
    )
    for uri, (family, digest) in names.SIGNATURES.items()
    for name in KEYS.get(family, ())
]


def in_xml(pki: Pki, method: str, signer: Signing, scheme: Scheme) -> CheckedSignature:
    """Return what is said of a signature, having seen that one changed octet breaks it."""
    file = signed_xml(pki, WHOLE, Ref(), method=method, by=(signer, scheme))
    changed = re.sub(rb"(<ds:SignatureValue>)(.)", _other_letter, file)
    assert verdict(_checked(changed)) == FAILED
    return _checked(file)


def _other_letter(found: re.Match[bytes]) -> bytes:
    return found[1] + (b"B" if found[2] == b"A" else b"A")


def _checked(file: bytes) -> CheckedSignature:
    (one,) = xml.check(Part(name="document", media_type="", body=file), (), PERMISSIVE)
    return one


@pytest.mark.parametrize(("uri", "name", "scheme"), XML_CASES)
def test_every_method_of_xml_holds_by_every_key_it_is_for(
    pki: Pki, uri: str, name: str, scheme: Scheme
) -> None:
    method = f'<ds:SignatureMethod Algorithm="{uri}"/>'
    assert verdict(in_xml(pki, method, key(name), scheme)) == expected(scheme.digest)


@pytest.mark.parametrize("digest", PSS_DIGESTS)
@pytest.mark.parametrize("mask", ["", *PSS_DIGESTS])
@pytest.mark.parametrize("salt", [None, 0, 20, 64])
def test_rsa_pss_of_xml_takes_its_parameters_in_any_combination(
    pki: Pki, digest: str, mask: str, salt: int | None
) -> None:
    uris = {name: uri for uri, name in names.DIGESTS.items()}

    def method_of(name: str) -> str:
        return f'<ds:DigestMethod Algorithm="{uris[name]}"/>'

    masked = (
        f'<p:MaskGenerationFunction Algorithm="{names.MGF1}">{method_of(mask)}'
        "</p:MaskGenerationFunction>"
        if mask
        else ""
    )
    salted = "" if salt is None else f"<p:SaltLength>{salt}</p:SaltLength>"
    method = (
        f'<ds:SignatureMethod Algorithm="{names.RSA_PSS}"><p:RSAPSSParams'
        f' xmlns:p="{names.RSA_PSS.partition("#")[0]}#">{method_of(digest)}'
        f"{masked}{salted}</p:RSAPSSParams></ds:SignatureMethod>"
    )
    scheme = Scheme(family="rsa-pss", digest=digest, mask_digest=mask, salt_length=salt)
    assert verdict(in_xml(pki, method, key("RS256"), scheme)) == PASSED


# --- CMS ---------------------------------------------------------------------------------


def in_cms(
    signer: Signing,
    scheme: Scheme,
    stated: algos.SignedDigestAlgorithm,
    digested: algos.DigestAlgorithm | None = None,
) -> CheckedSignature:
    """As `in_xml`, of a CAdES file whose algorithms are `stated` and `digested`."""
    digest = digested or algos.DigestAlgorithm({"algorithm": scheme.digest})
    named = tsp.ESSCertIDv2(
        {
            "hash_algorithm": {"algorithm": "sha256"},
            "cert_hash": ALGORITHMS.digest("sha256", signer.der),
        }
    )
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["data"]},
            {"type": "message_digest", "values": [ALGORITHMS.digest(scheme.digest, BUNDLE)]},
            {"type": "signing_certificate_v2", "values": [{"certs": [named]}]},
        ]
    )
    value = ALGORITHMS.sign(signer.key, scheme, attributes.dump())

    def checked(octets: bytes) -> CheckedSignature:
        certificate = signer.certificate
        name = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        info = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", name),
                "digest_algorithm": digest,
                "signed_attrs": attributes,
                "signature_algorithm": stated,
                "signature": octets,
            }
        )
        signed = {
            "version": "v1",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "data"},
            "certificates": [certificate],
            "signer_infos": [info],
        }
        file = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})
        (one,) = cms_form.check(document(BUNDLE), beside(file.dump()), PERMISSIVE)
        return one

    assert verdict(checked(value[:-1] + bytes([value[-1] ^ 1]))) == FAILED
    return checked(value)


@pytest.mark.parametrize("digest", [*SHA2, *SHA3])
@pytest.mark.parametrize("name", ["RS256", *ECDSA_KEYS])
def test_rsa_and_ecdsa_of_cms_hold_with_sha2_and_sha3(name: str, digest: str) -> None:
    family = key(name).family
    stated: dict[str, object] = {"algorithm": f"{digest}_{family}"}
    if family == "rsa":
        stated["parameters"] = core.Null()
    scheme = Scheme(family=family, digest=digest)
    assert verdict(in_cms(key(name), scheme, algos.SignedDigestAlgorithm(stated))) == expected(
        digest
    )


@pytest.mark.parametrize("digest", PSS_DIGESTS)
@pytest.mark.parametrize("mask", PSS_DIGESTS)
@pytest.mark.parametrize("salt", [0, 20, 64])
def test_rsa_pss_of_cms_takes_its_parameters_in_any_combination(
    digest: str, mask: str, salt: int
) -> None:
    stated = algos.SignedDigestAlgorithm(
        {
            "algorithm": "rsassa_pss",
            "parameters": {
                "hash_algorithm": {"algorithm": digest},
                "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": mask}},
                "salt_length": salt,
            },
        }
    )
    scheme = Scheme(family="rsa-pss", digest=digest, mask_digest=mask, salt_length=salt)
    assert verdict(in_cms(key("RS256"), scheme, stated)) == PASSED


@pytest.mark.parametrize(("name", "digest"), [("Ed25519", "sha512"), ("Ed448", "shake256")])
def test_edwards_keys_sign_cms(name: str, digest: str) -> None:
    scheme = Scheme(family=key(name).family, digest=digest)
    stated = algos.SignedDigestAlgorithm({"algorithm": scheme.family})
    assert verdict(in_cms(key(name), scheme, stated)) == PASSED


def test_ed448_of_cms_may_state_how_long_its_digest_is() -> None:
    """RFC 8419, 2.3: id-shake256-len of 512 bits."""
    stated = algos.SignedDigestAlgorithm({"algorithm": "ed448"})
    scheme = Scheme(family="ed448", digest="shake256")

    length = algos.DigestAlgorithm({"algorithm": "shake256_len", "parameters": core.Integer(512)})
    assert verdict(in_cms(key("Ed448"), scheme, stated, length)) == PASSED


@pytest.mark.parametrize("digest", [*SHA2, *SHA3])
@pytest.mark.parametrize("name", ECDSA_KEYS)
def test_plain_ecdsa_of_cms_holds_by_its_own_identifiers(name: str, digest: str) -> None:
    """BSI TR-03111, 5.2.1: r and s side by side, as German cards and authorities sign."""
    stated = algos.SignedDigestAlgorithm({"algorithm": f"{digest}_ecdsa_plain"})
    plain = Scheme(family="ecdsa", digest=digest, encoding="raw")
    assert verdict(in_cms(key(name), plain, stated)) == expected(digest)
    assert verdict(in_cms(key(name), replace(plain, encoding="der"), stated)) == FAILED
