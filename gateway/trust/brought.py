"""What a signature brings along to be judged with: certificates, lists and OCSP answers.

All of it comes from a stranger, so it is counted and weighed before it is read, and none of
it is trusted: a certificate must hang below our own material, and a list or an answer must
be signed by the authority it speaks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from asn1crypto import crl, ocsp, x509

from gateway.algorithms.asn1 import MALFORMED
from gateway.trust.definite import read_der
from gateway.trust.material import read_answer, read_list

CERTIFICATES_MAX = 32
"""Certificates looked at among those a signature brings."""

REVOCATIONS_MAX = 32
"""Lists and OCSP answers looked at; a path of four with its time-stamps needs a dozen."""

REVOCATION_BYTES_MAX = 16 * 2**20
"""Of all of them together; the largest lists (30 MB) are ours to keep, not a signature's."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """The readable part of what a signature brought."""

    certificates: tuple[x509.Certificate, ...]
    crls: tuple[crl.CertificateList, ...]
    ocsps: tuple[ocsp.OCSPResponse, ...]


def read_brought(others: Sequence[bytes], revocations: Sequence[tuple[str, bytes]]) -> Brought:
    """Return what can be read of it, within the limits; the rest is passed over."""
    crls, ocsps = list[crl.CertificateList](), list[ocsp.OCSPResponse]()
    for kind, der in _within_limits(revocations):
        try:
            if kind == "crl":
                crls.append(read_list(der))
            elif kind == "ocsp":
                ocsps.append(read_answer(der))
        except ValueError:
            continue
    return Brought(certificates=_certificates(others), crls=tuple(crls), ocsps=tuple(ocsps))


def key_of(
    certificate: bytes,
    others: Sequence[bytes],
    revocations: Sequence[tuple[str, bytes]],
    purpose: str,
) -> bytes:
    """Return what a verdict depends on beside the material and the moment."""
    digest = hashlib.sha256(hashlib.sha256(certificate).digest())
    digest.update(purpose.encode().ljust(16))
    for other in others[:CERTIFICATES_MAX]:
        digest.update(b"x" + hashlib.sha256(other).digest())
    for kind, der in _within_limits(revocations):
        digest.update(kind.encode().ljust(4) + hashlib.sha256(der).digest())
    return digest.digest()


def _certificates(others: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    found = []
    for der in others[:CERTIFICATES_MAX]:
        try:
            parsed = read_der(x509.Certificate, der)
            _ = (parsed.subject.hashable, parsed.issuer.hashable, parsed.ca)
            _ = parsed.key_usage_value
        except MALFORMED:
            continue
        found.append(parsed)
    return tuple(found)


def _within_limits(revocations: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the first of them that fit; an oversized one does not hide those behind it."""
    found, room = list[tuple[str, bytes]](), REVOCATION_BYTES_MAX
    for kind, der in revocations[:REVOCATIONS_MAX]:
        if len(der) <= room:
            room -= len(der)
            found.append((kind, der))
    return found
