"""Which lists and answers a verdict on certificates rests on, and what they say.

Source: RFC 5280, section 5 (lists); RFC 6960 (OCSP).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from asn1crypto import ocsp, x509
from cryptography.x509 import CertificateRevocationList, InvalidVersion, load_der_x509_crl

from gateway.algorithms.asn1 import MALFORMED

OBJECTS_MAX = 64
"""Parsed objects remembered: a list may have hundreds of thousands of entries."""


@dataclass(frozen=True, kw_only=True)
class RevocationUsed:
    """What one list or answer says of one certificate of the evidence."""

    certificate_sha256: str
    source: str
    """`crl` or `ocsp`."""

    sha256: str
    this_update: datetime | None
    next_update: datetime | None
    status: str
    """`good`, `revoked` or `unknown`."""

    revoked_at: datetime | None = None


def revocations_used(evidence: Sequence[tuple[str, bytes]]) -> tuple[RevocationUsed, ...]:
    """Return what the lists and answers in `evidence` say of the certificates in it."""
    anchors = {blob for kind, blob in evidence if kind == "anchor"}
    certificates = [
        blob
        for kind, blob in evidence
        if kind == "certificate" and hashlib.sha256(blob).digest() not in anchors
    ]
    found: list[RevocationUsed] = []
    for der in dict.fromkeys(certificates):
        known = _certificate(der)
        if known is None:
            continue
        for kind, blob in evidence:
            if kind == "crl":
                found.extend(_by_list(der, known, blob))
            elif kind == "ocsp":
                found.extend(_by_answer(der, known, blob))
    return tuple(found)


def _by_list(der: bytes, known: tuple[bytes, int], blob: bytes) -> Iterator[RevocationUsed]:
    parsed = _list(blob)
    if parsed is None:
        return
    try:
        # The library reads late: a list that could be opened may yet be malformed inside.
        if parsed.issuer.public_bytes() != known[0]:
            return
        entry = parsed.get_revoked_certificate_by_serial_number(known[1])
        used = RevocationUsed(
            certificate_sha256=hashlib.sha256(der).hexdigest(),
            source="crl",
            sha256=hashlib.sha256(blob).hexdigest(),
            this_update=parsed.last_update_utc,
            next_update=parsed.next_update_utc,
            status="revoked" if entry else "good",
            revoked_at=entry.revocation_date_utc if entry else None,
        )
    except ValueError:
        return
    yield used


def _by_answer(der: bytes, known: tuple[bytes, int], blob: bytes) -> Iterator[RevocationUsed]:
    try:
        responses = ocsp.OCSPResponse.load(blob, strict=True).response_data["responses"]
        for one in responses:
            if one["cert_id"]["serial_number"].native != known[1]:
                continue
            status = one["cert_status"]
            revoked = status.name == "revoked"
            yield RevocationUsed(
                certificate_sha256=hashlib.sha256(der).hexdigest(),
                source="ocsp",
                sha256=hashlib.sha256(blob).hexdigest(),
                this_update=one["this_update"].native,
                next_update=one["next_update"].native,
                status=status.name,
                revoked_at=status.chosen["revocation_time"].native if revoked else None,
            )
    except MALFORMED:
        return


@lru_cache(maxsize=1024)
def _certificate(der: bytes) -> tuple[bytes, int] | None:
    """Return a certificate's issuer (DER) and serial number."""
    try:
        parsed = x509.Certificate.load(der, strict=True)
        return parsed.issuer.dump(), parsed.serial_number
    except MALFORMED:
        return None


@lru_cache(maxsize=OBJECTS_MAX)
def _list(der: bytes) -> CertificateRevocationList | None:
    try:
        return load_der_x509_crl(der)
    except (ValueError, InvalidVersion):
        return None
