"""Whose certificate a JWS is by: found in the headers, and bound by the protected one.

`x5c` in the protected header is signed, and its first certificate is the signer's.  One that
stands elsewhere counts only when a thumbprint in the protected header is its own.

Source: RFC 7515, sections 4.1.6 to 4.1.8; ETSI TS 119 182-1, clauses 5.1.7, 5.2.2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from asn1crypto import x509

from gateway.algorithms.interface import Algorithms
from gateway.model import Json, JsonValue
from gateway.signatures import certificates, jades, jose, jose_files
from gateway.signatures.directory import Directory, Named
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    NO_SIGNING_CERTIFICATE_FOUND,
    SIG_CRYPTO_FAILURE,
    Flaw,
    failed,
    undecided,
)

CHECK = "signing_certificate_identified"
BOUND = "signing_certificate_bound"
_UNREADABLE = (binascii.Error, ValueError)


@dataclass(frozen=True, kw_only=True)
class Identified:
    """The signer's certificate."""

    certificate: x509.Certificate
    others: tuple[bytes, ...]
    bound_by: str
    """The thumbprint in the protected header that names it; empty where there is none."""

    hints: tuple[str, ...]


def identified(
    signed: jose_files.Signed,
    more: Sequence[bytes],
    directory: Directory,
    algorithms: Algorithms,
) -> Identified:
    """Return the signer's certificate, or raise the flaw that there is none, or another.

    `more` are certificates (DER) that stand in the file unsigned, `directory` has those that
    a thumbprint may name.
    """
    chain = _chain(signed.header["x5c"]) if "x5c" in signed.header else []
    loose = _chain(signed.unsigned["x5c"]) if "x5c" in signed.unsigned else []
    loose.extend(certificates.read_all(more))
    hints: list[str] = []
    if chain:
        certificate, bound_by = chain[0], _bound_by(signed.header, chain[0].dump(), algorithms)
        if not _in_order(chain):
            hints.append("x5c is not a chain in order")
    else:
        at_hand = _at_hand(signed.header, directory, algorithms)
        certificate, bound_by = _named(signed.header, (*loose, *at_hand), algorithms)
    own = certificate.dump()
    others = [one.dump() for one in (*chain, *loose)]
    return Identified(
        certificate=certificate,
        others=tuple(dict.fromkeys(one for one in others if one != own)),
        bound_by=bound_by,
        hints=tuple(hints),
    )


def _at_hand(header: Json, directory: Directory, algorithms: Algorithms) -> list[x509.Certificate]:
    """Return the certificates we have of those that the protected header names by digest."""
    found = []
    thumbprint = header.get("x5t#S256")
    if isinstance(thumbprint, str):
        value = jose.decoded(thumbprint.encode(), "x5t#S256")
        found.extend(directory.find(Named(digest="sha256", value=value), algorithms))
    for one in jades.digests_named(header):
        found.extend(directory.find(Named(digest=one.digest, value=one.value), algorithms))
    return found


def _named(
    header: Json, several: Sequence[x509.Certificate], algorithms: Algorithms
) -> tuple[x509.Certificate, str]:
    """Return the one certificate, and the thumbprint in the protected header that names it."""
    flaw: Flaw | None = None
    for certificate in several:
        try:
            bound_by = _bound_by(header, certificate.dump(), algorithms)
        except Flaw as found:
            flaw = flaw or found
            continue
        if bound_by:
            return certificate, bound_by
    if flaw is not None:
        raise flaw
    detail = "no x5c in the header" if not several else "no certificate is signed or named"
    raise undecided(CHECK, NO_SIGNING_CERTIFICATE_FOUND, detail)


def _bound_by(header: Json, certificate: bytes, algorithms: Algorithms) -> str:
    """Return the member of the protected header that names `certificate`, or raise the flaw."""
    if "x5t" in header:
        # Too weak to bind anything; one that differs still says that something is wrong.
        thumbprint = hashlib.sha1(certificate, usedforsecurity=False)
        if header["x5t"] != jose.encoded(thumbprint.digest()).decode():
            raise failed(BOUND, SIG_CRYPTO_FAILURE, "x5t names another certificate")
    found = jades.named(header, certificate, algorithms)
    if "x5t#S256" not in header:
        return found
    digest = hashlib.sha256(certificate)
    right = jose.encoded(digest.digest()).decode()
    # German e-prescriptions encode the hexadecimal text of the digest; it binds as well.
    in_hex = jose.encoded(digest.hexdigest().encode()).decode()
    if header["x5t#S256"] not in (right, in_hex):
        raise failed(BOUND, SIG_CRYPTO_FAILURE, "x5t#S256 names another certificate")
    return "x5t#S256"


def _chain(listed: JsonValue) -> list[x509.Certificate]:
    """Return the certificates of `x5c`, or raise the flaw that one of them cannot be read."""
    if not isinstance(listed, list) or not 0 < len(listed) <= certificates.CERTIFICATES_MAX:
        raise failed(CHECK, FORMAT_FAILURE, "x5c unreadable")
    found = []
    for written in listed:
        try:
            octets = base64.b64decode(written, validate=True) if isinstance(written, str) else b""
        except _UNREADABLE as error:
            raise failed(CHECK, FORMAT_FAILURE, "x5c unreadable") from error
        certificate = certificates.read(octets)
        if certificate is None or base64.b64encode(octets).decode("ascii") != written:
            raise failed(CHECK, FORMAT_FAILURE, "x5c unreadable")
        found.append(certificate)
    return found


def _in_order(chain: Sequence[x509.Certificate]) -> bool:
    """Say whether each certificate is by the next one's subject."""
    return all(one.issuer.dump() == by.subject.dump() for one, by in pairwise(chain))
