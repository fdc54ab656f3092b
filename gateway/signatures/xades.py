"""XAdES signed properties: what the signer says of the signature, and signs.

Read from the octets that were digested, never from the tree they came in.  Versions 1.1.1 and
1.2.2 are read as 1.3.2 is: what matters here they share.

Source: ETSI EN 319 132-1, clauses 4.3 and 5.2; ETSI TS 101 903 V1.4.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import core, x509
from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.signatures import findings
from gateway.signatures import xml_names as names
from gateway.signatures.certificates import same_name
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    MALFORMED,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    shown,
    undecided,
)
from gateway.signatures.xml_structure import DS, decode, local, reread

POLICY_PROCESSING_ERROR = "POLICY_PROCESSING_ERROR"
CONTENT_STAMPS_MAX = 16
_AS_SPECIFIED = "http://uri.etsi.org/01903/v1.3.2/SignaturePolicy/SPDocDigestAsInSpecification"
_STAMPS = ("AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp")
_DIGITS = re.compile(r"[+-]?[0-9]{1,60}")


@dataclass(frozen=True, kw_only=True)
class Named:
    """One certificate that SigningCertificate or SigningCertificateV2 names."""

    digest: str
    value: bytes
    serial: int | None
    issuer: x509.Name | None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The signature policy the signer names."""

    digest: str
    value: bytes
    transformed: bool


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What the signed properties say."""

    namespace: str
    signing_time: datetime | None
    named: tuple[Named, ...]
    """The first is the signer's (clause 5.2.2)."""

    named_flaw: findings.Flaw | None
    """Why nobody can say whom SigningCertificate names."""

    policy: Policy | None
    policy_flaw: findings.Flaw | None
    media_types: tuple[tuple[str, str], ...]
    """(Id of the reference, media type) of each DataObjectFormat."""

    stamps: tuple[etree._Element, ...]
    """Time stamps over the content, from the octets that were signed."""

    hints: tuple[str, ...]


def qualifying(signature: etree._Element) -> etree._Element | None:
    """Return the QualifyingProperties of a signature, or None.

    Raises the flaw when there are several: readers would choose differently.
    """
    found = [
        child
        for block in signature.iterchildren(f"{DS}Object")
        for child in block.iterchildren("*")
        if local(child) == "QualifyingProperties"
    ]
    if not found:
        return None
    if len(found) > 1:
        raise failed("format", FORMAT_FAILURE, "several QualifyingProperties")
    namespace = etree.QName(found[0]).namespace or ""
    if namespace not in names.XADES_ALL:
        detail = f"{shown(namespace, names.XADES_ALL, 'version of XAdES')} unsupported"
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
    return found[0]


def check_target(block: etree._Element, signature: etree._Element) -> None:
    """Raise the flaw when QualifyingProperties say that they are of another signature."""
    label = signature.get("Id")
    # Some programs leave the number sign out; the Id is the same.
    if label is None or block.get("Target", "") not in (f"#{label}", label):
        detail = "Target is another signature"
        raise undecided("signed_attributes", SIG_CONSTRAINTS_FAILURE, detail)


def signed_properties(block: etree._Element) -> etree._Element | None:
    """Return the SignedProperties of QualifyingProperties."""
    return block.find(f"{{{etree.QName(block).namespace}}}SignedProperties")


def read(octets: bytes) -> Properties:
    """Read SignedProperties from the octets that were digested."""
    root = reread(octets, "signed_attributes")
    namespace = etree.QName(root).namespace or ""
    if local(root) != "SignedProperties" or namespace not in names.XADES_ALL:
        raise failed("signed_attributes", FORMAT_FAILURE, "no SignedProperties in what is signed")
    x = f"{{{namespace}}}"
    inner = _at_most_one(root, f"{x}SignedSignatureProperties")
    objects = _at_most_one(root, f"{x}SignedDataObjectProperties")
    stamps = () if objects is None else tuple(c for c in objects if local(c) in _STAMPS)
    if len(stamps) > CONTENT_STAMPS_MAX:
        raise undecided("signed_attributes", SIG_CONSTRAINTS_FAILURE, f"{len(stamps)} stamps")
    named, named_flaw = _named(inner, x) if inner is not None else ((), None)
    policy, policy_flaw = _policy(inner, x) if inner is not None else (None, None)
    hints = []
    if namespace != names.XADES:
        hints.append("XAdES of an old version")
    return Properties(
        namespace=namespace,
        signing_time=_signing_time(inner, x) if inner is not None else None,
        named=named,
        named_flaw=named_flaw,
        policy=policy,
        policy_flaw=policy_flaw,
        media_types=_media_types(objects, x) if objects is not None else (),
        stamps=stamps,
        hints=tuple(hints),
    )


def is_named(properties: Properties, certificate: x509.Certificate, algorithms: Algorithms) -> bool:
    """Say whether the digest the signature names its signer's certificate by is this one's."""
    named = properties.named[0]
    check = "signing_certificate_bound"
    computed = findings.digest(algorithms, named.digest, certificate.dump(), check)
    return computed == named.value


def check_bound(
    properties: Properties, certificate: x509.Certificate, algorithms: Algorithms
) -> None:
    """Raise the flaw when the certificate is not the one named, by digest, issuer and number."""
    check = "signing_certificate_bound"
    if properties.named_flaw is not None:
        raise properties.named_flaw
    if not properties.named:
        raise undecided(check, SIG_CONSTRAINTS_FAILURE, "XAdES without SigningCertificate")
    if not is_named(properties, certificate, algorithms):
        raise undecided(check, SIG_CONSTRAINTS_FAILURE, "SigningCertificate names another")
    named = properties.named[0]
    if named.serial is not None and named.serial != certificate.serial_number:
        raise undecided(check, SIG_CONSTRAINTS_FAILURE, "serial number of another certificate")
    if named.issuer is not None and not same_name(named.issuer, certificate.issuer):
        raise undecided(check, SIG_CONSTRAINTS_FAILURE, "issuer of another certificate")
    findings.strong_digest(algorithms, named.digest, check)


