"""Makes signatures for senders, samples, tests: CAdES, XAdES, PAdES, JAdES B and T, JWS, XMLDSig.

The gateway itself never signs a laboratory's document.

Source: RFC 5652 and ETSI EN 319 122-1 (CAdES); W3C XMLDSig 1.1 and ETSI EN 319 132-1 (XAdES);
ETSI EN 319 142-1 (PAdES).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from asn1crypto import x509
from lxml import etree

from gateway.algorithms.interface import Algorithms, Scheme
from gateway.signatures import sign_cms, sign_json
from gateway.signatures import xml_names as names
from gateway.signatures.pyhanko_apart import untaught
from gateway.signatures.stamping import Stamp
from gateway.xml import c14n
from gateway.xml.parser import parse

Form = Literal["cades", "jws", "xmldsig", "xades", "pades"]
STAMPED = ("cades", "jws", "xades", "pades")
"""Forms that have a place for a time stamp here."""


def sign(
    octets: bytes,
    *,
    key: bytes,
    chain: Sequence[bytes],
    algorithms: Algorithms,
    form: Form,
    detached: bool,
    at: datetime,
    stamp: Stamp | None = None,
) -> bytes:
    """Sign `octets`; return the CMS file, the JWS, or the document with its signature in it.

    `key` is PKCS#8 DER; `chain` is DER, the signer's certificate first.  `detached` is for
    CAdES and JWS: a signature of XML or PDF is always inside.  `at` becomes the claimed signing
    time of CAdES, JWS, XAdES and PAdES.  `stamp` gives a time-stamp token over the signature's
    value (level T of CAdES, XAdES, PAdES and JAdES).  Raises Rejected (FMT-2xx) when XML is
    asked for and `octets` are none; ValueError when PDF is asked for and they cannot be signed
    as one, when the key is of an unknown kind or the form has no place for a time stamp; and
    whatever `stamp` raises.
    """
    if stamp is not None and form not in STAMPED:
        raise ValueError(f"{form} has no place for a time stamp: {', '.join(STAMPED)}.")
    certificate = x509.Certificate.load(chain[0], strict=True)
    if form in ("cades", "jws"):
        made = sign_cms.file if form == "cades" else sign_json.file
        return made(
            octets,
            key=key,
            chain=chain,
            algorithms=algorithms,
            detached=detached,
            at=at,
            stamp=stamp,
        )
    if form == "pades":
        # pyHanko takes a second to import.
        with untaught():
            from gateway.signatures import sign_pdf

        return sign_pdf.file(
            octets, key=key, chain=chain, algorithms=algorithms, at=at, stamp=stamp
        )
    return _xml(octets, key, chain, certificate, algorithms, form == "xades", at, stamp)


def sign_bundle(
    octets: bytes,
    *,
    key: bytes,
    chain: Sequence[bytes],
    algorithms: Algorithms,
    form: Form,
    at: datetime,
    method: str = "",
    stamp: Stamp | None = None,
) -> bytes:
    """Return a FHIR bundle, JSON or XML, with its signature (CAdES or JWS) inside.

    `method` is the canonicalisation that is signed; empty signs everything.  Raises Rejected
    and ValueError as `sign_json.into_bundle`.
    """
    method = method or sign_json.method_for(octets)
    if form not in ("cades", "jws"):
        raise ValueError(f"A bundle carries a CAdES or JWS signature, not {form}.")

    def signed(content: bytes) -> bytes:
        if form == "jws":
            return sign_json.file(
                content,
                key=key,
                chain=chain,
                algorithms=algorithms,
                detached=True,
                at=at,
                canon=method,
                stamp=stamp,
            )
        return sign_cms.file(
            content,
            key=key,
            chain=chain,
            algorithms=algorithms,
            detached=True,
            at=at,
            stamp=stamp,
        )

    return sign_json.into_bundle(octets, signed, form=form, at=at, method=method)


# --- XML -------------------------------------------------------------------------------


def _xml(
    octets: bytes,
    key: bytes,
    chain: Sequence[bytes],
    certificate: x509.Certificate,
    algorithms: Algorithms,
    xades: bool,
    at: datetime,
    stamp: Stamp | None,
) -> bytes:
    scheme = sign_cms.scheme_of(certificate)
    if scheme.family == "ecdsa":
        scheme = replace(scheme, encoding="raw")  # XMLDSig 1.1, clause 6.4.3
    root = parse(octets)
    document = algorithms.digest(scheme.digest, c14n.canonical_document(root, c14n.C14N_10))
    label = "s-" + hashlib.sha256(octets + at.isoformat().encode() + chain[0]).hexdigest()[:24]
    signature = parse(_skeleton(label, chain, scheme, document, xades).encode())
    if xades:
        block = _signed_properties(label, certificate, algorithms, scheme, at)
        signature.append(parse(block.encode()))
    # Digests are taken in place: what an element inherits there is part of its canonical form.
    root.append(signature)
    if xades:
        properties = next(signature.iter(f"{{{names.XADES}}}SignedProperties"))
        computed = algorithms.digest(scheme.digest, c14n.canonical(properties, c14n.EXCLUSIVE))
        values = list(signature.iter(f"{{{names.DS}}}DigestValue"))
        values[1].text = _text(computed)
    info = next(signature.iter(f"{{{names.DS}}}SignedInfo"))
    value = algorithms.sign(key, scheme, c14n.canonical(info, c14n.EXCLUSIVE))
    written = next(signature.iter(f"{{{names.DS}}}SignatureValue"))
    written.text = _text(value)
    if stamp is not None:
        token = stamp(c14n.canonical(written, c14n.EXCLUSIVE))
        next(signature.iter(f"{{{names.XADES}}}QualifyingProperties")).append(_stamped(token))
    tree = root.getroottree()
    signed = etree.tostring(tree, encoding=tree.docinfo.encoding or "UTF-8", xml_declaration=True)
    assert isinstance(signed, bytes)
    return signed


def _skeleton(
    label: str, chain: Sequence[bytes], scheme: Scheme, document: bytes, xades: bool
) -> str:
    """Return the Signature element with everything but the values that come last."""
    method = next(
        uri for uri, known in names.SIGNATURES.items() if known == (scheme.family, scheme.digest)
    )
    digest = next(uri for uri, name in names.DIGESTS.items() if name == scheme.digest)
    certificates = "".join(f"<ds:X509Certificate>{_text(c)}</ds:X509Certificate>" for c in chain)
    properties = (
        f'<ds:Reference Type="{names.SIGNED_PROPERTIES}" URI="#{label}-properties">'
        f'<ds:Transforms><ds:Transform Algorithm="{c14n.EXCLUSIVE}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference>'
    )
    return (
        f'<ds:Signature xmlns:ds="{names.DS}" Id="{label}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>'
        f'<ds:Reference URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{names.ENVELOPED}"/>'
        f'<ds:Transform Algorithm="{c14n.C14N_10}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{digest}"/>'
        f"<ds:DigestValue>{_text(document)}</ds:DigestValue></ds:Reference>"
        f"{properties if xades else ''}</ds:SignedInfo><ds:SignatureValue/>"
        f"<ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


def _signed_properties(
    label: str,
    certificate: x509.Certificate,
    algorithms: Algorithms,
    scheme: Scheme,
    at: datetime,
) -> str:
    digest = next(uri for uri, name in names.DIGESTS.items() if name == scheme.digest)
    named = _text(algorithms.digest(scheme.digest, certificate.dump()))
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<ds:Object xmlns:ds="{names.DS}">'
        f'<xades:QualifyingProperties xmlns:xades="{names.XADES}" Target="#{label}">'
        f'<xades:SignedProperties Id="{label}-properties"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{moment}</xades:SigningTime>"
        f"<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue>{named}</ds:DigestValue>'
        f"</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        f"</xades:SignedSignatureProperties></xades:SignedProperties>"
        f"</xades:QualifyingProperties></ds:Object>"
    )


def _stamped(token: bytes) -> etree._Element:
    """Return UnsignedProperties with a SignatureTimeStamp (EN 319 132-1, clause 5.3)."""
    return parse(
        (
            f'<xades:UnsignedProperties xmlns:xades="{names.XADES}" xmlns:ds="{names.DS}">'
            f"<xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
            f'<ds:CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"/>'
            f"<xades:EncapsulatedTimeStamp>{_text(token)}</xades:EncapsulatedTimeStamp>"
            f"</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties>"
            f"</xades:UnsignedProperties>"
        ).encode()
    )


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
