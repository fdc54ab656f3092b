"""References of an XML signature: what each names, and the octets that are digested.

Only transforms known here are carried out, in the order written; any other makes the
reference undecided, by name.  Nothing is ever fetched.

Source: W3C XMLDSig 1.1, clauses 4.4.3 and 6.6.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.signatures import findings
from gateway.signatures import xml_names as names
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    failed,
    undecided,
)
from gateway.xml import c14n

REFERENCES_MAX = 32
TRANSFORMS_MAX = 5

_SIGNATURE = f"{{{names.DS}}}Signature"
_XPOINTER_ID = re.compile(r"#xpointer\(id\((?:'([^']*)'|\"([^\"]*)\")\)\)")
_NOT_SIGNATURES = re.compile(r"not\(\s*ancestor-or-self::([A-Za-z_][\w.-]*):Signature\s*\)")


@dataclass(frozen=True, kw_only=True)
class Transform:
    algorithm: str
    prefixes: tuple[str, ...] = ()
    """PrefixList of exclusive canonicalisation."""

    drops_signatures: bool = False
    """The one XPath filter we know: everything but the Signature elements."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One ds:Reference, read from the canonical SignedInfo."""

    uri: str | None
    type: str
    transforms: tuple[Transform, ...]
    digest: str
    """Name of the digest, as `algorithms` knows it."""

    value: bytes


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a reference names, and what its transforms leave of it."""

    element: etree._Element
    document: bool
    """The whole document, what stands beside the document element included."""

    omitted: tuple[etree._Element, ...]
    octets: bytes


def children(parent: etree._Element, *allowed: str) -> list[etree._Element]:
    """Return the child elements of a structural element, all of the names `allowed`.

    Raises the flaw for anything else: foreign elements, comments, instructions, text.
    """
    found = []
    texts = [parent.text, *(child.tail for child in parent)]
    if any(text and not text.isspace() for text in texts):
        raise failed("format", FORMAT_FAILURE, f"text in {_local(parent)}")
    for child in parent:
        if isinstance(child, etree._Comment | etree._ProcessingInstruction):
            raise failed("format", FORMAT_FAILURE, f"comment in {_local(parent)}")
        if child.tag not in [f"{{{names.DS}}}{name}" for name in allowed]:
            raise failed("format", FORMAT_FAILURE, f"unexpected element in {_local(parent)}")
        found.append(child)
    return found


def one(parent: etree._Element, *sequence: str) -> list[etree._Element]:
    """Return the children of `parent`, which are exactly the elements named, in this order."""
    found = children(parent, *sequence)
    if [_local(child) for child in found] != list(sequence):
        raise failed("format", FORMAT_FAILURE, f"{_local(parent)} is not {', '.join(sequence)}")
    return found


def decode(element: etree._Element) -> bytes:
    """Return the octets of a base64 element, which holds nothing but text."""
    if len(element):
        raise failed("format", FORMAT_FAILURE, f"content in {_local(element)}")
    text = "".join((element.text or "").split(" "))
    text = re.sub(r"[\t\n\r]", "", text)
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise failed("format", FORMAT_FAILURE, f"base64 of {_local(element)}") from error
    if not octets or base64.b64encode(octets).decode("ascii") != text:
        raise failed("format", FORMAT_FAILURE, f"base64 of {_local(element)}")
    return octets


def method_of(element: etree._Element) -> Transform:
    """Read a Transform or CanonicalizationMethod with its parameters."""
    algorithm = element.get("Algorithm") or ""
    if algorithm in (c14n.EXCLUSIVE, c14n.EXCLUSIVE + "WithComments"):
        return Transform(algorithm=algorithm, prefixes=_prefix_list(element))
    if algorithm == names.XPATH:
        return Transform(algorithm=algorithm, drops_signatures=_drops_signatures(element))
    if len(element) or (element.text and not element.text.isspace()):
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, "parameters of a transform")
    return Transform(algorithm=algorithm)


def read(element: etree._Element) -> Reference:
    """Read one ds:Reference."""
    parts = children(element, "Transforms", "DigestMethod", "DigestValue")
    order = [_local(part) for part in parts]
    if order not in (
        ["Transforms", "DigestMethod", "DigestValue"],
        ["DigestMethod", "DigestValue"],
    ):
        raise failed("format", FORMAT_FAILURE, "Reference is not in order")
    transforms = children(parts[0], "Transform") if len(parts) == 3 else []
    if len(transforms) > TRANSFORMS_MAX:
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, "too many transforms")
    one(parts[-2])
    uri = parts[-2].get("Algorithm") or ""
    if uri not in names.DIGESTS:
        detail = f"digest {findings.shown(uri, names.KNOWN)} unsupported"
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
    return Reference(
        uri=element.get("URI"),
        type=element.get("Type") or "",
        transforms=tuple(method_of(transform) for transform in transforms),
        digest=names.DIGESTS[uri],
        value=decode(parts[-1]),
    )


def resolve(reference: Reference, signature: etree._Element) -> Target:
    """Find what `reference` names and carry out its transforms."""
    element, document, comments = _named(reference.uri, signature)
    omitted: list[etree._Element] = []
    transforms = list(reference.transforms)
    final = Transform(algorithm=c14n.C14N_10)  # XMLDSig 1.1, clause 4.4.3.2
    if transforms and transforms[-1].algorithm in c14n.METHODS:
        final = transforms.pop()
    for transform in transforms:
        if transform.algorithm == names.ENVELOPED:
            omitted.append(signature)
        elif transform.drops_signatures:
            omitted.extend(top_signatures(element))
        else:
            detail = f"transform {findings.shown(transform.algorithm, names.KNOWN)} unsupported"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
    if any(left_out in (element, *element.iterancestors()) for left_out in omitted):
        raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "nothing left to digest")
    write = c14n.canonical_document if document else c14n.canonical
    octets = write(element, final.algorithm, final.prefixes, omit=tuple(omitted), comments=comments)
    return Target(element=element, document=document, omitted=tuple(omitted), octets=octets)


def top_signatures(below: etree._Element) -> list[etree._Element]:
    """Return the Signature elements at or below `below` that are in no other Signature."""
    return [
        found
        for found in below.iter(_SIGNATURE)
        if next(found.iterancestors(_SIGNATURE), None) is None
    ]


def shown(uri: str) -> str:
    """Return a reference from outside, cut to what a report may show its sender."""
    return "".join(c for c in uri[:120] if c.isprintable()) or "without a name"


def _named(uri: str | None, signature: etree._Element) -> tuple[etree._Element, bool, bool]:
    """Return (element, whether the whole document is meant, whether comments count)."""
    root = signature.getroottree().getroot()
    if uri == "":
        return root, True, False
    if uri == "#xpointer(/)":
        return root, True, True
    if uri is None or not uri.startswith("#"):
        detail = "no URI" if uri is None else "external reference, never fetched"
        raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, detail)
    pointer = _XPOINTER_ID.fullmatch(uri)
    if uri.startswith("#xpointer(") and pointer is None:
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, "XPointer unsupported")
    label = (pointer[1] or pointer[2] or "") if pointer else uri[1:]
    return _by_id(root, label), False, pointer is not None


def _by_id(root: etree._Element, label: str) -> etree._Element:
    """Return the one element with this Id, however the attribute is spelt.

    Two elements that anybody might take for the target are a forgery, not a choice.
    """
    found = [
        element
        for element in root.iter("*")
        if any(
            value == label and str(key).rpartition("}")[2].lower() == "id"
            for key, value in element.attrib.items()
        )
    ]
    if len(found) > 1:
        raise failed("reference_data", FORMAT_FAILURE, "the Id referenced is not unique")
    if not found:
        raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "the Id referenced is nowhere")
    return found[0]


def _prefix_list(element: etree._Element) -> tuple[str, ...]:
    if not len(element):
        return ()
    inner = element[0]
    if len(element) != 1 or inner.tag != f"{{{c14n.EXCLUSIVE}}}InclusiveNamespaces":
        raise failed("format", FORMAT_FAILURE, "parameters of exclusive canonicalisation")
    return tuple((inner.get("PrefixList") or "").split())


def _drops_signatures(element: etree._Element) -> bool:
    """Recognise `not(ancestor-or-self::ds:Signature)`, the one filter in wide use."""
    inner = one(element, "XPath")[0]
    match = _NOT_SIGNATURES.fullmatch((inner.text or "").strip()) if not len(inner) else None
    return match is not None and inner.nsmap.get(match[1]) == names.DS


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def local_names(elements: Sequence[etree._Element]) -> list[str]:
    """Return the names of `elements` without their namespaces."""
    return [_local(element) for element in elements]
