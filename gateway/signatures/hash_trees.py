"""Hash trees, by which one time stamp proves that many things existed.

A leaf is a group of digests (a document and its signatures); it may have something of its own
beside it before the tree begins.  What one leaf needs to be led to the root is a list of lists
of digests: the digest of each list stands, unwritten, in the next.

Source: RFC 4998, sections 4.2 (generation) and 4.3 (verification).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Digest = Callable[[bytes], bytes]
Lists = tuple[tuple[bytes, ...], ...]
"""A reduced hash tree: of each level the digests that stand there, in ascending order."""


def node_of(hashes: Iterable[bytes], digest: Digest) -> bytes:
    """Return the father of `hashes`; a single one is its own (section 4.2, step 3)."""
    ordered = sorted(set(hashes))
    assert ordered, "A node has children."
    return ordered[0] if len(ordered) == 1 else digest(b"".join(ordered))


def root_of(lists: Lists, digest: Digest) -> bytes:
    """Return the root that the lists of a reduced tree lead to (section 4.3, step 2)."""
    assert lists, "A tree has a leaf."
    node = node_of(lists[0], digest)
    for level in lists[1:]:
        node = node_of((node, *level), digest)
    return node


def grown(leaves: Sequence[Lists], digest: Digest) -> tuple[bytes, tuple[Lists, ...]]:
    """Return the root over `leaves` and each one's way to it, in their order.

    A leaf is lists as above, mostly one.  Equal leaves stand in the tree once.
    """
    nodes = [root_of(leaf, digest) for leaf in leaves]
    ways: dict[bytes, list[tuple[bytes, ...]]] = {node: [] for node in nodes}
    level = [(node, [node]) for node in sorted(ways)]
    while len(level) > 1:
        # A node without a neighbour goes up as it is.
        above = level[len(level) & ~1 :]
        for (left, of_left), (right, of_right) in zip(level[::2], level[1::2], strict=False):
            for one in of_left:
                ways[one].append((right,))
            for one in of_right:
                ways[one].append((left,))
            above.append((node_of((left, right), digest), of_left + of_right))
        level = above
    ordered = tuple(tuple(tuple(sorted(set(one))) for one in leaf) for leaf in leaves)
    full = zip(ordered, nodes, strict=True)
    return level[0][0], tuple((*leaf, *ways[node]) for leaf, node in full)
