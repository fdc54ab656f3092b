"""Whose signature a trusted list must bear: certificates that a person pinned, or a list of lists.

A list says who is trusted, so nothing on it may say who signs it, and no authority may vouch
for its signer: the certificate itself is known beforehand, compared by a person at its first
import.  A list of lists, once believed, names the signers of the lists it points to.
Source: ETSI TS 119 615 v1.2.1, clause 4.1 (authentication of trusted lists).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from asn1crypto import pem, x509

from gateway.algorithms.asn1 import MALFORMED
from gateway.trust.lists import TrustedList, write_once

LIST_OF_LISTS = "eu-EU"
PINS_MAX = 64
"""Certificates pinned for one list; its signer has a new one every few years."""

FILE_BYTES_MAX = 256 * 1024


class Signers:
    """The pinned certificates of one home; apart from its trust folders, whose content is
    trusted for everything."""

    def __init__(self, folder: Path, lists: Sequence[TrustedList] = ()) -> None:
        """`lists` are the snapshots at hand, the newest first."""
        self.folder = folder
        self._lists = lists

    def pinned(self, source: str) -> tuple[bytes, ...]:
        """Return the certificates (DER) pinned for a list."""
        paths = sorted(self.folder.glob(f"{source}-*.crt"))[:PINS_MAX]
        return tuple(read_certificate(path) for path in paths)

    def of(self, source: str) -> tuple[bytes, ...]:
        """Return the certificates (DER) that may have signed a list."""
        newest = next((one for one in self._lists if one.source == LIST_OF_LISTS), None)
        pointers = newest.pointers if newest else ()
        named = [der for one in pointers if one.source == source for der in one.signers]
        return tuple(dict.fromkeys((*self.pinned(source), *named)))

    def pin(self, source: str, certificate: bytes) -> None:
        """Believe a certificate's signatures on a list from now on."""
        name = f"{source}-{hashlib.sha256(certificate).hexdigest()[:40]}.crt"
        write_once(self.folder / name, certificate)


def read_certificate(path: Path) -> bytes:
    """Return the one certificate (DER) in a file, PEM or DER.  Raises ValueError."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise ValueError(f"{path.name}: too long for a certificate")
    octets = path.read_bytes()
    try:
        der = pem.unarmor(octets)[2] if pem.detect(octets) else octets
        x509.Certificate.load(der, strict=True)["tbs_certificate"]["serial_number"].native  # noqa: B018
    except (TypeError, *MALFORMED) as error:
        raise ValueError(f"{path.name}: not a certificate") from error
    return bytes(der)
