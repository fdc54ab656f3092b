"""Whether a resource in JSON and one in XML say the same, told without knowing any type.

Both are read into one neutral tree: an element is its text and its children by name, in
order.  What JSON writes as a member and XML as an attribute or child is a child here.

It compares what is said, not what was signed; a verdict rests on octets alone.

Source: https://hl7.org/fhir/R4/json.html#xml.
"""

from __future__ import annotations

from typing import NamedTuple

from lxml import etree

from gateway.errors import Rejected
from gateway.fhir.canonical_xml import XHTML, Foreign, canonical_narrative
from gateway.fhir.text import number_text
from gateway.model import Json, JsonValue
from gateway.xml.parser import parse


class Said(NamedTuple):
    """One element."""

    text: str | None
    children: dict[str, list[Said]]


def same(resource: Json, element: etree._Element, left_out: str) -> bool:
    """Say whether both say the same, the child `left_out` of either root aside."""
    kind = resource.get("resourceType")
    if kind != etree.QName(element).localname:
        return False
    inner, theirs = _of_json(resource).children[str(kind)][0], _of_xml(element)
    inner.children.pop(left_out, None)
    theirs.children.pop(left_out, None)
    return inner == theirs


def _of_json(value: JsonValue, name: str = "") -> Said:
    if not isinstance(value, dict):
        return Said(_text(value, name), {})
    children: dict[str, list[Said]] = {}
    for member, item in value.items():
        if member != "resourceType" and not member.startswith("_"):
            several = item if isinstance(item, list) else [item]
            children[member] = [_of_json(one, member) for one in several]
    for member, item in value.items():
        if member.startswith("_"):
            _extend(children, member[1:], item if isinstance(item, list) else [item])
    kind = value.get("resourceType")
    said = Said(None, children)
    return Said(None, {kind: [said]}) if isinstance(kind, str) else said


def _extend(children: dict[str, list[Said]], name: str, more: list[JsonValue]) -> None:
    """Give the values of a primitive their ids and extensions, which JSON keeps apart."""
    values = children.setdefault(name, [Said(None, {}) for _ in more])
    for one, extra in zip(values, more, strict=False):
        if isinstance(extra, dict):
            one.children.update(_of_json(extra).children)


def _text(value: JsonValue, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return _narrative(value) if value is not None and name == "div" else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if isinstance(value, list | dict) else number_text(value)


def _of_xml(element: etree._Element) -> Said:
    if etree.QName(element).namespace == XHTML:
        return Said(canonical_narrative(element), {})
    text = element.get("value")
    children = {
        str(name): [Said(str(value), {})]
        for name, value in element.attrib.items()
        if name in ("id", "url")
    }
    for child in element:
        if not isinstance(child, etree._Comment | etree._ProcessingInstruction):
            children.setdefault(etree.QName(child).localname, []).append(_of_xml(child))
    return Said(text, children)


def _narrative(written: str) -> str:
    try:
        return canonical_narrative(parse(written.encode("utf-8", "surrogatepass")))
    except (Rejected, Foreign):
        return written
