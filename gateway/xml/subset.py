"""Canonical XML of a set of nodes: what an XPath filter leaves of a document.

The general and slow form; `c14n` writes whole parts of documents.  Elements may be left out
while what is below them stays, and single attributes or namespaces may be missing.

Source: W3C Canonical XML 1.0 and 1.1, clauses 2.2 to 2.4; Exclusive XML Canonicalization 1.0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gateway.xml import base as base_of
from gateway.xml import escape
from gateway.xml.c14n import DEFAULT, METHODS
from gateway.xml.nodes import XML, Node, Tree

_INHERITED_11 = ("lang", "space")


def canonical_nodes(
    tree: Tree, members: Collection[int], method: str, prefixes: Sequence[str] = ()
) -> bytes:
    """Return the canonical form of the nodes whose `order` is in `members`.

    `method` is one of `c14n.METHODS`, `prefixes` the PrefixList of exclusive ones.
    """
    chosen = METHODS[method]
    writer = _Writer(frozenset(members), chosen.kind, chosen.comments, frozenset(prefixes))
    writer.children(tree.root, {}, {})
    return "".join(writer.out).encode("utf-8")


class _Writer:
    def __init__(
        self, members: frozenset[int], kind: str, comments: bool, prefixes: frozenset[str]
    ) -> None:
        self.members = members
        self.kind = kind
        self.comments = comments
        self.inclusive = frozenset("" if p == DEFAULT else p for p in prefixes)
        self.out: list[str] = []

    def children(self, parent: Node, above: Mapping[str, str], rendered: Mapping[str, str]) -> None:
        """Write what is below `parent`.

        `above` are the namespaces that the nearest written ancestor has in the set;
        `rendered` those in force in what has been written.
        """
        past_root = False
        for node in parent.children:
            if node.kind == "element":
                self._element(node, above, rendered)
                past_root = True
            elif node.order not in self.members:
                continue
            elif node.kind == "text":
                self.out.append(escape.text(node.value))
            elif node.kind == "instruction" or self.comments:
                written = _beside(node)
                if parent.kind == "root":
                    written = f"\n{written}" if past_root else f"{written}\n"
                self.out.append(written)

    def _element(self, node: Node, above: Mapping[str, str], rendered: Mapping[str, str]) -> None:
        written = node.order in self.members
        own = {
            n.local: n.value
            for n in node.namespaces
            if n.order in self.members and n.local != "xml"
        }
        attributes = [a for a in node.attributes if a.order in self.members]
        if not written and not own and not attributes:
            self.children(node, above, rendered)
            return
        used: set[str] = set()
        if written:
            used = {node.prefix, *(a.prefix for a in attributes if a.prefix and a.uri != XML)}
            self.out.append(f"<{node.name}")
        declared = self._declared(written, own, used, above, rendered)
        for prefix in sorted(declared):
            label = f"xmlns:{prefix}" if prefix else "xmlns"
            self.out.append(f' {label}="{escape.attribute(declared[prefix])}"')
        for _, _, name, value in sorted(self._attributes(node, attributes, written)):
            self.out.append(f' {name}="{escape.attribute(value)}"')
        if not written:
            # Attributes of an element left out stand by themselves (clause 2.3).
            self.children(node, above, rendered)
            return
        self.out.append(">")
        # A prefix that is used here and has no namespace in the set is in force no more.
        kept = {p: uri for p, uri in rendered.items() if p not in used or p in own}
        self.children(node, own, {**kept, **declared})
        self.out.append(f"</{node.name}>")

    def _attributes(
        self, node: Node, attributes: Sequence[Node], written: bool
    ) -> list[tuple[str, str, str, str]]:
        inherited = self._inherited(node) if written else {}
        found = [
            (a.uri, a.local, a.name, a.value)
            for a in attributes
            if not (a.uri == XML and a.local in inherited)
        ]
        found.extend((XML, k, f"xml:{k}", v) for k, v in inherited.items())
        return found

    def _declared(
        self,
        written: bool,
        own: Mapping[str, str],
        used: Collection[str],
        above: Mapping[str, str],
        rendered: Mapping[str, str],
    ) -> dict[str, str]:
        declared: dict[str, str] = {}
        for prefix, uri in own.items():
            if self.kind != "exclusive" or (prefix in self.inclusive and written):
                if above.get(prefix) != uri:
                    declared[prefix] = uri
            elif prefix in used and rendered.get(prefix) != uri:
                declared[prefix] = uri
        if written and "" not in own:
            utilised = self.kind != "exclusive" or "" in self.inclusive
            outer = above if utilised else rendered
            if outer.get("") and (utilised or "" in used):
                declared[""] = ""
        return declared

    def _inherited(self, node: Node) -> dict[str, str]:
        """Return the xml:* attributes an element takes over when its parent is left out."""
        parent = node.parent
        if self.kind == "exclusive" or parent is None:
            return {}
        if parent.kind == "root" or parent.order in self.members:
            return {}
        own = {a.local for a in node.attributes if a.uri == XML}
        found: dict[str, str] = {}
        for ancestor in node.upwards():
            for attribute in ancestor.attributes:
                if attribute.uri == XML and attribute.local not in own:
                    found.setdefault(attribute.local, attribute.value)
        if self.kind == "1.0":
            return found
        kept = {local: value for local, value in found.items() if local in _INHERITED_11}
        base = self._base(node)
        if base:
            kept["base"] = base
        return kept

    def _base(self, node: Node) -> str:
        """Return xml:base joined over the ancestors left out (C14N 1.1, clause 2.4)."""
        values: list[str] = []
        for one in (node, *node.upwards()):
            if one is not node and one.order in self.members:
                break
            values.extend(a.value for a in one.attributes if (a.uri, a.local) == (XML, "base"))
        if not values:
            return ""
        joined = values[-1]
        for value in reversed(values[:-1]):
            joined = base_of.join(joined, value)
        return joined


def _beside(node: Node) -> str:
    if node.kind == "comment":
        return f"<!--{node.value}-->"
    return f"<?{node.local} {node.value}?>" if node.value else f"<?{node.local}?>"
