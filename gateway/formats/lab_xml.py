"""Our own laboratory XML (`schemas/lab_xml/lab-result-1.0.xsd`).

A `labResult` is one report of one patient, a `labResults` a batch of them, each judged alone.

Paths are XPath 1.0 with the prefix `l` bound to our namespace; places are absolute XPath of
the same kind.  What is checked by the schema is not checked again further on the line.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from gateway.errors import Rejected
from gateway.formats.interface import DOCUMENTS_MAX
from gateway.model import Document, JsonValue, Problem, SignedContent, Unreadable
from gateway.xml import parser

NAME = "lab_xml"
MEDIA_TYPES: tuple[str, ...] = ("application/xml", "text/xml")
NAMESPACE = "urn:gateway:lab-result:1.0"
SCHEMA = Path(__file__).parents[2] / "schemas" / "lab_xml" / "lab-result-1.0.xsd"
PROBLEMS_MAX = 50
"""Schema findings reported at once; a broken export repeats one mistake thousands of times."""

RESULT, BATCH = f"{{{NAMESPACE}}}labResult", f"{{{NAMESPACE}}}labResults"

_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_HINTS = "{http://www.w3.org/2001/XMLSchema-instance}"
_PREFIXES = {"l": NAMESPACE}
_thread = threading.local()


def recognises(head: bytes) -> bool:
    """Say whether a document that starts with `head` is XML of our namespace."""
    return parser.is_xml(head) and NAMESPACE.encode() in head.replace(b"\0", b"")


def parse(content: SignedContent, *, apart: bool = False) -> tuple[Document | Unreadable, ...]:
    """Read a laboratory result, or a batch.  Raises Rejected (FMT-2xx), a problem per finding.

    A batch is taken apart always, so `apart` changes nothing.
    """
    root = parser.parse(content.octets)
    if root.tag == BATCH:
        return _batch(root, content)
    if root.tag != RESULT:
        raise Rejected(Problem(code="FMT-212", place="/"))
    places = Places(root)
    if problems := _problems(root, places):
        raise Rejected(*problems)
    return (Document(format=NAME, root=XmlNode(root, places), content=content),)


def _batch(root: etree._Element, content: SignedContent) -> tuple[Document | Unreadable, ...]:
    """Read each result of a batch; its frame must be right, or nothing tells what it means."""
    places = Places(root)
    pieces = [child for child in root.iterchildren(etree.Element) if child.tag != _SIGNATURE]
    if problems := _frame_problems(root, pieces, places):
        raise Rejected(*problems)
    return tuple(
        _piece(element, places, ordinal, content) for ordinal, element in enumerate(pieces)
    )


def _frame_problems(
    root: etree._Element, pieces: list[etree._Element], places: Places
) -> tuple[Problem, ...]:
    place = places.of(root)
    if len(pieces) > DOCUMENTS_MAX:
        detail = {"count": str(len(pieces)), "limit": str(DOCUMENTS_MAX)}
        return (Problem(code="FMT-338", place=place, detail=detail),)
    names = [str(name) for name in root.attrib]
    wrong = [name for name in names if name != "Id" and not name.startswith(_HINTS)]
    texts = (root.text, *(child.tail for child in root))
    if not pieces or wrong or any(text and text.strip() for text in texts):
        rule = "complex_type" if not wrong else "attribute"
        return (Problem(code="FMT-211", place=place, detail={"rule": rule}),)
    return ()


def _piece(
    element: etree._Element, places: Places, ordinal: int, content: SignedContent
) -> Document | Unreadable:
    place = places.of(element)
    if element.tag != RESULT:
        problems: tuple[Problem, ...] = (Problem(code="FMT-212", place=place),)
    else:
        problems = _problems(element, places)
    if problems:
        return Unreadable(ordinal=ordinal, place=place, problems=problems)
    return Document(
        format=NAME,
        root=XmlNode(element, places),
        content=content,
        ordinal=ordinal,
        place=place,
        piece=etree.tostring(element, encoding="utf-8", with_tail=False),
    )


def _problems(element: etree._Element, places: Places) -> tuple[Problem, ...]:
    """Return what is wrong with one result, by its schema or between its parts."""
    schema = _schema()
    if not schema.validate(element):
        return tuple(_findings(element, schema, places))
    return tuple(_crossed(element, places))


class XmlNode:
    """An element (or one of its attributes) as the line sees it."""

    def __init__(
        self, element: etree._Element, places: Places | None = None, attribute: str | None = None
    ) -> None:
        self._element = element
        self._places = places or Places(element)
        self._attribute = attribute

    @property
    def place(self) -> str:
        place = self._places.of(self._element)
        return place if self._attribute is None else f"{place}/@{self._attribute}"

    def select(self, path: str) -> JsonValue:
        """Return the text of the first thing at `path`, exactly as written, or None."""
        nodes = self.each(path)
        return nodes[0].text if nodes else None

    def each(self, path: str) -> tuple[XmlNode, ...]:
        if self._attribute is not None:
            return (self,) if path == "." else ()
        found = _xpath(path)(self._element)
        assert isinstance(found, list), path
        return tuple(self._node(item) for item in found)

    def leaves(self) -> Iterator[tuple[str, str]]:
        if self._attribute is not None:
            yield self.place, self.text
            return
        for element in self._element.iter(etree.Element):
            node = XmlNode(element, self._places)
            for attribute in element.attrib:
                leaf = XmlNode(element, self._places, str(attribute))
                yield leaf.place, leaf.text
            if not any(isinstance(child.tag, str) for child in element) and node.text.strip():
                yield node.place, node.text

    @property
    def text(self) -> str:
        if self._attribute is not None:
            return str(self._element.attrib[self._attribute])
        # Comments and processing instructions may stand inside a text; they are not part of it.
        pieces = (self._element.text, *(child.tail for child in self._element))
        return "".join(piece for piece in pieces if piece)

    def _node(self, item: object) -> XmlNode:
        if isinstance(item, etree._Element):
            return XmlNode(item, self._places)
        assert isinstance(item, etree._ElementUnicodeResult)
        parent = item.getparent()
        assert parent is not None
        return XmlNode(parent, self._places, str(item.attrname))


class Places:
    """The place of every element of one document, told in one walk."""

    def __init__(self, root: etree._Element) -> None:
        self._by_element: dict[etree._Element, str] = {}
        self._walk(root.getroottree().getroot(), "")

    def of(self, element: etree._Element) -> str:
        return self._by_element[element]

    def _walk(self, element: etree._Element, place: str) -> None:
        stack = [(element, f"/{_step(element)}")]
        while stack:
            here, place = stack.pop()
            self._by_element[here] = place
            children = list(here.iterchildren(etree.Element))
            counts = Counter(child.tag for child in children)
            seen: Counter[str] = Counter()
            for child in children:
                seen[child.tag] += 1
                number = f"[{seen[child.tag]}]" if counts[child.tag] > 1 else ""
                stack.append((child, f"{place}/{_step(child)}{number}"))


def _step(element: etree._Element) -> str:
    name = etree.QName(element)
    return f"l:{name.localname}" if name.namespace == NAMESPACE else name.localname


@cache
def _xpath(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=_PREFIXES)


def _schema() -> etree.XMLSchema:
    """Return this thread's schema: validating writes the findings into the schema itself."""
    schema: etree.XMLSchema | None = getattr(_thread, "schema", None)
    if schema is None:
        schema = _thread.schema = etree.XMLSchema(etree.parse(SCHEMA))
    return schema


