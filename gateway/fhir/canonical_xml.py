"""Canonical FHIR XML, as signatures digest it: no layout, no comments, default namespaces.

The standard asks for two things that exclude each other, Canonical XML 1.1 and the XML
declaration that it forbids.  Both readings are one method and mean the same octets but for
that constant head, so `forms` returns both; nothing else is ever tried for one method.

Source: https://hl7.org/fhir/R4/xml.html#digsig; W3C Canonical XML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from lxml import etree

from gateway.xml import c14n

XML = "http://hl7.org/fhir/canonicalization/xml"
LEFT_OUT: dict[str, frozenset[str]] = {
    XML: frozenset(),
    f"{XML}#data": frozenset(("text",)),
    f"{XML}#static": frozenset(("text", "meta")),
    f"{XML}#document": frozenset(("id", "meta")),
}
"""Method → children of the root that it leaves out."""

NARRATIVE = f"{XML}#narrative"
NARRATIVE_KEEPS = frozenset(("id", "text"))
METHODS = (*LEFT_OUT, NARRATIVE)

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
SIGNATURE = "signature"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'

_SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
"""Where a schema lies: no content (https://hl7.org/fhir/R4/xml.html), and so never signed."""

_XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"
_BESIDE = (etree._Comment, etree._ProcessingInstruction)
_SPACES = re.compile(r"[ \t\r\n]+")


class Foreign(ValueError):
    """An element or attribute of a namespace that FHIR XML has no place for."""


def forms(element: etree._Element, method: str, own: bool = True) -> tuple[bytes, bytes]:
    """Return the canonical form of the resource `element` by `method`, with and without head.

    `own` says that the signature stands in the resource and is left out, in the root alone.
    Raises Foreign.
    """
    octets = canonical(element, omitted=left_out(element, method) | ({SIGNATURE} if own else set()))
    return DECLARATION + octets, octets


def canonical(element: etree._Element, omitted: Collection[str] = ()) -> bytes:
    """Return the canonical form of the resource `element` without its children `omitted`.

    Raises Foreign.
    """
    root = _copied(element, None, omitted)
    return c14n.canonical(root, c14n.C14N_11)


def canonical_narrative(div: etree._Element) -> str:
    """Return the canonical form of a narrative's `div` alone.  Raises Foreign."""
    around = etree.Element(f"{{{FHIR}}}text")
    return c14n.canonical(_copied(div, around), c14n.EXCLUSIVE).decode("utf-8")


def left_out(element: etree._Element, method: str) -> frozenset[str]:
    """Return the children of `element` that `method` does not sign, the signature aside."""
    present = frozenset(_local(child) for child in element if not isinstance(child, _BESIDE))
    if method == NARRATIVE:
        return present - NARRATIVE_KEEPS - {SIGNATURE}
    return LEFT_OUT[method] & present


def _copied(
    element: etree._Element, parent: etree._Element | None, omitted: Collection[str] = ()
) -> etree._Element:
    """Return a copy below `parent` with default namespaces and without layout."""
    name = etree.QName(element)
    in_text = name.namespace == XHTML
    if name.namespace not in (FHIR, XHTML) or (parent is None and in_text):
        raise Foreign(f"element in line {element.sourceline}")
    # The stubs know no default namespace, whose prefix is None.
    scope: dict[str, str] = {None: name.namespace}  # type: ignore[dict-item]
    if parent is None:
        copy = etree.Element(name, nsmap=scope)
    else:
        copy = etree.SubElement(parent, name, nsmap=scope)
    for key, value in element.attrib.items():
        if key == _SCHEMA_LOCATION:
            continue
        if str(key).startswith("{") and not str(key).startswith(_XML_NAMESPACE):
            raise Foreign(f"attribute in line {element.sourceline}")
        copy.set(key, _SPACES.sub(" ", str(value)))
    copy.text = _text(element.text, in_text)
    last: etree._Element | None = None
    for child in element:
        if not isinstance(child, _BESIDE) and _local(child) not in omitted:
            last = _copied(child, copy)
        # Text after a comment, or after what is left out, still follows what stands before.
        tail = _text(child.tail, in_text)
        if not tail:
            continue
        if last is None:
            copy.text = _SPACES.sub(" ", (copy.text or "") + tail)
        else:
            last.tail = _SPACES.sub(" ", (last.tail or "") + tail)
    return copy


def _text(text: str | None, in_text: bool) -> str | None:
    """Return text as it stays: single spaces in the narrative, none between elements."""
    if not text:
        return None
    single = _SPACES.sub(" ", text)
    return single if in_text or single != " " else None


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
