"""The ways in which tools lay out one and the same JSON: white space alone, never a value.

Source: RFC 8259, clause 2 (white space is insignificant around the structural characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# A string without an end reaches to the end of the file, so that the search stays linear.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_OPENING, _CLOSING = (b"{", b"["), (b"}", b"]")
_INDENTS = (b"  ", b"    ", b"\t")
_GROWTH_MAX = 2
"""Octets of indents for each of a document; only one made to hurt has more."""


def layouts(octets: bytes) -> Iterator[bytes]:
    """Yield `octets` as the usual writers lay them out; nothing for what is no JSON."""
    if octets[:64].lstrip()[:1] not in _OPENING:
        return
    tokens = _TOKENS.findall(octets)
    yield b"".join(tokens)
    yield b"".join({b",": b", ", b":": b": "}.get(token, token) for token in tokens)
    for indent in _INDENTS:
        written = _indented(tokens, indent, _GROWTH_MAX * len(octets))
        yield from (written, written + b"\n", written.replace(b"\n", b"\r\n"))


def _indented(tokens: Sequence[bytes], indent: bytes, size_max: int) -> bytes:
    """Return the tokens with each member and element on a line of its own, cut at a size."""
    depth, size, before, written = 0, 0, b"", list[bytes]()
    for token in tokens:
        if size > size_max:
            break
        opened, closes = before in _OPENING, token in _CLOSING
        depth -= closes
        if before == b"," or opened is not closes:
            written.append(b"\n" + indent * depth)
            size += len(written[-1])
        depth += token in _OPENING
        written.append(b": " if token == b":" else token)
        before = token
    return b"".join(written)
