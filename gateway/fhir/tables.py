"""The FHIR R4 4.0.1 definitions as tables: types, their elements, and required codes.

Reads `schemas/fhir/types.json` and `codes.json`, compiled by `schemas/fhir/build.py`.  A type
is a resource (`Observation`), a data type (`Quantity`) or a part of one
(`Observation.component`).  One line describes an element: ``0..1 Reference(Patient|Group)``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

TABLES = Path(__file__).parents[2] / "schemas" / "fhir"

_PRIMITIVES = """
    base64Binary boolean canonical code date dateTime decimal id instant integer markdown oid
    positiveInt string time unsignedInt uri url uuid xhtml"""
PRIMITIVES = frozenset(_PRIMITIVES.split())

_LINE = re.compile(r"(?P<min>\d+)\.\.(?P<max>\S+) (?P<types>[^<]+)(?:<(?P<codes>.+)>)?")
_TYPE = re.compile(r"#?(?P<name>[\w.]+)(?:\((?P<targets>.*)\))?")


@dataclass(frozen=True, kw_only=True)
class Element:
    """One element of a type; `name` ends in ``[x]`` when its type is a choice."""

    name: str
    required: bool
    many: bool
    types: tuple[str, ...]
    targets: frozenset[str]
    """Resource types a Reference may point to; empty means any."""

    codes: tuple[str, ...]
    """The only codes allowed; empty means any."""

    @property
    def is_choice(self) -> bool:
        return self.name.endswith("[x]")

    def properties(self) -> tuple[tuple[str, str], ...]:
        """Return the JSON property names of this element, each with its type.

        >>> elements("Annotation")["author[x]"].properties()
        (('authorReference', 'Reference'), ('authorString', 'string'))
        """
        if not self.is_choice:
            return ((self.name, self.types[0]),)
        stem = self.name.removesuffix("[x]")
        named = [(kind.removeprefix("Simple"), kind) for kind in self.types]
        return tuple((stem + name[0].upper() + name[1:], kind) for name, kind in named)


@cache
def resource_types() -> frozenset[str]:
    """Return the names of all R4 resource types."""
    return frozenset(_read("types.json")["resources"])


@cache
def elements(type_name: str) -> dict[str, Element]:
    """Return the elements of a type by name.  Raises KeyError for an unknown type."""
    if type_name == "SimpleQuantity":
        quantity = elements("Quantity")
        return {name: item for name, item in quantity.items() if name != "comparator"}
    lines = _types()[type_name]
    return {name: _element(name, line) for name, line in lines.items()}


def _element(name: str, line: str) -> Element:
    match = _LINE.fullmatch(line)
    assert match, line
    types, targets = [], frozenset[str]()
    for item in match["types"].split("|"):
        kind = _TYPE.fullmatch(item)
        assert kind, line
        types.append(kind["name"])
        if kind["targets"]:
            targets = frozenset(kind["targets"].split(","))
    codes = tuple(_read("codes.json")[match["codes"]]) if match["codes"] else ()
    return Element(
        name=name,
        required=match["min"] != "0",
        many=match["max"] not in ("0", "1"),
        types=tuple(types),
        targets=targets,
        codes=codes,
    )


@cache
def _types() -> dict[str, dict[str, str]]:
    return cast("dict[str, dict[str, str]]", _read("types.json")["types"])


@cache
def _read(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((TABLES / name).read_text("utf-8")))
