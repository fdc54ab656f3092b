"""Who signed by the certificate, and whether the message says the same."""

from __future__ import annotations

from gateway.model import Claimed, Signer
from gateway.trust import read_signer

MATCH, MISMATCH, ABSENT, UNKNOWN = "match", "mismatch", "absent", "unknown"


def named(certificate: bytes | None) -> Signer | None:
    """Return whom a certificate names, believed or not; None when it cannot be read."""
    if certificate is None:
        return None
    try:
        return read_signer(certificate)
    except ValueError:
        return None


def claim_against(claimed: Claimed | None, signer: Signer | None) -> str:
    """Return whether whom the message names is who signed.

    One number in common decides for it only if none of the same length says otherwise; a
    role that differs decides against it.
    """
    if claimed is None:
        return ABSENT
    if signer is None:
        return UNKNOWN
    if claimed.role and signer.role and claimed.role != signer.role:
        return MISMATCH
    own = {_digits(number) for number in _numbers(signer)}
    said = {_digits(one.value) for one in claimed.identifiers}
    # СНИЛС, ИНН, ИННЮЛ, ОГРН and ОГРНИП differ in length (11, 12, 10, 13, 15).
    comparable = {number for number in said if len(number) in set(map(len, own))}
    if not comparable:
        return UNKNOWN
    return MATCH if comparable <= own else MISMATCH


def _numbers(signer: Signer) -> tuple[str, ...]:
    found = (signer.snils, signer.inn, signer.inn_organization, signer.ogrn)
    return tuple(number for number in found if number)


def _digits(written: str) -> str:
    return "".join(filter(str.isdigit, written))
