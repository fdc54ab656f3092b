"""Changes of PDF by structure: objects, updates behind the file, byte ranges, hidden signatures.

Source: ISO 32000-2, clauses 7.3 (objects), 7.5 (file structure) and 12.8.1 (byte ranges).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from tests.fuzz import octets as bare

_OBJECT = re.compile(rb"(?<!\d)(\d{1,6}) 0 obj\b(.*?)endobj", re.DOTALL)
_CONTENTS = re.compile(rb"/Contents\s*<([0-9A-Fa-f]{100,})>")
_RANGE = re.compile(rb"/ByteRange\s*\[([0-9 ]+)\]")
_NAME = re.compile(rb"/[A-Za-z]{2,20}")
_NUMBER = re.compile(rb"(?<![\w.])\d{1,10}(?![\w.])")
_START = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*")
_NUMBERS = (b"0", b"1", b"-1", b"65535", b"999999999", b"4294967296", b"00", b"1.5", b"")

Inner = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


class NotPdf(Exception):
    """Nothing of the kind that was to be changed."""


def changed(octets: bytes, dice: random.Random, others: Sequence[bytes], inner: Inner) -> bytes:
    """Return the file with one thing changed; `inner` changes a signature in it.

    Raises NotPdf.
    """
    match dice.randrange(9):
        case 0 | 1:
            return _signature(octets, dice, others, inner)
        case 2:
            found = _one(_RANGE, octets, dice)
            numbers = found[1].split()
            numbers[dice.randrange(len(numbers))] = dice.choice((*_NUMBERS, *numbers))
            return _put(octets, found, 1, b" ".join(numbers), dice)
        case 3 | 4:
            return _update(octets, dice, others)
        case 5:
            found = _one(_OBJECT, octets, dice)
            return _put(octets, found, 0, dice.choice((b"", found[0] * 2)), dice)
        case 6:
            found, other = _one(_NAME, octets, dice), _one(_NAME, octets, dice)
            return _put(octets, found, 0, other[0], dice)
        case 7:
            found = _one(_NUMBER, octets, dice)
            return _put(octets, found, 0, dice.choice((*_NUMBERS, b"%d" % len(octets))), dice)
        case _:
            found = _one(_START, octets, dice)
            tail = octets[found.end() :]
            return dice.choice((octets[: found.end()], octets + tail, octets + found[0]))


def _one(what: re.Pattern[bytes], octets: bytes, dice: random.Random) -> re.Match[bytes]:
    found = list(what.finditer(octets))
    if not found:
        raise NotPdf
    return dice.choice(found)


def _put(
    octets: bytes, found: re.Match[bytes], group: int, new: bytes, dice: random.Random
) -> bytes:
    """Put `new` in the place of a group, half the time with every later place kept."""
    if dice.random() < 0.5:
        new = new.ljust(len(found[group]))
    return octets[: found.start(group)] + new + octets[found.end(group) :]


def _signature(octets: bytes, dice: random.Random, others: Sequence[bytes], inner: Inner) -> bytes:
    found = _one(_CONTENTS, octets, dice)
    written = found[1].rstrip(b"0")
    held = bytes.fromhex((written + b"0" * (len(written) % 2)).decode())
    new = inner(held, dice, others).hex().encode()
    return _put(octets, found, 1, new.ljust(len(found[1]), b"0"), dice)


def _update(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Write an object anew behind the file, with the body of another or changed."""
    starts = _START.findall(octets)
    if not starts:
        raise NotPdf
    number = _one(_OBJECT, octets, dice)[1]
    body = _one(_OBJECT, octets, dice)[2]
    if dice.random() < 0.5:
        body = bare.changed(body, dice, others)
    written = b"%s 0 obj%sendobj\n" % (number, body)
    table = b"xref\n%s 1\n%010d 00000 n \n" % (number, len(octets))
    trailer = b"trailer\n<< /Size 99 /Root 1 0 R /Prev %s >>\n" % dice.choice(starts)
    start = len(octets) + len(written)
    return octets + written + table + trailer + b"startxref\n%d\n%%%%EOF\n" % start
