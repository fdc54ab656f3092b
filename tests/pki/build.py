"""Certificates for tests: authorities and signers with whatever is wrong with them.

The moment is fixed, so that nothing here ever ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import crl, x509

from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ALIVE = Period(begins=NOW - 100 * DAY, ends=NOW + 100 * DAY)
CURRENT = Period(begins=NOW - DAY, ends=NOW + 6 * DAY)

ALGORITHMS: Algorithms = standard()


@dataclass(frozen=True, kw_only=True)
class Signing:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: bytes
    family: str

    @property
    def der(self) -> bytes:
        return bytes(self.certificate.dump())

    def as_authority(self) -> Authority:
        return Authority(family=self.family, certificate=self.certificate, key=self.key)


def root(title: str = "Root", family: str = "gost256", period: Period = ALIVE) -> Authority:
    """Return a self-signed authority."""
    key, public = ALGORITHMS.generate(family)
    certificate = made.certify(
        made.name(("common_name", title)),
        public,
        made.authority_extensions(None),
        period,
        ALGORITHMS,
        own=(family, key),
    )
    return Authority(family=family, certificate=certificate, key=key)


def issue(
    issuer: Authority,
    title: str = "Signer",
    extensions: Sequence[x509.Extension] | None = None,
    period: Period = ALIVE,
    family: str | None = None,
) -> Signing:
    """Return a certificate by `issuer`; a qualified signing one unless told otherwise."""
    family = family or issuer.family
    key, public = ALGORITHMS.generate(family)
    if extensions is None:
        extensions = made.signing_extensions(period, "test")
    certificate = made.certify(
        made.name(("common_name", title)), public, extensions, period, ALGORITHMS, issuer=issuer
    )
    return Signing(certificate=certificate, key=key, family=family)


def below(issuer: Authority, title: str = "Issuing", path_length: int | None = 0) -> Authority:
    """Return an authority under another."""
    return issue(issuer, title, made.authority_extensions(path_length)).as_authority()


def list_of(
    authority: Authority,
    *revoked: x509.Certificate,
    period: Period = CURRENT,
    at: datetime = NOW - 2 * DAY,
) -> crl.CertificateList:
    """Return the authority's revocation list with `revoked` on it, revoked `at`."""
    entries = [(certificate.serial_number, at) for certificate in revoked]
    return made.revocation_list(authority, entries, 1, period, ALGORITHMS)
