"""The transforms of a reference: from what it names to the octets that are digested.

An allow-list: enveloped-signature, canonicalisations, XPath, XPath Filter 2.0, base64, the
transform of СМЭВ 3 and that of tokens in WS-Security.  XSLT and everything unknown make the
reference undecided, by name.

Source: W3C XMLDSig 1.1, clauses 4.4.3.2 and 6.6; W3C XPath Filter 2.0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lxml import etree

from gateway.errors import Rejected
from gateway.signatures import xml_names as names
from gateway.signatures import xml_tokens
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    failed,
    undecided,
)
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import (
    DS,
    SIGNATURE,
    base64_octets,
    top_signatures,
)
from gateway.signatures.xml_transform_syntax import Transform, XPath, drops_signatures, unsupported
from gateway.xml import c14n, smev, xpath
from gateway.xml.nodes import Node, TooMany, Tree
from gateway.xml.parser import parse
from gateway.xml.subset import canonical_nodes
from gateway.xml.xpath_syntax import Unreadable


@dataclass(frozen=True, kw_only=True)
class Branch:
    """An element with everything below it, less the elements omitted."""

    apex: etree._Element
    document: bool
    """The whole document, what stands beside the document element included."""

    comments: bool
    omitted: frozenset[etree._Element] = frozenset()


@dataclass(frozen=True)
class NodeSet:
    """Any choice of the nodes of a document."""

    tree: Tree
    members: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a reference stands between two transforms."""

    value: Branch | NodeSet | bytes
    whole: bool
    """Nothing is left out of what the reference names, signatures aside."""

    nodes: Branch | NodeSet | None = None
    """The last choice of nodes in the file itself."""

    own: bool = True
    """The value still belongs to the tree of the file, so the signature can be found in it."""


