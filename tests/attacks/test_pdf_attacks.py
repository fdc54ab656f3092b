"""Attacks on PDF signatures, built here: forged ranges, appended updates, shadows.

Each one's nearest good neighbour passes, so that it is the attack that is refused.

Source: Mladenov et al., "1 Trillion Dollar Refund" (CCS 2019: USF, ISA, SWA); Mainka et al.,
"Shadow Attacks" (NDSS 2021); Rohlmann et al., "Breaking the Specification: PDF Certification"
(S&P 2021: evil annotations, sneaky signatures).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, append_signature_field
from pyhanko.sign.signers.cms_embedder import SigMDPSetup

from gateway.model import CheckStatus, Indication
from gateway.sandbox.pki import Pki
from tests.unit.signatures.pdf_made import (
    CATALOGUE,
    CONTENT,
    FONT,
    FORGED,
    PAGE,
    PAGES,
    REPORT,
    appended,
    built,
    byte_range,
    certified,
    checked,
    cms_of,
    declared_size,
    embedded,
    last_startxref,
    objects,
    pdf_signed,
    said,
    stamped,
    stream,
    updated,
    whole,
    with_range,
)

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED
UNDECIDED = Indication.INDETERMINATE
_OBJECT = re.compile(rb"\n(\d+) 0 obj")


@pytest.fixture(scope="module")
def good(pki: Pki) -> bytes:
    """The nearest good neighbour of everything here."""
    file = pdf_signed(pki, "rsa-doctor")
    (one,) = checked(file)
    assert one.indication is PASSED
    return file


# --- Universal Signature Forgery: the signature itself is taken away ---------------------


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (b"", "no Contents"),
        (b"/Contents null", "no string"),
        (b"/Contents <>", "empty"),
        (b"/Contents <00>", "empty"),
        (b"/Contents 3 0 R", "no string"),
    ],
)
def test_a_signature_without_its_value_is_refused(good: bytes, contents: bytes, why: str) -> None:
    forged = re.sub(rb"/Contents <[0-9A-F]*>", lambda m: contents.ljust(len(m[0])), good)
    (one,) = checked(forged)
    assert one.indication is FAILED
    assert why in said(one)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b" ", "missing"),
        (b"/ByteRange null", "not an array"),
        (b"/ByteRange []", "not an array"),
        (b"/ByteRange [0 9]", "2 numbers"),
        (b"/ByteRange [0 (9) 9 9]", "not an array"),
        (b"/ByteRange [0 1.5 9 9]", "not an array"),
        (b"/ByteRange 3 0 R", "not an array"),
        (b"/ByteRange [0 -9 9 9]", "negative"),
        (b"/ByteRange [-1 9 9 9]", "negative"),
        (b"/ByteRange [0 100 50 100]", "overlap"),
        (b"/ByteRange [0 9 20 999999999]", "leaves the file"),
        (b"/ByteRange [0 9 99999999999 9]", "leaves the file"),
        (b"/ByteRange [0 9 20 9 40 9]", "6 numbers"),
    ],
)
def test_numbers_that_are_no_range_are_refused(good: bytes, written: bytes, why: str) -> None:
    """Missing, of another count, two gaps, negative, overlapping, out of the file."""
    (one,) = checked(with_range(good, written=written))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")
    assert why in said(one)


def test_two_ranges_in_one_dictionary_are_nobodys(good: bytes) -> None:
    """Readers take the first or the last of them."""
    twice = good.replace(b"/Filter /Adobe.PPKLite", b"/ByteRange [0 1 2 3]  ", 1)
    assert twice != good
    assert not whole(checked(twice))


def test_content_inside_the_signature_is_not_the_documents(pki: Pki) -> None:
    """A CMS file around content of its own would hold whatever the document says."""
    (one,) = checked(embedded(REPORT, cms_of(pki, detached=False)))
    assert one.indication is FAILED
    assert "content of its own" in said(one)


def test_octets_behind_the_signature_in_its_place_are_refused(good: bytes) -> None:
    """Padding is zeros; anything else would be a hiding place nobody signed."""
    _, _, second, _ = byte_range(good)
    hidden = good[: second - 5] + b"4D4D>" + good[second:]
    (one,) = checked(hidden)
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")


# --- Signature Wrapping: the range covers other octets than readers show -----------------


def wrapped(good: bytes) -> bytes:
    """Return a file whose gap ends the dictionary another way, with forged content behind.

    What was signed from there on moves to the end, where nothing leads; the byte range that
    readers find covers both signed pieces, and the signature holds.
    """
    _, length, second, rest = byte_range(good)
    moved = 0
    for _ in range(3):  # each time the places are known better
        gap = good[:second] + b" /ByteRange [0 %d %06d %d]" % (length, second + moved, rest)
        gap += b" /Type /Sig /SubFilter /ETSI.CAdES.detached >>\nendobj"
        gap += b"\n4 0 obj\n" + stream(FORGED) + b"\nendobj\n"
        places = {int(m[1]): m.start(1) for m in _OBJECT.finditer(gap)}
        for m in _OBJECT.finditer(good, second):
            places[int(m[1])] = m.start(1) + moved
        rows = b"".join(b"%d 1\n%010d 00000 n \n" % one for one in sorted(places.items()))
        table = b"xref\n0 1\n0000000000 65535 f \n" + rows
        table += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % declared_size(good)
        moved = len(gap + table) - second
    return gap + table + good[second:] + b"startxref\n%d\n%%%%EOF\n" % len(gap)


def test_a_gap_wider_than_the_signature_is_refused(good: bytes) -> None:
    """The octets that were signed are all there, and readers show others."""
    (one,) = checked(wrapped(good))
    made = {check.name: check.status for check in one.checks}
    assert (made["reference_data"], made["signature_value"]) == (CheckStatus.PASSED,) * 2
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")
    assert [covered.scope for covered in one.covered] == ["PARTIAL"]
    assert not whole((one,))
    assert "more than the signature" in said(one)


def test_a_range_of_another_gap_is_refused(pki: Pki) -> None:
    """The octets signed are all there, but the gap is filled with what readers would read."""

    def narrow(dictionary: Any) -> None:
        dictionary["/Note"] = generic.ByteStringObject(b"\x00" * 16)

    file = embedded(REPORT, cms_of(pki), change=narrow)
    place = file.index(b"<" + b"00" * 16 + b">")
    end = place + 34
    (one,) = checked(with_range(file, 0, place, end, len(file) - end))
    assert not whole((one,))
    assert "another place" in said(one)


@pytest.mark.parametrize("start", [1, 9])
def test_a_range_that_leaves_out_the_head_is_refused(good: bytes, start: int) -> None:
    _, length, second, rest = byte_range(good)
    (one,) = checked(with_range(good, start, length - start, second, rest))
    assert one.indication is FAILED
    assert not whole((one,))
    assert "start of the file" in said(one)


def test_a_gap_that_is_everything_is_refused(good: bytes) -> None:
    (one,) = checked(with_range(good, 0, 0, len(good), 0))
    assert one.indication is FAILED
    assert not whole((one,))


def test_a_dictionary_written_anew_after_signing_says_nothing(pki: Pki) -> None:
    """The old value under a new dictionary, say one that allows changes."""
    mdp = SigMDPSetup(md_algorithm="sha256", certify=True, docmdp_perms=MDPPerm.NO_CHANGES)
    file = embedded(REPORT, cms_of(pki), mdp=mdp)
    number, body = re.findall(
        rb"(\d+) 0 obj\n?(<<[^>]*?/Contents <.*?>>)\s*endobj", file, re.DOTALL
    )[-1]
    anew = appended(file, {int(number): body.replace(b"/P 1", b"/P 3")})
    (one,) = checked(anew)
    assert one.indication is FAILED
    assert not whole((one,))


# --- Incremental Saving: another document behind the one signed --------------------------


def test_another_page_content_behind_the_signature_is_refused(good: bytes) -> None:
    (one,) = checked(appended(good, {CONTENT: stream(FORGED)}))
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert not whole((one,))


def test_objects_appended_without_a_cross_reference_are_refused(good: bytes) -> None:
    """Readers that mend files would show them."""
    forged = b"4 0 obj\n" + stream(FORGED) + b"\nendobj\n"
    for tail in (b"", b"%%EOF\n", b"startxref\n%d\n%%%%EOF\n" % last_startxref(good)):
        found = checked(good + forged + tail)
        assert not whole(found)
        assert found[0].indication in (FAILED, UNDECIDED)


def test_a_copied_signature_in_the_update_does_not_help(good: bytes) -> None:
    """ISA with the old signature copied behind the new content."""
    number, body = re.findall(
        rb"(\d+) 0 obj\n?(<<[^>]*?/Contents <.*?>>)\s*endobj", good, re.DOTALL
    )[-1]
    copied = appended(good, {CONTENT: stream(FORGED), int(number): body})
    assert not whole(checked(copied))


def test_an_update_that_starts_before_the_signed_end_is_refused(good: bytes) -> None:
    """A trailer that leads back to a cross-reference of the attacker's within signed octets."""
    back = b"startxref\n%d\n%%%%EOF\n" % last_startxref(REPORT)
    assert not whole(checked(good + back))


