"""Keys out of the certificates that stand on a list, in base64."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable

from asn1crypto import x509

from gateway.algorithms.asn1 import MALFORMED

CERTIFICATE_CHARACTERS_MAX = 64 * 1024


def keys_of(texts: Iterable[str]) -> tuple[frozenset[bytes], int]:
    """Return the keys (SubjectPublicKeyInfo, DER), and how many certificates were unreadable.

    One broken certificate does not spoil a list of hundreds of authorities: it names nobody.
    """
    found, unread = set[bytes](), 0
    for text in texts:
        certificate = certificate_in(text)
        if certificate is None:
            unread += 1
        else:
            found.add(certificate["tbs_certificate"]["subject_public_key_info"].dump())
    return frozenset(found), unread


def certificate_in(text: str) -> x509.Certificate | None:
    """Return the certificate in base64; None when it cannot be read."""
    try:
        if len(text) > CERTIFICATE_CHARACTERS_MAX:
            return None
        certificate = x509.Certificate.load(b64decode("".join(text.split()), validate=True), True)
        _ = certificate["tbs_certificate"]["subject_public_key_info"].dump()
    except (binascii.Error, *MALFORMED):
        return None
    return certificate
