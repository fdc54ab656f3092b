"""What KeyInfo says of a certificate that it does not bring: digest, number, key, subject.

Source: W3C XMLDSig 1.1, clauses 4.5.4 and 4.5.4.1; OASIS WS-Security X.509 Certificate Token
Profile 1.1.1, clause 3.2; WS-Security 1.1, clause 7.3 (ThumbprintSHA1).
"""

from __future__ import annotations

import re
from dataclasses import fields

from lxml import etree

from gateway.signatures import xml_names as names
from gateway.signatures.directory import Named, Spelt, spelt
from gateway.signatures.findings import FORMAT_FAILURE, Flaw, failed
from gateway.signatures.xml_structure import DS, base64_octets, decode, local

_WSSE = f"{{{names.WSSE}}}"
_POINTERS = ("X509IssuerSerial", "X509SKI", "X509SubjectName", "X509Digest")
_NUMBER = re.compile(r"[+-]?[0-9]{1,60}")


def kinds(data: etree._Element) -> list[str]:
    """Return by what an X509Data names a certificate."""
    pointers = {local(child) for child in data.iterchildren("*")}
    return [name for name in _POINTERS if name in pointers]


def read(data: etree._Element) -> list[Named]:
    """Return the certificates that an X509Data names; a name that cannot be read names none.

    Its parts speak of one certificate together, unless one kind of part stands there twice:
    then each is a name of its own, of a certificate in a chain.
    """
    parts = [child for child in data.iterchildren("*") if local(child) in _POINTERS]
    try:
        several = [_read(part) for part in parts]
    except Flaw:
        return []
    if len({part.tag for part in parts}) < len(parts):
        return several
    return [_together(several)] if several else []


def _read(part: etree._Element) -> Named:
    if part.tag == f"{{{names.DS11}}}X509Digest":
        digest, value = _digest(part)
        return Named(digest=digest, value=value)
    if part.tag == f"{DS}X509IssuerSerial":
        return _issuer_serial(part)
    if part.tag == f"{DS}X509SKI":
        return Named(key_identifier=decode(part))
    if part.tag == f"{DS}X509SubjectName":
        return Named(subject=_name(part))
    raise failed("format", FORMAT_FAILURE, local(part))


def _together(several: list[Named]) -> Named:
    """Return one name of all that is given in `several`."""
    given = [
        (field.name, getattr(one, field.name))
        for one in several
        for field in fields(one)
        if getattr(one, field.name) != field.default
    ]
    return Named(**dict(given))


def read_token(reference: etree._Element) -> list[Named]:
    """Return the certificates that a SecurityTokenReference names by something of its own."""
    data = reference.find(f"{DS}X509Data")
    if data is not None:
        return read(data)
    kind, octets = _key_identifier(reference)
    if not octets or kind not in ("ThumbprintSHA1", "X509SubjectKeyIdentifier"):
        return []
    if kind == "ThumbprintSHA1":
        return [Named(digest="sha1", value=octets)]
    return [Named(key_identifier=octets)]


def enclosed_in_token(reference: etree._Element) -> list[bytes]:
    """Return the certificates within a SecurityTokenReference.

    One may stand as its own key identifier (X509v3), several in an X509Data (zeep).
    """
    kind, octets = _key_identifier(reference)
    own = [octets] if kind == "X509v3" and octets else []
    enclosed = reference.iterfind(f"{DS}X509Data/{DS}X509Certificate")
    return [*own, *(decode(one) for one in enclosed)]


def _key_identifier(reference: etree._Element) -> tuple[str, bytes | None]:
    """Return kind and value of the KeyIdentifier in a SecurityTokenReference."""
    identifier = reference.find(f"{_WSSE}KeyIdentifier")
    if identifier is None:
        return "", None
    kind = (identifier.get("ValueType") or "").rpartition("#")[2]
    return kind, base64_octets(identifier.text or "")


def _digest(element: etree._Element) -> tuple[str, bytes]:
    uri = element.get("Algorithm") or ""
    if uri not in names.DIGESTS:
        raise failed("format", FORMAT_FAILURE, "digest of X509Digest")
    return names.DIGESTS[uri], decode(element)


def _issuer_serial(element: etree._Element) -> Named:
    number = (element.findtext(f"{DS}X509SerialNumber") or "").strip()
    issuer = element.find(f"{DS}X509IssuerName")
    if issuer is None or not _NUMBER.fullmatch(number):
        raise failed("format", FORMAT_FAILURE, "X509IssuerSerial")
    return Named(serial=int(number), issuer=_name(issuer))


def _name(element: etree._Element) -> Spelt:
    name = spelt(element.text or "") if not len(element) else None
    if name is None:
        raise failed("format", FORMAT_FAILURE, local(element))
    return name
