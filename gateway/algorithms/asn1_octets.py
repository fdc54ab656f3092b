"""Lets asn1crypto give back the octets it read.

It writes a structure anew when its length ends in the octet 80, one in 256, for it takes that
for an indefinite length.  What was signed is octets: a certificate with a DEFAULT spelt out or
a SET out of order would no longer verify, and what cannot be parsed would raise at `dump`.

And it joins the chunks of a string one by one, each time copying all before: ten seconds for 25 MB.

Importing this module mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
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


def _joined(self: core.Constructable) -> Any:
    """Return the value of a string in chunks, joined at once."""
    if not self._indefinite:
        return self._as_chunk()
    chunks, position = [], 0
    while position < len(self.contents):
        chunk, position = core._parse_build(self.contents, position, spec=self.__class__)
        chunks.append(chunk._merge_chunks())
    if not chunks:
        return self._as_chunk()
    first = chunks[0]
    if isinstance(first, list):  # of the parts of a BIT STRING
        return list(chain.from_iterable(chunks))
    return first[:0].join(chunks)


core.Constructable._merge_chunks = _joined
for _kind in (core.Sequence, core.SequenceOf):
    _kind.dump = _as_read(_kind.dump)
