"""XML and CMS signatures made by others: xmlsec, CryptoPro, e-prescriptions."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model import Indication, Part
from gateway.signatures import cms, xml
from tests.pki.build import ALGORITHMS

EXPECTED = {
    "xmlsec/tests/aleksey-xmldsig-01/enveloped-gost2012-256.xml": None,
    "xmlsec/tests/aleksey-xmldsig-01/enveloped-gost2012-512.xml": None,
    # GOST R 34.10-2001 and 34.11-94 are recognised, and no verdict rests on them any more.
    "xmlsec/tests/aleksey-xmldsig-01/enveloped-gost2001.xml": "CRYPTO_CONSTRAINTS_FAILURE",
    "cryptopro-xmldsig/cryptopro_xmldsig_2001.xml": "CRYPTO_CONSTRAINTS_FAILURE",
    "cryptopro-xmldsig/cryptopro_xmldsig_512.xml": "CRYPTO_CONSTRAINTS_FAILURE",
    "cryptopro-xmldsig/cryptopro_xmldsig_256.xml": None,
    "cryptopro-xmldsig/p256_signed.xml": None,
    "cryptopro-xmldsig/p256_xades.xml": None,
    "cryptopro-xmldsig/p512_signed.xml": None,
    "cryptopro-xmldsig/p512_xades.xml": None,
    "cryptopro-xmldsig/xmlsec_signed_256.xml": None,
    "cryptopro-xmldsig/xmlsec_signed_512.xml": None,
    "cryptopro-xmldsig/xmlsec_signed_rsa_defaultns_c14n10.xml": None,
}
"""File → the sub-indication expected; None where the signature holds over the document."""


@pytest.mark.parametrize("name", EXPECTED)
def test_foreign_xml_signatures_are_judged_rightly(corpus: Path, name: str) -> None:
    octets = (corpus / "signatures" / name).read_bytes()
    (one,) = xml.check(_part(octets), (), ALGORITHMS)
    assert one.sub_indication == EXPECTED[name], one.checks
    assert (one.indication is Indication.TOTAL_PASSED) is (EXPECTED[name] is None)
    if EXPECTED[name] is None:
        assert [c.covers_enclosing for c in one.covered] == [True]


@pytest.mark.parametrize("name", [name for name, flaw in EXPECTED.items() if flaw is None])
def test_one_added_element_spoils_every_one_of_them(corpus: Path, name: str) -> None:
    octets = (corpus / "signatures" / name).read_bytes()
    head, _, tail = octets.rpartition(b"</")
    (one,) = xml.check(_part(head + b"<x/></" + tail), (), ALGORITHMS)
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")


GENUINE = {
    "response_with_retrieval_method.xml",
    "valid_saml_sha256_rsa_mgf1.xml",
    "wsfederation_metadata.xml",
    "saml-encrypted.xml",
}
"""Files among the attacks that are whole and rightly signed."""


def test_no_published_wrapping_attack_passes_as_a_whole(corpus: Path) -> None:
    """93 signatures of SAML attack collections and the wrapped files of EU DSS."""
    place = corpus / "signatures"
    files = [*(place / "saml-xsw").rglob("*.xml"), *(place / "dss").rglob("XSW*.xml")]
    seen = 0
    for path in files:
        for one in xml.check(_part(path.read_bytes()), (), ALGORITHMS):
            seen += 1
            whole = any(covered.covers_enclosing for covered in one.covered)
            passes = one.indication is Indication.TOTAL_PASSED and whole
            assert passes is (path.name in GENUINE), path
    assert seen > 50


def test_chunked_cms_of_e_prescriptions_holds(corpus: Path) -> None:
    """BER of indefinite length over brainpool curves, as a whole country sends it."""
    place = corpus / "signatures" / "erezept-fhir" / "Test-Scenarios" / "2023-07-01"
    files = {path.read_bytes() for path in place.rglob("*.b64")}
    assert files
    for octets in files:
        (one,) = cms.check(_part(octets), (), ALGORITHMS)
        assert one.indication is Indication.TOTAL_PASSED, one.checks


def _part(octets: bytes) -> Part:
    return Part(name="document", media_type="application/octet-stream", body=octets)
