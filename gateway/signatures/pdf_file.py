"""PDF files read within bounds: structure, revisions, signature dictionaries.

pyHanko reads; it opens no connection here and judges nothing.  Strangers write these files, so
the work it may do on one is counted wherever it asks for octets or objects, and what is not
written by the standard's letter is not guessed at.

Source: ISO 32000-2, clauses 7.5 (file structure, incremental updates), 12.7.5.5 (signature
fields) and 12.8.1 (signature dictionaries).
"""

from __future__ import annotations

import io
import logging
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic, misc, xref
from pyhanko.pdf_utils.decode_limits import (
    DEFAULT_PURPOSE_LIMITS,
    DecodeContext,
    DecodeLimits,
    DecodePurpose,
    DocumentDecodeBudget,
    StreamDecodeLimits,
)
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef
from pyhanko.sign.fields import enumerate_sig_fields

from gateway.signatures.findings import (
    FORMAT_FAILURE,
    MALFORMED,
    SIG_CONSTRAINTS_FAILURE,
    Flaw,
    failed,
    undecided,
)

BYTES_MAX = 32 * 1024 * 1024
REVISIONS_MAX = 64
SIGNATURES_MAX = 32
WORK_MAX = 800_000
"""Steps of one file, a microsecond or two each; a thousand pages signed twice take 540,000."""

LOOK = 8
"""Steps that one look at an object costs at least."""

ENTRY = 4
"""Steps that one entry of a cross-reference stream costs, declared or there."""

TIME_STAMP = "/ETSI.RFC3161"
FLATE = ("/FlateDecode", "/Fl", ["/FlateDecode"], ["/Fl"])

OBJECT_STREAMS_MAX = 256
DECODED_BYTES_MAX = 32 * 1024 * 1024
"""What all compressed streams of one file may grow to."""

_METADATA = StreamDecodeLimits(max_ratio=20, ratio_floor=64 * 1024, max_output_size=1024 * 1024)
"""Metadata are the one thing that is decoded however they are encoded."""