# --- Shadow attacks: prepared before signing, sprung after -------------------------------


def test_a_shadow_that_hides_is_refused(pki: Pki) -> None:
    """An overlay covers the forged content while it is signed, and is taken away after."""
    parts = objects()
    parts[PAGE] = parts[PAGE].replace(b"/Contents 4 0 R", b"/Contents [6 0 R 4 0 R]")
    parts[6] = stream(FORGED)
    file = pdf_signed(pki, file=built(parts))
    assert checked(file)[0].indication is PASSED
    page = re.findall(rb"\n3 0 obj\n?(<<.*?>>)\s*endobj", file, re.DOTALL)[-1]
    hidden = appended(file, {PAGE: page.replace(b"4 0 R", b"6 0 R")})
    (one,) = checked(hidden)
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert "page" in said(one)


def test_a_shadow_that_frees_an_object_is_refused(good: bytes) -> None:
    start = len(good)
    free = b"xref\n4 1\n0000000000 00001 f \ntrailer\n<< /Size %d /Root 1 0 R /Prev %d >>\n" % (
        declared_size(good),
        last_startxref(good),
    )
    found = checked(good + free + b"startxref\n%d\n%%%%EOF\n" % start)
    assert not whole(found)
    assert found[0].indication is FAILED


def test_a_shadow_that_replaces_a_font_is_refused(good: bytes) -> None:
    """Other glyphs for the same letters."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>"
    (one,) = checked(appended(good, {FONT: font}))
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert "font" in said(one)


def test_a_shadow_that_switches_the_catalogue_is_refused(pki: Pki) -> None:
    """Hide and replace: both page trees are signed, the update chooses the other."""
    parts = objects()
    parts[6] = parts[PAGES].replace(b"3 0 R", b"7 0 R")
    parts[7] = parts[PAGE].replace(b"2 0 R", b"6 0 R").replace(b"4 0 R", b"8 0 R")
    parts[8] = stream(FORGED)
    file = pdf_signed(pki, file=built(parts))
    catalogue = re.findall(rb"\n1 0 obj\n?(<<.*?>>)\s*endobj", file, re.DOTALL)[-1]
    switched = appended(file, {CATALOGUE: catalogue.replace(b"/Pages 2 0 R", b"/Pages 6 0 R")})
    (one,) = checked(switched)
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")


def test_a_shadow_in_the_cross_reference_alone_is_refused(pki: Pki) -> None:
    """Hide and replace: a second body of the object is signed, unused; the update points to it."""
    parts = objects()
    twin = b"4 0 obj\n" + stream(FORGED) + b"\nendobj\n"
    base = built(parts, head=b"%PDF-1.7\n" + twin)
    file = pdf_signed(pki, file=base)
    place = file.index(twin)
    table = b"xref\n4 1\n%010d 00000 n \ntrailer\n<< /Size %d /Root 1 0 R /Prev %d >>\n" % (
        place,
        declared_size(file),
        last_startxref(file),
    )
    (one,) = checked(file + table + b"startxref\n%d\n%%%%EOF\n" % len(file))
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")


def test_a_shadow_that_defines_what_was_missing_is_refused(pki: Pki) -> None:
    """The page names an object that is not there when it is signed."""
    parts = objects()
    parts[PAGE] = parts[PAGE].replace(b"/Contents 4 0 R", b"/Contents [4 0 R 90 0 R]")
    file = pdf_signed(pki, file=built(parts))
    assert not whole(checked(appended(file, {90: stream(FORGED)})))


# --- Attacks on certification ------------------------------------------------------------


@pytest.mark.parametrize("permission", list(MDPPerm))
def test_an_evil_annotation_is_refused(pki: Pki, permission: MDPPerm) -> None:
    """Text over the result, be annotations allowed or not."""
    file = certified(pki, permission)

    def annotate(writer: IncrementalPdfFileWriter) -> None:
        note = generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Annot"),
                pdf_name("/Subtype"): pdf_name("/FreeText"),
                pdf_name("/Rect"): generic.ArrayObject(
                    map(generic.NumberObject, (60, 690, 300, 720))
                ),
                pdf_name("/Contents"): generic.pdf_string("Haemoglobin 41 g/L"),
            }
        )
        page = writer.root["/Pages"]["/Kids"][0].get_object()
        page.setdefault(pdf_name("/Annots"), generic.ArrayObject()).append(writer.add_object(note))
        writer.update_container(page)

    (one,) = checked(updated(file, annotate))
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert not whole((one,))
    assert "annotation" in said(one)


@pytest.mark.parametrize("is_certified", [True, False])
def test_a_sneaky_signature_field_is_refused(pki: Pki, good: bytes, is_certified: bool) -> None:
    """A visible field, signed by nobody, may show whatever it likes over the result."""
    file = certified(pki, MDPPerm.FILL_FORMS) if is_certified else good

    def sneak(writer: IncrementalPdfFileWriter) -> None:
        append_signature_field(writer, SigFieldSpec("Sneaky", box=(60, 690, 300, 720)))

    (one,) = checked(updated(file, sneak))
    assert one.indication in (FAILED, UNDECIDED)
    assert not whole((one,))


def shown_over(
    writer: IncrementalPdfFileWriter, name: str, corners: Sequence[int], numbers: Sequence[int] = ()
) -> None:
    """Add a signature field with an appearance of its own; `numbers` are objects for corners."""
    box = generic.ArrayObject(map(generic.NumberObject, corners))
    append_signature_field(writer, SigFieldSpec(name, box=(0, 0, 595, 842)))
    field = writer.root["/AcroForm"]["/Fields"][-1]
    if numbers:
        box = generic.ArrayObject(generic.IndirectObject(one, 0, writer) for one in numbers)
    form = generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 595, 842))),
        },
        stream_data=b"1 g 0 0 595 842 re f 0 g " + FORGED,
    )
    field[pdf_name("/Rect")] = box
    field[pdf_name("/AP")] = generic.DictionaryObject({pdf_name("/N"): writer.add_object(form)})
    writer.update_container(field)


@pytest.mark.parametrize(
    ("corners", "verdict"), [((0, 0, 0, 0), PASSED), ((0, 0, 595, 842), FAILED)]
)
def test_a_time_stamp_that_shows_another_result_is_refused(
    pki: Pki, good: bytes, corners: tuple[int, ...], verdict: Indication
) -> None:
    """Anybody can have a time stamp, and nobody signs what its field shows over the page."""
    file = updated(good, lambda writer: shown_over(writer, "Stamp", corners))
    (one,) = checked(stamped(pki, file, field="Stamp"))
    assert one.indication is verdict
    assert ("shows something" in said(one)) == (verdict is FAILED)
    assert not any(covered.scope == "FULL" for covered in one.covered)


@pytest.mark.parametrize(("width", "verdict"), [(0, PASSED), (595, FAILED)])
def test_a_field_over_a_certified_page_is_refused_wherever_its_corners_stand(
    pki: Pki, width: int, verdict: Indication
) -> None:
    """Corners that are numbers elsewhere in what was signed look like no corners at all."""
    parts = {**objects(), 6: b"0", 7: b"%d" % width, 8: b"842"}
    file = certified(pki, MDPPerm.FILL_FORMS, built(parts))
    file = updated(file, lambda writer: shown_over(writer, "Third", (), (6, 6, 7, 8)))
    one, other = checked(embedded(file, cms_of(pki, "stranger"), name="Third"))
    assert (one.indication, other.indication) == (verdict, PASSED)
