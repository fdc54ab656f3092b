"""Canonical XML 1.0, 1.1 and exclusive, with and without comments.

Our own serialiser over the parsed tree.  libxml2's inclusive forms write a bogus
``xmlns=""`` into parts of documents, and into whole CDA documents too, and so refuse genuine
signatures; its exclusive form is right, and `c14n_native` takes from it what it can.

Source: W3C Canonical XML 1.0 and 1.1; W3C Exclusive XML Canonicalization 1.0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lxml import etree

from gateway.xml import base as base_of
from gateway.xml import c14n_native, escape

C14N_10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"

_XML = "http://www.w3.org/XML/1998/namespace"
DEFAULT = "#default"
"""How a PrefixList names the default namespace."""


@dataclass(frozen=True)
class _Method:
    kind: Literal["1.0", "1.1", "exclusive"]
    comments: bool


METHODS: Mapping[str, _Method] = {
    C14N_10: _Method("1.0", False),
    C14N_10 + "#WithComments": _Method("1.0", True),
    C14N_11: _Method("1.1", False),
    C14N_11 + "#WithComments": _Method("1.1", True),
    EXCLUSIVE: _Method("exclusive", False),
    EXCLUSIVE + "WithComments": _Method("exclusive", True),
}
"""Every method we know, by its algorithm URI."""


def canonical(
    element: etree._Element,
    method: str,
    prefixes: Sequence[str] = (),
    *,
    omit: Collection[etree._Element] = (),
    comments: bool = True,
) -> bytes:
    """Return the canonical form of `element` and what is below it.

    `method` is one of METHODS; `prefixes` is the PrefixList of exclusive canonicalisation.
    Elements in `omit` are left out with all below them, the text around them stays.
    `comments` False drops comments whatever the method says: a same-document reference
    selects none (XMLDSig 1.1, clause 4.4.3.3).
    """
    chosen = METHODS[method]
    keep = chosen.comments and comments
    quick = c14n_native.written(element, chosen.kind, keep, prefixes, omit)
    return by_hand(element, method, prefixes, omit=omit, comments=keep) if quick is None else quick


def by_hand(
    element: etree._Element,
    method: str,
    prefixes: Sequence[str] = (),
    *,
    omit: Collection[etree._Element] = (),
    comments: bool = True,
) -> bytes:
    """Return what `canonical` does, written by ourselves: slow, and right for any input."""
    chosen = METHODS[method]
    writer = _Writer(chosen.kind, chosen.comments and comments, frozenset(prefixes), omit)
    writer.apex(element)
    return "".join(writer.out).encode("utf-8")


def canonical_document(
    element: etree._Element,
    method: str,
    prefixes: Sequence[str] = (),
    *,
    omit: Collection[etree._Element] = (),
    comments: bool = True,
) -> bytes:
    """Return the canonical form of the whole document that `element` belongs to.

    Arguments are those of `canonical`.  Processing instructions (and comments) beside the
    document element are part of a document.
    """
    keep = METHODS[method].comments and comments
    root = element.getroottree().getroot()
    body = canonical(root, method, prefixes, omit=omit, comments=comments)
    before = [_beside(node) for node in root.itersiblings(preceding=True) if _kept(node, keep)]
    after = [_beside(node) for node in root.itersiblings() if _kept(node, keep)]
    lead = "".join(f"{text}\n" for text in reversed(before))
    trail = "".join(f"\n{text}" for text in after)
    return lead.encode("utf-8") + body + trail.encode("utf-8")


def _kept(node: etree._Element, comments: bool) -> bool:
    return isinstance(node, etree._ProcessingInstruction) or (
        comments and isinstance(node, etree._Comment)
    )


def _beside(node: etree._Element) -> str:
    """Write one comment or processing instruction."""
    text = str(node.text or "")
    if isinstance(node, etree._ProcessingInstruction):
        target = str(node.target)
        return f"<?{target} {text}?>" if text else f"<?{target}?>"
    return f"<!--{text}-->"


class _Writer:
    """Writes a part of a document, its apex first."""

    def __init__(
        self,
        kind: str,
        comments: bool,
        prefixes: frozenset[str],
        omit: Collection[etree._Element],
    ) -> None:
        self.kind = kind
        self.comments = comments
        self.inclusive = frozenset("" if p == DEFAULT else p for p in prefixes)
        self.omit = frozenset(omit)
        self.out: list[str] = []

    def apex(self, element: etree._Element) -> None:
        inherited: dict[str, str] = {}
        if self.kind != "exclusive":
            inherited = _inherited(element, self.kind)
        self.element(element, {}, inherited)

    def element(
        self,
        element: etree._Element,
        rendered: Mapping[str, str],
        inherited: Mapping[str, str],
    ) -> None:
        """Write `element`; `rendered` are the namespaces its output ancestors declare."""
        out = self.out
        scope = {p or "": uri for p, uri in element.nsmap.items() if uri and p != "xml"}
        attributes: list[_Attribute] = []
        if inherited or element.attrib:
            attributes = _attributes(element, scope, inherited)
        declared = self._declare(element, scope, attributes, rendered)
        name = _name(element)
        out.append(f"<{name}")
        for prefix in sorted(declared):
            label = f"xmlns:{prefix}" if prefix else "xmlns"
            out.append(f' {label}="{escape.attribute(declared[prefix])}"')
        for attribute in attributes:
            out.append(f' {attribute.name}="{escape.attribute(attribute.value)}"')
        out.append(">")
        if element.text:
            out.append(escape.text(element.text))
        inner = {**rendered, **declared} if declared else rendered
        for child in element:
            if isinstance(child, etree._Comment | etree._ProcessingInstruction):
                if _kept(child, self.comments):
                    out.append(_beside(child))
            elif child not in self.omit:
                self.element(child, inner, {})
            if child.tail:
                out.append(escape.text(child.tail))
        out.append(f"</{name}>")

    def _declare(
        self,
        element: etree._Element,
        scope: Mapping[str, str],
        attributes: Sequence[_Attribute],
        rendered: Mapping[str, str],
    ) -> dict[str, str]:
        """Return the namespace declarations to write on `element`."""
        if scope == rendered:
            return {}
        if self.kind == "exclusive":
            used = {element.prefix or ""}
            used.update(a.prefix for a in attributes if a.prefix)
            wanted = (used | self.inclusive) & {"", *scope}
        else:
            wanted = {"", *scope}
        # Only the default namespace can be missing from the scope, and only it can be undone.
        return {p: scope.get(p, "") for p in wanted if rendered.get(p, "") != scope.get(p, "")}


class _Attribute(NamedTuple):
    namespace: str
    local: str
    """Namespace name, then local name: the canonical order is that of the tuple."""

    name: str
    """As written, with its prefix."""

    value: str

    @property
    def prefix(self) -> str:
        prefix = self.name.rpartition(":")[0]
        return "" if prefix == "xml" else prefix


def _attributes(
    element: etree._Element, scope: Mapping[str, str], inherited: Mapping[str, str]
) -> list[_Attribute]:
    """Return the attributes of `element` and those it inherits, in canonical order."""
    found = [
        _attribute(element, i, str(key), str(value), scope)
        for i, (key, value) in enumerate(element.attrib.items(), start=1)
        if key not in inherited
    ]
    for key, value in inherited.items():
        local = etree.QName(key).localname
        found.append(_Attribute(_XML, local, f"xml:{local}", value))
    return sorted(found)


def _attribute(
    element: etree._Element, position: int, key: str, value: str, scope: Mapping[str, str]
) -> _Attribute:
    if key[0] != "{":
        return _Attribute("", key, key, value)
    uri, _, local = key[1:].rpartition("}")
    if uri == _XML:
        return _Attribute(uri, local, f"xml:{local}", value)
    candidates = [p for p, u in scope.items() if u == uri and p]
    if len(candidates) == 1:
        return _Attribute(uri, local, f"{candidates[0]}:{local}", value)
    # Several prefixes for one namespace: only XPath tells which one was written.
    return _Attribute(uri, local, str(element.xpath(f"name(@*[{position}])")), value)


def _name(element: etree._Element) -> str:
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


# --- what the apex of a part inherits --------------------------------------------------


def _inherited(element: etree._Element, kind: str) -> dict[str, str]:
    """Return the xml:* attributes that the apex takes over from the ancestors left out.

    Canonical XML 1.0 takes all of them, the nearest first.  1.1 takes xml:lang and xml:space,
    joins xml:base, and never xml:id.
    """
    found: dict[str, str] = {}
    for ancestor in element.iterancestors():
        for key, value in ancestor.attrib.items():
            if str(key).startswith(f"{{{_XML}}}") and key not in element.attrib:
                found.setdefault(str(key), str(value))
    if kind == "1.0":
        return found
    kept = {k: v for k, v in found.items() if k in (f"{{{_XML}}}lang", f"{{{_XML}}}space")}
    base = _joined_base(element)
    if base:
        kept[f"{{{_XML}}}base"] = base
    return kept


def _joined_base(element: etree._Element) -> str:
    """Return the xml:base of `element` joined with those of its ancestors, or empty."""
    key = f"{{{_XML}}}base"
    bases = [node.get(key) for node in _upwards(element)]
    written = [base for base in bases if base is not None]
    if not written:
        return ""
    joined = written[-1]
    for base in reversed(written[:-1]):
        joined = base_of.join(joined, base)
    return joined


def _upwards(element: etree._Element) -> Iterator[etree._Element]:
    yield element
    yield from element.iterancestors()
