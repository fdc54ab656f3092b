"""Lets asn1crypto give back the octets it read.

It writes a structure anew when its length ends in the octet 80, one in 256, for it takes that
for an indefinite length.  What was signed is octets: a certificate with a DEFAULT spelt out or
a SET out of order would no longer verify, and what cannot be parsed would raise at `dump`.

Importing this module mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asn1crypto import core

INDEFINITE = 0x80


def _as_read(dump: Callable[..., bytes]) -> Callable[..., bytes]:
    def exact(self: Any, force: bool = False) -> bytes:
        header, trailer = self._header, self._trailer
        # An indefinite length has end-of-contents octets behind it.
        definite = header is not None and header[-1:] == bytes([INDEFINITE]) and not trailer
        if definite and not force and not self._is_mutated():
            return bytes(header + self.contents)
        return dump(self, force)

    return exact


for _kind in (core.Sequence, core.SequenceOf):
    _kind.dump = _as_read(_kind.dump)
