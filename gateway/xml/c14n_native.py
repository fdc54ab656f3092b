"""Canonical XML by libxml2, where it can be trusted: ten times as fast as our own writer.

Its inclusive forms are wrong (see `c14n`), its exclusive one is right.  Exclusive with every
prefix in its PrefixList is the inclusive form by definition, so both are taken from it; lxml
cannot put the default namespace into that list, so a document that declares one anywhere but
on its first element goes the long way, as does whatever is unusual.

Source: Exclusive XML Canonicalization 1.0, clause 2.1 (InclusiveNamespaces PrefixList).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence

from lxml import etree

DECLARATIONS_MAX = 24
"""Namespace declarations in the part: libxml2 looks through them for every element."""

_XML = "{http://www.w3.org/XML/1998/namespace}"


def written(
    element: etree._Element,
    kind: str,
    comments: bool,
    prefixes: Sequence[str],
    omit: Collection[etree._Element],
) -> bytes | None:
    """Return the canonical form, or None where only our own writer is known to be right.

    Arguments are those of `c14n.canonical`; `kind` is `1.0`, `1.1` or `exclusive`.
    """
    if prefixes:
        return None
    if kind != "exclusive" and _inherits(element):
        return None
    if omit:
        if element.getparent() is not None:
            return None
        element = _without(element, omit)
    elif element.getparent() is None and _has_siblings(element):
        element = copy.deepcopy(element)
    declared = _declared(element, kind)
    if declared is None:
        return None
    found = etree.tostring(
        element,
        method="c14n",
        exclusive=True,
        with_comments=comments,
        with_tail=False,
        inclusive_ns_prefixes=declared or None,
    )
    assert isinstance(found, bytes)
    return found


def _has_siblings(element: etree._Element) -> bool:
    """Say whether a document element has anything beside it, which lxml would write too."""
    return element.getprevious() is not None or element.getnext() is not None


def _inherits(element: etree._Element) -> bool:
    """Say whether an ancestor has attributes that the part would take over."""
    return any(str(key).startswith(_XML) for node in element.iterancestors() for key in node.attrib)


def _declared(element: etree._Element, kind: str) -> list[str] | None:
    """Return the prefixes that an inclusive form may declare; None when they are unusual."""
    events = etree.iterwalk(element, events=("start-ns",))
    own = element.nsmap
    found = {prefix for prefix in own if prefix}
    defaults = 0
    for number, (_, (prefix, _uri)) in enumerate(events, start=1):
        if number > DECLARATIONS_MAX:
            return None
        if prefix:
            found.add(prefix)
        else:
            defaults += 1
    if len(own) + len(found) > DECLARATIONS_MAX:
        return None
    if kind == "exclusive":
        return []
    above = element.getparent()
    apex_declares = None in own and (above is None or own[None] != above.nsmap.get(None))
    if defaults > int(apex_declares) or (None in own and element.prefix):
        return None
    return sorted(found)


def _without(root: etree._Element, omit: Collection[etree._Element]) -> etree._Element:
    """Return a copy of a document element without the elements in `omit`."""
    paths = [_path(one) for one in omit if one.getroottree().getroot() is root]
    duplicate = copy.deepcopy(root)
    several = []
    for path in paths:
        node = duplicate
        for index in path:
            node = node[index]
        several.append(node)
    for node in several:
        parent = node.getparent()
        if parent is None:
            continue
        tail, before = node.tail, node.getprevious()
        if tail and before is not None:
            before.tail = (before.tail or "") + tail
        elif tail:
            parent.text = (parent.text or "") + tail
        parent.remove(node)
    return duplicate


def _path(element: etree._Element) -> list[int]:
    path = []
    parent = element.getparent()
    while parent is not None:
        path.append(parent.index(element))
        element, parent = parent, parent.getparent()
    return path[::-1]
