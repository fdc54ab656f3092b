"""JSON Schemas made from the R4 tables, one per resource type, for jsonschema-rs.

They say everything a schema can say cheaply: names, JSON types, formats, required elements
(primitives included, with or without their ``_name`` twin), choices, required codes, and the
invariants of `gateway.fhir.invariants` that are plain conditions on presence.  Every keyword
that can fail for a reason of FHIR sits in a schema whose ``title`` names the reason, so a
failure can be told in FHIR's words.

Not followed: `Extension`, contained resources and resources in a bundle.  They are checked one
by one with a schema of their own, which keeps each validator small.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.fhir import invariants
from gateway.fhir.tables import PRIMITIVES, Element, elements, resource_types

Schema = dict[str, Any]

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_FULL_DATE = f"(?:{_YEAR}-{_DAY}|{_LEAP}-02-29)"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_MONTH = f"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"

_INTEGER_MAX = 2**31 - 1


def _whole(least: int) -> Schema:
    return {"type": "integer", "whole": True, "minimum": least, "maximum": _INTEGER_MAX}


def _text(pattern: str | None = None) -> Schema:
    return {"type": "string", "pattern": rf"^(?:{pattern})$" if pattern else r"\S"}


_FORMATS: dict[str, Schema] = {
    "base64Binary": _text(r"(?:\s*[0-9a-zA-Z+/=]{4})+\s*"),
    "boolean": {"type": "boolean"},
    "canonical": _text(r"\S+"),
    "code": _text(r"\S+(?:\s\S+)*"),
    "date": _text(f"{_MONTH}|{_FULL_DATE}"),
    "dateTime": _text(f"{_MONTH}|{_FULL_DATE}(?:T{_TIME}{_ZONE})?"),
    "decimal": {"type": "number"},
    "id": _text(r"[A-Za-z0-9.-]{1,64}"),
    "instant": _text(f"{_FULL_DATE}T{_TIME}{_ZONE}"),
    "integer": _whole(-_INTEGER_MAX - 1),
    "markdown": _text(),
    "oid": _text(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "positiveInt": _whole(1),
    "string": _text(),
    "time": _text(_TIME),
    "unsignedInt": _whole(0),
    "uri": _text(r"\S+"),
    "url": _text(r"\S+"),
    "uuid": _text("urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "xhtml": _text(),
}


def schema_for(type_name: str) -> Schema:
    """Return the schema of a resource type or data type, everything it needs in ``$defs``."""
    definitions: dict[str, Schema] = {}
    waiting = [type_name]
    while waiting:
        name = waiting.pop()
        if name in definitions:
            continue
        definitions[name] = {}
        definitions[name] = _type_schema(name)
        waiting += _needed(name)
    primitives = {name: {**form, "title": f"format {name}"} for name, form in _FORMATS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/$defs/{type_name}",
        "$defs": {**definitions, **primitives},
    }


def _needed(type_name: str) -> list[str]:
    kinds = {kind for element in elements(type_name).values() for kind in element.types}
    needed = [kind for kind in kinds if kind not in PRIMITIVES and not is_apart(kind)]
    return [*needed, "Element"]


def is_apart(kind: str) -> bool:
    """Say whether values of this type are checked with a schema of their own."""
    return kind in ("Extension", "Resource")


def _type_schema(type_name: str) -> Schema:
    properties: dict[str, Any] = {}
    rules: list[Schema] = []
    if type_name in resource_types():
        properties["resourceType"] = {"const": type_name}
        rules.append({"title": "not empty", "minProperties": 2})
    else:
        # ele-1: an element has a value or children, and `id` is neither.
        only_id = {"type": "object", "required": ["id"], "maxProperties": 1}
        rules.append({"title": "not empty", "minProperties": 1, "not": only_id})
    for element in elements(type_name).values():
        for name, kind in element.properties():
            properties[name] = _value(element, kind)
            if kind in PRIMITIVES and name != "id" and type_name != "Extension.url":
                properties["_" + name] = _twin(element)
        rules += _presence(element, type_name)
    rules += [{"title": f"rule {key}", **rule} for key, rule in invariants.schemas(type_name)]
    return {
        "title": type_name,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "allOf": rules,
    }


def _value(element: Element, kind: str) -> Schema:
    if is_apart(kind):
        item: Schema = {"type": "object", "minProperties": 1}
    elif element.codes and kind == "code":
        item = {"enum": list(element.codes)}
    else:
        item = {"$ref": f"#/$defs/{kind}"}
    if not element.many:
        return item
    if kind in PRIMITIVES:
        # A null keeps the place of an item that has only extensions, in the twin array.
        item = {"anyOf": [{"type": "null"}, item], "title": f"format {kind}"}
    return {"type": "array", "minItems": 1, "items": item}


def _twin(element: Element) -> Schema:
    item: Schema = {"$ref": "#/$defs/Element"}
    if not element.many:
        return item
    return {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "null"}, item]}}


def _presence(element: Element, type_name: str) -> Iterable[Schema]:
    options = [
        {"anyOf": [{"required": [name]}, {"required": ["_" + name]}]}
        if kind in PRIMITIVES
        else {"required": [name]}
        for name, kind in element.properties()
    ]
    if element.is_choice:
        none = [] if element.required else [{"not": {"anyOf": options}}]
        yield {"title": f"choice {element.name}", "oneOf": [*none, *options]}
    elif element.required:
        yield {"title": f"required {element.name}", **options[0]}
    if element.many and element.types[0] in PRIMITIVES:
        no_null = {"properties": {element.name: {"items": {"not": {"type": "null"}}}}}
        twin = {"required": ["_" + element.name]}
        yield {"title": f"nulls {element.name}", "anyOf": [twin, no_null]}
