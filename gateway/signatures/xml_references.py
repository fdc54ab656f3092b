"""References of an XML signature: what each names, and the octets that are digested.

Nothing is ever fetched: a name that is no part of the file can only mean the document beside.

Source: W3C XMLDSig 1.1, clauses 4.4.3 and 5.1 (Manifest).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from gateway.signatures import findings, xml_transform_syntax, xml_transforms
from gateway.signatures import xml_names as names
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    failed,
    undecided,
)
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import children, decode, local_names, one
from gateway.signatures.xml_transform_syntax import Transform
from gateway.signatures.xml_transforms import Branch, Pipeline, State
from gateway.xml import c14n

REFERENCES_MAX = 1_000
"""EU DSS publishes signatures of 900; the budget of the file bounds what they cost."""

TRANSFORMS_MAX = 10

RETRIEVING = (*c14n.METHODS, names.XPATH, names.FILTER2, names.BASE64)
"""Transforms of a RetrievalMethod."""

_XPOINTER_ID = re.compile(r"#xpointer\(id\((?:'([^']*)'|\"([^\"]*)\")\)\)")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One ds:Reference, read from canonical octets that were verified or are to be."""

    uri: str | None
    type: str
    id: str
    transforms: tuple[Transform, ...]
    digest: str
    """Name of the digest, as `algorithms` knows it."""

    value: bytes


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a reference names, and what its transforms leave of it."""

    element: etree._Element | None
    """The element that holds everything digested; None for a file beside."""

    document: bool
    """The whole file was named, what stands beside the document element included."""

    whole: bool
    """Nothing of what is named is left out, signatures aside."""

    octets: bytes
    plain: bool
    """The octets are the canonical form of the part, or the file as it is; not decoded."""


def read(element: etree._Element) -> Reference:
    """Read one ds:Reference."""
    parts = children(element, "Transforms", "DigestMethod", "DigestValue")
    order = local_names(parts)
    if order not in (
        ["Transforms", "DigestMethod", "DigestValue"],
        ["DigestMethod", "DigestValue"],
    ):
        raise failed("format", FORMAT_FAILURE, "Reference is not in order")
    transforms = children(parts[0], "Transform") if len(parts) == 3 else []
    if len(transforms) > TRANSFORMS_MAX:
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, "too many transforms")
    one(parts[-2])
    digest = parts[-2].get("Algorithm") or ""
    if digest not in names.DIGESTS:
        detail = f"digest {findings.shown(digest, names.KNOWN)} unsupported"
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
    steps = tuple(xml_transform_syntax.read(transform) for transform in transforms)
    uri = element.get("URI")
    if uri is None and any(step.algorithm == names.ENVELOPED for step in steps):
        uri = ""  # xadesjs leaves it out; only the file around a signature envelops it.
    return Reference(
        uri=uri,
        type=element.get("Type") or "",
        id=element.get("Id") or "",
        transforms=steps,
        digest=names.DIGESTS[digest],
        value=decode(parts[-1]),
    )


def is_external(uri: str | None) -> bool:
    """Say whether a reference names something that is no part of the file it stands in."""
    return uri is None or (uri != "" and not uri.startswith("#"))


def resolve(reference: Reference, source: Source, signature: etree._Element) -> Target:
    """Find what `reference` names and carry out its transforms."""
    source.spend(0, 1)  # Nothing is begun once the budget of the file is gone.
    pipeline = Pipeline(source, signature)
    if is_external(reference.uri):
        if source.document is None:
            named = "no URI" if reference.uri is None else "external reference, never fetched"
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, named)
        start = State(value=source.document.body, whole=True, own=False)
    else:
        assert reference.uri is not None
        start = State(value=_named(reference.uri, source), whole=True)
    end = pipeline.octets(start, reference.transforms)
    assert isinstance(end.value, bytes)
    named_part = start.value if isinstance(start.value, Branch) else None
    return Target(
        element=xml_transforms.only_element(end.nodes),
        document=named_part is None or named_part.document,
        whole=end.whole,
        octets=end.value,
        plain=all(t.algorithm not in (names.BASE64, names.SMEV) for t in reference.transforms),
    )


def shown(uri: str) -> str:
    """Return a reference from outside, cut to what a report may show its sender."""
    return "".join(c for c in uri[:120] if c.isprintable()) or "without a name"


def retrieved(
    pointer: etree._Element, source: Source, signature: etree._Element
) -> etree._Element | bytes:
    """Return the element a RetrievalMethod names, or the octets its transforms make of it.

    Nobody signed the pointer, so it gets the transforms that choose and decode, no others.
    """
    source.spend(0, 1)
    parts = children(pointer, "Transforms")
    transforms = children(parts[0], "Transform") if len(parts) == 1 else []
    if len(parts) > 1 or len(transforms) > TRANSFORMS_MAX:
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, "transforms of RetrievalMethod")
    if not transforms:
        return pointed_to(pointer.get("URI"), source)
    steps = tuple(xml_transform_syntax.read(transform) for transform in transforms)
    for step in steps:
        if step.algorithm not in RETRIEVING:
            detail = xml_transform_syntax.unsupported(step.algorithm)
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
    start = State(value=_same_document(pointer.get("URI"), source), whole=True)
    octets = Pipeline(source, signature).octets(start, steps).value
    assert isinstance(octets, bytes)
    return octets


def pointed_to(uri: str | None, source: Source) -> etree._Element:
    """Return the element of the same file that a pointer in KeyInfo names."""
    return _same_document(uri, source).apex


def _same_document(uri: str | None, source: Source) -> Branch:
    if uri is None or is_external(uri):
        raise undecided("format", SIGNED_DATA_NOT_FOUND, "external reference, never fetched")
    return _named(uri, source)


def _named(uri: str, source: Source) -> Branch:
    if uri == "":
        return Branch(apex=source.root, document=True, comments=False)
    if uri == "#xpointer(/)":
        return Branch(apex=source.root, document=True, comments=True)
    pointer = _XPOINTER_ID.fullmatch(uri)
    if uri.startswith("#xpointer(") and pointer is None:
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, "XPointer unsupported")
    label = (pointer[1] or pointer[2] or "") if pointer else uri[1:]
    return Branch(apex=source.by_id(label), document=False, comments=pointer is not None)
