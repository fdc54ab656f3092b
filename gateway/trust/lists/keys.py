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
        try:
            if len(text) > CERTIFICATE_CHARACTERS_MAX:
                raise ValueError("too long for a certificate")
            der = b64decode("".join(text.split()), validate=True)
            certificate = x509.Certificate.load(der, strict=True)
            found.add(certificate["tbs_certificate"]["subject_public_key_info"].dump())
        except (binascii.Error, *MALFORMED):
            unread += 1
    return frozenset(found), unread
