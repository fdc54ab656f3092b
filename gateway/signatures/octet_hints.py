"""What was done to a file after it was signed: told to people, never counted for a verdict.

A digest that does not match says only that.  Most of the time nobody forged anything: an
editor indented the file or put a mark before it, a mail server changed its line ends.  Each
guess here is tried; a hint is given only when it makes the numbers match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from gateway.signatures.json_layouts import layouts

OCTETS_MAX = 100_000
"""Larger content is not guessed about: every guess digests it once more."""

_BETWEEN = re.compile(rb">[ \t\r\n]+<")
_BOM = b"\xef\xbb\xbf"
_MISREAD = ("windows-1251", "windows-1252", "koi8-r", "utf-16")

_REFORMATTED = "reformatted after signing: matches without white space between elements"
_TRIMMED = "reformatted after signing: matches without white space around text"
_LAID_OUT = "reformatted after signing: matches in another layout of the JSON"
_LINE_ENDS = "line ends changed after signing"
_MARK = "byte order mark added or dropped after signing"
_ENCODING = "written in another encoding after signing"


def of_octets(octets: bytes, matches: Callable[[bytes], bool]) -> str | None:
    """Return the hint under which `octets` would match, or None."""
    if len(octets) > OCTETS_MAX:
        return None
    for hint, changed in _changed(octets):
        if changed != octets and matches(changed):
            return hint
    return None


def _changed(octets: bytes) -> Iterator[tuple[str, bytes]]:
    packed = _BETWEEN.sub(b"><", octets)
    yield _REFORMATTED, packed
    yield _TRIMMED, re.sub(rb">[ \t\r\n]+", b">", re.sub(rb"[ \t\r\n]+<", b"<", packed))
    for line_end in (b"&#xD;\n", b"&#xD;", b"\r\n"):
        yield _LINE_ENDS, octets.replace(line_end, b"\n" if line_end[-1:] == b"\n" else b"")
    yield _LINE_ENDS, octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield _LINE_ENDS, octets.replace(b"\n", b"&#xD;\n")
    yield _LINE_ENDS, octets.rstrip(b"\r\n")
    yield _LINE_ENDS, octets + b"\n"
    yield _MARK, octets.removeprefix(_BOM)
    yield _MARK, _BOM + octets
    for encoding in _MISREAD:
        for there, back in (("utf-8", encoding), (encoding, "utf-8")):
            try:
                yield _ENCODING, octets.decode(there).encode(back)
            except UnicodeError:
                continue
    for laid_out in layouts(octets):
        yield _LAID_OUT, laid_out