def _at_most_one(parent: etree._Element, tag: str) -> etree._Element | None:
    found = parent.findall(tag)
    if len(found) > 1:
        raise failed("signed_attributes", FORMAT_FAILURE, f"several {tag.rpartition('}')[2]}")
    return found[0] if found else None


def _signing_time(properties: etree._Element, x: str) -> datetime | None:
    found = _at_most_one(properties, f"{x}SigningTime")
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat((found.text or "").strip())
        # xs:dateTime may lack an offset; a claim without one is taken as UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise failed("signed_attributes", FORMAT_FAILURE, "SigningTime") from error


def _named(properties: etree._Element, x: str) -> tuple[tuple[Named, ...], findings.Flaw | None]:
    """Read whom SigningCertificate names, and what of it cannot be read."""
    first = properties.findall(f"{x}SigningCertificate")
    second = properties.findall(f"{x}SigningCertificateV2")
    if len(first) > 1 or len(second) > 1:
        raise failed("signed_attributes", FORMAT_FAILURE, "several SigningCertificate")
    # Both versions may stand side by side; the newer binds more.
    holder = (second or first)[:1]
    try:
        several = [cert for one in holder for cert in one.findall(f"{x}Cert")]
        return tuple(_read_named(cert, x) for cert in several), None
    except findings.Flaw as flaw:
        detail = f"SigningCertificate: {flaw.check.detail}"
        return (), undecided("signing_certificate_bound", SIG_CONSTRAINTS_FAILURE, detail)


def _read_named(cert: etree._Element, x: str) -> Named:
    digest, value = _digest_and_value(cert.find(f"{x}CertDigest"), "signing_certificate_bound")
    serial, issuer = _issuer_serial(cert, x)
    return Named(digest=digest, value=value, serial=serial, issuer=issuer)


def _digest_and_value(holder: etree._Element | None, check: str) -> tuple[str, bytes]:
    """Read DigestMethod and DigestValue, which version 1.1.1 has in its own namespace."""
    parts = {} if holder is None else {local(child): child for child in holder.iterchildren("*")}
    if "DigestMethod" not in parts or "DigestValue" not in parts:
        raise failed("signed_attributes", FORMAT_FAILURE, "a digest without method or value")
    uri = parts["DigestMethod"].get("Algorithm") or ""
    if uri not in names.DIGESTS:
        detail = f"digest {shown(uri, names.KNOWN)} unsupported"
        raise undecided(check, SIG_CONSTRAINTS_FAILURE, detail)
    return names.DIGESTS[uri], decode(parts["DigestValue"])


def _issuer_serial(cert: etree._Element, x: str) -> tuple[int | None, x509.Name | None]:
    """Read the serial number (v1, as text) or issuer and serial number (v2, DER).

    The issuer's name of v1 is text that every program spells its own way; the digest binds.
    """
    number = cert.find(f"{x}IssuerSerial/{DS}X509SerialNumber")
    coded = cert.find(f"{x}IssuerSerialV2")
    try:
        if number is not None:
            text = (number.text or "").strip()
            if not _DIGITS.fullmatch(text):
                raise failed("signed_attributes", FORMAT_FAILURE, "X509SerialNumber")
            return int(text), None
        if coded is None:
            return None, None
        pair = _IssuerSerial.load(decode(coded), strict=True)
        issuers = [name.chosen for name in pair["issuer"] if name.name == "directory_name"]
        return int(pair["serial_number"]), issuers[0] if issuers else None
    except MALFORMED as error:
        raise failed("signed_attributes", FORMAT_FAILURE, "IssuerSerial") from error


def _policy(properties: etree._Element, x: str) -> tuple[Policy | None, findings.Flaw | None]:
    """Read the signature policy; an implied one names no document."""
    holder = _at_most_one(properties, f"{x}SignaturePolicyIdentifier")
    identifier = None if holder is None else holder.find(f"{x}SignaturePolicyId")
    if identifier is None:
        return None, None
    try:
        digest, value = _digest_and_value(identifier.find(f"{x}SigPolicyHash"), "signature_policy")
    except findings.Flaw as flaw:
        detail = flaw.check.detail
        return None, undecided("signature_policy", POLICY_PROCESSING_ERROR, detail)
    transformed = any(
        one.get("Algorithm") != _AS_SPECIFIED for one in identifier.iter(f"{DS}Transform")
    )
    return Policy(digest=digest, value=value, transformed=transformed), None


def _media_types(objects: etree._Element, x: str) -> tuple[tuple[str, str], ...]:
    found = []
    for described in objects.findall(f"{x}DataObjectFormat"):
        label = (described.get("ObjectReference") or "").removeprefix("#")
        kind = (described.findtext(f"{x}MimeType") or "").strip().lower()
        if label and re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}", kind):
            found.append((label, kind))
    return tuple(found)


class _IssuerSerial(core.Sequence):  # type: ignore[misc]
    """RFC 5035, section 5."""

    _fields = [  # noqa: RUF012 (asn1crypto's way to declare a structure)
        ("issuer", x509.GeneralNames),
        ("serial_number", core.Integer),
    ]
