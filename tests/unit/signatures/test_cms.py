"""CMS: attached and detached, DER and BER, one signer and several, and what never passes."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import pem

from gateway.model import CheckStatus, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import ber, cms
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import attributes, checked, in_chunks, opened, resigned, tlv
from tests.unit.signatures.made import BUNDLE, FAMILIES, beside, document, signed


@pytest.mark.parametrize("family", FAMILIES)
def test_detached_covers_the_document_byte_for_byte(pki: Pki, family: str) -> None:
    good = checked(signed(pki, f"{family}-doctor"))
    assert good.indication is Indication.TOTAL_PASSED
    assert (good.format, good.level, good.claimed_at) == ("CAdES", "BES", NOW)
    assert [c.octets for c in good.covered] == [BUNDLE]
    bad = checked(signed(pki, f"{family}-doctor"), BUNDLE + b" ")
    assert (bad.indication, bad.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
    assert bad.covered == ()


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda body: b"\xef\xbb\xbf" + body, "byte order mark"),
        (lambda body: body.replace(b"\n", b"\r\n"), "line ends changed"),
        (lambda body: body.decode().encode("utf-16"), "written in another encoding"),
        (lambda body: body.decode().encode("utf-16-be"), None),
        (lambda body: body.replace(b" ", b"").replace(b"\n", b""), "reformatted"),
        (lambda body: body.replace(b"5.00", b"5.10", 1), None),
    ],
)
def test_a_file_changed_on_its_way_gets_a_hint_and_no_excuse(
    pki: Pki, change: Callable[[bytes], bytes], hint: str | None
) -> None:
    """Mail servers and editors change files; nobody should look for a forger then."""
    body = b'{\n  "value": 5.00,\n  "unit": "mmol/l"\n}\n'
    (found,) = cms.check(document(change(body)), beside(signed(pki, octets=body)), ALGORITHMS)
    assert (found.indication, found.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
    assert [said for said in found.hints if hint and said.startswith(hint)] == list(found.hints)
    assert bool(found.hints) is (hint is not None)


@pytest.mark.parametrize("family", FAMILIES)
def test_attached_gives_back_its_content(pki: Pki, family: str) -> None:
    file = signed(pki, f"{family}-doctor", detached=False)
    (good,) = cms.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert [(c.octets, c.covers_enclosing) for c in good.covered] == [(BUNDLE, True)]


def test_content_of_its_own_does_not_cover_the_document_beside_it(pki: Pki) -> None:
    """A perfect signature over another bundle says nothing of this one."""
    other = checked(signed(pki, detached=False), b'{"resourceType":"Bundle"}')
    assert [(c.octets, c.covers_enclosing) for c in other.covered] == [(BUNDLE, False)]
    same = checked(signed(pki, detached=False))
    assert [c.covers_enclosing for c in same.covered] == [True]


def test_detached_without_its_content_is_undecided(pki: Pki) -> None:
    (alone,) = cms.check(document(signed(pki)), (), ALGORITHMS)
    assert alone.indication is Indication.INDETERMINATE
    assert alone.sub_indication == "SIGNED_DATA_NOT_FOUND"


def test_reads_pem_and_base64_but_only_written_plainly(pki: Pki) -> None:
    file = signed(pki)
    assert checked(pem.armor("PKCS7", file)).indication is Indication.TOTAL_PASSED
    assert checked(base64.encodebytes(file)).indication is Indication.TOTAL_PASSED
    padded = base64.b64encode(file + b"")
    assert checked(padded[:-4] + b"!" + padded[-4:]).sub_indication == "FORMAT_FAILURE"


@pytest.mark.parametrize("size", [20, 5, len(BUNDLE)])
def test_reads_ber_of_indefinite_length(pki: Pki, size: int) -> None:
    """What e-prescription systems of a whole country send: chunked content, open lengths."""
    file = in_chunks(signed(pki, detached=False), size, indefinite=True)
    (good,) = cms.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert [c.octets for c in good.covered] == [BUNDLE]
    (cut,) = cms.check(document(file[:-2]), (), ALGORITHMS)
    assert cut.sub_indication == "FORMAT_FAILURE"


@pytest.mark.parametrize("size", [20, 5, len(BUNDLE)])
def test_reads_content_in_chunks_of_definite_length(pki: Pki, size: int) -> None:
    """BER need not be open-ended to be chunked: PKI.js cuts at 4 KiB and states each length."""
    file = in_chunks(signed(pki, detached=False), size, indefinite=False)
    (good,) = cms.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert [c.octets for c in good.covered] == [BUNDLE]
    other = file.replace(tlv(0x04, BUNDLE[:size]), tlv(0x04, b"[" + BUNDLE[1:size]))
    (changed,) = cms.check(document(other), (), ALGORITHMS)
    assert changed.sub_indication == "HASH_FAILURE"


def test_the_value_may_be_over_attributes_in_the_order_of_der(pki: Pki) -> None:
    """RFC 5652, 5.4: DER is what is signed, though a file in BER lists them as it likes."""
    file = signed(pki)
    listed = opened(file)["content"]["signer_infos"][0]["signed_attrs"].dump()
    several = ber.elements(ber.contents(listed))
    turned = tlv(0xA0, b"".join(reversed(several)))
    assert turned != listed
    one = checked(file.replace(listed, turned))
    assert one.indication is Indication.TOTAL_PASSED
    assert one.hints == ("signed attributes are not listed in the order of DER",)
    changed = tlv(0xA0, b"".join(reversed([*several[1:], several[0][:-1] + b"!"])))
    assert checked(file.replace(listed, changed)).indication is Indication.TOTAL_FAILED


def test_judges_every_signer_of_a_file(pki: Pki) -> None:
    """One bad signer does not hide behind a good one, nor the other way round."""
    first, second = opened(signed(pki)), opened(signed(pki, "rsa-doctor"))
    both = first["content"]
    for certificate in second["content"]["certificates"]:
        both["certificates"].append(certificate)
    both["digest_algorithms"].append(second["content"]["digest_algorithms"][0])
    other = second["content"]["signer_infos"][0]
    both["signer_infos"].append(other)
    verdicts = cms.check(document(BUNDLE), beside(first.dump(force=True)), ALGORITHMS)
    assert [one.indication for one in verdicts] == [Indication.TOTAL_PASSED] * 2
    other["signature"] = bytes(256)
    verdicts = cms.check(document(BUNDLE), beside(first.dump(force=True)), ALGORITHMS)
    assert sorted(one.indication for one in verdicts) == ["TOTAL_FAILED", "TOTAL_PASSED"]


def test_plain_cms_without_the_certificates_digest_never_passes(pki: Pki) -> None:
    def drop(signer: asn1_cms.SignerInfo) -> None:
        signer["signed_attrs"] = asn1_cms.CMSAttributes(
            attributes(signer, lambda kind: kind != "signing_certificate_v2")
        )

    plain = checked(resigned(pki, drop))
    assert plain.indication is Indication.INDETERMINATE
    assert (plain.format, plain.sub_indication) == ("CMS", "SIG_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize("kind", ["content_type", "message_digest"])
def test_required_attributes_may_be_neither_missing_nor_doubled(pki: Pki, kind: str) -> None:
    def drop(signer: asn1_cms.SignerInfo) -> None:
        signer["signed_attrs"] = asn1_cms.CMSAttributes(
            attributes(signer, lambda other: other != kind)
        )

    def double(signer: asn1_cms.SignerInfo) -> None:
        twice = attributes(signer, lambda other: other == kind)
        signer["signed_attrs"] = asn1_cms.CMSAttributes([*signer["signed_attrs"], *twice])

    for change in (drop, double):
        assert checked(resigned(pki, change)).sub_indication == "FORMAT_FAILURE"


def test_a_file_signed_again_unchanged_passes(pki: Pki) -> None:
    """The neighbour of the refusals above: the way they are made is not what they refuse."""
    assert checked(resigned(pki, lambda signer: None)).indication is Indication.TOTAL_PASSED


def test_no_signed_attributes_is_not_cades(pki: Pki) -> None:
    """Their octets could be replayed as the content of a message."""
    info = opened(signed(pki))
    signer = info["content"]["signer_infos"][0]
    bare = {name: signer[name] for name in ("version", "sid", "digest_algorithm")}
    bare |= {name: signer[name] for name in ("signature_algorithm", "signature")}
    info["content"]["signer_infos"] = [asn1_cms.SignerInfo(bare)]
    stripped = checked(info.dump(force=True))
    assert stripped.indication is Indication.TOTAL_FAILED
    assert stripped.sub_indication == "SIG_CRYPTO_FAILURE"


def test_the_content_type_is_the_signed_one(pki: Pki) -> None:
    """libcrypto overlooks this; a time-stamp must not pass for a document."""
    info = opened(signed(pki))
    info["content"]["encap_content_info"]["content_type"] = "1.2.840.113549.1.9.16.1.4"
    assert checked(info.dump(force=True)).sub_indication == "FORMAT_FAILURE"


@pytest.mark.parametrize(
    "algorithm", ["gost2012_512", "gost2012_512_streebog512", "sha256_rsa", "ec_public_key"]
)
def test_the_signature_algorithm_is_bound_to_the_key(pki: Pki, algorithm: str) -> None:
    info = opened(signed(pki))
    info["content"]["signer_infos"][0]["signature_algorithm"] = {"algorithm": algorithm}
    bad = checked(info.dump(force=True))
    assert bad.indication is Indication.TOTAL_FAILED
    assert bad.sub_indication == "SIG_CRYPTO_FAILURE"


def test_another_certificate_under_the_same_name_is_refused(pki: Pki) -> None:
    """Substitution: the digest in the attributes names the one certificate."""
    info = opened(signed(pki))
    theirs = opened(signed(pki, "gost256-organisation"))["content"]["certificates"][0].chosen
    signer = info["content"]["signer_infos"][0]
    signer["sid"] = asn1_cms.SignerIdentifier(
        "issuer_and_serial_number",
        {"issuer": theirs.issuer, "serial_number": theirs.serial_number},
    )
    info["content"]["certificates"].append(theirs)
    bad = checked(info.dump(force=True))
    assert bad.indication is Indication.TOTAL_FAILED
    failed = [c.name for c in bad.checks if c.status is CheckStatus.FAILED]
    assert failed == ["signing_certificate_bound", "signature_value"]


def test_a_missing_certificate_is_undecided(pki: Pki) -> None:
    info = opened(signed(pki))
    info["content"]["certificates"] = []
    bare = checked(info.dump(force=True))
    assert bare.indication is Indication.INDETERMINATE
    assert bare.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: f + b"\0",
        lambda f: f[:1] + b"\x83\x00" + f[2:4] + f[4:],
        lambda f: f[:-1],
    ],
    ids=["trailing byte", "padded length", "cut"],
)
def test_a_file_has_one_way_to_be_written(pki: Pki, spoil: Callable[[bytes], bytes]) -> None:
    assert checked(spoil(signed(pki))).sub_indication == "FORMAT_FAILURE"


def test_other_files_are_not_taken_for_cms() -> None:
    for octets in (BUNDLE, b"<a/>", b"MSH|^~\\&|", b"%PDF-1.7", b"\x30\x03\x02\x01\x01"):
        assert cms.check(document(octets), (), ALGORITHMS) == ()


def test_a_part_that_says_it_is_cms_is_judged_as_such() -> None:
    part = Part(name="signature", media_type="application/pkcs7-signature", body=b"hello")
    (bad,) = cms.check(document(BUNDLE), (part,), ALGORITHMS)
    assert (bad.indication, bad.sub_indication) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")


def test_content_of_a_version_3_file_is_its_content(pki: Pki) -> None:
    """Pharmacies sign in version 3, where the content is read as another kind of octets."""
    file = signed(pki, detached=False).replace(b"\x02\x01\x01", b"\x02\x01\x03", 1)
    (good,) = cms.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert [c.octets for c in good.covered] == [BUNDLE]
