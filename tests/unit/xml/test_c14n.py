"""Canonical XML: the standard's own examples, parts of documents, and a second opinion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.xml.c14n import (
    C14N_10,
    C14N_11,
    EXCLUSIVE,
    METHODS,
    by_hand,
    canonical,
    canonical_document,
)
from gateway.xml.parser import parse


def test_start_and_empty_tags_as_the_standard_writes_them() -> None:
    """Canonical XML 1.0, example 3.3, without its document type."""
    octets = (
        b'<doc>\n  <e1   />\n  <e3   name = "elem3"   id="elem3"   />\n'
        b'  <e5 a:attr="out" b:attr="sorted" attr2="all" attr="I\'m"\n'
        b'     xmlns:b="http://www.ietf.org"\n     xmlns:a="http://www.w3.org"\n'
        b'     xmlns="http://example.org"/>\n  <e6 xmlns="" xmlns:a="http://www.w3.org">\n'
        b'    <e7 xmlns="http://www.ietf.org">\n      <e8 xmlns="" xmlns:a="http://www.w3.org">\n'
        b'        <e9 xmlns="" xmlns:a="http://www.ietf.org"/>\n'
        b"      </e8>\n    </e7>\n  </e6>\n</doc>"
    )
    assert canonical(parse(octets), C14N_10) == (
        b'<doc>\n  <e1></e1>\n  <e3 id="elem3" name="elem3"></e3>\n'
        b'  <e5 xmlns="http://example.org" xmlns:a="http://www.w3.org"'
        b' xmlns:b="http://www.ietf.org" attr="I\'m" attr2="all" b:attr="sorted"'
        b' a:attr="out"></e5>\n  <e6 xmlns:a="http://www.w3.org">\n'
        b'    <e7 xmlns="http://www.ietf.org">\n      <e8 xmlns="">\n'
        b'        <e9 xmlns:a="http://www.ietf.org"></e9>\n      </e8>\n    </e7>\n  </e6>\n</doc>'
    )


def test_character_escapes_as_the_standard_writes_them() -> None:
    """Canonical XML 1.0, example 3.4."""
    octets = (
        b"<doc><text>First line&#x0d;&#10;Second line</text>"
        b'<compute expr=\'value>"0" &amp;&amp; value&lt;"10" ?"valid":"error"\'>valid</compute>'
        b"<norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/></doc>"
    )
    assert canonical(parse(octets), C14N_10) == (
        b"<doc><text>First line&#xD;\nSecond line</text>"
        b'<compute expr="value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot;'
        b' ?&quot;valid&quot;:&quot;error&quot;">valid</compute>'
        b"<norm attr=\" '    &#xD;&#xA;&#x9;   ' \"></norm></doc>"
    )


def test_what_stands_beside_the_root_keeps_its_order() -> None:
    """Canonical XML 1.0, example 3.1: processing instructions and comments outside."""
    root = parse(b"<?xml version='1.0'?>\n<?p a?>\n<!-- 1 --><doc/>\n<!-- 2 -->\n<?q?>\n")
    assert canonical_document(root, C14N_10) == b"<?p a?>\n<doc></doc>\n<?q?>"
    commented = canonical_document(root, C14N_10 + "#WithComments")
    assert commented == b"<?p a?>\n<!-- 1 -->\n<doc></doc>\n<!-- 2 -->\n<?q?>"
    no_comments = canonical_document(root, C14N_10 + "#WithComments", comments=False)
    assert no_comments == b"<?p a?>\n<doc></doc>\n<?q?>"


def test_a_part_gets_no_invented_empty_namespace() -> None:
    """The fault of lxml that refuses genuine signatures."""
    root = parse(b'<E xmlns="urn:e"><S xmlns="urn:s"><I><T><X xmlns:d="urn:d"/></T></I></S></E>')
    part = root[0][0]
    assert canonical(part, C14N_10) == (b'<I xmlns="urn:s"><T><X xmlns:d="urn:d"></X></T></I>')


def test_a_real_empty_namespace_stays() -> None:
    """The nearest neighbour: dropping every xmlns="" would merge two different documents."""
    root = parse(b'<E xmlns="urn:e"><S><T xmlns=""/></S></E>')
    assert canonical(root[0], C14N_10) == b'<S xmlns="urn:e"><T xmlns=""></T></S>'
    assert canonical(root[0][0], C14N_10) == b"<T></T>"


def test_inclusive_parts_inherit_and_exclusive_ones_do_not() -> None:
    root = parse(
        b'<a xmlns:p="urn:p" xmlns:u="urn:u" xml:lang="ru" xml:id="i" xml:base="http://x/y/">'
        b'<p:b xml:base="../z/"/></a>'
    )
    part = root[0]
    assert canonical(part, C14N_10) == (
        b'<p:b xmlns:p="urn:p" xmlns:u="urn:u" xml:base="../z/" xml:id="i" xml:lang="ru"></p:b>'
    )
    assert canonical(part, C14N_11) == (
        b'<p:b xmlns:p="urn:p" xmlns:u="urn:u" xml:base="http://x/z/" xml:lang="ru"></p:b>'
    )
    assert canonical(part, EXCLUSIVE) == b'<p:b xmlns:p="urn:p" xml:base="../z/"></p:b>'
    assert canonical(part, EXCLUSIVE, ["u"]) == (
        b'<p:b xmlns:p="urn:p" xmlns:u="urn:u" xml:base="../z/"></p:b>'
    )


def test_the_default_namespace_can_be_in_a_prefix_list() -> None:
    root = parse(b'<a xmlns="urn:d"><p:b xmlns:p="urn:p"><c/></p:b></a>')
    assert canonical(root[0], EXCLUSIVE) == (b'<p:b xmlns:p="urn:p"><c xmlns="urn:d"></c></p:b>')
    assert canonical(root[0], EXCLUSIVE, ["#default"]) == (
        b'<p:b xmlns="urn:d" xmlns:p="urn:p"><c></c></p:b>'
    )


def test_two_prefixes_of_one_namespace_stay_apart() -> None:
    root = parse(b'<a xmlns:p="urn:u" xmlns:q="urn:u" q:x="1" p:y="2"/>')
    assert canonical(root, C14N_10).endswith(b' q:x="1" p:y="2"></a>')


def test_what_is_left_out_leaves_the_text_around_it() -> None:
    root = parse(b"<a>1<b>2<c/></b>3<d/>4</a>")
    assert canonical(root, C14N_10, omit=[root[0]]) == b"<a>13<d></d>4</a>"


_NAMES = st.sampled_from(["a", "b", "p:a", "q:b"])
_TEXT = st.text(alphabet="xЯ &<>\"'\t\r\n", max_size=6)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(_NAMES)
    declared = "".join(
        f' {attribute}="{uri}"'
        for attribute, uri in draw(
            st.dictionaries(
                st.sampled_from(["xmlns", "xmlns:p", "xmlns:q"]),
                st.sampled_from(["urn:1", "urn:2"]),
                max_size=2,
            )
        ).items()
    )
    value = draw(_TEXT).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    inner = draw(_TEXT).replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")
    children = draw(st.lists(elements(depth + 1), max_size=2)) if depth < 3 else []
    return f'<{name}{declared} at="{value}">{inner}{"<!--c-->".join(children)}{inner}</{name}>'


@given(elements())
def test_agrees_with_libxml2_where_libxml2_is_right(text: str) -> None:
    """Exclusive form: every element of arbitrary documents, as root and as a part."""
    root = parse(f'<r xmlns:p="urn:p" xmlns:q="urn:q">{text}</r>'.encode())
    for element in root.iter("*"):
        theirs = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, with_tail=False
        )
        assert by_hand(element, EXCLUSIVE) == theirs


@given(elements(), st.sampled_from(list(METHODS)), st.booleans())
def test_the_quick_way_writes_what_the_long_way_does(
    text: str, method: str, left_out: bool
) -> None:
    """Inclusive forms too, of documents and parts, with elements left out of them."""
    root = parse(f'<?p?><r xmlns:p="urn:p" xmlns:q="urn:q">{text}</r><!--c-->'.encode())
    omit = [root[0]] if left_out else []
    for element in root.iter("*"):
        if omit and element is not root:
            continue
        quick = canonical(element, method, omit=omit)
        assert quick == by_hand(element, method, omit=omit)


@given(elements(), st.sampled_from(list(METHODS)))
def test_a_canonical_form_is_its_own_canonical_form(text: str, method: str) -> None:
    """What is read is parsed from canonical octets, so nothing may change on the way."""
    root = parse(f'<r xmlns:p="urn:p" xmlns:q="urn:q">{text}</r>'.encode())
    once = canonical_document(root, method)
    assert canonical_document(parse(once), method) == once


@pytest.mark.parametrize(
    ("outer", "inner", "joined"),
    [
        ("http://h/a/b", "c", "http://h/a/c"),
        ("http://h/a/b/", "../c", "http://h/a/c"),
        ("a/b/", "../../../c", "../c"),
        ("../", "../x", "../../x"),
        ("http://h", "c", "http://h/c"),
        ("http://h/a", "http://g/b/./c", "http://g/b/c"),
        ("http://h/a", "/b/../c", "http://h/c"),
    ],
)
def test_bases_join_as_canonical_xml_11_says(outer: str, inner: str, joined: str) -> None:
    root = parse(f'<a xml:base="{outer}"><b xml:base="{inner}"/></a>'.encode())
    assert f'xml:base="{joined}"'.encode() in canonical(root[0], C14N_11)
