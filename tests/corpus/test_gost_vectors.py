"""Signatures made by others: TC26's published examples and CryptoPro's XML signatures."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from asn1crypto import cms, crl, csr, x509

from gateway.algorithms import standard
from gateway.algorithms.asn1 import scheme_for, scheme_of_certificate_signature
from gateway.algorithms.policy import permissive
from gateway.model import CheckStatus, Indication, Part
from gateway.signatures import cms_file, xml
from gateway.signatures.cms_signer import Signer
from gateway.xml.c14n import canonical
from gateway.xml.parser import parse
from tests.corpus.tally import Tally

PROVIDERS = pytest.mark.parametrize("provider", ["auto", "pure"])
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.fixture(scope="session")
def tc26(corpus: Path) -> Path:
    place = corpus / "signatures" / "tc26-gost"
    if not place.is_dir():
        pytest.skip("no TC26 examples in the collection of foreign signatures")
    return place


@PROVIDERS
@pytest.mark.parametrize(
    "name",
    [
        "TestCertificate.test_256.5",
        "TestCertificate.test_512.6",
        "TestRFC4491bis.test_256_test_paramset.8",
        "TestRFC4491bis.test_256a_paramset.11",
        "TestRFC4491bis.test_512_test_paramset.14",
    ],
)
def test_published_certificates_signed_themselves(tc26: Path, provider: str, name: str) -> None:
    certificate = x509.Certificate.load((tc26 / f"{name}.der").read_bytes(), strict=True)
    key = certificate["tbs_certificate"]["subject_public_key_info"]
    scheme = scheme_of_certificate_signature(key, certificate["signature_algorithm"])
    octets = certificate["tbs_certificate"].dump()
    signature = certificate["signature_value"].native
    algorithms = standard(provider)
    assert algorithms.verify(key.dump(), scheme, octets, signature)
    assert not algorithms.verify(key.dump(), scheme, octets[:-1] + b"\0", signature)


@PROVIDERS
@pytest.mark.parametrize(
    ("name", "signer"),
    [
        ("test_256_test_paramset.9", "test_256_test_paramset.8"),
        ("test_256a_paramset.12", "test_256a_paramset.11"),
        ("test_512_test_paramset.15", "test_512_test_paramset.14"),
    ],
)
def test_the_published_revocation_lists_are_their_authoritys(
    tc26: Path, provider: str, name: str, signer: str
) -> None:
    certificate = x509.Certificate.load((tc26 / f"TestRFC4491bis.{signer}.der").read_bytes())
    issued = crl.CertificateList.load((tc26 / f"TestRFC4491bis.{name}.der").read_bytes())
    key = certificate["tbs_certificate"]["subject_public_key_info"]
    scheme = scheme_of_certificate_signature(key, issued["signature_algorithm"])
    octets, algorithms = issued["tbs_cert_list"].dump(), standard(provider)
    assert algorithms.verify(key.dump(), scheme, octets, issued.signature)
    assert not algorithms.verify(key.dump(), scheme, octets + b"\0", issued.signature)


@PROVIDERS
@pytest.mark.parametrize(
    "name", ["test_256_test_paramset.7", "test_256a_paramset.10", "test_512_test_paramset.13"]
)
def test_the_published_requests_are_signed_by_their_keys(
    tc26: Path, provider: str, name: str
) -> None:
    request = csr.CertificationRequest.load((tc26 / f"TestRFC4491bis.{name}.der").read_bytes())
    asked = request["certification_request_info"]
    key = asked["subject_pk_info"]
    scheme = scheme_of_certificate_signature(key, request["signature_algorithm"])
    octets, value, algorithms = asked.dump(), request["signature"].native, standard(provider)
    assert algorithms.verify(key.dump(), scheme, octets, value)
    assert not algorithms.verify(key.dump(), scheme, octets + b"\0", value)


@PROVIDERS
@pytest.mark.parametrize("name", ["test_256.3", "test_512.4"])
def test_published_digests_are_those_of_their_content(tc26: Path, provider: str, name: str) -> None:
    file = cms.ContentInfo.load((tc26 / f"TestDigested.{name}.der").read_bytes())
    digested = file["content"]
    kind = digested["digest_algorithm"]["algorithm"].native
    octets = digested["encap_content_info"]["content"].native
    assert standard(provider).digest(kind, octets) == digested["digest"].native


@PROVIDERS
@pytest.mark.parametrize(
    ("message", "signer"),
    [
        ("TestSigned.test_256.1", "TestCertificate.test_256.5"),
        ("TestSigned.test_512.2", "TestCertificate.test_512.6"),
    ],
)
def test_published_messages_are_signed_by_their_signers(
    tc26: Path, provider: str, message: str, signer: str
) -> None:
    content = cms.ContentInfo.load((tc26 / f"{message}.der").read_bytes())["content"]
    certificate = x509.Certificate.load((tc26 / f"{signer}.der").read_bytes())
    key = certificate["tbs_certificate"]["subject_public_key_info"]
    (info,) = content["signer_infos"]
    octets = content["encap_content_info"]["content"].native
    assert octets == b"Test message"
    digest = info["digest_algorithm"]["algorithm"].native
    scheme = scheme_for(key, digest, info["signature_algorithm"])
    signed = info["signed_attrs"].untag().dump() if info["signed_attrs"] else octets
    algorithms = standard(provider)
    assert algorithms.verify(key.dump(), scheme, signed, info["signature"].native)
    assert not algorithms.verify(key.dump(), scheme, signed + b"!", info["signature"].native)


@PROVIDERS
@pytest.mark.parametrize(
    "name", ["cryptopro_xmldsig_256", "xmlsec_signed_256", "xmlsec_signed_512"]
)
def test_xml_signatures_by_others_hold(corpus: Path, provider: str, name: str) -> None:
    """Right byte orders on both sides of the value: CryptoPro's and xmlsec's own work."""
    place = corpus / "signatures" / "cryptopro-xmldsig" / f"{name}.xml"
    if not place.is_file():
        pytest.skip("no CryptoPro signatures in the collection of foreign signatures")
    root = parse(place.read_bytes())
    signature = root if root.tag == f"{DSIG}Signature" else root.find(f".//{DSIG}Signature")
    assert signature is not None
    info = signature.find(f"{DSIG}SignedInfo")
    assert info is not None
    method = info.find(f"{DSIG}CanonicalizationMethod")
    value = signature.findtext(f"{DSIG}SignatureValue")
    assert method is not None
    assert value is not None
    found = [base64.b64decode(node.text or "") for node in signature.iter(f"{DSIG}X509Certificate")]
    keys = [
        x509.Certificate.load(der)["tbs_certificate"]["subject_public_key_info"] for der in found
    ]
    key = next(k for k in keys if k["algorithm"]["algorithm"].native.startswith("gost2012"))
    digest = (
        "streebog256" if key["algorithm"]["algorithm"].native.endswith("256") else "streebog512"
    )
    octets = canonical(info, method.get("Algorithm", ""))
    algorithms = standard(provider)
    scheme, raw = scheme_for(key, digest), base64.b64decode(value)
    assert algorithms.verify(key.dump(), scheme, octets, raw)
    assert not algorithms.verify(key.dump(), scheme, octets + b"\n", raw)


@PROVIDERS
@pytest.mark.parametrize(
    ("message", "signer"),
    [
        ("TestSigned.test_256.1", "TestCertificate.test_256.5"),
        ("TestSigned.test_512.2", "TestCertificate.test_512.6"),
    ],
)
def test_published_messages_hold_by_the_form_but_name_no_certificate(
    tc26: Path, provider: str, message: str, signer: str
) -> None:
    """Their certificate is not in the file; with it beside, the mathematics hold as plain CMS."""
    opened = cms_file.opened((tc26 / f"{message}.der").read_bytes())
    certificate = x509.Certificate.load((tc26 / f"{signer}.der").read_bytes())
    alone = Signer(opened, opened.signers[0], None, standard(provider), {}).check("document")
    assert alone.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"
    known = replace(opened, certificates=[certificate])
    one = Signer(known, known.signers[0], None, standard(provider), {}).check("document")
    assert one.sub_indication == "SIG_CONSTRAINTS_FAILURE"
    assert [c.octets for c in one.covered] == [b"Test message"]
    assert {c.name for c in one.checks if c.status is not CheckStatus.PASSED} == {
        "signing_certificate_bound"
    }


def test_every_foreign_gost_signature_holds_where_old_ones_are_let_in(corpus: Path) -> None:
    """CryptoPro's, xmlsec's and our own vectors, GOST R 34.10-2001 among them: mathematics only."""
    place = corpus / "signatures"
    files = [
        *(place / "cryptopro-xmldsig").glob("*.xml"),
        *(place / "xmlsec" / "tests" / "aleksey-xmldsig-01").glob("enveloped-gost*.xml"),
    ]
    if not files:
        pytest.skip("no CryptoPro or xmlsec signatures in the collection of foreign signatures")
    algorithms = standard().under(permissive())
    tally = Tally("GOST in XML, any age")
    for path in files:
        part = Part(name="document", media_type="", body=path.read_bytes())
        found = xml.check(part, (), algorithms)
        holds = [one.indication is Indication.TOTAL_PASSED for one in found]
        why = "; ".join(str(one.sub_indication) for one in found)
        tally.add("right" if holds and all(holds) else "wrong", path.name, why)
    tally.require(right_min=13)
