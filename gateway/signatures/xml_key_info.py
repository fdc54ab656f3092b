"""KeyInfo: the certificates and keys an XML signature brings along, and those it names.

Nothing is fetched.  What points to a key is followed within the same file, a few steps far;
what only names a certificate is kept for whoever has certificates to look among.

Source: W3C XMLDSig 1.1, clause 4.5; OASIS WS-Security X.509 Certificate Token Profile 1.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from asn1crypto import cms, core, crl, x509
from asn1crypto.keys import PublicKeyInfo
from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckStatus
from gateway.signatures import (
    ber,
    certificates,
    findings,
    xml_key_names,
    xml_key_values,
    xml_tokens,
)
from gateway.signatures import xml_names as names
from gateway.signatures import xml_references as references
from gateway.signatures.directory import Named
from gateway.signatures.findings import FORMAT_FAILURE, MALFORMED, Flaw, failed
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, decode, local, reread

_DS11 = f"{{{names.DS11}}}"
_RETRIEVAL = f"{DS}RetrievalMethod"
_REFERENCE = f"{_DS11}KeyInfoReference"
RAW_CERTIFICATE = f"{names.DS}rawX509Certificate"
KEYS_MAX = 4
POINTERS_MAX = 4
"""RetrievalMethod and KeyInfoReference followed for one signature."""

DEPTH_MAX = 2
"""A KeyInfo pointed to may point on once."""

NAMES_MAX = 8
"""Certificates that one signature names without bringing them."""


@dataclass(kw_only=True)
class Keys:
    """What KeyInfo holds."""

    certificates: list[x509.Certificate] = field(default_factory=list)
    keys: list[PublicKeyInfo] = field(default_factory=list)
    """Bare keys: mathematics can be checked with them, and no signer be named."""

    revocations: list[tuple[str, bytes]] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    """Certificates that are named and stand somewhere else."""

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

    def add_key(self, key: PublicKeyInfo) -> None:
        self.keys.append(key)
        if len(self.keys) > KEYS_MAX:
            raise failed("format", FORMAT_FAILURE, f"{len(self.keys)} keys")

    def add_name(self, named: Named) -> None:
        self.named.append(named)
        if len(self.named) > NAMES_MAX:
            raise failed("format", FORMAT_FAILURE, f"{len(self.named)} certificates named")


def known(several: Sequence[bytes]) -> Keys:
    """Return the certificates and public keys (DER) among `several`; others are left out."""
    found = Keys()
    for octets in several:
        certificate = certificates.read(octets)
        if certificate is not None:
            found.certificates.append(certificate)
        else:
            with suppress(Flaw):
                found.keys.append(xml_key_values.public_key(octets))
    return found


def read(key_info: etree._Element, source: Source, signature: etree._Element) -> Keys:
    """Read the KeyInfo of `signature`; raises the flaw when a part is not what it is named."""
    reader = _Reader(source, signature)
    reader.read(key_info, 0)
    return reader.found


def encloses(octets: bytes, certificate: x509.Certificate, algorithms: Algorithms) -> bool:
    """Say whether signed octets of a KeyInfo hold the certificate itself, or its digest."""
    try:
        root = reread(octets)
        for element in root.iter(f"{DS}X509Certificate"):
            if decode(element) == certificate.dump():
                return True
        several = [n for data in root.iter(f"{DS}X509Data") for n in xml_key_names.read(data)]
        for named in several:
            if named.digest and algorithms.refused(named.digest) is None:
                check = "signing_certificate_bound"
                digest = findings.digest(algorithms, named.digest, certificate.dump(), check)
                if digest == named.value:
                    return True
    except Flaw:
        pass  # What cannot be read binds nothing.
    return False


class _Reader:
    """Reads KeyInfo and what it points to; every pointer counts, loops included."""

    def __init__(self, source: Source, signature: etree._Element) -> None:
        self.source = source
        self.signature = signature
        self.found = Keys()
        self.pointers_left = POINTERS_MAX

    def read(self, key_info: etree._Element, depth: int) -> None:
        for element in key_info.iterchildren("*"):
            if element.tag in (_RETRIEVAL, _REFERENCE):
                self._follow(element, depth)
            elif element.tag == xml_tokens.REFERENCE:
                _token_reference(element, self.found, self.source)
            else:
                self._understood(element)

    def _understood(self, element: etree._Element) -> None:
        """Read a key of a kind we know; another one is named and is no proof of anything."""
        try:
            self._value(element)
        except Flaw as flaw:
            if flaw.check.status is CheckStatus.FAILED:
                raise
            self.found.not_followed.append(local(element))

    def _value(self, element: etree._Element) -> bool:
        """Read an element that holds keys itself; say whether it is one."""
        if element.tag == f"{DS}X509Data":
            _x509_data(element, self.found)
        elif element.tag == f"{DS}KeyValue":
            self.found.add_key(xml_key_values.key_value(element))
        elif element.tag == f"{_DS11}DEREncodedKeyValue":
            self.found.add_key(xml_key_values.public_key(decode(element)))
        else:
            return False
        return True

    def _follow(self, pointer: etree._Element, depth: int) -> None:
        """Follow a pointer within the file; one that leads nowhere is named, not refused."""
        self.pointers_left -= 1
        if depth >= DEPTH_MAX or self.pointers_left < 0:
            self.found.not_followed.append(local(pointer))
            return
        try:
            if pointer.tag == _RETRIEVAL:
                self._retrieved(pointer)
            else:
                self._referred(pointer, depth)
        except Flaw as flaw:
            if flaw.check.status is CheckStatus.FAILED:
                raise
            self.found.not_followed.append(local(pointer))

    def _retrieved(self, pointer: etree._Element) -> None:
        kind = pointer.get("Type") or ""
        octets = references.retrieved(pointer, self.source, self.signature)
        if isinstance(octets, bytes) and kind == RAW_CERTIFICATE:
            self.found.add(octets, "RetrievalMethod")
            return
        element = reread(octets) if isinstance(octets, bytes) else octets
        tag = etree.QName(element)
        if kind and kind != f"{tag.namespace}{tag.localname}":
            raise failed("format", FORMAT_FAILURE, "RetrievalMethod names another Type")
        if element.tag in xml_key_values.KINDS:
            self.found.add_key(xml_key_values.inner_value(element))
        elif not self._value(element):
            raise failed("format", FORMAT_FAILURE, "RetrievalMethod names no key")

    def _referred(self, pointer: etree._Element, depth: int) -> None:
        element = references.pointed_to(pointer.get("URI"), self.source)
        if element.tag != f"{DS}KeyInfo":
            raise failed("format", FORMAT_FAILURE, "KeyInfoReference names no KeyInfo")
        self.read(element, depth + 1)


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
        _named(element, found)


def _named(element: etree._Element, found: Keys) -> None:
    """Note the certificate that X509Data names without bringing it."""
    found.not_followed.extend(xml_key_names.kinds(element))
    for named in xml_key_names.read(element):
        found.add_name(named)


def _is_list(octets: bytes) -> bool:
    try:
        if not ber.shaped(octets, 3, 7):  # RFC 5280, section 5.1
            return False
        crl.CertificateList.load(octets, strict=True)["tbs_cert_list"]["issuer"].dump()
    except MALFORMED:
        return False
    return True


# --- WS-Security -----------------------------------------------------------------------


def _token_reference(element: etree._Element, found: Keys, source: Source) -> None:
    """Read the certificate of the token a SecurityTokenReference names.

    One that names it by anything but an Id (thumbprint, serial number) is looked for among
    the tokens of the same file: the mathematics choose.
    """
    enclosed = xml_key_names.enclosed_in_token(element)
    if enclosed:
        for octets in enclosed:
            found.add(octets, "SecurityTokenReference")
        return
    token = xml_tokens.named(element, source)
    if token is not None:
        _token(token, found)
        return
    if element.find(xml_tokens.POINTER) is not None:
        found.not_followed.append("SecurityTokenReference")
        return
    tokens = list(source.root.iter(xml_tokens.TOKEN))[: certificates.CERTIFICATES_MAX]
    for one in tokens:
        _token(one, found)
    if not tokens:
        found.not_followed.append("SecurityTokenReference")
        for named in xml_key_names.read_token(element):
            found.add_name(named)


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
