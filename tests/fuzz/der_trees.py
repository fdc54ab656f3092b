"""Changes of DER and BER by structure: elements moved, doubled, grafted, lengths that lie.

Source: ITU-T X.690, clause 8.1.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.fuzz import octets as bare

CONSTRUCTED = 0x20
DEPTH_MAX = 40
TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x13, 0x16, 0x17, 0x18, 0x1E, 0x24, 0x30,
        0x31, 0x80, 0x81, 0xA0, 0xA1, 0xA2, 0xA3, 0x1F, 0x00)  # fmt: skip
_STRINGS = {0x04: b"", 0x03: b"\x00"}
"""Strings that may hold DER, and what stands before it there."""


class NotDer(Exception):
    """Not one element from first octet to last."""


@dataclass
class Element:
    """One element; a lie about its length is written as it stands."""

    tag: int
    contents: bytes = b""
    children: list[Element] = field(default_factory=list)
    before: bytes = b""
    """What a string has before the elements inside it."""

    indefinite: bool = False
    lie: bytes | None = None

    def written(self) -> bytes:
        inner = self.before + (
            b"".join(child.written() for child in self.children) or self.contents
        )
        if self.indefinite:
            return bytes([self.tag, 0x80]) + inner + b"\x00\x00"
        return bytes([self.tag]) + (_length(len(inner)) if self.lie is None else self.lie) + inner

    def below(self) -> Iterator[tuple[Element, int]]:
        """Yield every (parent, place) in this element."""
        for place, child in enumerate(self.children):
            yield self, place
            yield from child.below()


def read(octets: bytes) -> Element:
    """Return the element in `octets`.  Raises NotDer."""
    element, end = _read(octets, 0, len(octets), 0)
    if end != len(octets):
        raise NotDer
    return element


def chunked(octets: bytes) -> bytes:
    """Return DER rewritten with indefinite lengths outside the strings that are digested."""
    root = read(octets)
    for element in (root, root.children[1], root.children[1].children[0]):
        element.indefinite = True
    return root.written()


def changed(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Return one element with something in it changed.  Raises NotDer."""
    root = read(octets)
    places = list(root.below())
    if not places:
        raise NotDer
    parent, place = dice.choice(places)
    siblings, target = parent.children, parent.children[place]
    match dice.randrange(11):
        case 0:
            del siblings[place]
        case 1:
            siblings.insert(dice.randint(0, len(siblings)), copy.deepcopy(target))
        case 2:
            other = dice.randrange(len(siblings))
            siblings[place], siblings[other] = siblings[other], siblings[place]
        case 3:
            holder, _ = dice.choice(places)
            moved = copy.deepcopy(siblings.pop(place))
            holder.children.insert(dice.randint(0, len(holder.children)), moved)
        case 4:
            siblings[place] = _grafted(dice, others, target, places)
        case 5:
            target.tag = dice.choice((dice.choice(TAGS), target.tag ^ 1 << dice.randrange(8)))
        case 6 | 7:
            _leaf(places, dice, others)
        case 8:
            target.lie = _lie(len(target.written()), dice)
        case 9:
            target.indefinite = True
        case _:
            for _ in range(dice.choice((1, 1, 2, DEPTH_MAX, 5000))):
                siblings[place] = Element(tag=0x30, contents=siblings[place].written())
    return root.written()


def _leaf(
    places: Sequence[tuple[Element, int]], dice: random.Random, others: Sequence[bytes]
) -> None:
    """Change the contents of a leaf, or put those of another of its kind there."""
    leaves = [parent.children[place] for parent, place in places]
    leaves = [leaf for leaf in leaves if not leaf.children] or leaves
    leaf = dice.choice(leaves)
    alike = [one.contents for one in leaves if one.tag == leaf.tag]
    if dice.random() < 0.4:
        leaf.contents = dice.choice(alike)
    else:
        leaf.contents = bare.changed(leaf.contents, dice, others)
    leaf.children = []


def _grafted(
    dice: random.Random,
    others: Sequence[bytes],
    target: Element,
    places: Sequence[tuple[Element, int]],
) -> Element:
    """Return an element of another file or of this one, of the same tag where there is one."""
    try:
        found = [parent.children[place] for parent, place in read(dice.choice(others)).below()]
    except (NotDer, IndexError):
        found = []
    found = found or [parent.children[place] for parent, place in places]
    alike = [one for one in found if one.tag == target.tag]
    return copy.deepcopy(dice.choice(alike or found))


def _lie(size: int, dice: random.Random) -> bytes:
    return dice.choice(
        (
            b"\x82" + (size & 0xFFFF).to_bytes(2, "big"),
            b"\x84" + size.to_bytes(4, "big"),
            b"\x84\xff\xff\xff\xff",
            b"\x88" + b"\x7f" * 8,
            b"\x80",
            b"\xff",
            b"\x00",
            _length(max(0, size - 3)),
            _length(size + 1),
        )
    )


def _read(octets: bytes, start: int, limit: int, depth: int) -> tuple[Element, int]:
    if start + 2 > limit or depth > DEPTH_MAX:
        raise NotDer
    tag, size, position = octets[start], octets[start + 1], start + 2
    if size == 0x80:
        element = Element(tag=tag, indefinite=True)
        while octets[position : position + 2] != b"\x00\x00":
            child, position = _read(octets, position, limit, depth + 1)
            element.children.append(child)
        return element, position + 2
    if size > 0x80:
        count = size & 0x7F
        size, position = (
            int.from_bytes(octets[position : position + count], "big"),
            position + count,
        )
    end = position + size
    if end > limit:
        raise NotDer
    element = Element(tag=tag, contents=octets[position:end])
    if tag & CONSTRUCTED:
        element.children = _children(octets, position, end, depth)
    elif tag in _STRINGS and octets[position:end].startswith(_STRINGS[tag] + b"\x30"):
        before = _STRINGS[tag]
        try:
            element.children = _children(octets, position + len(before), end, depth)
            element.before = before
        except NotDer:
            element.before = b""
    return element, end


def _children(octets: bytes, position: int, end: int, depth: int) -> list[Element]:
    found = []
    while position < end:
        child, position = _read(octets, position, end, depth + 1)
        found.append(child)
    return found


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(written)]) + written
