"""The Merkle tree of the log, over whatever keeps its hashes.

Source: RFC 6962, section 2.1 (hashes, audit paths); the reading of paths follows RFC 9162,
section 2.1.3.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

STEP = 4
"""Hashes are kept for subtrees of 16**n leaves: level 0, 4, 8, …"""

Hashes = Callable[[int, int], bytes | None]
"""The hash kept at (level, position), or None where the subtree is not complete."""

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(octets: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtree(hashes: Hashes, low: int, high: int) -> bytes:
    """Return the root over leaves `low` to `high` (exclusive); `low` is aligned to its size."""
    size = high - low
    if size == 0:
        return EMPTY
    level = size.bit_length() - 1
    if size == 1 << level and level % STEP == 0:
        kept = hashes(level, low >> level)
        if kept is not None:
            return kept
    assert size > 1, low
    split = low + _split(size)
    return node_hash(subtree(hashes, low, split), subtree(hashes, split, high))


def path(hashes: Hashes, index: int, size: int) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of the first `size` leaves."""
    low, high, nodes = 0, size, []
    while high - low > 1:
        split = low + _split(high - low)
        if index < split:
            nodes.append(subtree(hashes, split, high))
            high = split
        else:
            nodes.append(subtree(hashes, low, split))
            low = split
    return nodes[::-1]


def root_from_path(leaf: bytes, index: int, size: int, nodes: Sequence[bytes]) -> bytes | None:
    """Return the root that `leaf` and its audit path lead to, or None for a misfit path."""
    if not 0 <= index < size:
        return None
    place, last, root = index, size - 1, leaf
    for node in nodes:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node_hash(node, root)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            root = node_hash(root, node)
        place >>= 1
        last >>= 1
    return root if last == 0 else None


class Growing:
    """A tree that only grows; knows its root at every size it passes."""

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        level, node = 0, leaf
        while self._complete and self._complete[-1][0] == level:
            node = node_hash(self._complete.pop()[1], node)
            level += 1
        self._complete.append((level, node))
        self.size += 1

    def root(self) -> bytes:
        if not self._complete:
            return EMPTY
        nodes = [node for _, node in self._complete]
        root = nodes.pop()
        while nodes:
            root = node_hash(nodes.pop(), root)
        return root


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
