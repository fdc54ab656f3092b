"""Finds the FHIR Signatures in a document: `Bundle.signature` and `Provenance.signature`.

Also the files of type PKCS#7 or JOSE that a `Binary` carries: content that brings its own
signature, and covers nothing of what is around it.

Source: https://hl7.org/fhir/R4/bundle.html, provenance.html, binary.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from gateway.errors import Rejected
from gateway.fhir import text
from gateway.fhir.canonical_xml import FHIR
from gateway.fhir.references import Bundled
from gateway.model import Json, JsonValue
from gateway.signatures.fhir_targets import JsonTarget, Target, XmlTarget
from gateway.signatures.findings import FORMAT_FAILURE, failed
from gateway.xml.parser import is_xml, parse

CARRIED_MAX = 33
"""Signatures that are checked in one document: one more than are judged, so that never passes."""

NESTED_MAX = 8
"""Bundles within bundles; a collection of collections has three."""

SELF_CONTAINED = ("application/pkcs7-mime", "application/jose")
"""Types of a Binary that is signed content, not a signature of something beside it."""

_F = f"{{{FHIR}}}"


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A Signature and what it is over."""

    signature: JsonValue
    place: str
    """JSON pointer or path of the element."""

    target: Target | None
    """None when it is not in the document, or several and nobody says which is signed."""

    is_root: bool = False
    """Whether the target is the document itself."""

    around: Bundled | None = None
    """The bundle in which `who` may be looked up."""

    attached_only: bool = False
    """The signature is a Binary, which can only sign what it brings."""


def carried(octets: bytes) -> Iterator[Carried]:
    """Yield the Signatures in a FHIR document; none for anything else.

    Raises Flaw when a document that means to be signed FHIR cannot be read.
    """
    if is_xml(octets[:64]):
        wide = b"\0" in octets[:4]  # UTF-16, which hides names from a search for octets
        if wide or (FHIR.encode() in octets and _XML_SIGNS.search(octets)):
            yield from _in_xml(octets)
    elif _has_name(octets, "resourceType") and (
        _has_name(octets, "signature") or any(one in octets for one in _SUBTYPES)
    ):
        yield from _in_json(octets)


# --- JSON ------------------------------------------------------------------------------


def _spelt(name: str) -> re.Pattern[bytes]:
    """Return a pattern of a JSON string that may be written with escapes."""
    letters = (rf"(?:{re.escape(letter)}|\\u00{ord(letter):02x})" for letter in name)
    return re.compile(f'"{"".join(letters)}"'.encode(), re.IGNORECASE)


_SPELT = {name: _spelt(name) for name in ("resourceType", "signature")}
_SUBTYPES = [kind.removeprefix("application").encode() for kind in SELF_CONTAINED]


def _has_name(octets: bytes, name: str) -> bool:
    """Say whether a member of that name is there; only escapes need the slow search."""
    if f'"{name}"'.encode() in octets:
        return True
    return b"\\u" in octets and _SPELT[name].search(octets) is not None


_XML_SIGNS = re.compile(rb"<(?:\w+:)?(?:signature|Binary)\b")


def _in_json(octets: bytes) -> Iterator[Carried]:
    try:
        root = text.loads(octets)
    except Rejected as error:
        problem = error.problems[0]
        detail = f"{problem.code} {problem.place}".rstrip()
        raise failed("format", FORMAT_FAILURE, detail) from error
    yield from _in_resource(root, "", None, "", 0)


def _in_resource(
    resource: Json, place: str, around: Bundled | None, full_url: str, depth: int
) -> Iterator[Carried]:
    """Yield what `resource` carries; `full_url` is its address in the bundle `around` it."""
    kind = resource.get("resourceType")
    if kind == "Bundle":
        bundled = Bundled(resource, place)
        if "signature" in resource:
            yield Carried(
                signature=resource["signature"],
                place=f"{place}/signature",
                target=JsonTarget(resource, place, own=True),
                is_root=not place,
                around=bundled,
            )
        for entry in bundled.entries if depth < NESTED_MAX else ():
            yield from _in_resource(entry.resource, entry.place, bundled, entry.full_url, depth + 1)
    elif kind == "Provenance" and "signature" in resource:
        target = _json_target(resource, around, full_url)
        for index, signature in enumerate(_listed(resource["signature"])):
            where = f"{place}/signature/{index}"
            yield Carried(signature=signature, place=where, target=target, around=around)
    elif kind == "Parameters" and depth < NESTED_MAX:
        yield from _in_parameters(resource.get("parameter"), f"{place}/parameter", depth + 1)
    elif kind == "Binary" and _kind(resource.get("contentType")) in SELF_CONTAINED:
        data: Json = {"data": resource.get("data"), "sigFormat": resource["contentType"]}
        yield Carried(signature=data, place=f"{place}/data", target=None, attached_only=True)


def _in_parameters(parameters: JsonValue, place: str, depth: int) -> Iterator[Carried]:
    for index, one in enumerate(parameters if isinstance(parameters, list) else ()):
        if not isinstance(one, dict):
            continue
        where = f"{place}/{index}"
        resource = one.get("resource")
        if isinstance(resource, dict):
            yield from _in_resource(resource, f"{where}/resource", None, "", depth)
        if depth < NESTED_MAX:
            yield from _in_parameters(one.get("part"), f"{where}/part", depth + 1)


