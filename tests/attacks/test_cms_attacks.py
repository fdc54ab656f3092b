"""Attacks on CMS: cases H1 to H6 of the list, and substitution E5 to E7, built here.

Each one's nearest good neighbour passes, so that it is the attack that is refused.

Source: RFC 5652, clauses 5.3, 5.4 and 11; RFC 6211; RFC 5035; ETSI EN 319 122-1, clause 5.2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core, tsp, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.algorithms.asn1 import scheme_for
from gateway.algorithms.interface import Scheme
from gateway.model import CheckStatus, Indication
from gateway.sandbox import certificates as made
from gateway.sandbox.pki import Pki
from gateway.signatures import ber, cms, sign_cms
from tests.pki.build import ALGORITHMS, ALIVE, NOW, root
from tests.unit.signatures.cms_made import attributes, checked, opened, resigned, tlv
from tests.unit.signatures.made import BUNDLE, beside, document, signed

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED


def bare(file: bytes, content: bytes | None) -> bytes:
    """Return a file without signed attributes, its value as it was, around other content."""
    info = opened(file)
    signer = info["content"]["signer_infos"][0]
    names = ("version", "sid", "digest_algorithm", "signature_algorithm", "signature")
    info["content"]["signer_infos"] = [asn1.SignerInfo({name: signer[name] for name in names})]
    inner: dict[str, Any] = {"content_type": "data"}
    if content is not None:
        inner["content"] = content
    info["content"]["encap_content_info"] = inner
    return bytes(info.dump(force=True))


def plain(pki: Pki, content: bytes, name: str = "gost256-doctor") -> bytes:
    """Return a file signed rightly over the bare content, without signed attributes."""
    file = signed(pki, name)
    info = opened(bare(file, content))
    certificate = info["content"]["certificates"][0].chosen
    signer = info["content"]["signer_infos"][0]
    digest = str(signer["digest_algorithm"]["algorithm"].native)
    scheme = scheme_for(certificate.public_key, digest)
    signer["signature"] = ALGORITHMS.sign(pki.signer(name).private_key(), scheme, content)
    return bytes(info.dump(force=True))


# --- H1: signed attributes absent or present -------------------------------------------


@pytest.mark.parametrize("name", ["gost256-doctor", "rsa-doctor", "ecdsa-doctor"])
@pytest.mark.parametrize("where", ["attached", "detached"])
def test_h1_signed_attributes_replayed_as_content(pki: Pki, name: str, where: str) -> None:
    """The doctor signed attributes; with these as the content, that is a valid signature."""
    file = signed(pki, name)
    octets = opened(file)["content"]["signer_infos"][0]["signed_attrs"].untag().dump()
    if where == "attached":
        (one,) = cms.check(document(bare(file, octets)), (), ALGORITHMS)
    else:
        (one,) = cms.check(document(octets), beside(bare(file, None)), ALGORITHMS)
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")
    assert one.covered == ()


def test_h1_content_signed_bare_may_be_another_messages_attributes(pki: Pki) -> None:
    """The other way round: content that was signed bare is put up as signed attributes."""
    genuine = signed(pki)
    octets = opened(genuine)["content"]["signer_infos"][0]["signed_attrs"].untag().dump()
    tricked = plain(pki, octets)
    (alone,) = cms.check(document(tricked), (), ALGORITHMS)
    assert alone.indication is FAILED
    info = opened(genuine)
    info["content"]["signer_infos"][0]["signature"] = opened(tricked)["content"]["signer_infos"][0][
        "signature"
    ].native
    # Whoever gets a doctor to sign such octets bare has their signature: nothing in CMS tells.
    # So bare signatures never pass here, and nobody is invited to make one.
    assert checked(info.dump(force=True)).indication is PASSED


def test_h1_a_bare_signature_is_computed_but_never_passes(pki: Pki) -> None:
    """Valid by RFC 5652, and bound to no certificate: undecided, and broken ones are failed."""
    (one,) = cms.check(document(plain(pki, BUNDLE)), (), ALGORITHMS)
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "SIG_CONSTRAINTS_FAILURE",
    )
    assert (one.format, [c.octets for c in one.covered]) == ("CMS", [BUNDLE])
    assert "signature_value" in {c.name for c in one.checks if c.status is CheckStatus.PASSED}
    info = opened(plain(pki, BUNDLE))
    info["content"]["encap_content_info"]["content"] = BUNDLE + b" "
    (bad,) = cms.check(document(info.dump(force=True)), (), ALGORITHMS)
    assert (bad.indication, bad.covered) == (FAILED, ())


# --- H2: attributes missing or doubled -------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["content_type", "message_digest", "signing_time", "signing_certificate_v2"]
)
def test_h2_an_attribute_twice(pki: Pki, kind: str) -> None:
    """One reader takes the first, another the last; nobody may choose."""

    def double(signer: asn1.SignerInfo) -> None:
        twice = attributes(signer, lambda other: other == kind)
        signer["signed_attrs"] = asn1.CMSAttributes([*signer["signed_attrs"], *twice])

    one = checked(resigned(pki, double))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


@pytest.mark.parametrize("kind", ["message_digest", "signing_time", "signing_certificate_v2"])
def test_h2_an_attribute_with_two_values(pki: Pki, kind: str) -> None:
    def widen(signer: asn1.SignerInfo) -> None:
        kept = attributes(signer, lambda other: other != kind)
        (own,) = (a for a in signer["signed_attrs"] if a["type"].native == kind)
        values = ber.contents(own["values"].dump())
        wide = asn1.CMSAttribute.load(tlv(0x30, own["type"].dump() + tlv(0x31, values + values)))
        signer["signed_attrs"] = asn1.CMSAttributes([*kept, wide])

    one = checked(resigned(pki, widen))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


@pytest.mark.parametrize("kind", ["content_type", "message_digest"])
def test_h2_a_required_attribute_missing(pki: Pki, kind: str) -> None:
    def drop(signer: asn1.SignerInfo) -> None:
        signer["signed_attrs"] = asn1.CMSAttributes(attributes(signer, lambda k: k != kind))

    one = checked(resigned(pki, drop))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_h2_the_content_type_of_something_else(pki: Pki) -> None:
    """Signed as a time-stamp's content, shown as a document, and the other way round."""

    def retype(signer: asn1.SignerInfo) -> None:
        kept = attributes(signer, lambda kind: kind != "content_type")
        own = {"type": "content_type", "values": ["tst_info"]}
        signer["signed_attrs"] = asn1.CMSAttributes([*kept, own])

    one = checked(resigned(pki, retype))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