def _findings(root: etree._Element, schema: etree.XMLSchema, places: Places) -> list[Problem]:
    """Return the schema's findings by place; its own words may quote values and stay out."""
    found: dict[str, Problem] = {}
    for entry in list(schema.error_log):  # type: ignore[call-overload]
        # Finding a place walks the file: 50 walks are enough to mend it by.
        if len(found) >= PROBLEMS_MAX:
            break
        element = _led_to(root, entry.path or "")
        place = f"{places.of(element)} (line {element.sourceline})"
        rule = entry.type_name.removeprefix("SCHEMAV_").lower()
        # One value often breaks its pattern and its type: the first finding says it.
        found.setdefault(place, Problem(code="FMT-211", place=place, detail={"rule": rule}))
    return list(found.values())


def _led_to(root: etree._Element, path: str) -> etree._Element:
    """Return where a path of libxml2's leads below `root`, or the last element on the way.

    It writes prefixes as the file does, `*` for a default namespace, and counts among what is
    written alike (tree.c, xmlGetNodePath); no XPath evaluator knows what the prefixes mean.
    """
    here = root
    for step in path.split("/")[2:]:
        name, _, number = step.rstrip("]").partition("[")
        alike = [one for one in here.iterchildren(etree.Element) if name in ("*", _written(one))]
        place = int(number or 1) - 1
        if place >= len(alike):
            break
        here = alike[place]
    return here


def _written(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else name


def _crossed(root: etree._Element, places: Places) -> Iterator[Problem]:
    """Check what a schema cannot say: every test names a specimen that is there, once."""
    node = XmlNode(root, places)
    known = [specimen.text for specimen in node.each("l:specimens/l:specimen/@id")]
    for specimen in node.each("l:specimens/l:specimen/@id"):
        if known.count(specimen.text) > 1:
            yield Problem(code="FMT-213", place=specimen.place)
    for test in node.each("l:results/l:test/@specimen"):
        if test.text not in known:
            yield Problem(code="FMT-213", place=test.place)
    for test in node.each("l:results/l:test[not(l:value) and not(l:comment)]"):
        yield Problem(code="FMT-214", place=test.place)
