"""The transform of СМЭВ 3: markup made uniform before it is digested.

Comments, instructions and text of white space alone go; prefixes become `ns1`, `ns2`, … in
order of first use, an element's own before its attributes'; attributes stand by namespace and
local name, unqualified ones last, after the declarations; no empty-element tags.

Source: Методические рекомендации СМЭВ 3.x, `urn://smev-gov-ru/xmldsig/transform`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lxml import etree

from gateway.xml import escape
from gateway.xml.nodes import XML

_SPACE = " \t\r\n"
_BESIDE = (etree._Comment, etree._ProcessingInstruction)


def transform(element: etree._Element, omit: Collection[etree._Element] = ()) -> bytes:
    """Return `element`, less the elements in `omit`, as СМЭВ digests it."""
    writer = _Writer(frozenset(omit))
    writer.element(element, {})
    return "".join(writer.out).encode("utf-8")


class _Writer:
    def __init__(self, omit: frozenset[etree._Element]) -> None:
        self.omit = omit
        self.out: list[str] = []
        self.number = 0

    def element(self, element: etree._Element, scope: Mapping[str, str]) -> None:
        """Write `element`; `scope` maps namespaces to the prefixes given to them above."""
        inner = dict(scope)
        declared: dict[str, str] = {}
        name = self._named(str(element.tag), inner, declared)
        attributes = sorted(
            ((str(key), str(value)) for key, value in element.attrib.items()),
            key=lambda pair: _order(pair[0]),
        )
        written = [(self._named(key, inner, declared), value) for key, value in attributes]
        self.out.append(f"<{name}")
        for uri, prefix in declared.items():
            self.out.append(f' xmlns:{prefix}="{escape.attribute(uri)}"')
        for attribute, value in written:
            self.out.append(f' {attribute}="{escape.attribute(value)}"')
        self.out.append(">")
        self._text(element.text)
        for child in element:
            if child not in self.omit and not isinstance(child, _BESIDE):
                self.element(child, inner)
            self._text(child.tail)
        self.out.append(f"</{name}>")

    def _named(self, key: str, inner: dict[str, str], declared: dict[str, str]) -> str:
        if key[0] != "{":
            return key
        uri, _, local = key[1:].rpartition("}")
        if uri == XML:
            return f"xml:{local}"
        if uri not in inner:
            self.number += 1
            inner[uri] = declared[uri] = f"ns{self.number}"
        return f"{inner[uri]}:{local}"

    def _text(self, text: str | None) -> None:
        if text and text.strip(_SPACE):
            self.out.append(escape.text(text))


def _order(key: str) -> tuple[bool, str, str]:
    uri, _, local = key[1:].rpartition("}") if key[0] == "{" else ("", "", key)
    return (not uri, uri, local)
