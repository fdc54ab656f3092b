"""XML signatures of any shape, made for tests: the references are written as they come.

The digests are those of our own reference processing, which the foreign collections vouch for.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lxml import etree

from gateway.algorithms.asn1 import scheme_for
from gateway.algorithms.interface import Scheme
from gateway.model import CheckedSignature, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import certificates, xml, xml_references
from gateway.signatures import xml_names as names
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, Signing

SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
ENVELOPED = f'<ds:Transform Algorithm="{names.ENVELOPED}"/>'
EXCLUSIVE = f'<ds:Transform Algorithm="{c14n.EXCLUSIVE}"/>'
BASE64 = f'<ds:Transform Algorithm="{names.BASE64}"/>'
SMEV = f'<ds:Transform Algorithm="{names.SMEV}"/>'
WHOLE = '<r xmlns="urn:x"><b>5,10</b><c/></r>'


@dataclass(frozen=True, kw_only=True)
class Ref:
    """One Reference as it shall stand in SignedInfo."""

    uri: str | None = ""
    transforms: str = ENVELOPED
    attributes: str = ""

    def written(self) -> str:
        uri = "" if self.uri is None else f' URI="{self.uri}"'
        transforms = f"<ds:Transforms>{self.transforms}</ds:Transforms>" if self.transforms else ""
        return (
            f"<ds:Reference{uri} {self.attributes}>{transforms}"
            f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>AA==</ds:DigestValue>'
            "</ds:Reference>"
        )


def xpath(expression: str, prefixes: str = f'xmlns:ds="{names.DS}"') -> str:
    """Return a Transform that keeps what `expression` is true of."""
    return (
        f'<ds:Transform Algorithm="{names.XPATH}"><ds:XPath {prefixes}>{expression}</ds:XPath>'
        "</ds:Transform>"
    )


def filter2(*steps: tuple[str, str]) -> str:
    """Return an XPath Filter 2.0 of (operation, expression) steps."""
    inner = "".join(
        f'<f:XPath xmlns:f="{names.FILTER2}" xmlns:ds="{names.DS}" Filter="{operation}">'
        f"{expression}</f:XPath>"
        for operation, expression in steps
    )
    return f'<ds:Transform Algorithm="{names.FILTER2}">{inner}</ds:Transform>'


def signed_xml(
    pki: Pki,
    document: str,
    *references: Ref,
    objects: str = "",
    key_info: str | None = None,
    place: str = ".",
    beside: Part | None = None,
    signature_id: str = "sig",
    signer: str = "ecdsa-doctor",
    info_id: str = "",
    method: str = f'<ds:SignatureMethod Algorithm="{ECDSA}"/>',
    by: tuple[Signing, Scheme] | None = None,
) -> bytes:
    """Return `document` with a Signature in the element at `place`, or a Signature alone.

    `objects` and `key_info` are put into the Signature as they are; without `key_info` the
    signer's certificate stands there.  An empty `document` makes the Signature the root.
    It is by a `signer` of the sandbox and ECDSA, or `by` another key, which the SignatureMethod
    `method` then fits.
    """
    who, scheme = by or _of_sandbox(pki, signer)
    if key_info is None:
        encoded = base64.b64encode(who.der).decode()
        key_info = f"<ds:X509Data><ds:X509Certificate>{encoded}</ds:X509Certificate></ds:X509Data>"
    label = f' Id="{info_id}"' if info_id else ""
    block = (
        f'<ds:Signature xmlns:ds="{names.DS}" Id="{signature_id}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"/>'
        f"{method}{''.join(one.written() for one in references)}</ds:SignedInfo>"
        f"<ds:SignatureValue/>"
        f"{f'<ds:KeyInfo{label}>{key_info}</ds:KeyInfo>' if key_info else ''}"
        f"{objects}</ds:Signature>"
    )
    root = parse(_placed(document, place, block).encode())
    signature = next(one for one in root.iter(f"{DS}Signature") if one.get("Id") == signature_id)
    _fill(root, signature, beside)
    info = signature.find(f"{DS}SignedInfo")
    value = signature.find(f"{DS}SignatureValue")
    assert info is not None
    assert value is not None
    octets = c14n.canonical(info, c14n.EXCLUSIVE)
    value.text = base64.b64encode(ALGORITHMS.sign(who.key, scheme, octets)).decode()
    written = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=False)
    assert isinstance(written, bytes)
    return written


def _of_sandbox(pki: Pki, name: str) -> tuple[Signing, Scheme]:
    files = pki.signer(name)
    certificate = certificates.read(files.chain()[0])
    assert certificate is not None
    scheme = replace(scheme_for(certificate.public_key, "sha256"), encoding="raw")
    return (
        Signing(certificate=certificate, key=files.private_key(), family=scheme.family),
        scheme,
    )


def envelope(pki: Pki, reference: str) -> tuple[str, str]:
    """Return a SOAP envelope with a token, and KeyInfo that names the token."""
    token = base64.b64encode(pki.signer("ecdsa-doctor").chain()[0]).decode()
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:wsu="{names.WSU}" xmlns:wsse="{names.WSSE}"><s:Header>'
        '<wsse:Security s:actor="http://smev.gosuslugi.ru/actors/smev">'
        f'<wsse:BinarySecurityToken wsu:Id="t">{token}</wsse:BinarySecurityToken>'
        '</wsse:Security></s:Header><s:Body wsu:Id="body"><v>5,10</v></s:Body></s:Envelope>'
    )
    info = (
        f'<wsse:SecurityTokenReference xmlns:wsse="{names.WSSE}">{reference}'
        "</wsse:SecurityTokenReference>"
    )
    return envelope, info


def _placed(document: str, place: str, block: str) -> str:
    """Return the text with the signature in it; lxml would drop namespaces it thinks idle."""
    if not document:
        return block
    root = parse(document.encode())
    holder = root if place == "." else root.find(place)
    assert holder is not None
    etree.SubElement(holder, "PLACE")
    text = etree.tostring(root.getroottree(), encoding="unicode")
    before, _, after = text.partition("<PLACE")
    return before + block + after.partition("/>")[2]


def _fill(root: etree._Element, signature: etree._Element, beside: Part | None) -> None:
    """Write the digests, those of a manifest before those of SignedInfo."""
    inner = [
        one
        for manifest in signature.iter(f"{DS}Manifest")
        for one in manifest.iterfind(f"{DS}Reference")
    ]
    for element in (*inner, *signature.iterfind(f"{DS}SignedInfo/{DS}Reference")):
        digest = element.find(f"{DS}DigestValue")
        assert digest is not None
        source = Source(root=root, enclosing=beside is None, document=beside)
        reference = xml_references.read(element)
        octets = xml_references.resolve(reference, source, signature).octets
        digest.text = base64.b64encode(ALGORITHMS.digest("sha256", octets)).decode()


def checked(octets: bytes, *beside: bytes) -> CheckedSignature:
    """Check the one signature in `octets`, or in the one file beside it."""
    parts = tuple(Part(name="signature", media_type="", body=one) for one in beside)
    document = Part(name="document", media_type="application/xml", body=octets)
    (one,) = xml.check(document, parts, ALGORITHMS)
    return one


def scopes(one: CheckedSignature) -> Sequence[tuple[str, bool | None]]:
    return [(covered.scope, covered.covers_enclosing) for covered in one.covered]
