"""Changes of bare octets: flips, cuts, splices, doublings and tokens that parsers trip over."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

NASTY = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\r\n\r\n", b"--frame", b'"',
    b"'", b"%00", b"%", b"../", b"{", b"[" * 2000, b"<" * 50, b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"1e999999999", b"-0", b"NaN", b"\xd9\xa3", b"A" * 9000, b"0" * 300, b"null", b"\\u0000",
    b"\\ud800", b"$", b"|", b",", b";", b"=", b"*", b"\x1f\x8b", b"0\x80", b"0\x84\xff\xff\xff\xff",
    b"MSH|^~\\&|", b"%PDF-1.7", b"-----BEGIN CMS-----", b"\xe2\x80\xae", b"\x7f", b"<!--x-->",
    b"<x/>", b"&#65;", b" ", b"\x80", b"<?p?>", b"<![CDATA[", b"]]>", b"\x00\x00", b"0" * 4400,
)  # fmt: skip
RANGE_MAX = 64
"""Octets of one cut or doubling, but for one in ten, which may be as long as the input."""

NOISE_MAX = 400

Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def changed(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Return `octets` with one thing changed; `others` lend what is spliced in."""
    return dice.choice(_CHANGES)(octets, dice, others)


def _range(octets: bytes, dice: random.Random) -> tuple[int, int]:
    start = dice.randint(0, len(octets))
    longest = len(octets) if dice.random() < 0.1 else RANGE_MAX
    return start, min(len(octets), start + dice.randint(1, max(1, longest)))


def _flip(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    if not octets:
        return b"\x01"
    made = bytearray(octets)
    made[dice.randrange(len(made))] ^= 1 << dice.randrange(8)
    return bytes(made)


def _set(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    if not octets:
        return b"\xff"
    made = bytearray(octets)
    made[dice.randrange(len(made))] = dice.choice((0x00, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(made)


def _cut(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _range(octets, dice)
    return octets[:start] + octets[end:]


def _tail(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    return octets[: dice.randint(0, len(octets))]


def _twice(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _range(octets, dice)
    return octets[:end] + octets[start:]


def _insert(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    at = dice.randint(0, len(octets))
    return octets[:at] + dice.choice((dice.choice(NASTY), dice.randbytes(4))) + octets[at:]


def _over(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _range(octets, dice)
    return octets[:start] + dice.choice((dice.choice(NASTY), dice.randbytes(8))) + octets[end:]


def _move(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _range(octets, dice)
    rest = octets[:start] + octets[end:]
    at = dice.randint(0, len(rest))
    return rest[:at] + octets[start:end] + rest[at:]


def _splice(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Put a piece of another input in, half the time where it stood there."""
    other = dice.choice(others) if others else octets
    start, end = _range(other, dice)
    at = min(start, len(octets)) if dice.random() < 0.5 else dice.randint(0, len(octets))
    return octets[:at] + other[start:end] + octets[at + end - start :]


def _noise(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    return dice.randbytes(dice.randint(0, NOISE_MAX))


# What hits one octet is what comes nearest to passing, so it is tried most.
_CHANGES: tuple[Change, ...] = (
    *[_flip] * 5, *[_set] * 3, *[_cut] * 2, _tail, *[_twice] * 2, *[_insert] * 2, *[_over] * 2,
    _move, *[_splice] * 2, _noise,
)  # fmt: skip
