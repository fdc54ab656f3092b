"""Attacks on time and memory by PDF files: bombs, rings, ways without number.

Source: ISO 32000-2, clauses 7.5.4 to 7.5.8 and 7.4 (filters).
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable

import pytest

from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from tests.unit.signatures.pdf_made import (
    CATALOGUE,
    FONT,
    PAGE,
    PAGES,
    RESULT,
    appended,
    built,
    checked,
    last_startxref,
    objects,
    pdf_signed,
    said,
    stream,
    whole,
)

PASSED, UNDECIDED = Indication.TOTAL_PASSED, Indication.INDETERMINATE

SECONDS = 5.0
"""Of processor time; nothing here takes two on a machine that does nothing else."""


@pytest.fixture(scope="module")
def good(pki: Pki) -> bytes:
    """The nearest good neighbour of everything here."""
    file = pdf_signed(pki, "rsa-doctor")
    assert checked(file)[0].indication is PASSED
    return file


def timed(file: bytes) -> tuple[CheckedSignature, ...]:
    started = time.process_time()
    found = checked(file)
    assert time.process_time() - started < SECONDS
    assert not whole(found)
    return found


def rooted(good: bytes, more: bytes, parts: dict[int, bytes]) -> bytes:
    """Return an update whose catalogue has `more`, and these objects."""
    return appended(good, {CATALOGUE: b"<< /Type /Catalog /Pages 2 0 R %s >>" % more, **parts})


def deep(good: bytes) -> bytes:
    return rooted(good, b"/AcroForm 90 0 R", {90: b"[" * 50_000 + b"]" * 50_000})


def many_objects(good: bytes) -> bytes:
    numbers = range(91, 40_000)
    all_of_them = b" ".join(b"%d 0 R" % number for number in numbers)
    parts = {90: b"<< /Fields [%s] >>" % all_of_them, **dict.fromkeys(numbers, b"<< >>")}
    return rooted(good, b"/AcroForm 90 0 R", parts)


def many_paths(pki: Pki) -> bytes:
    """Forty arrays, each twice in the one before it: 2^40 ways to the last."""
    parts = objects()
    for number in range(10, 50):
        parts[number] = b"[%d 0 R %d 0 R]" % (number + 1, number + 1)
    parts[50] = b"[]"
    parts[CATALOGUE] = b"<< /Type /Catalog /Pages 2 0 R /Names 10 0 R >>"
    return pdf_signed(pki, "rsa-doctor", built(parts))


def bomb(good: bytes) -> bytes:
    octets = zlib.compress(b"90 0 " + b"0 " * 30_000_000, 9)
    body = stream(octets, b"/Type /ObjStm /N 1 /First 5 /Filter /FlateDecode ")
    table = zlib.compress(bytes([2, 0, 91, 0]))
    file = rooted(good, b"/AcroForm 90 0 R", {91: body})
    start = len(file)
    entries = (
        b"/Type /XRef /Size 93 /W [1 2 1] /Index [90 1] /Root 1 0 R /Prev %d /Filter /FlateDecode "
    )
    head = b"92 0 obj\n" + stream(table, entries % last_startxref(file)) + b"\nendobj\n"
    return file + head + b"startxref\n%d\n%%%%EOF\n" % start


def loop(good: bytes) -> bytes:
    file = appended(good, {90: b"<< >>"})
    return file.replace(b"/Prev %d" % last_startxref(good), b"/Prev %d" % last_startxref(file))


def revisions(good: bytes) -> bytes:
    for number in range(100):
        good = appended(good, {200 + number: b"<< >>"})
    return good


def fields_in_a_ring(good: bytes) -> bytes:
    ring = b"<< /FT /Sig /T (a) /Kids [90 0 R 90 0 R] >>"
    return rooted(good, b"/AcroForm << /Fields [90 0 R] >>", {90: ring})


def pages_in_a_ring(good: bytes) -> bytes:
    return appended(good, {PAGES: b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 >>"})


@pytest.mark.parametrize(
    "build",
    [many_objects, loop, revisions, fields_in_a_ring, pages_in_a_ring],
    ids=lambda build: build.__name__,
)
def test_a_file_that_asks_for_much_gets_little(
    good: bytes, build: Callable[[bytes], bytes]
) -> None:
    timed(build(good))


def tabled(good: bytes, entries: bytes, table: bytes) -> bytes:
    """Return an update whose cross-reference is a stream that says `entries` of itself."""
    head = b"/Type /XRef /Root 1 0 R /Prev %d %s " % (last_startxref(good), entries)
    body = b"9 0 obj\n%s\nendobj\n" % stream(table, head)
    return good + body + b"startxref\n%d\n%%%%EOF\n" % len(good)


def entries_packed(good: bytes) -> bytes:
    table = zlib.compress(bytes(2 * 10_000_000), 9)
    return tabled(good, b"/Size 10000000 /W [1 1 0] /Filter /FlateDecode", table)


def entries_without_width(good: bytes) -> bytes:
    return tabled(good, b"/Size 9 /Index [0 1000000000] /W [0 0 0]", b"")


def entries_taken_back(good: bytes) -> bytes:
    """Sections of a billion entries and of a billion less than none."""
    sections = b"/Size 9 /Index [0 1000000000 1000000000 -1000000000] /W [0 0 0]"
    return tabled(good, sections, b"")


def held(good: bytes, entries: bytes, octets: bytes, first: int = 5) -> bytes:
    """Return an update whose form stands in an object stream that is read as `entries` say."""
    body = stream(octets, b"/Type /ObjStm /N 1 /First %d %s" % (first, entries))
    file = rooted(good, b"/AcroForm 90 0 R", {91: body})
    start = len(file)
    about = b"/Type /XRef /Size 93 /W [1 2 1] /Index [90 1] /Root 1 0 R /Prev %d "
    table = stream(bytes([2, 0, 91, 0]), about % last_startxref(file))
    return file + b"92 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, start)


def predicted(good: bytes) -> bytes:
    rows = b"".join(b"\0" + b"%c" % one for one in b"90 0 << >>")
    about = b"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 1 >> "
    return held(good, about, zlib.compress(rows + bytes(3_300_000)))


def based_on_85(good: bytes) -> bytes:
    return held(
        good, b"/Filter [/FlateDecode /ASCII85Decode] ", zlib.compress(b"z" * 800_000 + b"~>")
    )


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (deep, "too deep"),
        (bomb, "compressed beyond"),
        (entries_packed, "more work"),
        (entries_without_width, "more work"),
        (entries_taken_back, "broken cross-reference"),
        (predicted, "not readable"),
        (based_on_85, "not readable"),
    ],
)
def test_a_bomb_does_not_go_off(good: bytes, build: Callable[[bytes], bytes], why: str) -> None:
    (one,) = timed(build(good))
    assert one.indication is UNDECIDED
    assert why in said(one)


def test_an_index_longer_than_its_objects_is_not_read(good: bytes) -> None:
    octets = b"90 0 " + b"0 " * 1_600_000
    about = b"/Filter /FlateDecode "
    (one,) = timed(held(good, about, zlib.compress(octets), first=len(octets)))
    assert one.indication is UNDECIDED


def test_ways_without_number_are_not_walked(pki: Pki) -> None:
    file = many_paths(pki)
    assert checked(file)[0].indication is PASSED
    (one,) = timed(appended(file, {90: b"<< >>"}))
    assert "more work" in said(one)


def test_an_honest_report_of_many_pages_is_read(pki: Pki) -> None:
    parts = objects()
    numbers = range(10, 1210, 3)
    for number in numbers:
        parts[number] = parts[PAGE].replace(b"4 0 R", b"%d 0 R" % (number + 1))
        parts[number + 1] = stream(RESULT * 50)
        parts[number + 2] = parts[FONT]
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    parts[PAGES] = b"<< /Type /Pages /Kids [3 0 R %s] /Count %d >>" % (kids, len(numbers) + 1)
    file = pdf_signed(pki, "rsa-doctor", built(parts))
    started = time.process_time()
    first, second = checked(pdf_signed(pki, "ecdsa-doctor", file))
    assert (first.indication, second.indication) == (PASSED, PASSED), said(first)
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("step", range(40))
def test_cut_anywhere_it_never_passes(good: bytes, step: int) -> None:
    timed(good[: len(good) * step // 40])


@pytest.mark.parametrize("seed", range(120))
def test_mutated_it_passes_only_with_what_was_signed(good: bytes, seed: int) -> None:
    """Octets changed, cut out and doubled at places drawn from a seed: no crash, no hang."""
    draw = random.Random(seed)
    (signed,) = checked(good)[0].covered
    file = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place, length = draw.randrange(len(file)), draw.randrange(1, 40)
        kind = draw.randrange(3)
        if kind == 0:
            file[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del file[place : place + length]
        else:
            file[place:place] = file[place : place + length]
    started = time.process_time()
    found = checked(bytes(file))
    assert time.process_time() - started < SECONDS
    for one in found:
        if one.indication is PASSED:
            assert [covered.octets for covered in one.covered] == [signed.octets]
