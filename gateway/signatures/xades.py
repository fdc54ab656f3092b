"""XAdES signed properties: the claimed time and the certificate the signature names.

Read from the octets that were digested, never from the tree they came in.

Source: ETSI EN 319 132-1, clauses 4.3 and 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import core, x509
from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.signatures import findings
from gateway.signatures import xml_names as names
from gateway.signatures import xml_references as references
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    MALFORMED,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    failed,
    shown,
    undecided,
)
from gateway.xml.parser import parse

_DS = f"{{{names.DS}}}"
_XADES = f"{{{names.XADES}}}"


@dataclass(frozen=True, kw_only=True)
class Named:
    """One certificate that SigningCertificate or SigningCertificateV2 names."""

    digest: str
    value: bytes
    serial: int | None
    issuer: x509.Name | None


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What the signed properties say."""

    signing_time: datetime | None
    named: tuple[Named, ...]
    """The first is the signer's (clause 5.2.2)."""

    hints: tuple[str, ...]


def present(signature: etree._Element) -> bool:
    """Say whether the signature carries XAdES properties, signed or not."""
    path = f"{_DS}Object/{_XADES}QualifyingProperties"
    return signature.find(path) is not None


def read(
    target: references.Target, signature: etree._Element, earlier: Properties | None
) -> Properties:
    """Read the signed properties a reference covers; they must be this signature's own."""
    if earlier is not None:
        raise failed("signed_attributes", FORMAT_FAILURE, "several signed properties")
    element = target.element
    qualifying = element.getparent()
    if (
        element.tag != f"{_XADES}SignedProperties"
        or qualifying is None
        or qualifying.tag != f"{_XADES}QualifyingProperties"
        or qualifying.getparent() not in list(signature.iterfind(f"{_DS}Object"))
    ):
        detail = "the properties signed are not those of this signature"
        raise undecided("signed_attributes", SIGNED_DATA_NOT_FOUND, detail)
    if qualifying.get("Target") != f"#{signature.get('Id')}":
        raise failed("signed_attributes", FORMAT_FAILURE, "Target is another signature")
    root = parse(target.octets)
    inner = root.findall(f"{_XADES}SignedSignatureProperties")
    if len(inner) > 1:
        raise failed("signed_attributes", FORMAT_FAILURE, "several SignedSignatureProperties")
    hints = []
    if qualifying.find(f"{_XADES}UnsignedProperties") is not None:
        hints.append("unsigned properties present, not judged")
    return Properties(
        signing_time=_signing_time(inner[0]) if inner else None,
        named=_named(inner[0]) if inner else (),
        hints=tuple(hints),
    )


def is_named(properties: Properties, certificate: x509.Certificate, algorithms: Algorithms) -> bool:
    """Say whether `certificate` is the one the signature names as its signer's."""
    named = properties.named[0]
    octets = certificate.dump()
    check = "signing_certificate_bound"
    if findings.digest(algorithms, named.digest, octets, check) != named.value:
        return False
    if named.serial is not None and named.serial != certificate.serial_number:
        return False
    return named.issuer is None or named.issuer == certificate.issuer


def _signing_time(properties: etree._Element) -> datetime | None:
    found = properties.findall(f"{_XADES}SigningTime")
    if len(found) > 1:
        raise failed("signed_attributes", FORMAT_FAILURE, "several SigningTime")
    if not found:
        return None
    try:
        moment = datetime.fromisoformat((found[0].text or "").strip())
    except ValueError as error:
        raise failed("signed_attributes", FORMAT_FAILURE, "SigningTime") from error
    # xs:dateTime may lack an offset; a claim without one is taken as UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _named(properties: etree._Element) -> tuple[Named, ...]:
    first = properties.findall(f"{_XADES}SigningCertificate")
    second = properties.findall(f"{_XADES}SigningCertificateV2")
    if len(first) + len(second) > 1:
        raise failed("signed_attributes", FORMAT_FAILURE, "several SigningCertificate")
    return tuple(
        _read_named(cert) for holder in first + second for cert in holder.findall(f"{_XADES}Cert")
    )


def _read_named(cert: etree._Element) -> Named:
    method = cert.find(f"{_XADES}CertDigest/{_DS}DigestMethod")
    value = cert.find(f"{_XADES}CertDigest/{_DS}DigestValue")
    if method is None or value is None:
        raise failed("signed_attributes", FORMAT_FAILURE, "CertDigest")
    uri = method.get("Algorithm") or ""
    if uri not in names.DIGESTS:
        detail = f"digest {shown(uri, names.KNOWN)} unsupported"
        raise undecided("signing_certificate_bound", SIG_CONSTRAINTS_FAILURE, detail)
    serial, issuer = _issuer_serial(cert)
    return Named(
        digest=names.DIGESTS[uri], value=references.decode(value), serial=serial, issuer=issuer
    )


def _issuer_serial(cert: etree._Element) -> tuple[int | None, x509.Name | None]:
    """Read the serial number (v1, as text) or issuer and serial number (v2, DER)."""
    number = cert.find(f"{_XADES}IssuerSerial/{_DS}X509SerialNumber")
    coded = cert.find(f"{_XADES}IssuerSerialV2")
    try:
        if number is not None:
            return int((number.text or "").strip()), None
        if coded is None:
            return None, None
        pair = _IssuerSerial.load(references.decode(coded), strict=True)
        issuers = [name.chosen for name in pair["issuer"] if name.name == "directory_name"]
        return int(pair["serial_number"]), issuers[0] if issuers else None
    except MALFORMED as error:
        raise failed("signed_attributes", FORMAT_FAILURE, "IssuerSerial") from error


class _IssuerSerial(core.Sequence):  # type: ignore[misc]
    """RFC 5035, section 5."""

    _fields = [  # noqa: RUF012 (asn1crypto's way to declare a structure)
        ("issuer", x509.GeneralNames),
        ("serial_number", core.Integer),
    ]
