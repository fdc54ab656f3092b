"""What a signature brings along to be judged with: certificates, lists and OCSP answers.

All of it comes from a stranger, so it is counted and weighed before it is read, and none of
it is trusted: a certificate must hang below our own material, and a list or an answer must
be signed by the authority it speaks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from asn1crypto import crl, ocsp, x509

from gateway.algorithms.asn1 import MALFORMED
from gateway.trust.definite import read_der
from gateway.trust.material import read_answer, read_list
from gateway.trust.remembered import Verdicts

CERTIFICATES_MAX = 32
"""Certificates looked at among those a signature brings."""

REVOCATIONS_MAX = 32
"""Lists and OCSP answers looked at; a path of four with its time-stamps needs a dozen."""

REVOCATION_BYTES_MAX = 16 * 2**20
"""Of all of them together; the largest lists (30 MB) are ours to keep, not a signature's."""


BUNDLES_MAX = 4
"""Signatures whose lists stay read: every signer and time stamp of a file asks for them again."""

CERTIFICATES_KEPT_MAX, KEPT_BYTES_MAX = 256, 16_384
"""Certificates that stay read, and the largest of them: real ones are a few kilobytes."""

_Pairs = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The readable part of the lists and answers that a signature brought."""

    crls: tuple[crl.CertificateList, ...]
    ocsps: tuple[ocsp.OCSPResponse, ...]
    verdicts: Verdicts = field(default_factory=Verdicts)
    """Those that rest on them."""


class Lately:
    """What signatures brought lately, read once.  Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._lists = lru_cache(BUNDLES_MAX)(_lists)
        self._certificate = lru_cache(CERTIFICATES_KEPT_MAX)(_certificate)

    def lists(self, revocations: Sequence[tuple[str, bytes]]) -> Lists:
        """Return what can be read of `revocations`, within the limits; the rest is passed over."""
        return self._lists(tuple(_within_limits(revocations)))

    def certificates(self, others: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
        """Return what can be read of `others`, within the limit."""
        some = others[:CERTIFICATES_MAX]
        read = (
            self._certificate(der) if len(der) <= KEPT_BYTES_MAX else _certificate(der)
            for der in some
        )
        return tuple(one for one in read if one is not None)


def key_of(certificate: bytes, others: Sequence[bytes], purpose: str) -> bytes:
    """Return what a verdict depends on beside the material, the lists and the moment."""
    digest = hashlib.sha256(hashlib.sha256(certificate).digest())
    digest.update(purpose.encode().ljust(16))
    for other in others[:CERTIFICATES_MAX]:
        digest.update(b"x" + hashlib.sha256(other).digest())
    return digest.digest()


def _certificate(der: bytes) -> x509.Certificate | None:
    try:
        parsed = read_der(x509.Certificate, der)
        _ = (parsed.subject.hashable, parsed.issuer.hashable, parsed.ca)
        _ = parsed.key_usage_value and parsed.key_usage_value.native
        _ = parsed.self_issued
    except (NotImplementedError, *MALFORMED):
        return None
    return parsed


def _lists(revocations: _Pairs) -> Lists:
    crls, ocsps = list[crl.CertificateList](), list[ocsp.OCSPResponse]()
    for kind, der in revocations:
        try:
            if kind == "crl":
                crls.append(read_list(der))
            elif kind == "ocsp":
                ocsps.append(read_answer(der))
        except ValueError:
            continue
    return Lists(crls=tuple(crls), ocsps=tuple(ocsps))


def _within_limits(revocations: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the first of them that fit; an oversized one does not hide those behind it."""
    found, room = list[tuple[str, bytes]](), REVOCATION_BYTES_MAX
    for kind, der in revocations[:REVOCATIONS_MAX]:
        if len(der) <= room:
            room -= len(der)
            found.append((kind, der))
    return found
