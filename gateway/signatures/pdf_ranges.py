"""What a PDF signature covers: its byte range, held against the octets of the file.

Everything but one gap, and the gap is the signature's own place: whoever may choose more can
put there, or behind it, what nobody signed.

Source: ISO 32000-2, clause 12.8.1 (ByteRange, Contents); ETSI EN 319 142-1, clause 5.1.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic

from gateway.signatures import ber, pdf_file
from gateway.signatures.findings import FORMAT_FAILURE, Flaw, failed
from gateway.signatures.pdf_file import Field, Reader

CONTENTS_BYTES_MAX = 256 * 1024
"""Of a signature, its padding included: time stamps and lists of revoked certificates."""

TAIL_BYTES = 1024

_END = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF[\s\0]*\Z")
_HEX = re.compile(rb"<[0-9A-Fa-f]*>")


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """A byte range that lies in its file: two pieces, one behind the other."""

    start: int
    gap: tuple[int, int]
    end: int


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The part of a file that one signature covers."""

    ranges: Ranges
    octets: bytes
    """Both pieces: exactly what is digested."""

    signature: bytes
    """The CMS file in the signature's place, its padding taken off."""

    revision: int = -1
    """The revision whose dictionary this is, the first being 0; -1 where there is a flaw."""

    whole: bool = False
    """Nothing of the file is left out but the signature's own place."""

    flaw: Flaw | None = None
    """Why these octets are no document, whatever the signature over them is worth."""

    @property
    def reference(self) -> str:
        """The byte range as written."""
        start, (first, second) = self.ranges.start, self.ranges.gap
        return f"[{start} {first - start} {second} {self.ranges.end - second}]"


def extent_of(reader: Reader, field: Field) -> Extent:
    """Return what a signature covers; a range that is not all it should be has its flaw with it.

    Raises FORMAT_FAILURE for no signature, and for numbers that are no range of the file: of
    another count, negative, overlapping or beyond its end.
    """
    ranges = _ranges(field.value, len(reader.octets))
    (first, second), end = ranges.gap, ranges.end
    contents = _contents(field.value)
    octets = reader.octets[ranges.start : first] + reader.octets[second:end]
    signature = _without_padding(contents)
    try:
        _exact(reader.octets, ranges, contents)
        revision = _revision(reader, field, ranges)
    except Flaw as flaw:
        return Extent(ranges=ranges, octets=octets, signature=signature, flaw=flaw)
    whole = end == len(reader.octets)
    return Extent(ranges=ranges, octets=octets, signature=signature, revision=revision, whole=whole)


def startxref_at(octets: bytes, end: int) -> int | None:
    """Return the startxref right before `end`; None when something else stands there."""
    found = _END.search(octets[max(0, end - TAIL_BYTES) : end])
    return int(found[1]) if found else None


def _ranges(dictionary: Any, size: int) -> Ranges:
    try:
        written = dictionary.raw_get("/ByteRange")
    except KeyError as error:
        raise _flaw("missing") from error
    numbers = list(written) if isinstance(written, generic.ArrayObject) else []
    if not numbers or not all(isinstance(one, generic.NumberObject) for one in numbers):
        raise _flaw("not an array of whole numbers")
    if len(numbers) != 4:
        raise _flaw(f"{len(numbers)} numbers, not four: one gap and no other")
    start, length, second, rest = map(int, numbers)
    if min(start, length, second, rest) < 0:
        raise _flaw("a negative number")
    if second < start + length:
        raise _flaw("the ranges overlap")
    if second + rest > size:
        raise _flaw("leaves the file")
    return Ranges(start=start, gap=(start + length, second), end=second + rest)


def _exact(octets: bytes, ranges: Ranges, contents: bytes) -> None:
    """Raise the flaw of a range that leaves out anything but the signature's own place."""
    if ranges.start != 0:
        raise _flaw("does not begin at the start of the file")
    gap = octets[slice(*ranges.gap)]
    if not _HEX.fullmatch(gap) or len(gap) % 2:
        raise _flaw("leaves out more than the signature's own place")
    if binascii.unhexlify(gap[1:-1]) != contents:
        raise _flaw("leaves out another place than the signature's own")


def _contents(dictionary: Any) -> bytes:
    try:
        written = dictionary.raw_get("/Contents")
    except KeyError as error:
        raise failed("format", FORMAT_FAILURE, "no Contents") from error
    if not isinstance(written, (generic.ByteStringObject, generic.TextStringObject)):
        raise failed("format", FORMAT_FAILURE, "Contents is no string of its own")
    contents = bytes(written.original_bytes)
    if not contents.strip(b"\0") or len(contents) > CONTENTS_BYTES_MAX:
        raise failed("format", FORMAT_FAILURE, "Contents is empty or larger than any signature")
    return contents


def _without_padding(contents: bytes) -> bytes:
    try:
        end = ber.measured(contents)
    except ber.NotStrict as error:
        raise failed("format", FORMAT_FAILURE, str(error)) from error
    if contents[end:].strip(b"\0"):
        raise failed("format", FORMAT_FAILURE, "octets behind the signature in its place")
    return contents[:end]


def _revision(reader: Reader, field: Field, ranges: Ranges) -> int:
    """Return the revision of the dictionary: covered as a whole, and the last that is.

    A dictionary written anew after signing would say of the signature what nobody signed.
    """
    xrefs = reader.xrefs
    with pdf_file.reading("byte_range", "revision of the signature not readable"):
        place = pdf_file.offset_of(reader, field.value_reference)
        revision = int(xrefs.get_last_change(field.value_reference))
        ends = [int(xrefs.get_xref_container_info(i).end_location) for i in range(revision + 1)]
        startxref = int(xrefs.get_startxref_for_revision(revision))
    if place is None or not place < ranges.gap[0] or max(ends) > ranges.end:
        raise _flaw("the signature dictionary is not covered itself")
    end = ranges.end
    if end < len(reader.octets) and startxref_at(reader.octets, end) != startxref:
        raise _flaw("ends within a revision")
    return revision


def _flaw(detail: str) -> Flaw:
    return failed("byte_range", FORMAT_FAILURE, detail)