def _json_target(provenance: Json, around: Bundled | None, full_url: str) -> JsonTarget | None:
    """Return the one resource in the same bundle that `Provenance.target` names."""
    targets = _listed(provenance.get("target"))
    if around is None or len(targets) != 1 or not isinstance(targets[0], dict):
        return None
    reference = targets[0].get("reference")
    found = around.resolve(reference, full_url) if isinstance(reference, str) else None
    return JsonTarget(found.resource, found.place, own=False) if found else None


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _kind(written: JsonValue) -> str:
    return written.partition(";")[0].strip().lower() if isinstance(written, str) else ""


# --- XML -------------------------------------------------------------------------------


def _in_xml(octets: bytes) -> Iterator[Carried]:
    try:
        root = parse(octets)
    except Rejected as error:
        raise failed("format", FORMAT_FAILURE, f"XML refused: {error.problems[0].code}") from error
    yield from _in_element(root, f"/{etree.QName(root).localname}", None, 0)


def _in_element(
    element: etree._Element, place: str, around: Bundled | None, depth: int
) -> Iterator[Carried]:
    if element.tag == f"{_F}Bundle":
        bundled = Bundled(_outline(element))
        if found := list(map(as_json, element.findall(f"{_F}signature"))):
            yield Carried(
                # A bundle has one; what has several is read as the list that it is in JSON.
                signature=found[0] if len(found) == 1 else list(found),
                place=f"{place}/signature",
                target=XmlTarget(element, own=True),
                is_root=depth == 0,
                around=bundled,
            )
        for index, entry in enumerate(element.findall(f"{_F}entry") if depth < NESTED_MAX else ()):
            for resource in entry.findall(f"{_F}resource/*"):
                local = etree.QName(resource).localname
                inner = f"{place}/entry[{index + 1}]/resource/{local}"
                yield from _in_element(resource, inner, bundled, depth + 1)
    elif element.tag == f"{_F}Provenance":
        signatures = element.findall(f"{_F}signature")
        target = _xml_target(element, around) if signatures else None
        for index, signature in enumerate(signatures):
            where = f"{place}/signature[{index + 1}]"
            yield Carried(signature=as_json(signature), place=where, target=target, around=around)
    elif element.tag == f"{_F}Parameters" and depth < NESTED_MAX:
        yield from _in_parameter_elements(element, "parameter", place, depth + 1)
    elif element.tag == f"{_F}Binary" and _kind(_value(element, "contentType")) in SELF_CONTAINED:
        data: Json = {"data": _value(element, "data"), "sigFormat": _value(element, "contentType")}
        yield Carried(signature=data, place=f"{place}/data", target=None, attached_only=True)


def _in_parameter_elements(
    element: etree._Element, name: str, place: str, depth: int
) -> Iterator[Carried]:
    for index, one in enumerate(element.findall(f"{_F}{name}")):
        where = f"{place}/{name}[{index + 1}]"
        for resource in one.findall(f"{_F}resource/*"):
            local = etree.QName(resource).localname
            yield from _in_element(resource, f"{where}/resource/{local}", None, depth)
        if depth < NESTED_MAX:
            yield from _in_parameter_elements(one, "part", where, depth + 1)


def _xml_target(provenance: etree._Element, around: Bundled | None) -> XmlTarget | None:
    """Return the one resource in the same bundle that `Provenance.target` names."""
    targets = provenance.findall(f"{_F}target")
    if around is None or len(targets) != 1:
        return None
    wrapper = provenance.getparent()
    entry = None if wrapper is None else wrapper.getparent()
    bundle = None if entry is None else entry.getparent()
    if entry is None or bundle is None:
        return None
    full_url = _value(entry, "fullUrl") or ""
    found = around.resolve(_value(targets[0], "reference") or "", full_url)
    if found is None:
        return None
    position = int(found.place.split("/")[2])
    element = bundle.findall(f"{_F}entry")[position].find(f"{_F}resource/*")
    return None if element is None else XmlTarget(element, own=False)


def _outline(bundle: etree._Element) -> Json:
    """Return of a bundle what tells whom a reference names: types, ids, addresses, numbers."""
    entries: list[JsonValue] = []
    for entry in bundle.findall(f"{_F}entry"):
        resource = entry.find(f"{_F}resource/*")
        if resource is None:
            entries.append({})
            continue
        read: Json = {
            "resourceType": etree.QName(resource).localname,
            "id": _value(resource, "id"),
            "identifier": [as_json(one) for one in resource.findall(f"{_F}identifier")],
        }
        entries.append({"fullUrl": _value(entry, "fullUrl"), "resource": read})
    return {"resourceType": "Bundle", "entry": entries}


def as_json(element: etree._Element) -> Json:
    """Return a small element as JSON would have it: values are strings, repetition a list."""
    read: Json = {}
    for child in element:
        if isinstance(child, etree._Comment | etree._ProcessingInstruction):
            continue
        name, value = etree.QName(child).localname, child.get("value")
        item: JsonValue = as_json(child) if value is None else value
        if name in read:
            read[name] = [*_listed(read[name]), item]
        else:
            read[name] = item
    return read


def _value(element: etree._Element, name: str) -> str | None:
    found = element.find(f"{_F}{name}")
    return None if found is None else found.get("value")
