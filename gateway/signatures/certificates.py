"""Certificates as signature files carry them: read, told apart, never judged.

Source: RFC 5280; RFC 5035 (ESSCertID, ESSCertIDv2); RFC 9215 through `algorithms.asn1`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache

from asn1crypto import keys, x509

from gateway.algorithms import asn1 as _registers_gost  # noqa: F401
from gateway.signatures import ber
from gateway.signatures.findings import MALFORMED, SIG_CRYPTO_FAILURE, failed

CERTIFICATES_MAX = 32
READ_KEPT_MAX = 64
"""A laboratory signs with the same few certificates all day; this many stay read."""

KEPT_BYTES_MAX = 16_384
"""Real certificates are a few kilobytes; whoever sends a larger one shall not fill memory."""


def read(octets: bytes) -> x509.Certificate | None:
    """Return the certificate in `octets`, or None when they are not exactly one, in DER."""
    return _readers.read(octets) if len(octets) <= KEPT_BYTES_MAX else _read(octets)


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Return whether two distinguished names are equal (RFC 5280, 7.1).

    The same octets are the same name; only different ones need preparing as LDAP does.
    """
    return bool(one.dump() == other.dump() or one == other)


def _read(octets: bytes) -> x509.Certificate | None:
    try:
        if not ber.walk(octets):
            return None
        certificate = x509.Certificate.load(octets, strict=True)
        # asn1crypto parses late: touch what every check reads.
        certificate.issuer.dump()
        certificate.subject.dump()
        int(certificate.serial_number)
        certificate.public_key.dump()
    except MALFORMED:
        return None
    return certificate


def read_all(several: Iterable[bytes]) -> list[x509.Certificate]:
    """Return the readable certificates among `several`."""
    found = (read(octets) for octets in several)
    return [certificate for certificate in found if certificate is not None]


def public_key(certificate: x509.Certificate) -> keys.PublicKeyInfo:
    """Return the public key, or raise the flaw that it cannot be read."""
    try:
        return certificate.public_key
    except MALFORMED as error:
        raise failed("signing_certificate_identified", SIG_CRYPTO_FAILURE, "no key") from error


class _Readers(threading.local):
    """One memory a thread: asn1crypto parses late and in place, so threads share no object."""

    def __init__(self) -> None:
        self.read = lru_cache(maxsize=READ_KEPT_MAX)(_read)


_readers = _Readers()


def leaves(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the certificates that issued none of the others, in their order.

    Files list authorities and signer in any order, so the first is never taken for the
    signer's because it is first.
    """
    issuers = [c.issuer.dump() for c in certificates if c.issuer.dump() != c.subject.dump()]
    return [c for c in certificates if c.subject.dump() not in issuers]