UNREADABLE = (
    *MALFORMED,
    misc.PdfError,
    AssertionError,
    NotImplementedError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What pyHanko raises for a file that is not what it should be."""

# It quotes what it reads, and that may be a patient's.
logging.getLogger("pyhanko").setLevel(logging.CRITICAL + 1)


class TooMuch(Exception):
    """A file asks for more work than any honest one."""


class Work:
    """The steps that are left for one file."""

    def __init__(self, steps: int = WORK_MAX) -> None:
        self.left = steps

    def take(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuch


@dataclass(frozen=True, kw_only=True)
class Field:
    """A signature field with a value."""

    name: str
    """As the file writes it: for comparing, never for logs."""

    reference: Any
    """Of the field."""

    value: Any
    """The signature dictionary as it stands at the end."""

    value_reference: Any


@contextmanager
def reading(check: str, detail: str) -> Iterator[None]:
    """Turn what cannot be read, or only with too much work, into the flaw that says so."""
    try:
        yield
    except TooMuch as error:
        raise _undecided(check, "more work than any honest file") from error
    except misc.PdfDecodeLimitError as error:
        raise _undecided(check, "compressed beyond measure") from error
    except RecursionError as error:
        raise _undecided(check, "nested too deep") from error
    except UNREADABLE as error:
        raise _undecided(check, detail) from error


def opened(octets: bytes) -> Reader:
    """Return a reader of `octets`, or raise the flaw that names why it cannot be read here."""
    if len(octets) > BYTES_MAX:
        raise _undecided("format", f"more than {BYTES_MAX >> 20} MiB")
    if octets[:5] != b"%PDF-":
        raise _undecided("format", "octets before the header")
    with reading("format", "broken cross-reference or structure"):
        reader = Reader(octets)
        if reader.total_revisions > REVISIONS_MAX:
            raise _undecided("format", f"more than {REVISIONS_MAX} revisions")
        if reader.xrefs.hybrid_xrefs_present:
            raise _undecided("format", "hybrid-reference file: two readers see two documents")
        if "/Encrypt" in reader.trailer:
            raise _undecided("format", "encrypted")
        assert isinstance(reader.root["/Pages"], generic.DictionaryObject)
    return reader


def fields(reader: Reader) -> list[Field]:
    """Return the signature fields with a value, each value once, in no order."""
    found: dict[tuple[int, int], Field] = {}
    with reading("format", "form fields not readable"):
        for name, _, reference in enumerate_sig_fields(reader, filled_status=True):
            written = reference.get_object().raw_get("/V")
            if not isinstance(written, generic.IndirectObject):
                raise _undecided("format", "a signature that is no object of its own")
            value = written.get_object()  # type: ignore[no-untyped-call]
            if not isinstance(value, generic.DictionaryObject):
                raise failed("format", FORMAT_FAILURE, "a signature that is no dictionary")
            one = Field(
                name=name,
                reference=reference.reference,
                value=value,
                value_reference=written.reference,
            )
            found.setdefault((written.idnum, written.generation), one)
            if len(found) > SIGNATURES_MAX:
                raise _undecided("format", f"more than {SIGNATURES_MAX} signatures")
    return list(found.values())


class _Counted(io.BytesIO):
    """Octets whose readings are counted."""

    def __init__(self, octets: bytes, work: Work) -> None:
        super().__init__(octets)
        self.work = work

    def read(self, size: int | None = -1) -> bytes:
        octets = super().read(size)
        self.work.take(1 + len(octets) // 256)
        return octets


class _OneBudget(DecodeContext):
    """One allowance for all revisions; pyHanko's own gives each revision another."""

    def fresh(self) -> _OneBudget:
        return self


class Resolver(HistoricalResolver):
    """One revision of a file; each look at an object costs what there is to look at.

    And how deep the look is: pyHanko tells the ways to an object apart by all their steps.
    """

    reader: Reader

    def __init__(self, reader: Reader, revision: int) -> None:
        self._sizes: dict[Any, int] = {}
        super().__init__(reader, revision)

    def get_object(self, ref: Any, as_metadata_stream: bool = False) -> Any:
        found = super().get_object(ref, as_metadata_stream)
        if ref not in self._sizes:
            self._sizes[ref] = _size(found)
        self.reader.work.take(LOOK + self._sizes[ref] + _depth())
        return found


class Reader(PdfFileReader):
    """A PDF file, with the work on it counted."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.work = Work()
        per_stream = StreamDecodeLimits(max_output_size=DECODED_BYTES_MAX)
        budget = DocumentDecodeBudget(base_allowance=DECODED_BYTES_MAX, max_ratio=0)
        purposes = {**DEFAULT_PURPOSE_LIMITS, DecodePurpose.XMP_METADATA: _METADATA}
        limits = DecodeLimits(per_stream=per_stream, per_purpose=purposes, document_budget=budget)
        self._budget = _OneBudget(limits, input_size=len(octets))
        self._object_streams: dict[int, tuple[bytes, list[tuple[int, int]]]] = {}
        super().__init__(_Counted(octets, self.work), strict=True, decode_limits=limits)

    @property
    def decode_context(self) -> DecodeContext:
        return self._budget

    def get_historical_resolver(self, revision: int) -> Resolver:
        cache = self._historical_resolver_cache
        if revision not in cache:
            cache[revision] = Resolver(self, revision)
        found = cache[revision]
        assert isinstance(found, Resolver)
        return found

    def get_object(self, ref: Any, *arguments: Any, **named: Any) -> Any:
        self.work.take(LOOK)
        return super().get_object(ref, *arguments, **named)  # type: ignore[no-untyped-call]

    def _get_object_from_stream(self, idnum: int, stmnum: int, idx: int) -> Any:
        """Read an object out of an object stream that is decoded and indexed only once."""
        if stmnum not in self._object_streams:
            self._object_streams[stmnum] = self._object_stream(stmnum)
        octets, index = self._object_streams[stmnum]
        if not 0 <= idx < len(index) or index[idx][0] != idnum:
            raise misc.PdfStrictReadError("Object is not where the cross-reference has it.")
        source = _Counted(octets, self.work)
        source.seek(index[idx][1])
        found = generic.read_object(source, generic.Reference(idnum, 0, self))
        if isinstance(found, (generic.StreamObject, generic.IndirectObject)):
            raise misc.PdfStrictReadError("Forbidden kind of object in an object stream.")
        return found

    def _object_stream(self, stmnum: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Return the decoded octets and where each object begins, with its number."""
        if len(self._object_streams) >= OBJECT_STREAMS_MAX:
            raise TooMuch
        stream = self.get_object(generic.Reference(stmnum, 0, self))
        octets = decoded(stream, DecodePurpose.OBJECT_STREAM)
        assert stream["/Type"] == "/ObjStm"
        first, count = int(stream["/First"]), int(stream["/N"])
        self.work.take(len(octets) // 64 + max(0, count))
        numbers = [int(one) for one in octets[:first].split(maxsplit=2 * max(0, count))]
        if len(numbers) != 2 * count:
            raise misc.PdfStrictReadError("The index of an object stream is broken.")
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return octets, [(number, first + offset) for number, offset in pairs]


def decoded(stream: Any, purpose: DecodePurpose) -> bytes:
    """Return the octets of a stream that is written plainly or as FlateDecode and no more.

    Whatever else there is (predictors, base 85) the library undoes octet by octet.
    """
    assert isinstance(stream, generic.StreamObject)
    named, parameters = entry(stream, "/Filter", FLATE[0]), entry(stream, "/DecodeParms")
    if named not in FLATE or isinstance(parameters, (list, dict)):
        raise misc.PdfStrictReadError("A stream encoded as none of its kind needs to be.")
    return bytes(stream.read_data(purpose))


_read_entries = xref.parse_xref_stream


def _weighed(xref_stream: generic.StreamObject, strict: bool = True) -> Iterator[xref.XRefEntry]:
    """Read a cross-reference stream once its entries are paid for.

    pyHanko believes their number: entries without width need not even be there.
    """
    handler = xref_stream.get_container_ref().get_pdf_handler()  # type: ignore[no-untyped-call]
    if isinstance(handler, Reader):
        widths = [int(one) for one in xref_stream["/W"]]
        sections = [int(one) for one in xref_stream.get("/Index", (0, xref_stream["/Size"]))]
        if len(widths) != 3 or min(widths + sections) < 0:
            raise misc.PdfStrictReadError("Numbers of a cross-reference stream are none.")
        handler.work.take(ENTRY * sum(sections[1::2]))
    return _read_entries(xref_stream, strict)


# The library has no other place to ask before it reads.
xref.parse_xref_stream = _weighed


def entry(dictionary: Any, key: str, default: Any = None) -> Any:
    """Return an entry of a dictionary, followed where it is a reference."""
    try:
        return dictionary[key]
    except KeyError:
        return default


def is_stamp(value: Any) -> bool:
    """Say whether the value of a signature field is a document time stamp: nobody's signature."""
    return isinstance(value, dict) and entry(value, "/SubFilter") == TIME_STAMP


def offset_of(reader: Reader, reference: Any) -> int | None:
    """Return where an object stands in the file; None for one in an object stream."""
    place = reader.xrefs[reference]
    return None if isinstance(place, ObjStreamRef) or place is None else int(place)


def _depth() -> int:
    """Return how many calls deep the caller is."""
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _size(found: Any) -> int:
    """Return how many nodes an object has, those it refers to left out."""
    if isinstance(found, generic.DictionaryObject):
        return 1 + sum(map(_size, found.values()))
    if isinstance(found, generic.ArrayObject):
        return 1 + sum(map(_size, found))
    return 1


def _undecided(check: str, detail: str) -> Flaw:
    return undecided(check, SIG_CONSTRAINTS_FAILURE, detail)
