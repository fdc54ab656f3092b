"""A strict walk over BER and DER before anything is read from it.

Signature files may be written in BER (chunked, indefinite length), and then in many ways;
what is not written in indefinite length must be the one DER way, so that nobody can change
a byte of a signature file without the change being noticed.

Source: ITU-T X.690, clauses 8 and 10.
"""

from __future__ import annotations

DEPTH_MAX = 32
NODES_MAX = 400_000
"""A list of fifty thousand revoked certificates, as signatures for the long term carry them."""

CHUNKS_MAX = 65_536
"""Of all strings of one file: writers make chunks of a kilobyte or more."""

CONTENTS_END = b"\x00\x00"

_CHECKED = frozenset((0x01, 0x02, 0x03, 0x05, 0x0A, 0x10, 0x11))
"""Primitive universal types with more than one way to be written, or none."""


class NotStrict(ValueError):
    """Neither DER nor BER that differs from DER by indefinite lengths alone."""


def walk(octets: bytes) -> bool:
    """Check that `octets` are exactly one strict TLV; return whether they are DER throughout.

    Raises NotStrict for lengths that are not minimal, trailing bytes, integers with padding,
    booleans other than 00 and FF, and unused bits that are not zero.
    """
    walker = _Walker(octets)
    end = walker.element(0, len(octets), 0)
    if end != len(octets):
        raise NotStrict("trailing bytes")
    return walker.der


def measured(octets: bytes) -> int:
    """Return where the one strict element at the start of `octets` ends.

    Raises NotStrict as `walk` does, what follows aside.
    """
    return _Walker(octets).element(0, len(octets), 0)


def der(octets: bytes) -> bytes:
    """Return the DER of one BER element that `walk` takes: lengths, chunks and sets put right.

    What came in definite lengths stays as it is.  Otherwise a SET is sorted, as every SET in
    CMS is a SET OF (X.690, 11.6).  Raises NotStrict for chunks of another type than their string.
    """
    return octets if walk(octets) else _der(octets)


def elements(octets: bytes) -> list[bytes]:
    """Return the elements that stand one after another in `octets`, each whole.

    `octets` are the contents of something that `walk` took.
    """
    found, position = [], 0
    while position < len(octets):
        _, _, _, after = _head(octets, position)
        found.append(octets[position:after])
        position = after
    return found


def ordered(octets: bytes) -> bytes:
    """Return the SET OF in `octets`, DER but for its order, in the order of DER (X.690, 11.6)."""
    inner = b"".join(sorted(elements(contents(octets))))
    return octets[: len(octets) - len(inner)] + inner


def contents(octets: bytes) -> bytes:
    """Return the contents of the one element in `octets`, without its end."""
    _, start, end, _ = _head(octets, 0)
    return octets[start:end]


def length(size: int) -> bytes:
    """Return the octets of a definite length."""
    if size < 0x80:
        return bytes([size])
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(written)]) + written


def shaped(octets: bytes, *most: int) -> bool:
    """Say whether the first element has so many elements at most, and its first one in turn.

    It looks no further, so that what has millions is known at once.  Raises LookupError.
    """
    begins = 0
    for count in most:
        _, position, end, _ = _head(octets, begins)
        begins = position
        for _ in range(count):
            if position < end:
                position = _head(octets, position)[3]
        if position < end:
            return False
    return True


def _head(octets: bytes, position: int) -> tuple[int, int, int, int]:
    """Return (identifier, where the contents begin, where they end, where the next begins)."""
    identifier, length, start = octets[position], octets[position + 1], position + 2
    if length == 0x80:
        end = start
        while octets[end : end + 2] != CONTENTS_END:
            end = _head(octets, end)[3]
        return identifier, start, end, end + 2
    if length > 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(octets[start : start + size], "big"), start + size
    return identifier, start, start + length, start + length


def _der(octets: bytes) -> bytes:
    identifier, start, end, _ = _head(octets, 0)
    return _written(identifier, octets, start, end)


