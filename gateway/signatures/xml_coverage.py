"""What of the document an intact reference covers.

A whole document is one that loses nothing but signatures: whoever adds, moves or wraps an
element leaves a part that nobody signed, and the reference covers a part only.

Source: EU DSS, SignatureScopeType (FULL, PARTIAL).
"""

from __future__ import annotations

from lxml import etree

from gateway.model import Covered
from gateway.signatures import xml_names as names
from gateway.signatures.xml_references import Reference, Target, is_external, shown
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, local

MEDIA_TYPE = "application/xml"
_OWN = ("QualifyingProperties", "QualifyingPropertiesReference", "Manifest", "SignatureProperties")
NOT_CHILD = "the signature is not a child of the document element"


def covered(
    reference: Reference,
    target: Target,
    source: Source,
    signature: etree._Element,
    media_type: str,
) -> tuple[Covered, str | None]:
    """Return what `reference` covers, and a hint for people or None.

    `media_type` is what the signer says of it in DataObjectFormat, or empty.
    """
    hint = None
    if is_external(reference.uri):
        assert source.document is not None
        full = target.whole
        covers: bool = full
        media_type = media_type or source.document.media_type
    elif target.element is not None and signature in target.element.iterancestors():
        full = target.whole and _only_content(target.element, signature, source)
        covers = full and source.enclosing
    else:
        full = target.whole and target.plain and _is_document(target, source)
        direct = signature.getparent() is source.root
        if full and not direct:
            hint = NOT_CHILD
        covers = full and direct and source.enclosing
        media_type = MEDIA_TYPE
    if source.document is not None and target.octets == source.document.body:
        full = covers = True
        media_type = source.document.media_type
    found = Covered(
        octets=target.octets,
        scope="FULL" if full else "PARTIAL",
        covers_enclosing=covers,
        reference=shown(reference.uri or ""),
        media_type=media_type or ("" if not target.plain else MEDIA_TYPE),
    )
    return found, hint


def own_properties(element: etree._Element, signature: etree._Element) -> bool:
    """Say whether `element` is a part of the signature that is no content: keys, properties."""
    for node in (element, *element.iterancestors()):
        if node is signature:
            return False
        parent = node.getparent()
        if parent is signature:
            return node.tag != f"{DS}Object" or _is_own(node)
    return False


def _is_document(target: Target, source: Source) -> bool:
    return target.document or target.element is source.root


def _only_content(element: etree._Element, signature: etree._Element, source: Source) -> bool:
    """Say whether an element in an Object is all that an enveloping signature holds."""
    if signature is not source.root:
        return False
    objects = [one for one in signature.iterchildren(f"{DS}Object") if not _is_own(one)]
    if len(objects) != 1:
        return False
    (only,) = objects
    if element is only:
        return True
    texts = [only.text, *(child.tail for child in only)]
    return list(only) == [element] and not any(text and text.strip() for text in texts)


def _is_own(block: etree._Element) -> bool:
    """Say whether an Object holds nothing but what belongs to the signature."""
    children = list(block.iterchildren("*"))
    return bool(children) and all(
        local(child) in _OWN and (etree.QName(child).namespace in (names.DS, *names.XADES_ALL))
        for child in children
    )
