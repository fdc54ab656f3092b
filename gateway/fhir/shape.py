"""The shape of one value, judged by jsonschema-rs and told in FHIR's words.

One validator per type, built when first needed and kept; building one costs a few
milliseconds, using it a few microseconds.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from functools import cache
from typing import Any

import jsonschema_rs

from gateway.fhir.schema import Schema, schema_for
from gateway.fhir.tables import elements
from gateway.fhir.text import Written, kind, plain_name, pointer
from gateway.model import Json, Problem

PROBLEMS_MAX = 50
"""More than this of one resource helps nobody."""

CODES_SHOWN_MAX = 20

_TOLD = {
    "required": ("FMT-312", "name"),
    "rule": ("FMT-320", "rule"),
    "nulls": ("FMT-321", "name"),
}
"""By the first word of a schema's title: the code, and what the rest of the title names."""


def has_shape(node: Json, type_name: str, place: str, problems: list[Problem]) -> bool:
    """Check `node` against the schema of `type_name`, adding what is wrong to `problems`."""
    validator = _validator(type_name)
    with suppress(ValueError):
        if validator.is_valid(node):
            return True
    # Either it is wrong, or it holds a `Written`: the validator knows Decimal, no subclass.
    node = _plain_numbers(node)
    if validator.is_valid(node):
        return True
    for error in validator.iter_errors(node):
        problems.extend(_told(error, _schema(type_name), place))
        if len(problems) >= PROBLEMS_MAX:
            break
    return False


def _plain_numbers(node: Any) -> Any:
    """Return `node` with every unusually written number as a plain Decimal."""
    if isinstance(node, dict):
        return {name: _plain_numbers(item) for name, item in node.items()}
    if isinstance(node, list):
        return [_plain_numbers(item) for item in node]
    return Decimal(node.text) if isinstance(node, Written) else node


class _Whole:
    """Keyword `whole`: the number is written without a point or an exponent.

    To JSON Schema 5.0 is an integer; to FHIR it is a decimal.
    """

    def __init__(self, parent: dict[str, Any], value: object, path: list[str | int]) -> None:
        """Take what the validator hands over; `whole` has no variants."""

    def validate(self, instance: object) -> None:
        """Raise ValueError for a number that was not written as an integer."""
        if isinstance(instance, float | Decimal):
            raise ValueError("not an integer")


@cache
def _schema(type_name: str) -> Schema:
    return schema_for(type_name)


@cache
def _validator(type_name: str) -> jsonschema_rs.Draft202012Validator:
    # The linear-time engine: a pattern must not be a way to keep us busy.
    options = jsonschema_rs.RegexOptions()
    return jsonschema_rs.Draft202012Validator(
        _schema(type_name), pattern_options=options, keywords={"whole": _Whole}
    )


def _told(error: jsonschema_rs.ValidationError, schema: Schema, place: str) -> list[Problem]:
    """Say a failed keyword in FHIR's words, by the titles `gateway.fhir.schema` gives."""
    here = place
    for step in error.instance_path:
        here = pointer(here, plain_name(step) if isinstance(step, str) else step)
    owner = str(error.schema_path[1])
    parent = _blamed(schema, error.schema_path)
    reason, _, what = str(parent.get("title", "")).partition(" ")
    keyword = error.kind.name
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return [
            Problem(
                code="FMT-311",
                place=pointer(here, plain_name(name)),
                detail={"name": plain_name(name), "type": owner},
            )
            for name in error.kind.unexpected
        ]
    if reason == "choice":
        return [_choice_problem(error.instance, what, owner, here)]
    if reason in _TOLD:
        code, named = _TOLD[reason]
        return [Problem(code=code, place=here, detail={named: what, "type": owner})]
    if keyword == "type":
        detail = {"found": kind(error.instance), "expected": str(parent["type"])}
        return [Problem(code="FMT-314", place=here, detail=detail)]
    if keyword == "enum":
        return [Problem(code="FMT-315", place=here, detail=_code_list(parent["enum"]))]
    if reason == "format":
        return [Problem(code="FMT-316", place=here, detail={"type": what})]
    return [Problem(code="FMT-317", place=here, detail={"found": kind(error.instance)})]


def _blamed(schema: Schema, path: list[str | int]) -> dict[str, Any]:
    """Return the outermost schema on `path` that names a reason, else the innermost one."""
    node: Any = schema
    innermost: dict[str, Any] = schema
    for step in path[:-1]:
        node = node[step]
        if isinstance(node, dict):
            innermost = node
            if str(node.get("title", "")).partition(" ")[0] in ("choice", *_TOLD):
                return node
    return innermost


def _code_list(codes: list[str]) -> dict[str, str]:
    shown = ", ".join(codes[:CODES_SHOWN_MAX])
    return {"expected": shown + (", …" if len(codes) > CODES_SHOWN_MAX else "")}


def _choice_problem(node: object, choice: str, owner: str, place: str) -> Problem:
    stem = choice.removesuffix("[x]")
    names = {name for name, _ in elements(owner)[choice].properties()}
    present = sorted(
        {name.removeprefix("_") for name in node} & names if isinstance(node, dict) else ()
    )
    if not present:
        return Problem(code="FMT-312", place=place, detail={"name": choice, "type": owner})
    detail = {"name": f"{stem}[x]", "found": ", ".join(present)}
    return Problem(code="FMT-313", place=place, detail=detail)
