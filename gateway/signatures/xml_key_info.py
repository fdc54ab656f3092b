"""KeyInfo: the certificates and keys an XML signature brings along.

Nothing it points to is fetched, and nothing is followed further than a WS-Security token in
the same file: RetrievalMethod and KeyInfoReference are named, never resolved.

Source: W3C XMLDSig 1.1, clause 4.5; OASIS WS-Security X.509 Certificate Token Profile 1.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from asn1crypto import cms, core, crl, keys, x509
from lxml import etree

from gateway.signatures import certificates
from gateway.signatures import xml_names as names
from gateway.signatures.findings import FORMAT_FAILURE, MALFORMED, Flaw, failed
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, decode, local

_WSSE = f"{{{names.WSSE}}}"
_DS11 = f"{{{names.DS11}}}"
_TOKEN = f"{_WSSE}BinarySecurityToken"
_NOT_FOLLOWED = ("RetrievalMethod", "KeyInfoReference")
_POINTERS = ("X509IssuerSerial", "X509SKI", "X509SubjectName", "X509Digest")
KEYS_MAX = 4
RSA_BITS_MAX = 16_384


@dataclass(kw_only=True)
class Keys:
    """What KeyInfo holds."""

    certificates: list[x509.Certificate] = field(default_factory=list)
    keys: list[keys.PublicKeyInfo] = field(default_factory=list)
    """Bare keys: mathematics can be checked with them, and no signer be named."""

    revocations: list[tuple[str, bytes]] = field(default_factory=list)
    not_followed: list[str] = field(default_factory=list)
    """Names of elements that only point to a certificate somewhere else."""

    def add(self, octets: bytes, what: str) -> None:
        certificate = certificates.read(octets)
        if certificate is None:
            raise failed("format", FORMAT_FAILURE, f"unreadable certificate in {what}")
        if all(certificate.dump() != other.dump() for other in self.certificates):
            self.certificates.append(certificate)
        if len(self.certificates) > certificates.CERTIFICATES_MAX:
            raise failed("format", FORMAT_FAILURE, f"{len(self.certificates)} certificates")


def known(several: Sequence[bytes]) -> Keys:
    """Return the certificates and public keys (DER) among `several`; others are left out."""
    found = Keys()
    for octets in several:
        certificate = certificates.read(octets)
        if certificate is not None:
            found.certificates.append(certificate)
        else:
            with suppress(Flaw):
                found.keys.append(_public_key(octets))
    return found


def read(key_info: etree._Element, source: Source) -> Keys:
    """Read KeyInfo; raises the flaw when a part of it cannot be what it is named."""
    found = Keys()
    for element in key_info.iterchildren("*"):
        if element.tag == f"{DS}X509Data":
            _x509_data(element, found)
        elif element.tag == f"{DS}KeyValue":
            found.keys.append(_key_value(element))
        elif element.tag == f"{_DS11}DEREncodedKeyValue":
            found.keys.append(_public_key(decode(element)))
        elif element.tag == f"{_WSSE}SecurityTokenReference":
            _token_reference(element, found, source)
        elif local(element) in _NOT_FOLLOWED:
            found.not_followed.append(local(element))
        if len(found.keys) > KEYS_MAX:
            raise failed("format", FORMAT_FAILURE, f"{len(found.keys)} keys")
    return found


def _x509_data(element: etree._Element, found: Keys) -> None:
    enclosed = False
    for child in element.iterchildren("*"):
        if child.tag == f"{DS}X509Certificate":
            found.add(decode(child), "KeyInfo")
            enclosed = True
        elif child.tag == f"{DS}X509CRL" and (len(child) or child.text):
            octets = decode(child)
            if not _is_list(octets):
                raise failed("format", FORMAT_FAILURE, "unreadable X509CRL in KeyInfo")
            found.revocations.append(("crl", octets))
    if not enclosed:
        pointers = {local(child) for child in element.iterchildren("*")}
        found.not_followed.extend(name for name in _POINTERS if name in pointers)


def _is_list(octets: bytes) -> bool:
    try:
        crl.CertificateList.load(octets, strict=True)["tbs_cert_list"]["issuer"].dump()
    except MALFORMED:
        return False
    return True


# --- bare keys -------------------------------------------------------------------------


def _key_value(element: etree._Element) -> keys.PublicKeyInfo:
    inner = list(element.iterchildren("*"))
    if len(inner) != 1:
        raise failed("format", FORMAT_FAILURE, "KeyValue does not hold one key")
    if inner[0].tag == f"{DS}RSAKeyValue":
        return _rsa(inner[0])
    if inner[0].tag == f"{_DS11}ECKeyValue":
        return _elliptic(inner[0])
    if inner[0].tag == f"{DS}DSAKeyValue":
        # Named by its key, refused as an algorithm: no verdict rests on DSA.
        return keys.PublicKeyInfo(
            {"algorithm": {"algorithm": "dsa"}, "public_key": core.Integer(0)}
        )
    raise failed("format", FORMAT_FAILURE, "unknown kind of KeyValue")


def _rsa(element: etree._Element) -> keys.PublicKeyInfo:
    parts = {local(child): decode(child) for child in element.iterchildren("*")}
    if set(parts) != {"Modulus", "Exponent"} or len(parts["Modulus"]) * 8 > RSA_BITS_MAX:
        raise failed("format", FORMAT_FAILURE, "RSAKeyValue")
    modulus, exponent = (int.from_bytes(parts[n], "big") for n in ("Modulus", "Exponent"))
    return keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "rsa", "parameters": core.Null()},
            "public_key": {"modulus": modulus, "public_exponent": exponent},
        }
    )


def _elliptic(element: etree._Element) -> keys.PublicKeyInfo:
    curve = element.find(f"{_DS11}NamedCurve")
    point = element.find(f"{_DS11}PublicKey")
    if curve is None or point is None:
        raise failed("format", FORMAT_FAILURE, "ECKeyValue without a named curve")
    oid = (curve.get("URI") or "").removeprefix("urn:oid:")
    try:
        info = keys.PublicKeyInfo(
            {
                "algorithm": {
                    "algorithm": "ec",
                    "parameters": keys.ECDomainParameters("named", oid),
                },
                "public_key": decode(point),
            }
        )
        return keys.PublicKeyInfo.load(info.dump(), strict=True)
    except MALFORMED as error:
        raise failed("format", FORMAT_FAILURE, "ECKeyValue") from error


def _public_key(octets: bytes) -> keys.PublicKeyInfo:
    try:
        info = keys.PublicKeyInfo.load(octets, strict=True)
        str(info["algorithm"]["algorithm"].native)
    except MALFORMED as error:
        raise failed("format", FORMAT_FAILURE, "DEREncodedKeyValue") from error
    return info


# --- WS-Security -----------------------------------------------------------------------


def _token_reference(element: etree._Element, found: Keys, source: Source) -> None:
    """Read the certificate of the token a SecurityTokenReference names.

    One that names it by anything but an Id (thumbprint, serial number) is looked for among
    the tokens of the same file: the mathematics choose.
    """
    reference = element.find(f"{_WSSE}Reference")
    embedded = element.find(f"{_WSSE}Embedded/{_TOKEN}")
    if reference is not None:
        uri = reference.get("URI") or ""
        if not uri.startswith("#"):
            found.not_followed.append("SecurityTokenReference")
            return
        tokens = [source.by_id(uri[1:])]
    elif embedded is not None:
        tokens = [embedded]
    else:
        tokens = list(source.root.iter(_TOKEN))[: certificates.CERTIFICATES_MAX]
    for token in tokens:
        if token.tag != _TOKEN:
            raise failed("format", FORMAT_FAILURE, "SecurityTokenReference names no token")
        _token(token, found)
    if not tokens:
        found.not_followed.append("SecurityTokenReference")


def _token(token: etree._Element, found: Keys) -> None:
    kind = (token.get("ValueType") or "").rpartition("#")[2]
    octets = decode(token)
    if kind in ("", "X509v3", "X509v1", "X509"):
        found.add(octets, "BinarySecurityToken")
        return
    try:
        if kind == "X509PKIPathv1":
            several = [bytes(one.dump()) for one in _Path.load(octets, strict=True)]
        elif kind == "PKCS7":
            signed = cms.ContentInfo.load(octets, strict=True)["content"]
            several = [bytes(one.chosen.dump()) for one in signed["certificates"]]
        else:
            found.not_followed.append("BinarySecurityToken")
            return
    except MALFORMED as error:
        raise failed("format", FORMAT_FAILURE, "BinarySecurityToken") from error
    for one in several:
        found.add(one, "BinarySecurityToken")


class _Path(core.SequenceOf):  # type: ignore[misc]
    """PkiPath (X.509, clause 10): certificates, the authority's first."""

    _child_spec = x509.Certificate
