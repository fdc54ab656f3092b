"""CMS signatures: CAdES-BES, attached and detached, DER and BER, one signer or several.

A signature must carry signed attributes with content type, message digest and the signing
certificate's digest: what is not CAdES in that sense never passes.  The attributes are
verified over the octets that came, only their tag is the one the standard asks for.

Source: RFC 5652; RFC 5035; RFC 6211; ETSI EN 319 122-1; R 1323565.1.025 for GOST.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from asn1crypto import cms, core

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, Part
from gateway.signatures import ber, certificates, findings
from gateway.signatures.cms_signer import SignedData, Signer, result
from gateway.signatures.findings import FORMAT_FAILURE, MALFORMED, Checks, failed

NAME = "cms"

SIGNERS_MAX = 16
VERSIONS = ("v1", "v3", "v4", "v5")
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")

_CONTENT = (core.OctetString, core.ParsableOctetString)
"""What asn1crypto makes of eContent: the first in version 1, the second in version 3 and up."""

_ARMOUR = re.compile(
    rb"\s*-----BEGIN (CMS|PKCS7|PKCS #7 SIGNED DATA)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*"
)


def check(
    document: Part, signatures: tuple[Part, ...], algorithms: Algorithms
) -> tuple[CheckedSignature, ...]:
    """Check the CMS that `document` is, and every CMS in `signatures` beside it."""
    found: list[CheckedSignature] = []
    digests: dict[str, bytes] = {}
    if _is_cms(document.body, document.media_type):
        found.extend(_check_file(document.body, "document", None, algorithms, {}))
    for position, part in enumerate(signatures):
        if _is_cms(part.body, part.media_type):
            place = f"signature[{position}]"
            found.extend(_check_file(part.body, place, document, algorithms, digests))
    return tuple(found)


def _is_cms(octets: bytes, media_type: str) -> bool:
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
    return head[:1] == b"\x30" and SIGNED_DATA in head[:32]


def _unwrapped(octets: bytes) -> bytes:
    """Take off PEM armour or base64; both must be written in the one canonical way."""
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


def _check_file(
    octets: bytes,
    place: str,
    beside: Part | None,
    algorithms: Algorithms,
    digests: dict[str, bytes],
) -> Iterator[CheckedSignature]:
    """Check every signer of one CMS file; `beside` is the document it may be detached from.

    `digests` are those of `beside` by name: hundreds of signers cost one digest, not hundreds.
    """
    checks = Checks()
    try:
        signed = _open(_unwrapped(octets))
    except findings.Flaw as flaw:
        checks.flawed(flaw)
        yield result(checks, place, "CMS")
        return
    if signed.content is not None:
        digests = {}
    for position, signer in enumerate(signed.signers):
        where = f"{place}/signer[{position}]" if len(signed.signers) > 1 else place
        yield Signer(signed, signer, beside, algorithms, digests).check(where)


def _open(octets: bytes) -> SignedData:
    """Open a CMS SignedData, or raise the flaw that it is none."""
    try:
        ber.walk(octets)
        outer = cms.ContentInfo.load(octets, strict=True)
        if outer["content_type"].dotted != "1.2.840.113549.1.7.2":
            raise failed("format", FORMAT_FAILURE, "not SignedData")
        signed = outer["content"]
        if signed["version"].native not in VERSIONS:
            raise failed("format", FORMAT_FAILURE, "unknown version")
        inner = signed["encap_content_info"]
        content = inner["content"]
        opened = SignedData(
            content=bytes(content) if isinstance(content, _CONTENT) else None,
            content_type=inner["content_type"].dotted,
            digests=frozenset(one["algorithm"].dotted for one in signed["digest_algorithms"]),
            certificates=certificates.read_all(_certificates(signed)),
            signers=list(signed["signer_infos"]),
        )
    except RecursionError as error:
        raise failed("format", FORMAT_FAILURE, "nested too deep") from error
    except MALFORMED as error:
        detail = str(error) if isinstance(error, ber.NotStrict) else "not readable as SignedData"
        raise failed("format", FORMAT_FAILURE, detail) from error
    if not opened.signers or len(opened.signers) > SIGNERS_MAX:
        raise failed("format", FORMAT_FAILURE, f"{len(opened.signers)} signers")
    return opened


def _certificates(signed: cms.SignedData) -> list[bytes]:
    chosen = signed["certificates"] or ()
    found = [choice.chosen.dump() for choice in chosen if choice.name == "certificate"]
    if len(found) > certificates.CERTIFICATES_MAX:
        raise failed("format", FORMAT_FAILURE, f"{len(found)} certificates")
    return found