# --- H3: algorithms that disagree ------------------------------------------------------


def protecting(**other: str) -> Callable[[asn1.SignerInfo], None]:
    """Return a change that adds cmsAlgorithmProtection, of the signer's algorithms or others."""

    def change(signer: asn1.SignerInfo) -> None:
        digest = other.get("digest") or signer["digest_algorithm"]["algorithm"].native
        value = other.get("signature") or signer["signature_algorithm"]["algorithm"].native
        protection = asn1.CMSAlgorithmProtection(
            {
                "digest_algorithm": {"algorithm": digest},
                "signature_algorithm": {"algorithm": value},
            }
        )
        more = {"type": "cms_algorithm_protection", "values": [protection]}
        signer["signed_attrs"] = asn1.CMSAttributes([*signer["signed_attrs"], more])

    return change


def test_h3_algorithm_protection_that_agrees_passes(pki: Pki) -> None:
    assert checked(resigned(pki, protecting())).indication is PASSED


@pytest.mark.parametrize(
    "other", [{"digest": "sha256"}, {"signature": "gost2012_512"}, {"signature": "sha256_rsa"}]
)
def test_h3_algorithm_protection_that_disagrees(pki: Pki, other: dict[str, str]) -> None:
    one = checked(resigned(pki, protecting(**other)))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_h3_a_digest_that_the_file_does_not_announce(pki: Pki) -> None:
    info = opened(signed(pki))
    info["content"]["digest_algorithms"] = [{"algorithm": "sha256"}]
    one = checked(info.dump(force=True))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_h3_digest_and_signature_algorithm_disagree(pki: Pki) -> None:
    """SHA-512 beside sha256WithRSA: the weaker of the two would be somebody's choice."""
    info = opened(signed(pki, "rsa-doctor"))
    info["content"]["signer_infos"][0]["signature_algorithm"] = {
        "algorithm": "sha512_rsa",
        "parameters": core.Null(),
    }
    one = checked(info.dump(force=True))
    assert (one.indication, one.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


def test_h3_the_digest_of_another_size_than_the_key(pki: Pki) -> None:
    def widen(signer: asn1.SignerInfo) -> None:
        signer["digest_algorithm"] = {"algorithm": "streebog512"}
        kept = attributes(signer, lambda kind: kind != "message_digest")
        own = {"type": "message_digest", "values": [ALGORITHMS.digest("streebog512", BUNDLE)]}
        signer["signed_attrs"] = asn1.CMSAttributes([*kept, own])

    info = opened(signed(pki))
    signer = info["content"]["signer_infos"][0]
    widen(signer)
    info["content"]["digest_algorithms"] = [{"algorithm": "streebog512"}]
    one = checked(info.dump(force=True))
    assert (one.indication, one.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


# --- H4: several signers, one bad ------------------------------------------------------


@pytest.mark.parametrize("bad_first", [True, False])
def test_h4_one_bad_signer_of_several_is_said(pki: Pki, bad_first: bool) -> None:
    file, other = opened(signed(pki)), opened(signed(pki, "rsa-doctor"))
    content = file["content"]
    good = content["signer_infos"][0]
    bad = other["content"]["signer_infos"][0]
    bad["signature"] = bytes(256)
    for certificate in other["content"]["certificates"]:
        content["certificates"].append(certificate)
    content["digest_algorithms"].append(other["content"]["digest_algorithms"][0])
    # Put together by hand: asn1crypto would sort the SET.
    whole = file.dump(force=True)
    signers = [bad, good] if bad_first else [good, bad]
    written = tlv(0x31, b"".join(one.dump(force=True) for one in signers))
    kind, wrapped = ber.elements(ber.contents(whole))
    *fields, _ = ber.elements(ber.contents(ber.contents(wrapped)))
    made = tlv(0x30, kind + tlv(0xA0, tlv(0x30, b"".join([*fields, written]))))
    found = cms.check(document(BUNDLE), beside(made), ALGORITHMS)
    assert sorted(one.indication for one in found) == [FAILED, PASSED]
    assert [one.place for one in found] == ["signature[0]/signer[0]", "signature[0]/signer[1]"]


# --- H5: BER and DER -------------------------------------------------------------------


def in_ber(file: bytes) -> bytes:
    """Return a file whose signed attributes are written in indefinite length."""
    kind, content = ber.elements(ber.contents(file))
    *fields, signers = ber.elements(ber.contents(ber.contents(content)))
    (first,) = ber.elements(ber.contents(signers))
    parts = ber.elements(ber.contents(first))
    parts[3] = b"\xa0\x80" + ber.contents(parts[3]) + b"\0\0"
    signers = tlv(0x31, tlv(0x30, b"".join(parts)))
    return tlv(0x30, kind + tlv(0xA0, tlv(0x30, b"".join([*fields, signers]))))


def test_h5_signed_attributes_in_ber_are_digested_in_der(pki: Pki) -> None:
    """RFC 5652, 5.4: the digest is over the DER, however they came."""
    one = checked(in_ber(signed(pki)))
    assert one.indication is PASSED, one.checks
    (other,) = cms.check(document(BUNDLE + b" "), beside(in_ber(signed(pki))), ALGORITHMS)
    assert other.sub_indication == "HASH_FAILURE"


def test_h5_a_changed_attribute_in_ber_fails(pki: Pki) -> None:
    file = in_ber(signed(pki))
    place = file.index(b"261121120000Z")
    changed = file[:place] + b"27" + file[place + 2 :]
    one = checked(changed)
    assert (one.indication, one.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


# --- H6: detached content missing ------------------------------------------------------


def test_h6_detached_content_missing_is_undecided_not_failed(pki: Pki) -> None:
    (one,) = cms.check(document(signed(pki)), (), ALGORITHMS)
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "SIGNED_DATA_NOT_FOUND",
    )
    info = opened(signed(pki))
    info["content"]["signer_infos"][0]["signature"] = bytes(64)
    (bad,) = cms.check(document(info.dump(force=True)), (), ALGORITHMS)
    assert (bad.indication, bad.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


# --- E5, E6: the certificate named -----------------------------------------------------


def naming(certificate: bytes, **issuer_serial: Any) -> Callable[[asn1.SignerInfo], None]:
    """Return a change that names `certificate` in an ESSCertIDv2, with an IssuerSerial."""

    def change(signer: asn1.SignerInfo) -> None:
        named: dict[str, Any] = {
            "hash_algorithm": {"algorithm": "streebog256"},
            "cert_hash": ALGORITHMS.digest("streebog256", certificate),
        }
        if issuer_serial:
            named["issuer_serial"] = {
                "issuer": [x509.GeneralName("directory_name", issuer_serial["issuer"])],
                "serial_number": issuer_serial["serial"],
            }
        kept = attributes(signer, lambda kind: kind != "signing_certificate_v2")
        own = tsp.SigningCertificateV2({"certs": [named]})
        signer["signed_attrs"] = asn1.CMSAttributes(
            [*kept, {"type": "signing_certificate_v2", "values": [own]}]
        )

    return change


def test_e6_the_named_certificate_is_the_signers_in_digest_issuer_and_number(pki: Pki) -> None:
    der, issuer = pki.signer("gost256-doctor").chain()
    own = x509.Certificate.load(der)
    stranger = x509.Certificate.load(pki.signer("stranger").chain()[0])
    right = naming(der, issuer=own.issuer, serial=own.serial_number)
    assert checked(resigned(pki, right)).indication is PASSED
    for wrong in (
        naming(issuer),
        naming(der, issuer=own.issuer, serial=own.serial_number + 1),
        naming(der, issuer=stranger.issuer, serial=own.serial_number),
    ):
        one = checked(resigned(pki, wrong))
        assert (one.indication, one.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


def test_e6_both_versions_of_the_attribute_must_name_the_signer(pki: Pki) -> None:
    """A tool that reads one of them must not see another certificate than one that reads both."""
    der, issuer = pki.signer("gost256-doctor").chain()

    def both(certificate: bytes) -> Callable[[asn1.SignerInfo], None]:
        def change(signer: asn1.SignerInfo) -> None:
            named = {"cert_hash": ALGORITHMS.digest("sha1", certificate)}
            older = tsp.SigningCertificate({"certs": [named]})
            more = {"type": "signing_certificate", "values": [older]}
            signer["signed_attrs"] = asn1.CMSAttributes([*signer["signed_attrs"], more])

        return change

    assert checked(resigned(pki, both(der))).indication is PASSED
    assert checked(resigned(pki, both(issuer))).sub_indication == "SIG_CRYPTO_FAILURE"


def test_e5_without_a_named_certificate_nothing_passes(pki: Pki) -> None:
    def drop(signer: asn1.SignerInfo) -> None:
        signer["signed_attrs"] = asn1.CMSAttributes(
            attributes(signer, lambda kind: kind != "signing_certificate_v2")
        )

    one = checked(resigned(pki, drop))
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "SIG_CONSTRAINTS_FAILURE",
    )


# --- E3, E7: weak algorithms, and algorithms of another key ----------------------------


def digesting(name: str, signature: str) -> Callable[[asn1.SignerInfo], None]:
    """Return a change to another digest of the content, and of the signature."""

    def change(signer: asn1.SignerInfo) -> None:
        signer["digest_algorithm"] = {"algorithm": name}
        signer["signature_algorithm"] = {"algorithm": signature, "parameters": core.Null()}
        kept = attributes(signer, lambda kind: kind != "message_digest")
        own = {"type": "message_digest", "values": [ALGORITHMS.digest(name, BUNDLE)]}
        signer["signed_attrs"] = asn1.CMSAttributes([*kept, own])

    return change


def announcing(file: bytes, name: str) -> bytes:
    info = opened(file)
    info["content"]["digest_algorithms"] = [{"algorithm": name}]
    return bytes(info.dump(force=True))


@pytest.mark.parametrize(
    ("name", "passes"),
    [("md5", False), ("sha1", False), ("sha256", True), ("sha384", True), ("sha3_256", True)],
)
def test_e3_weak_digests_carry_nothing(pki: Pki, name: str, passes: bool) -> None:
    """The mathematics hold, and anybody may have made a second document to them."""
    file = resigned(pki, digesting(name, f"{name}_rsa"), "rsa-doctor")
    one = checked(announcing(file, name))
    assert (one.indication is PASSED) is passes, one.checks
    if not passes:
        assert one.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
        assert "signature_value" in {c.name for c in one.checks if c.status is CheckStatus.PASSED}


@pytest.mark.parametrize(("bits", "passes"), [(1024, False), (2048, True)])
def test_e3_short_rsa_keys_carry_nothing(bits: int, passes: bool) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own = made.certify(
        made.name(("common_name", "short")), public, [], ALIVE, ALGORITHMS, own=("rsa", private)
    )
    file = sign_cms.file(
        BUNDLE, key=private, chain=[own.dump()], algorithms=ALGORITHMS, detached=True, at=NOW
    )
    one = checked(file)
    assert (one.indication is PASSED) is passes
    if not passes:
        assert one.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
        assert any("1024 bits" in check.detail for check in one.checks)


@pytest.mark.parametrize(
    "stated", ["gost2012_512", "gost2001", "sha256_rsa", "ed25519", "rsassa_pkcs1v15"]
)
def test_e7_the_algorithm_of_another_key(pki: Pki, stated: str) -> None:
    info = opened(signed(pki))
    info["content"]["signer_infos"][0]["signature_algorithm"] = {"algorithm": stated}
    one = checked(info.dump(force=True))
    assert (one.indication, one.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize("family", ["ed25519", "ed448"])
def test_edwards_keys_sign_cms_as_rfc_8419_says(family: str) -> None:
    private, public = ALGORITHMS.generate(family)
    authority = root(family="rsa")
    certificate = made.certify(
        made.name(("common_name", family)), public, [], ALIVE, ALGORITHMS, issuer=authority
    )
    digest = "sha512" if family == "ed25519" else "shake256"
    named = {
        "hash_algorithm": {"algorithm": "sha256"},
        "cert_hash": ALGORITHMS.digest("sha256", certificate.dump()),
    }
    signed_attributes = asn1.CMSAttributes(
        [
            {"type": "content_type", "values": ["data"]},
            {"type": "message_digest", "values": [ALGORITHMS.digest(digest, BUNDLE)]},
            {"type": "signing_certificate_v2", "values": [{"certs": [named]}]},
        ]
    )
    scheme = Scheme(family=family, digest=digest)
    signer = asn1.SignerInfo(
        {
            "version": "v1",
            "sid": asn1.SignerIdentifier(
                "issuer_and_serial_number",
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
            ),
            "digest_algorithm": {"algorithm": digest},
            "signed_attrs": signed_attributes,
            "signature_algorithm": {"algorithm": family},
            "signature": ALGORITHMS.sign(private, scheme, signed_attributes.dump()),
        }
    )
    content = {
        "version": "v1",
        "digest_algorithms": [{"algorithm": digest}],
        "encap_content_info": {"content_type": "data"},
        "certificates": [certificate],
        "signer_infos": [signer],
    }
    file = asn1.ContentInfo({"content_type": "signed_data", "content": content}).dump()
    assert checked(file).indication is PASSED
    assert checked(file, BUNDLE + b" ").sub_indication == "HASH_FAILURE"