class Pipeline:
    """Carries out the transforms of one signature's references."""

    def __init__(self, source: Source, signature: etree._Element) -> None:
        self.source = source
        self.signature = signature

    def octets(self, state: State, transforms: tuple[Transform, ...]) -> State:
        """Return the state after all transforms, its value the octets to digest."""
        for transform in transforms:
            state = self._apply(self._noted(state), transform)
        state = self._noted(state)
        if isinstance(state.value, bytes):
            return state
        default = Transform(algorithm=c14n.C14N_10)  # XMLDSig 1.1, clause 4.4.3.2
        return self._canonical(state, default)

    def _noted(self, state: State) -> State:
        """Remember the last nodes that are the file's own: they say which part is signed."""
        if not state.own or isinstance(state.value, bytes):
            return state
        return replace(state, nodes=state.value)

    def _apply(self, state: State, transform: Transform) -> State:
        algorithm = transform.algorithm
        if algorithm in c14n.METHODS:
            return self._canonical(self._parsed(state), transform)
        if algorithm == names.ENVELOPED:
            return self._enveloped(state)
        if algorithm == names.XPATH:
            if drops_signatures(transform.filters[0]):
                return self._without_signatures(self._parsed(state), transform)
            return self._filtered(self._parsed(state), transform.filters)
        if algorithm == names.FILTER2:
            return self._filtered(self._parsed(state), transform.filters)
        if algorithm == names.BASE64:
            return self._decoded(state)
        if algorithm == names.SMEV:
            return self._smev(self._parsed(state))
        if algorithm == names.STR_TRANSFORM:
            return self._dereferenced(state, transform)
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, unsupported(algorithm))

    def _parsed(self, state: State) -> State:
        """Return octets as a document again, as transforms of nodes ask for."""
        if not isinstance(state.value, bytes):
            return state
        self.source.spend(len(state.value))
        try:
            root = parse(state.value)
        except Rejected as error:
            detail = f"no XML to transform: {error.problems[0].code}"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail) from error
        return replace(state, value=Branch(apex=root, document=True, comments=True), own=False)

    def _canonical(self, state: State, transform: Transform) -> State:
        value = state.value
        assert not isinstance(value, bytes)
        key = (value, transform.algorithm, transform.prefixes)
        octets = self.source.remembered(key)
        if octets is None:
            octets = self.source.remember(key, _written(value, transform))
        if not octets:
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "nothing left to digest")
        return replace(state, value=octets)

    def _enveloped(self, state: State) -> State:
        if not state.own or isinstance(state.value, bytes):
            detail = "enveloped-signature after the document was written out"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
        value = state.value
        if isinstance(value, Branch) and self.signature in value.apex.iterancestors():
            # By the letter nothing would be left.  Signers mean: there is no signature in it.
            return state
        return self._omit(state, [self.signature])

    def _without_signatures(self, state: State, transform: Transform) -> State:
        if not isinstance(state.value, Branch):
            return self._filtered(state, transform.filters)
        apex = state.value.apex
        self.source.spend(0, self.source.size(apex))
        if next(apex.iterancestors(SIGNATURE), None) is not None:
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "nothing left to digest")
        return self._omit(state, top_signatures(apex))

    def _omit(self, state: State, elements: list[etree._Element]) -> State:
        """Leave out signatures, which never makes a document less than whole."""
        value = state.value
        assert not isinstance(value, bytes)
        if isinstance(value, NodeSet):
            out = {n.order for e in elements if e in value.tree.of for n in value.tree.within(e)}
            return replace(state, value=NodeSet(value.tree, value.members - out))
        if any(element in (value.apex, *value.apex.iterancestors()) for element in elements):
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "nothing left to digest")
        return replace(state, value=replace(value, omitted=value.omitted | set(elements)))

    def _decoded(self, state: State) -> State:
        """Decode base64; markup among the text would be hidden by it, so it is not whole."""
        value = state.value
        whole = state.whole
        if isinstance(value, bytes):
            text = value.decode("latin-1")
        elif isinstance(value, NodeSet):
            nodes = value.tree.nodes
            chosen = [nodes[order] for order in sorted(value.members)]
            text = "".join(node.value for node in chosen if node.kind == "text")
            whole = False
        else:
            self.source.spend(0, self.source.size(value.apex))
            text = _text(value)
            whole = whole and not len(value.apex)
        self.source.spend(len(text))
        octets = base64_octets(text)
        if octets is None:
            raise failed("reference_data", FORMAT_FAILURE, "not base64")
        return replace(state, value=octets, whole=whole)

    def _smev(self, state: State) -> State:
        value = state.value
        assert not isinstance(value, bytes)
        if isinstance(value, NodeSet):
            detail = "the transform of SMEV after an XPath filter"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
        octets = smev.transform(value.apex, value.omitted)
        self.source.spend(len(octets))
        return replace(state, value=octets)

    def _dereferenced(self, state: State, transform: Transform) -> State:
        """Take a token in place of its reference; of what is around nothing is left."""
        value = state.value
        if not state.own or not isinstance(value, Branch):
            detail = "STR-Transform of what is no token in the file"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
        octets = xml_tokens.dereferenced(value.apex, self.source, transform.method)
        self.source.spend(len(octets))
        return replace(state, value=octets, whole=False)

    # --- XPath -------------------------------------------------------------------------

    def _filtered(self, state: State, filters: tuple[XPath, ...]) -> State:
        value = state.value
        assert not isinstance(value, bytes)
        chosen = value if isinstance(value, NodeSet) else self._nodes(value)
        tree = chosen.tree
        try:
            if filters[0].operation == "keep":
                members = self._kept(chosen, filters[0], state.own)
            else:
                members = chosen.members & self._combined(tree, filters, state.own)
        except Unreadable as error:
            detail = f"XPath unsupported: {error}"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail) from error
        except TooMany as error:
            detail = "XPath takes too many steps"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail) from error
        lost = (tree.nodes[order] for order in chosen.members - members)
        whole = state.whole and all(map(_within_signature, lost))
        return replace(state, value=NodeSet(tree, members), whole=whole)

    def _nodes(self, part: Branch) -> NodeSet:
        tree = self.source.tree(part.apex.getroottree().getroot())
        nodes = tree.nodes if part.document else tree.within(part.apex)
        out = {n.order for e in part.omitted if e in tree.of for n in tree.within(e)}
        members = frozenset(
            node.order
            for node in nodes
            if node.order not in out and (part.comments or node.kind != "comment")
        )
        return NodeSet(tree, members)

    def _context(self, tree: Tree, filtering: XPath, node: Node, own: bool) -> xpath.Context:
        element = self._element(filtering)
        # Exclusive canonicalisation of SignedInfo drops prefixes that only an XPath uses.
        there = {p: uri for p, uri in element.nsmap.items() if p} if element is not None else {}
        return xpath.Context(
            node=node,
            tree=tree,
            prefixes={**there, **filtering.prefixes},
            steps=self.source.steps,
            here=tree.of.get(element) if own and element is not None else None,
        )

    def _element(self, filtering: XPath) -> etree._Element | None:
        """Return the XPath element itself, where it stands in the file."""
        place = self.signature.find(f"{DS}SignedInfo") if filtering.path else None
        for index in filtering.path:
            if place is None or index >= len(place):
                return None
            place = place[index]
        return place

    def _kept(self, chosen: NodeSet, filtering: XPath, own: bool) -> frozenset[int]:
        start = self._context(chosen.tree, filtering, chosen.tree.root, own)
        kept = []
        for order in sorted(chosen.members):
            at = replace(start, node=chosen.tree.nodes[order])
            if xpath.boolean(xpath.evaluate(filtering.expression, at)):
                kept.append(order)
        return frozenset(kept)

    def _combined(self, tree: Tree, filters: tuple[XPath, ...], own: bool) -> frozenset[int]:
        """Combine the filters as XPath Filter 2.0, clause 3.4, says."""
        members = set(range(len(tree.nodes)))
        for filtering in filters:
            found = xpath.evaluate(
                filtering.expression, self._context(tree, filtering, tree.root, own)
            )
            if not isinstance(found, list):
                raise Unreadable("a filter that gives no nodes")
            named: set[int] = set()
            for node in found:
                if node.order in named:
                    continue
                for one in (node, *node.below()):
                    named.add(one.order)
                    named.update(attached.order for attached in one.namespaces)
                    named.update(attached.order for attached in one.attributes)
            self.source.steps.take(len(named))
            if filtering.operation == "intersect":
                members &= named
            elif filtering.operation == "subtract":
                members -= named
            else:
                members |= named
        return frozenset(members)


