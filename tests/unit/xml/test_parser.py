"""The one XML parser: what it refuses, and where it says so."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Rejected
from gateway.xml import parser
from gateway.xml.parser import is_xml, parse


def refusal(octets: bytes) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        parse(octets)
    return caught.value.problems[0].code, caught.value.problems[0].place


def test_reads_text_across_cdata_as_one() -> None:
    """`.text` that stops early is how signed values were cut short elsewhere."""
    assert parse(b"<a>x<![CDATA[<y>]]>z</a>").text == "x<y>z"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1251", "koi8-r", "iso-8859-5"])
def test_reads_the_encodings_laboratories_send(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?><a>Кровь</a>"
    assert parse(text.encode(encoding)).text == "Кровь"


def test_refuses_other_encodings() -> None:
    """UTF-7 and its kin read differently in different programs."""
    assert refusal(b"<?xml version='1.0' encoding='utf-7'?><a/>")[0] == "FMT-204"
    assert refusal(b"<?xml version='1.0' encoding='x-none'?><a/>")[0] == "FMT-204"


@pytest.mark.parametrize(
    "octets",
    [
        b"<!DOCTYPE a><a/>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<!-- c --><?p?><!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:9/'> %x;]><a/>",
    ],
)
def test_refuses_every_document_type(octets: bytes) -> None:
    assert refusal(octets)[0] == "FMT-202"


def test_refuses_the_billion_laughs_at_once() -> None:
    entities = b"<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(20)
    )
    assert refusal(b"<!DOCTYPE x [" + entities + b"]><x>&u;</x>")[0] == "FMT-202"


def test_a_word_that_looks_like_a_document_type_is_text() -> None:
    """The nearest neighbour of the refusal above."""
    assert parse(b"<a><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE a>]]></a>").tag == "a"


def test_says_line_and_column_of_what_is_malformed() -> None:
    assert refusal(b"<a>\n  <b>\n</a>") == ("FMT-201", "line 3, column 3")


@pytest.mark.parametrize("octets", [b"", b"<a", b"<a>\xff</a>", b"<b:a/>", b"<a b='1' b='2'/>"])
def test_refuses_what_is_not_well_formed(octets: bytes) -> None:
    assert refusal(octets)[0] == "FMT-201"


def test_depth_is_limited_and_the_last_level_is_taken() -> None:
    deep = parser.DEPTH_MAX
    assert parse(b"<a>" * deep + b"</a>" * deep).tag == "a"
    assert refusal(b"<a>" * (deep + 1) + b"</a>" * (deep + 1))[0] == "FMT-203"


def test_attributes_are_limited() -> None:
    def element(count: int) -> bytes:
        return b"<a " + b" ".join(b"b%d=''" % i for i in range(count)) + b"/>"

    assert parse(element(parser.ATTRIBUTES_MAX)).tag == "a"
    assert refusal(element(parser.ATTRIBUTES_MAX + 1))[0] == "FMT-203"


def test_a_crowd_of_attributes_in_a_large_file_is_refused_at_its_line() -> None:
    """Expat takes seconds over a million; what looks like them in a text is text."""
    crowd = "".join(f" b{i} = '='" for i in range(100_000))
    for encoding in ("utf-8", "utf-16"):
        assert refusal(f"<r>\n<a{crowd}/></r>".encode(encoding)) == ("FMT-203", "line 2")
        assert len(parse(f"<r>{crowd}<a/></r>".encode(encoding))) == 1


def test_namespaces_in_scope_are_limited_and_those_of_neighbours_are_not_added() -> None:
    """Every element knows all of them: many elements below many namespaces cost hours."""

    def declaring(start: int, inside: bytes) -> bytes:
        names = b" ".join(b"xmlns:b%d='urn:%d'" % (i, i) for i in range(start, start + 100))
        return b"<a " + names + b">" + inside + b"</a>"

    side_by_side = b"".join(declaring(start, b"") for start in (0, 100, 200, 300))
    assert len(parse(b"<r>" + side_by_side + b"</r>")) == 4
    assert parse(declaring(0, declaring(100, b""))).tag == "a"
    assert refusal(declaring(0, declaring(100, declaring(200, b""))))[0] == "FMT-203"


def test_nodes_are_limited() -> None:
    most = parser.NODES_MAX
    assert len(parse(b"<a>" + b"<b/>" * (most - 1) + b"</a>")) == most - 1
    assert refusal(b"<a>" + b"<b/>" * most + b"</a>")[0] == "FMT-203"
    assert refusal(b"<a>" + b"<!---->" * most + b"</a>")[0] == "FMT-203"


def test_takes_a_scan_of_more_than_ten_megabytes() -> None:
    """libxml2 alone stops at ten million characters of one text."""
    text = b"QUJD" * 2_600_000
    assert len(parse(b"<a>" + text + b"</a>").text or "") == len(text)


def test_refuses_relative_namespace_names() -> None:
    """They cannot be canonicalised, so nobody could ever sign them."""
    assert refusal(b"<a xmlns='relative'/>")[0] == "FMT-205"
    assert refusal(b"<a><p:b xmlns:p='../x'/></a>")[0] == "FMT-205"
    assert parse(b"<a xmlns='urn:x'><b xmlns=''/></a>")[0].tag == "b"


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    is_xml(noise)
    with suppress(Rejected):
        parse(noise)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tells_xml_by_its_first_bytes(encoding: str) -> None:
    assert is_xml("  <a/>".encode(encoding))
    assert not is_xml("{}".encode(encoding))