def _written(identifier: int, octets: bytes, start: int, end: int) -> bytes:
    inner = octets[start:end]
    if identifier & 0x20:
        children = [_der(one) for one in elements(inner)]
        if identifier == 0x31:
            children.sort()
        if identifier in (0x23, 0x24):
            identifier &= ~0x20
            if any(one[0] != identifier for one in children):
                raise NotStrict("chunk of another type")
            # Chunks of a BIT STRING count their unused bits each; only the last may have some.
            strings = [contents(one) for one in children]
            if identifier == 0x03:
                strings = [strings[-1][:1], *(one[1:] for one in strings)] if strings else [b"\0"]
            inner = b"".join(strings)
        else:
            inner = b"".join(children)
    return bytes([identifier]) + length(len(inner)) + inner


class _Walker:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.nodes = 0
        self.chunks = 0
        self.der = True

    def element(self, start: int, limit: int, depth: int) -> int:
        """Check the element at `start`; return where it ends."""
        octets = self.octets
        self.nodes += 1
        if depth > DEPTH_MAX or self.nodes > NODES_MAX:
            raise NotStrict("too deep or too many elements")
        if start + 2 > limit:
            raise NotStrict("cut short")
        identifier, length, position = octets[start], octets[start + 1], start + 2
        if identifier & 0x1F == 0x1F:
            raise NotStrict("long tag")  # no structure of ours has one
        if identifier == 0:
            raise NotStrict("end of contents out of place")
        if length == 0x80:
            if not identifier & 0x20:
                raise NotStrict("indefinite length of a primitive")
            self.der = False
            nodes, end = self.nodes, self._until_end(position, limit, depth)
            self._count_chunks(identifier, nodes)
            return end
        if length > 0x80:
            length, position = self._long_length(length & 0x7F, position, limit)
        end = position + length
        if end > limit:
            raise NotStrict("length beyond the end")
        if identifier & 0x20:
            nodes = self.nodes
            while position < end:
                position = self.element(position, end, depth + 1)
            self._count_chunks(identifier, nodes)
        elif identifier in _CHECKED:
            self._primitive(identifier, position, end)
        return end

    def _count_chunks(self, identifier: int, before: int) -> None:
        """Count what was read since `before` nodes if it is chunks of a string."""
        if identifier not in (0x23, 0x24):
            return
        self.der = False  # DER has no chunked strings
        self.chunks += self.nodes - before
        if self.chunks > CHUNKS_MAX:
            raise NotStrict("too many chunks")

    def _until_end(self, position: int, limit: int, depth: int) -> int:
        while self.octets[position : position + 2] != CONTENTS_END:
            if position >= limit:
                raise NotStrict("no end of contents")
            position = self.element(position, limit, depth + 1)
        return position + 2

    def _long_length(self, size: int, position: int, limit: int) -> tuple[int, int]:
        raw = self.octets[position : position + size]
        if len(raw) != size or position + size > limit or size > 4:
            raise NotStrict("length cut short or too long")
        length = int.from_bytes(raw, "big")
        if raw[0] == 0 or length < 0x80:
            raise NotStrict("length not minimal")
        return length, position + size

    def _primitive(self, identifier: int, start: int, end: int) -> None:
        octets = self.octets
        if identifier == 0x02 or identifier == 0x0A:  # INTEGER, ENUMERATED
            if end == start:
                raise NotStrict("empty integer")
            if end - start > 1 and (
                (octets[start] == 0 and octets[start + 1] < 0x80)
                or (octets[start] == 0xFF and octets[start + 1] >= 0x80)
            ):
                raise NotStrict("padded integer")
        elif identifier == 0x01 and octets[start:end] not in (b"\x00", b"\xff"):
            raise NotStrict("boolean")
        elif identifier == 0x05 and end != start:
            raise NotStrict("null with content")
        elif identifier == 0x03:  # BIT STRING
            unused = octets[start] if end > start else 8
            if unused > 7 or (end == start + 1 and unused):
                raise NotStrict("bit string")
            if unused and octets[end - 1] & ((1 << unused) - 1):
                raise NotStrict("unused bits set")
        elif identifier in (0x10, 0x11):  # SEQUENCE, SET
            raise NotStrict("constructed form expected")
