"""XML signatures that are right, in every family, and their nearest neighbours that are not."""

from __future__ import annotations

import pytest
from asn1crypto import pem
from lxml import etree
from signxml import XMLSigner, XMLVerifier, methods
from signxml.exceptions import InvalidSignature

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import xml
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import FAMILIES, XML, beside, document, signed

# signxml builds its own chain to this machine's clock; the signer is what is compared here.
SECOND_OPINION = ("rsa", "ecdsa")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["xmldsig", "xades"])
def test_what_is_covered_is_the_document_without_its_signature(
    pki: Pki, family: str, form: str
) -> None:
    file = signed(pki, f"{family}-doctor", form)  # type: ignore[arg-type]
    (good,) = xml.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert [(c.octets, c.scope, c.covers_enclosing) for c in good.covered] == [
        (c14n.canonical_document(parse(XML), c14n.C14N_10), "FULL", True)
    ]
    assert good.claimed_at == (NOW if form == "xades" else None)
    (bad,) = xml.check(document(file.replace(b"5,10", b"5,11")), (), ALGORITHMS)
    assert (bad.indication, bad.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
    assert bad.covered == ()


@pytest.mark.parametrize("encoding", ["UTF-16", "windows-1251"])
def test_signing_keeps_the_documents_encoding(pki: Pki, encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?><r xmlns='urn:x'>Кровь</r>"
    file = signed(pki, form="xades", octets=text.encode(encoding))
    (good,) = xml.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert good.covered[0].octets == '<r xmlns="urn:x">Кровь</r>'.encode()


def test_an_unsigned_document_has_no_findings() -> None:
    assert xml.check(document(XML), (), ALGORITHMS) == ()
    assert xml.check(document(b"{}"), (), ALGORITHMS) == ()
    assert xml.check(document(b"<broken"), (), ALGORITHMS) == ()


def test_a_broken_document_that_means_to_be_signed_is_a_broken_signature(pki: Pki) -> None:
    (bad,) = xml.check(document(signed(pki, form="xmldsig")[:-3]), (), ALGORITHMS)
    assert bad.sub_indication == "FORMAT_FAILURE"


def test_a_signed_file_beside_covers_itself_and_not_the_document(pki: Pki) -> None:
    file = signed(pki, form="xmldsig")
    (other,) = xml.check(document(XML), beside(file), ALGORITHMS)
    assert other.indication is Indication.TOTAL_PASSED
    assert [c.covers_enclosing for c in other.covered] == [False]


def test_a_xades_signature_names_its_certificate_whatever_their_order(pki: Pki) -> None:
    """Authorities come first in many files: the first certificate is not the signer's."""
    file = signed(pki, form="xades")
    start, end = file.index(b"<ds:X509Certificate>"), file.index(b"</ds:X509Data>")
    leaf, authority, _ = file[start:end].split(b"</ds:X509Certificate>")
    close = b"</ds:X509Certificate>"
    turned = file[:start] + authority + close + leaf + close + file[end:]
    assert turned != file
    (good,) = xml.check(document(turned), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert good.certificate == pki.signer("gost256-doctor").chain()[0]


@pytest.mark.parametrize("family", SECOND_OPINION)
def test_signxml_reads_what_we_sign(pki: Pki, family: str) -> None:
    """A second implementation, where it knows the mathematics."""
    file = signed(pki, f"{family}-doctor", "xmldsig")
    leaf = pem.armor("CERTIFICATE", pki.signer(f"{family}-doctor").chain()[0]).decode()
    assert XMLVerifier().verify(file, x509_cert=leaf).signed_data
    with pytest.raises(InvalidSignature):
        XMLVerifier().verify(file.replace(b"5,10", b"5,11"), x509_cert=leaf)


@pytest.mark.parametrize("family", SECOND_OPINION)
def test_we_read_what_signxml_signs(pki: Pki, family: str) -> None:
    who = pki.signer(f"{family}-doctor")
    algorithm = {"rsa": "rsa-sha256", "ecdsa": "ecdsa-sha256"}[family]
    signer = XMLSigner(method=methods.enveloped, signature_algorithm=algorithm)
    key = pem.armor("PRIVATE KEY", who.private_key())
    certificate = pem.armor("CERTIFICATE", who.chain()[0]).decode()
    tree = signer.sign(parse(XML), key=key, cert=certificate).getroottree()
    file = etree.tostring(tree)
    (good,) = xml.check(document(file), (), ALGORITHMS)
    assert good.indication is Indication.TOTAL_PASSED
    assert [c.covers_enclosing for c in good.covered] == [True]
