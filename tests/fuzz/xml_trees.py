"""Changes of XML by structure: elements moved, doubled, wrapped; attributes, Ids, names, text."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Sequence
from random import Random

from lxml import etree

ID_NAMES = (
    "Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id",
    "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id",
)  # fmt: skip
STRANGE = (
    "", " ", "#", "#x", "urn:x", "http://127.0.0.1:1/", "0", "-1", "5.00", "9" * 40, "\u202e", "é",
    "xpointer(/)", "#xpointer(/)", "#xpointer(id('a'))", "2026-02-30T00:00:00Z", "a" * 5000,
)  # fmt: skip
DS = "{http://www.w3.org/2000/09/xmldsig#}"
ENCODINGS = ("UTF-8", "UTF-8", "UTF-8", "UTF-16", "US-ASCII", "windows-1251")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)

Node = etree._Element
Others = Sequence[bytes]
Inner = Callable[[bytes, Random, Others], bytes]


class NotXml(Exception):
    """Not XML that a tree can be made of, or that can be written again."""


def changed(octets: bytes, dice: Random, others: Others, inner: Inner) -> bytes:
    """Return the document with one thing changed; `inner` changes what base64 hides.

    Raises NotXml.
    """
    try:
        root = etree.fromstring(octets, _PARSER)
        root = dice.choice(_CHANGES)(root, dice, others, inner)
        if dice.random() < 0.85:
            return bytes(etree.tostring(root.getroottree()))
        encoding = dice.choice(ENCODINGS)
        return bytes(etree.tostring(root, encoding=encoding, xml_declaration=True))
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise NotXml from error


def _elements(root: Node) -> list[Node]:
    return [one for one in root.iter() if isinstance(one.tag, str)]


def _one(root: Node, dice: Random) -> Node:
    """Return an element, the signature's own parts more often than their number gives them."""
    found = _elements(root)
    if dice.random() < 0.4:
        found = [one for one in found if one.tag.startswith(DS)] or found
    return dice.choice(found)


def _put(parent: Node, child: Node, dice: Random) -> None:
    parent.insert(dice.randint(0, len(parent)), child)


def _removed(element: Node) -> None:
    parent = element.getparent()
    if parent is not None:
        before = element.getprevious()
        tail = element.tail or ""
        if before is not None:
            before.tail = (before.tail or "") + tail
        else:
            parent.text = (parent.text or "") + tail
        parent.remove(element)


def _delete(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    _removed(_one(root, dice))
    return root


def _double(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    element = _one(root, dice)
    piece = copy.deepcopy(element)
    for _ in range(dice.choice((1, 1, 1, 20))):
        holder = dice.choice((element.getparent(), _one(root, dice)))
        _put(root if holder is None else holder, copy.deepcopy(piece), dice)
    return root


def _move(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    element, holder = _one(root, dice), _one(root, dice)
    if element is not root and element not in (holder, *holder.iterancestors()):
        _removed(element)
        _put(holder, element, dice)
    return root


def _swap(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    element = _one(root, dice)
    parent = element.getparent()
    if parent is not None:
        _removed(element)
        _put(parent, element, dice)
    return root


def _graft(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    other = etree.fromstring(dice.choice(others), _PARSER) if others else root
    _put(_one(root, dice), copy.deepcopy(_one(other, dice)), dice)
    return root


def _wrap(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    """What is signed goes elsewhere under its Id; what stands in its place says other things."""
    named = [one for one in _elements(root) if any(name in one.attrib for name in ID_NAMES)]
    element = dice.choice(named or _elements(root))
    hidden = copy.deepcopy(element)
    holder = etree.Element(dice.choice((f"{DS}Object", "wrapper", root.tag)))
    holder.append(hidden)
    forged = dice.choice(_elements(element))
    forged.text = dice.choice(STRANGE[:12])
    if dice.random() < 0.5:
        for name in ID_NAMES:
            if name in element.attrib:
                element.set(name, dice.choice(("other", element.get(name, ""))))
    signatures = list(root.iter(f"{DS}Signature"))
    _put(dice.choice([*signatures, root, _one(root, dice)]), holder, dice)
    return root


def _around(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    """The whole document becomes a part of another, which has the root's name or a new one."""
    whole = etree.Element(dice.choice((root.tag, "wrapper")))
    for _ in range(dice.choice((0, 0, 1, 300))):
        holder = etree.Element("wrapper")
        holder.append(root)
        root = holder
    whole.append(root)
    if dice.random() < 0.5:
        whole.append(copy.deepcopy(_one(root, dice)))
    return whole


def _promote(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    return copy.deepcopy(_one(root, dice))


def _attribute(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    holders = [one for one in _elements(root) if one.attrib]
    element = dice.choice(holders) if holders and dice.random() < 0.8 else _one(root, dice)
    values = [value for one in holders for value in one.attrib.values()]
    name = dice.choice([*element.attrib, dice.choice(ID_NAMES)])
    if dice.random() < 0.2:
        element.attrib.pop(name, None)
    else:
        element.set(name, dice.choice((dice.choice(STRANGE), dice.choice(values or ("x",)))))
    return root


def _rename(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    element = _one(root, dice)
    names = [one.tag for one in _elements(root)]
    element.tag = dice.choice((dice.choice(names), etree.QName(element).localname, "{urn:x}y"))
    return root


def _text(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    element = _one(root, dice)
    match dice.randrange(5):
        case 0:
            element.text = dice.choice(STRANGE)
        case 1:
            element.text = dice.choice([one.text or "" for one in _elements(root)])
        case 2:
            _put(element, dice.choice((etree.Comment("x"), etree.ProcessingInstruction("p"))), dice)
        case 3:
            element.tail = (element.tail or "") + dice.choice(("\n  ", "x", "\u00a0"))
        case _:
            text, at = element.text or "", dice.randint(0, len(element.text or ""))
            element.text = text[:at]
            comment = etree.Comment("x")
            comment.tail = text[at:]
            element.insert(0, comment)
    return root


def _inside(root: Node, dice: Random, others: Others, inner: Inner) -> Node:
    """Change what is hidden in base64, in a text or in an attribute."""
    places = [(one, None) for one in _elements(root) if len(one.text or "") > 40]
    places += [(e, n) for e in _elements(root) for n, v in e.attrib.items() if len(v) > 40]
    dice.shuffle(places)
    for element, name in places:
        written = element.text if name is None else element.get(name)
        try:
            octets = base64.b64decode("".join((written or "").split()), validate=True)
        except ValueError:
            continue
        made = base64.b64encode(inner(octets, dice, others)).decode()
        if name is None:
            element.text = made
        else:
            element.set(name, made)
        break
    return root


_CHANGES = (
    _delete, _double, _move, _swap, _graft, _wrap, _wrap, _around, _promote, _attribute,
    _attribute, _rename, _text, _text, _inside, _inside,
)  # fmt: skip
