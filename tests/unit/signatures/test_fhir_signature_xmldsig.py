"""XML signatures as the data of a FHIR Signature: over the bundle they stand in, and no other."""

from __future__ import annotations

import base64
from functools import cache

import pytest

from gateway.fhir import canonical_xml
from gateway.model import CheckedSignature, Indication
from gateway.signatures import fhir_signature
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, Signing
from tests.unit.signatures.made import document
from tests.unit.signatures.made_json import scheme, signing

DS = "http://www.w3.org/2000/09/xmldsig#"
PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
BUNDLE = (
    b'<Bundle xmlns="http://hl7.org/fhir">\n  <id value="b1"/><type value="collection"/><entry>'
    b'<resource><Observation><valueQuantity><value value="5.00"/></valueQuantity></Observation>'
    b"</resource></entry></Bundle>"
)
FORMS = canonical_xml.forms(parse(BUNDLE), canonical_xml.XML)


@cache
def signer() -> Signing:
    return signing("ES256")


def xmldsig(content: bytes, *, inside: bool = False, uri: str = ' URI="urn:bundle"') -> bytes:
    """Return an XML signature over `content`, which is elsewhere or in its own Object."""
    stored = f'<ds:Object xmlns:ds="{DS}" Id="o">{content.decode()}</ds:Object>' if inside else ""
    octets = c14n.canonical(parse(stored.encode()), c14n.EXCLUSIVE) if inside else content
    transform = f'<ds:Transform Algorithm="{c14n.EXCLUSIVE}"/>' if inside else ""
    reference = ' URI="#o"' if inside else uri
    digest = base64.b64encode(ALGORITHMS.digest("sha256", octets)).decode()
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>'
        f"<ds:Reference{reference}>"
        + (f"<ds:Transforms>{transform}</ds:Transforms>" if transform else "")
        + '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    value = ALGORITHMS.sign(
        signer().key,
        scheme("ES256", signer().certificate),
        c14n.canonical(parse(info.encode()), c14n.EXCLUSIVE),
    )
    certificate = base64.b64encode(signer().der).decode()
    return (
        f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>'
        f"{base64.b64encode(value).decode()}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
        f"<ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f"{stored}</ds:Signature>"
    ).encode()


def one(data: bytes, octets: bytes = BUNDLE) -> CheckedSignature:
    written = base64.b64encode(data)
    signature = b'<signature><sigFormat value="application/signature+xml"/><data value="%s"/>'
    held = octets.replace(b"</Bundle>", signature % written + b"</signature></Bundle>")
    (found,) = fhir_signature.check(document(held, "application/fhir+xml"), (), ALGORITHMS)
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("uri", ["", ' URI="Bundle/b1"'])
def test_a_detached_xml_signature_is_over_the_bundle_around_it(form: bytes, uri: str) -> None:
    data = xmldsig(form, uri=uri)
    found = one(data)
    assert (found.indication, found.place) == (PASSED, "/Bundle/signature/Signature"), found.checks
    assert [(c.octets, c.scope, c.covers_enclosing) for c in found.covered] == [
        (form, "FULL", True)
    ]
    changed = one(data, BUNDLE.replace(b"5.00", b"6.00"))
    assert (changed.indication, changed.covered) == (FAILED, ())


def test_content_in_the_signatures_own_object_is_compared_with_the_bundle() -> None:
    """Case A18, in XML: the object is signed, and it is this bundle or another."""
    own = one(xmldsig(FORMS[1], inside=True))
    assert own.indication is PASSED, own.checks
    assert [c.covers_enclosing for c in own.covered] == [True]
    assert [c.received for c in own.covered] == [FORMS[1]]
    other = one(xmldsig(FORMS[1].replace(b"5.00", b"9.00"), inside=True))
    assert (other.indication, other.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert [(c.scope, c.covers_enclosing) for c in other.covered] == [("PARTIAL", False)]


def test_an_xml_signature_over_a_part_of_itself_covers_no_bundle() -> None:
    found = one(xmldsig(b'<a xmlns="urn:a"></a>', inside=True))
    assert found.indication is not PASSED