def _written(value: Branch | NodeSet, transform: Transform) -> bytes:
    method, prefixes = transform.algorithm, transform.prefixes
    if isinstance(value, NodeSet):
        return canonical_nodes(value.tree, value.members, method, prefixes)
    write = c14n.canonical_document if value.document else c14n.canonical
    return write(value.apex, method, prefixes, omit=tuple(value.omitted), comments=value.comments)


def _text(part: Branch) -> str:
    """Return the text of a part, what is omitted aside."""
    if not part.omitted:
        return "".join(str(text) for text in part.apex.itertext("*"))
    found = [part.apex.text or ""]
    for child in part.apex:
        if child not in part.omitted and isinstance(child.tag, str):
            found.append(_text(replace(part, apex=child)))
        found.append(child.tail or "")
    return "".join(found)


def _within_signature(node: Node) -> bool:
    """Say whether a node lost says nothing of the document: a comment, or of a signature."""
    if node.kind == "comment":
        return True
    return any(
        one.kind == "element" and one.local == "Signature" and one.uri == names.DS
        for one in (node, *node.upwards())
    )


def _top(chosen: NodeSet) -> etree._Element | None:
    for order in sorted(chosen.members):
        element = chosen.tree.nodes[order].element
        if element is not None:
            return element
    return None


def only_element(value: Branch | NodeSet | None) -> etree._Element | None:
    """Return the one element that holds everything chosen, or None."""
    if value is None:
        return None
    if isinstance(value, Branch):
        return value.apex
    top = _top(value)
    if top is None:
        return None
    inside = {node.order for node in value.tree.within(top)}
    return top if value.members - {value.tree.root.order} <= inside else None
