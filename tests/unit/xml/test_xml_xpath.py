"""XPath over our own node tree: what libxml2 says too, and what it costs at most."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.xml import xpath, xpath_syntax
from gateway.xml.c14n import C14N_10, C14N_11, METHODS, canonical_document
from gateway.xml.nodes import Node, TooMany, Tree
from gateway.xml.parser import parse
from gateway.xml.subset import canonical_nodes

DOCUMENT = (
    b'<?x y?><a xmlns="urn:a" xmlns:p="urn:p" xml:lang="ru"><p:b id="1" p:k="v">t1<!--c-->t2</p:b>'
    b'<c><d n="2">5</d><d n="3">6</d><e xmlns=""/></c><?pi z?></a><!--end-->'
)
PREFIXES = {"a": "urn:a", "p": "urn:p"}


def value(expression: str, tree: Tree, steps: int = xpath.STEPS_MAX) -> xpath.Value:
    context = xpath.Context(node=tree.root, tree=tree, prefixes=PREFIXES, steps=xpath.Steps(steps))
    return xpath.evaluate(xpath_syntax.read(expression), context)


@pytest.mark.parametrize(
    "expression",
    [
        "//a:d",
        "count(//node())",
        "count(//@*)",
        "/a:a/a:c/a:d[2]/@n",
        '//a:d[@n="2"]/following-sibling::*',
        "string(//p:b)",
        "sum(//a:d) div 2",
        "//a:d[position()=last()]",
        "name(//p:b/@p:k)",
        '//*[local-name()="e"]',
        "(//a:d)[1]",
        "//a:d/ancestor::*[1]",
        '//text()[contains(.,"t")]',
        "not(//zz)",
        "3 mod 2 + 4 * -2",
        "//a:d[. > 5 and . <= 6]",
        'substring("12345",2,3)',
        "//preceding::a:d",
        'translate("bar","abc","AB")',
        "//a:c/*[last()-1]",
        'normalize-space("  a  b ")',
        "//a:d | //p:b",
        "boolean(//a:d = 6)",
        '//self::processing-instruction("pi")',
        'substring-after("a:b", ":")',
        "string-length(concat('a', 'bc'))",
        "round(2.5) + floor(-1.5) + ceiling(1.2)",
        "//a:d[lang('RU')]",
        "//comment()",
        "//*[starts-with(local-name(), 'd') or namespace-uri() = 'urn:p']",
    ],
)
def test_an_expression_means_what_libxml2_says_it_means(expression: str) -> None:
    root = parse(DOCUMENT)
    theirs = root.getroottree().xpath(expression, namespaces=PREFIXES)
    assert _plain(value(expression, Tree(root))) == _plain_of_lxml(theirs)


def _plain(found: xpath.Value) -> object:
    return [_text(node) for node in found] if isinstance(found, list) else found


def _text(node: Node) -> str:
    return str(node.element.tag) if node.element is not None else node.value


def _plain_of_lxml(found: object) -> object:
    if not isinstance(found, list):
        return found
    return [
        str(one.tag if isinstance(one.tag, str) else one.text)
        if isinstance(one, etree._Element)
        else str(one)
        for one in found
    ]


@pytest.mark.parametrize(
    "expression", ["$x", "//", "a b", "unknown()", "q:a", "count()", "'a", "x::y", "(" * 50]
)
def test_what_is_no_expression_of_ours_is_refused_by_name(expression: str) -> None:
    tree = Tree(parse(DOCUMENT))
    with pytest.raises(xpath_syntax.Unreadable):
        value(expression, tree)
    assert value("1", tree) == 1.0


def test_a_costly_expression_is_given_up() -> None:
    """Quadratic and worse: libxml2 would go on for hours."""
    tree = Tree(parse(b"<a>" + b"<b/>" * 2000 + b"</a>"))
    with pytest.raises(TooMany):
        value("count(//b[count(//b) > 1])", tree, steps=100_000)
    assert value("count(//b)", tree, steps=100_000) == 2000.0


@pytest.mark.parametrize("method", METHODS)
def test_all_nodes_of_a_document_are_written_as_the_document_is(method: str) -> None:
    root = parse(DOCUMENT)
    tree = Tree(root)
    everything = range(len(tree.nodes))
    assert canonical_nodes(tree, everything, method) == canonical_document(root, method)


def test_a_child_of_an_element_left_out_inherits_what_was_said_above() -> None:
    """Canonical XML 1.0, clause 2.4: xml:* of ancestors; 1.1 joins xml:base."""
    tree = Tree(
        parse(
            b'<a xmlns="urn:a" xml:base="http://x/y/" xml:id="i"><b xml:base="z/"><c>1</c></b></a>'
        )
    )
    kept = {
        node.order
        for node in tree.nodes
        if node.local == "c" or (node.parent is not None and node.parent.local == "c")
    }
    assert canonical_nodes(tree, kept, C14N_10) == (
        b'<c xmlns="urn:a" xml:base="z/" xml:id="i">1</c>'
    )
    assert canonical_nodes(tree, kept, C14N_11) == (
        b'<c xmlns="urn:a" xml:base="http://x/y/z/">1</c>'
    )
    no_namespace = {order for order in kept if tree.nodes[order].kind != "namespace"}
    assert canonical_nodes(tree, no_namespace, C14N_11) == (b'<c xml:base="http://x/y/z/">1</c>')
