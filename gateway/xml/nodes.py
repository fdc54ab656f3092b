"""A parsed document as XPath sees it: every attribute, namespace and text a node of its own.

lxml has no text or namespace nodes, so whoever must choose among them (XPath transforms of
signatures) works on this tree.  It is built only for that: it costs about ten times the
memory of the parsed one.

Source: W3C XPath 1.0, clause 5 (data model).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from lxml import etree

Kind = Literal["root", "element", "attribute", "namespace", "text", "comment", "instruction"]

NODES_MAX = 200_000
"""Namespace nodes are counted too, and every element has one for each prefix in scope."""

XML = "http://www.w3.org/XML/1998/namespace"


class TooMany(Exception):
    """The tree, or an expression over it, takes more than its limit."""


class Node:
    """One node; `order` is its place in document order and its name in a set of nodes."""

    __slots__ = (
        "attributes",
        "children",
        "element",
        "kind",
        "local",
        "namespaces",
        "order",
        "parent",
        "prefix",
        "uri",
        "value",
    )

    def __init__(
        self,
        kind: Kind,
        order: int,
        parent: Node | None,
        *,
        local: str = "",
        uri: str = "",
        prefix: str = "",
        value: str = "",
        element: etree._Element | None = None,
    ) -> None:
        self.kind = kind
        self.order = order
        self.parent = parent
        self.local = local
        """Local name; of a namespace node the prefix, of an instruction the target."""
        self.uri = uri
        self.prefix = prefix
        self.value = value
        """Of attributes, namespaces, text, comments and instructions."""
        self.element = element
        self.children: list[Node] = []
        self.attributes: list[Node] = []
        self.namespaces: list[Node] = []

    @property
    def name(self) -> str:
        return f"{self.prefix}:{self.local}" if self.prefix else self.local

    def upwards(self) -> Iterator[Node]:
        """Yield the ancestors, the nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def below(self) -> Iterator[Node]:
        """Yield the descendants in document order: no attributes, no namespaces."""
        for child in self.children:
            yield child
            yield from child.below()

    def string(self) -> str:
        """Return the string-value (XPath 1.0, clause 5)."""
        if self.kind in ("root", "element"):
            return "".join(node.value for node in self.below() if node.kind == "text")
        return self.value


class Tree:
    """The nodes of one document, in document order."""

    def __init__(self, root: etree._Element) -> None:
        """Build from the document that `root` is the document element of.

        Raises TooMany above NODES_MAX nodes.
        """
        self.nodes: list[Node] = []
        self.of: dict[etree._Element, Node] = {}
        top = self._add(Node("root", 0, None))
        before = list(root.itersiblings(preceding=True))
        for beside in reversed(before):
            self._beside(beside, top)
        self._element(root, top)
        for beside in root.itersiblings():
            self._beside(beside, top)

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def within(self, element: etree._Element) -> Iterator[Node]:
        """Yield `element`, what is below it, and the attributes and namespaces of all."""
        start = self.of[element]
        for node in (start, *start.below()):
            yield node
            yield from node.namespaces
            yield from node.attributes

    def _add(self, node: Node) -> Node:
        if len(self.nodes) >= NODES_MAX:
            raise TooMany(f"more than {NODES_MAX} nodes")
        self.nodes.append(node)
        return node

    @property
    def _next(self) -> int:
        return len(self.nodes)

    def _beside(self, item: etree._Element, parent: Node) -> None:
        """Add a comment or a processing instruction."""
        text = str(item.text or "")
        if isinstance(item, etree._ProcessingInstruction):
            node = self._add(
                Node("instruction", self._next, parent, local=str(item.target), value=text)
            )
        else:
            node = self._add(Node("comment", self._next, parent, value=text))
        parent.children.append(node)

    def _text(self, text: str | None, parent: Node) -> None:
        if not text:
            return
        if parent.children and parent.children[-1].kind == "text":
            parent.children[-1].value += text
            return
        parent.children.append(self._add(Node("text", self._next, parent, value=text)))

    def _element(self, item: etree._Element, parent: Node) -> None:
        name = etree.QName(item)
        node = self._add(
            Node(
                "element",
                self._next,
                parent,
                local=name.localname,
                uri=name.namespace or "",
                prefix=item.prefix or "",
                element=item,
            )
        )
        self.of[item] = node
        parent.children.append(node)
        scope = {prefix or "": uri for prefix, uri in item.nsmap.items() if uri}
        for prefix, uri in sorted({**scope, "xml": XML}.items()):
            node.namespaces.append(
                self._add(Node("namespace", self._next, node, local=prefix, value=uri))
            )
        for position, (key, value) in enumerate(item.attrib.items(), start=1):
            self._attribute(item, node, position, str(key), str(value))
        self._text(item.text, node)
        for child in item:
            if isinstance(child, etree._Comment | etree._ProcessingInstruction):
                self._beside(child, node)
            else:
                self._element(child, node)
            self._text(child.tail, node)

    def _attribute(
        self, item: etree._Element, node: Node, position: int, key: str, value: str
    ) -> None:
        name = etree.QName(key)
        uri = name.namespace or ""
        prefix = ""
        if uri:
            # Several prefixes for one namespace: only XPath tells which one was written.
            written = str(item.xpath(f"name(@*[{position}])"))
            prefix = written.rpartition(":")[0]
        node.attributes.append(
            self._add(
                Node(
                    "attribute",
                    self._next,
                    node,
                    local=name.localname,
                    uri=uri,
                    prefix=prefix,
                    value=value,
                )
            )
        )
