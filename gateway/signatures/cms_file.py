"""A CMS SignedData file opened: content, certificates, revocation objects, signers.

BER and DER, bare, in base64 or in PEM armour; each written in the one way that lets nobody
change a byte unnoticed.

Source: RFC 5652, clauses 5 and 10.2; RFC 5940 (OCSP responses beside the lists).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from asn1crypto import cms, core, ocsp, x509

from gateway.signatures import ber, certificates
from gateway.signatures.findings import FORMAT_FAILURE, MALFORMED, failed

SIGNERS_MAX = 16
REVOCATIONS_MAX = 64
VERSIONS = ("v1", "v3", "v4", "v5")
SIGNED_DATA = "1.2.840.113549.1.7.2"
OCSP_FORMATS = ("1.3.6.1.5.5.7.16.2", "1.3.6.1.5.5.7.48.1.1")
"""An OCSPResponse, or its BasicOCSPResponse alone (RFC 5940; EN 319 122-1, clause 5.4.2)."""

OCTET_STRING = 0x04

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")

_ARMOUR = re.compile(
    rb"\s*-----BEGIN (CMS|PKCS7|PKCS #7 SIGNED DATA)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*"
)


@dataclass(frozen=True, kw_only=True)
class SignedData:
    """A CMS file, opened."""

    content: bytes | None
    """eContent; None when the file is detached."""

    content_type: str
    digests: frozenset[str]
    """Digest algorithms the file announces; a signer must use one of them."""

    certificates: list[x509.Certificate]
    signers: list[cms.SignerInfo]
    revocations: tuple[tuple[str, bytes], ...] = ()
    """Revocation objects beside the certificates: (`crl` | `ocsp`, DER)."""

    der: bool = False
    """Whether the file is in DER throughout, and all that stands in it."""

    encapsulated: bytes = b""
    """encapContentInfo, in DER where it came in BER."""

    certificates_field: bytes = b""
    """The whole field as it came; empty where there is none."""

    revocations_field: bytes = b""


def recognises(octets: bytes, media_type: str) -> bool:
    """Say whether `octets` mean to be a CMS signature, well-formed or not."""
    if "pkcs7" in media_type or media_type == "application/cms":
        return True
    if _ARMOUR.match(octets):
        return True
    head = octets[:128]
    if head[:1] == b"M":  # base64 of a SEQUENCE begins so
        try:
            head = base64.b64decode(b"".join(head.split())[:64], validate=True)
        except binascii.Error:
            return False
    return head[:1] == b"\x30" and _SIGNED_DATA in head[:32]


def unwrapped(octets: bytes) -> bytes:
    """Take off PEM armour or base64; both must be written in the one canonical way.

    Raises the flaw of what is neither.
    """
    armour = _ARMOUR.fullmatch(octets)
    if armour is None and octets[:1] == b"\x30":
        return octets
    text = b"".join((armour[2] if armour else octets).split())
    try:
        plain = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise failed("format", FORMAT_FAILURE, "neither BER nor base64") from error
    if base64.b64encode(plain) != text:
        raise failed("format", FORMAT_FAILURE, "base64 with unused bits set")
    return plain


def opened(octets: bytes) -> SignedData:
    """Return the SignedData in BER or DER `octets`, or raise the flaw that it is none."""
    try:
        der = ber.walk(octets)
        outer = cms.ContentInfo.load(octets, strict=True)
        if outer["content_type"].dotted != SIGNED_DATA:
            raise failed("format", FORMAT_FAILURE, "not SignedData")
        signed = outer["content"]
        if signed["version"].native not in VERSIONS:
            raise failed("format", FORMAT_FAILURE, "unknown version")
        encapsulated = _encapsulated(octets) if der else ber.der(_encapsulated(octets))
        file = SignedData(
            content=_content(encapsulated),
            content_type=signed["encap_content_info"]["content_type"].dotted,
            digests=frozenset(one["algorithm"].dotted for one in signed["digest_algorithms"]),
            certificates=certificates.read_all(_certificates(signed)),
            signers=list(signed["signer_infos"]),
            revocations=_revocations(signed),
            der=der,
            encapsulated=encapsulated,
            certificates_field=signed["certificates"].dump(),
            revocations_field=signed["crls"].dump(),
        )
    except RecursionError as error:
        raise failed("format", FORMAT_FAILURE, "nested too deep") from error
    except MALFORMED as error:
        detail = str(error) if isinstance(error, ber.NotStrict) else "not readable as SignedData"
        raise failed("format", FORMAT_FAILURE, detail) from error
    if not file.signers or len(file.signers) > SIGNERS_MAX:
        raise failed("format", FORMAT_FAILURE, f"{len(file.signers)} signers")
    return file


def whole_answer(octets: bytes) -> bytes:
    """Return an OCSPResponse, whether given one or only the BasicOCSPResponse in it."""
    if ber.contents(octets)[:1] == b"\x0a":  # its first field is the status, ENUMERATED
        return octets
    basic = core.ParsableOctetString(octets)
    response = {"response_type": "basic_ocsp_response", "response": basic}
    return bytes(
        ocsp.OCSPResponse({"response_status": "successful", "response_bytes": response}).dump()
    )


def _encapsulated(octets: bytes) -> bytes:
    """Return encapContentInfo as it came; asn1crypto reads no chunks of definite length."""
    _, explicit = ber.elements(ber.contents(octets))
    (signed,) = ber.elements(ber.contents(explicit))
    return ber.elements(ber.contents(signed))[2]


def _content(encapsulated: bytes) -> bytes | None:
    """Return eContent of encapContentInfo in DER."""
    _, *explicit = ber.elements(ber.contents(encapsulated))
    if not explicit:
        return None
    written = ber.elements(ber.contents(explicit[0]))
    if len(written) != 1 or written[0][0] != OCTET_STRING:
        raise failed("format", FORMAT_FAILURE, "content that is no octet string")
    return ber.contents(written[0])


def _certificates(signed: cms.SignedData) -> list[bytes]:
    chosen = signed["certificates"] or ()
    found = [choice.chosen.dump() for choice in chosen if choice.name == "certificate"]
    if len(found) > certificates.CERTIFICATES_MAX:
        raise failed("format", FORMAT_FAILURE, f"{len(found)} certificates")
    return found


def _revocations(signed: cms.SignedData) -> tuple[tuple[str, bytes], ...]:
    """Return the lists and OCSP responses in `crls`; other kinds are nobody's concern here."""
    found: list[tuple[str, bytes]] = []
    for choice in signed["crls"] or ():
        if choice.name == "crl":
            found.append(("crl", choice.chosen.dump()))
        elif choice.chosen["other_rev_info_format"].dotted in OCSP_FORMATS:
            found.append(("ocsp", whole_answer(choice.chosen["other_rev_info"].dump())))
    if len(found) > REVOCATIONS_MAX:
        raise failed("format", FORMAT_FAILURE, f"{len(found)} revocation objects")
    return tuple(found)
