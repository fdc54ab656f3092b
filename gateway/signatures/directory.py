"""Certificates at hand, found by the names that signatures give them.

Nothing is trusted for standing here: the value must hold under the certificate found, and
`trust` judges it like one that came along.

Source: W3C XMLDSig 1.1, clause 4.5.4; RFC 5652, clause 5.3; RFC 7515, section 4.1.8; RFC 4514.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from asn1crypto import x509

from gateway.algorithms.interface import Algorithms
from gateway.signatures import certificates, findings
from gateway.signatures.findings import MALFORMED

FOUND_MAX = 8
"""Certificates that one name may stand for; an authority renews a key only so often."""

NAME_CHARACTERS_MAX = 4_096
_PART = re.compile(r"""((?:[^,;+"\\]|\\.|"(?:[^"\\]|\\.)*")*)(?:[,;+]|$)""", re.DOTALL)
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)

Spelt = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Named:
    """How a signature names a certificate; whatever is given must fit."""

    digest: str = ""
    """Name of the digest of `value`."""

    value: bytes = b""
    serial: int | None = None
    issuer: Spelt | None = None
    subject: Spelt | None = None
    key_identifier: bytes | None = None

    @property
    def is_of_one(self) -> bool:
        """Whether only one certificate in the world is meant, by digest or issuer and number."""
        return bool(self.digest) or self.serial is not None


@dataclass(frozen=True, kw_only=True)
class _Index:
    """Where in a sequence of certificates each name stands."""

    several: Sequence[bytes]
    by_serial: dict[int, list[int]] = field(default_factory=dict)
    by_key: dict[bytes, list[int]] = field(default_factory=dict)
    by_subject: dict[Spelt, list[int]] = field(default_factory=dict)
    by_digest: dict[str, dict[bytes, list[int]]] = field(default_factory=dict)


class Directory:
    """Looks up certificates.  Safe to use from any number of threads."""

    def __init__(self, several: Callable[[], Sequence[bytes]]) -> None:
        """`several` gives the certificates (DER) at hand: the same object while none changed."""
        self._several = several
        self._index: _Index | None = None
        self._building = threading.Lock()

    def find(self, named: Named, algorithms: Algorithms) -> list[x509.Certificate]:
        """Return the certificates that `named` stands for; none when there are too many.

        Raises the flaw when the digest it is named by cannot be computed here.
        """
        index = self._current()
        places: Iterable[int] = ()
        if named.digest:
            places = self._digests(index, named.digest, algorithms).get(named.value, ())
        elif named.serial is not None:
            places = index.by_serial.get(named.serial, ())
        elif named.key_identifier is not None:
            places = index.by_key.get(named.key_identifier, ())
        elif named.subject is not None:
            places = index.by_subject.get(named.subject, ())
        read = certificates.read_all(index.several[place] for place in places)
        found = [one for one in read if _fits(named, one)]
        return found if len(found) <= FOUND_MAX else []

    def _current(self) -> _Index:
        several = self._several()
        index = self._index
        if index is None or index.several is not several:
            with self._building:
                index = self._index = _indexed(several)
        return index

    def _digests(
        self, index: _Index, digest: str, algorithms: Algorithms
    ) -> dict[bytes, list[int]]:
        if digest not in index.by_digest:
            made: dict[bytes, list[int]] = {}
            for place, octets in enumerate(index.several):
                value = findings.digest(
                    algorithms, digest, octets, "signing_certificate_identified"
                )
                made.setdefault(value, []).append(place)
            index.by_digest[digest] = made
        return index.by_digest[digest]


NOBODY = Directory(tuple)
"""No certificates at hand."""


def spelt(text: str) -> Spelt | None:
    """Return a distinguished name's values without what programs spell differently.

    Attribute types are left out and values sorted: RFC 2253, 4514 and X.500 disagree about
    both.  None for what is no name.

    >>> spelt('CN=Doe\\\\, J,O="Clinic;  One"')
    ('clinic; one', 'doe, j')
    >>> spelt("O = clinic; CN = jane") == spelt("CN=Jane,O=Clinic")
    True
    """
    if len(text) > NAME_CHARACTERS_MAX:
        return None
    values = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or "=" not in part[1]:
            return None
        values.append(_unescaped(part[1].partition("=")[2].strip()))
        at = part.end()
    return _sorted(values) if values else None


def spelt_name(name: x509.Name) -> Spelt:
    """Return the same of a name in a certificate."""
    return _sorted(str(one["value"].native) for relative in name.chosen for one in relative)


def _sorted(values: Iterable[str]) -> Spelt:
    return tuple(sorted(" ".join(value.split()).casefold() for value in values))


def _unescaped(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]

    def plain(escape: re.Match[str]) -> str:
        if escape[2] is not None:
            return escape[2]
        return bytes.fromhex(escape[1].replace("\\", "")).decode("utf-8", "replace")

    return _ESCAPED.sub(plain, value)


def _indexed(several: Sequence[bytes]) -> _Index:
    index = _Index(several=several)
    for place, octets in enumerate(several):
        certificate = certificates.read(octets)
        if certificate is None:
            continue
        index.by_serial.setdefault(int(certificate.serial_number), []).append(place)
        try:
            key = certificate.key_identifier
            subject = spelt_name(certificate.subject)
        except MALFORMED:
            continue  # Found by number and by digest all the same.
        if key is not None:
            index.by_key.setdefault(key, []).append(place)
        index.by_subject.setdefault(subject, []).append(place)
    return index


def _fits(named: Named, one: x509.Certificate) -> bool:
    try:
        return (
            (named.serial is None or one.serial_number == named.serial)
            and (named.issuer is None or spelt_name(one.issuer) == named.issuer)
            and (named.subject is None or spelt_name(one.subject) == named.subject)
            and (named.key_identifier is None or one.key_identifier == named.key_identifier)
        )
    except MALFORMED:
        return False
