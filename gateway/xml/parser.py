"""The one XML parser: no document type, no entities, no network, everything limited.

Bytes go through expat first, which only counts and refuses (a document type declaration is
refused at its first letter, before anything in it is read), then through libxml2, which
builds the tree.  Expat refuses, libxml2 reads: no content is ever taken from the first.

Source: W3C XML 1.0 (fifth edition); Namespaces in XML 1.0 for relative namespace names.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from lxml import etree

from gateway.errors import Rejected
from gateway.model import Problem

OCTETS_MAX = 25 * 1024 * 1024
DEPTH_MAX = 128
"""CDA R2, the deepest format we take, stays under 40."""

NODES_MAX = 500_000
"""Elements, comments and processing instructions together."""

ATTRIBUTES_MAX = 128
"""On one element, namespace declarations included."""

NAMESPACES_MAX = 256
"""In scope of one element: whoever asks an element for its namespaces walks through them all."""

NAME_MAX = 1_000
"""Characters of one element or attribute name."""

ENCODINGS = (
    "utf-8",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "us-ascii",
    "windows-1251",
    "koi8-r",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-5",
)
"""What laboratories and signers send.  A short list keeps two parsers from disagreeing."""

_LARGE = 1024 * 1024
_CROWD = 4096
"""Attributes in one tag that no file has, not even in a comment or in quoted HTML."""

_CROWDED = re.compile(
    rb"<[^<>=\"']++(?:=[\s\0]*+(?:\"[^<\"]*+\"|'[^<']*+')[^<>=\"']*+){%d}" % _CROWD
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def parse(octets: bytes) -> etree._Element:
    """Return the document element of the XML document in `octets`.

    Text of CDATA sections is merged with its surroundings; comments and processing
    instructions stay.  Raises Rejected (FMT-201 … FMT-205) with the line and column.
    """
    if len(octets) > OCTETS_MAX:
        raise Rejected(_limit("octets", OCTETS_MAX, ""))
    _survey(octets)
    # The survey has enforced stricter limits than libxml2's own, and `huge_tree` only lifts
    # those: a signed document may carry a scan of more than 10 MB in one text node.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        recover=False,
        remove_comments=False,
        remove_pis=False,
        huge_tree=True,
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Rejected(_malformed(f"line {line}, column {column}")) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Rejected(Problem(code="FMT-202"))
    return root


def is_xml(head: bytes) -> bool:
    """Say whether octets that start with `head` look like XML (byte order mark, then `<`)."""
    for mark, unit in ((b"\xef\xbb\xbf", 1), (b"\xff\xfe", 2), (b"\xfe\xff", 2)):
        if head.startswith(mark):
            rest = head[len(mark) :]
            return (rest if unit == 1 else rest.replace(b"\0", b"")).lstrip()[:1] == b"<"
    return head.replace(b"\0", b"", 2).lstrip()[:1] == b"<"


def _survey(octets: bytes) -> None:
    """Refuse what breaks a limit before a tree is built of it."""
    # Expat tells of a tag when it has all of it, and a million attributes take it seconds.
    if len(octets) > _LARGE and (crowded := _CROWDED.search(octets)) is not None:
        line = octets.count(b"\n", 0, crowded.start()) + 1
        raise Rejected(_limit("attributes", ATTRIBUTES_MAX, f"line {line}"))
    survey = _Survey()
    try:
        survey.expat.Parse(octets, True)
    except expat.ExpatError as error:
        raise Rejected(_malformed(f"line {error.lineno}, column {error.offset + 1}")) from error
    except LookupError as error:  # an encoding Python does not know
        raise Rejected(Problem(code="FMT-204")) from error


class _Survey:
    """Counts while expat reads; raises at the first excess."""

    def __init__(self) -> None:
        self.depth = 0
        self.nodes = 0
        self.declared: list[tuple[int, int]] = []
        """(Depth, namespaces in scope) of the open elements that declare any."""

        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CommentHandler = self._beside
        parser.ProcessingInstructionHandler = self._beside
        self.expat = parser

    def _declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0":  # C14N is defined for XML 1.0 alone
            raise Rejected(_malformed(self._here()))
        if encoding is not None and encoding.lower() not in ENCODINGS:
            raise Rejected(Problem(code="FMT-204", place=self._here()))

    def _doctype(self, _name: str, _system: str | None, _public: str | None, _subset: bool) -> None:
        raise Rejected(Problem(code="FMT-202", place=self._here()))

    def _start(self, name: str, attributes: list[str]) -> None:
        # Called for every element of every document: nothing is called that need not be.
        self.depth += 1
        self.nodes += 1
        if self.depth > DEPTH_MAX:
            raise self._excess("depth", DEPTH_MAX)
        if self.nodes > NODES_MAX:
            raise self._excess("nodes", NODES_MAX)
        if len(name) > NAME_MAX:
            raise self._excess("name", NAME_MAX)
        if not attributes:
            return
        if len(attributes) > 2 * ATTRIBUTES_MAX:
            raise self._excess("attributes", ATTRIBUTES_MAX)
        for attribute in attributes[::2]:
            if len(attribute) > NAME_MAX:
                raise self._excess("name", NAME_MAX)
            if attribute[:5] == "xmlns":
                self._namespaces(attributes)
                return

    def _namespaces(self, attributes: list[str]) -> None:
        """Check the namespaces an element declares, and the names of its other attributes."""
        number = self.declared[-1][1] if self.declared else 0
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            if len(attribute) > NAME_MAX:
                raise self._excess("name", NAME_MAX)
            if attribute == "xmlns" or attribute.startswith("xmlns:"):
                number += 1
                # C14N 1.0 has no answer for relative namespace names (clause 1.3).
                if value and not _ABSOLUTE.match(value):
                    raise Rejected(Problem(code="FMT-205", place=self._here()))
        if number > NAMESPACES_MAX:
            raise self._excess("namespaces", NAMESPACES_MAX)
        self.declared.append((self.depth, number))

    def _end(self, _name: str) -> None:
        if self.declared and self.declared[-1][0] == self.depth:
            self.declared.pop()
        self.depth -= 1

    def _beside(self, *_said: str) -> None:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise self._excess("nodes", NODES_MAX)

    def _excess(self, what: str, limit: int) -> Rejected:
        return Rejected(_limit(what, limit, self._here()))

    def _here(self) -> str:
        return f"line {self.expat.CurrentLineNumber}, column {self.expat.CurrentColumnNumber + 1}"


def _malformed(place: str) -> Problem:
    return Problem(code="FMT-201", place=place)


def _limit(what: str, limit: int, place: str) -> Problem:
    return Problem(code="FMT-203", place=place, detail={"what": what, "limit": str(limit)})
