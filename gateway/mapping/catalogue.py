"""The mapping files: read, checked, and one chosen for a document.

`mappings/<format>/<profile>.yaml` maps one format as one kind of sender writes it; tables of
codes and units stand in `mappings/codes/*.yaml` and `mappings/units.yaml`.  A mistake in a
file is found when it is loaded, and the message names file, line and key.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from datetime import date
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, available_timezones

import yaml
from marshmallow import Schema, ValidationError, fields, validate

from gateway.mapping.codes import Codes, LocalCode, LocalTable, Test
from gateway.mapping.definition import FactsRule, IdentifierRule, Identifiers, Mapping, Row, Rule
from gateway.mapping.transforms import TRANSFORMS
from gateway.mapping.units import Unit, Units
from gateway.model import Document

DEFAULT = "default"
SCOPES = ("patient", "performer", "ordering", "report")


class BadMapping(Exception):
    """A mapping file is wrong; the message says where."""


class Catalogue:
    """Every mapping file of a folder, with the tables they use."""

    def __init__(self, folder: Path, mappings: tuple[Mapping, ...], codes: Codes, units: Units):
        self.folder = folder
        self.mappings = mappings
        self.codes = codes
        self.units = units

    @classmethod
    def load(cls, folder: Path, identifiers: Identifiers) -> Catalogue:
        """Read all files below `folder`.  Raises BadMapping for the first that is wrong."""
        units = _units(folder / "units.yaml")
        codes = _codes(folder / "codes")
        mappings = tuple(
            _mapping(path, folder, codes, units, identifiers)
            for path in sorted(folder.glob("*/*.yaml"))
            if path.parent.name != "codes" and not path.name.endswith(".example.yaml")
        )
        return cls(folder, mappings, codes, units)

    def choose(self, document: Document, sender_profile: str | None = None) -> Mapping:
        """Return the mapping for `document`: the sender's own, else the format's default."""
        for profile in (sender_profile, DEFAULT):
            for mapping in self.mappings:
                if mapping.name == f"{document.format}/{profile}":
                    return mapping
        raise LookupError(f"no mapping for format {document.format}")


class _Strict(Schema):
    class Meta:
        unknown = "raise"


class _IdentifierSchema(_Strict):
    each = fields.Str(required=True)
    system = fields.Str(required=True)
    value = fields.Str(load_default=".")


class _FactsSchema(_Strict):
    patient = fields.Str(required=True)
    patient_identifiers = fields.Nested(_IdentifierSchema, required=True)
    family = fields.Str(required=True)
    given = fields.Str(required=True)
    patronymic = fields.Str(required=True)
    birth_date = fields.Str(required=True)
    sex = fields.Str(required=True)
    report = fields.Str(required=True)
    number = fields.Str(required=True)
    version = fields.Str(required=True)
    status = fields.Str(required=True)
    issued = fields.Str(required=True)
    performer = fields.Nested(_IdentifierSchema, required=True)
    order_number = fields.Str(required=True)
    ordering = fields.Nested(_IdentifierSchema, required=True)
    authors = fields.Nested(_IdentifierSchema, required=True)


class _RowSchema(_Strict):
    to = fields.Str(required=True)
    source = fields.Str(data_key="from")
    value = fields.Str(data_key="is")
    how = fields.Str(data_key="as", validate=validate.OneOf(sorted(TRANSFORMS)))
    options = fields.Dict(keys=fields.Str(), values=fields.Str(), data_key="with")
    map = fields.Dict(keys=fields.Str(), values=fields.Str())


class _RuleSchema(_Strict):
    name = fields.Str(required=True)
    type = fields.Str(required=True)
    each = fields.Str(required=True)
    key = fields.List(fields.Str(), required=True)
    scope = fields.Str(required=True, validate=validate.OneOf(SCOPES))
    label = fields.Str()
    rows = fields.List(fields.Nested(_RowSchema), required=True)


class _MappingSchema(_Strict):
    mapping = fields.Str(required=True)
    format = fields.Str(required=True)
    version = fields.Int(required=True, strict=True, validate=validate.Range(min=1))
    zone = fields.Str(
        allow_none=True,
        load_default=None,
        validate=lambda name: name in available_timezones() or _refuse("no such zone"),
    )
    decimal_mark = fields.Str(
        allow_none=True, load_default=None, validate=validate.OneOf((",", "."))
    )
    check_digits = fields.Str(
        load_default="error", validate=validate.OneOf(("error", "warning", "ignore"))
    )
    local_codes = fields.List(fields.Str(), load_default=list)
    facts = fields.Nested(_FactsSchema, load_default=None)
    resources = fields.List(fields.Nested(_RuleSchema), load_default=list)
    carry = fields.Dict(
        keys=fields.Str(),
        values=fields.Dict(keys=fields.Str(), values=fields.Str()),
        load_default=dict,
    )
    carried = fields.Dict(keys=fields.Str(), values=fields.Str(), load_default=dict)
    dropped = fields.Dict(keys=fields.Str(), values=fields.Str(), load_default=dict)


class _UnitSchema(_Strict):
    ucum = fields.Str(required=True)
    nsi = fields.Int(load_default=None, strict=True)
    ru = fields.Str(required=True)
    also = fields.List(fields.Str(), load_default=list)


class _UnitsSchema(_Strict):
    version = fields.Int(required=True, strict=True)
    ambiguous = fields.List(fields.Str(), load_default=list)
    units = fields.List(fields.Nested(_UnitSchema), required=True)


class _TestSchema(_Strict):
    fsli = fields.Str(load_default=None)
    loinc = fields.Str(load_default=None)
    name = fields.Str(required=True)
    units = fields.List(fields.Str(), load_default=list)


class _TestsSchema(_Strict):
    version = fields.Int(required=True, strict=True)
    tests = fields.List(fields.Nested(_TestSchema), required=True)


class _LocalCodeSchema(_Strict):
    code = fields.Str(required=True)
    to = fields.Str(required=True)
    name = fields.Str(required=True)
    valid_from = fields.Date(data_key="from", load_default=None)
    until = fields.Date(load_default=None)


class _LocalCodesSchema(_Strict):
    version = fields.Int(required=True, strict=True)
    name = fields.Str(required=True)
    source = fields.Str(required=True)
    target = fields.Str(required=True)
    rows = fields.List(fields.Nested(_LocalCodeSchema), required=True)


def _refuse(reason: str) -> NoReturn:
    raise ValidationError(reason)


def _read(path: Path, schema: Schema) -> dict[str, Any]:
    """Return the checked content of a YAML file.  Raises BadMapping."""
    text = path.read_text("utf-8")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.load(text, Loader=_PlainDates)  # noqa: S506 (a safe loader without dates)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise BadMapping(f"{path}:{line}: not YAML: {getattr(error, 'problem', '')}") from error
    try:
        loaded = schema.load(content)
    except ValidationError as error:
        key, reason = _first(error.messages)
        name = ".".join(str(step) for step in key)
        raise BadMapping(f"{path}:{_line(tree, key)}: {name}: {reason}") from error
    assert isinstance(loaded, dict)
    return loaded


class _PlainDates(yaml.SafeLoader):
    """SafeLoader that leaves dates as text: the schema says where a date is meant."""


_PlainDates.yaml_implicit_resolvers = {
    letter: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _first(messages: Any) -> tuple[tuple[str | int, ...], str]:
    """Return the path and text of the first message of a ValidationError."""
    path: list[str | int] = []
    while isinstance(messages, dict):
        # A misspelt key is both unknown and missing: the one that stands in the file is named.
        items = sorted(messages.items(), key=lambda item: item[1] != ["Unknown field."])
        key, messages = items[0]
        # Errors of a dict field say "key" or "value" between the key and the message.
        if key not in ("_schema",) and not (key in ("key", "value") and path):
            path.append(key)
    return tuple(path), str(messages[0] if isinstance(messages, list) else messages)


def _line(node: yaml.Node | None, path: tuple[str | int, ...]) -> int:
    """Return the line (from 1) of the innermost node on `path` that is there."""
    line = node.start_mark.line + 1 if node is not None else 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if step not in pairs:
                return line
            key, node = pairs[step]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _units(path: Path) -> Units:
    content = _read(path, _UnitsSchema())
    try:
        units = [
            Unit(
                ucum=row["ucum"],
                nsi=str(row["nsi"]) if row["nsi"] else None,
                ru=row["ru"],
                also=tuple(row["also"]),
            )
            for row in content["units"]
        ]
        return Units(units, content["ambiguous"])
    except ValueError as error:
        raise BadMapping(f"{path}: {error}") from error


def _codes(folder: Path) -> Codes:
    tests = _read(folder / "tests.yaml", _TestsSchema())["tests"]
    local: dict[str, LocalTable] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "tests.yaml":
            table = _read(path, _LocalCodesSchema())
            rows = tuple(_local(row) for row in table["rows"])
            local[table["name"]] = LocalTable(source=table["source"], rows=rows)
    try:
        return Codes((Test(**{**row, "units": tuple(row["units"])}) for row in tests), local)
    except ValueError as error:
        raise BadMapping(f"{folder}: {error}") from error


def _local(row: dict[str, Any]) -> LocalCode:
    valid_from: date | None = row["valid_from"]
    return LocalCode(
        code=row["code"],
        to=row["to"],
        name=row["name"],
        valid_from=valid_from,
        until=row["until"],
    )


def _mapping(
    path: Path, folder: Path, codes: Codes, units: Units, identifiers: Identifiers
) -> Mapping:
    content = _read(path, _MappingSchema())
    name = path.relative_to(folder).with_suffix("").as_posix()
    if name != f"{content['format']}/{content['mapping']}":
        raise BadMapping(f"{path}:1: mapping: the file must be named format/mapping.yaml")
    for table in content["local_codes"]:
        if table not in codes.tables():
            raise BadMapping(f"{path}: local_codes: no table {table!r} in mappings/codes")
    if (content["facts"] is None) != (not content["resources"]):
        raise BadMapping(f"{path}: facts: needed together with resources")
    rules = tuple(_rule(rule) for rule in content["resources"])
    _check_references(path, rules)
    return Mapping(
        name=name,
        format=content["format"],
        version=content["version"],
        zone=ZoneInfo(content["zone"]) if content["zone"] else None,
        decimal_mark=content["decimal_mark"],
        check_digits=content["check_digits"],
        local_codes=tuple(content["local_codes"]),
        facts=_facts(content["facts"]) if content["facts"] else None,
        rules=rules,
        carry=content["carry"],
        carried=content["carried"],
        dropped=content["dropped"],
        codes=codes,
        units=units,
        identifiers=identifiers,
    )


def _facts(content: ReadOnly[str, Any]) -> FactsRule:
    rules: dict[str, Any] = {
        key: IdentifierRule(**value) if isinstance(value, dict) else value
        for key, value in content.items()
    }
    return FactsRule(**rules)


def _rule(content: dict[str, Any]) -> Rule:
    return Rule(
        name=content["name"],
        type=content["type"],
        each=content["each"],
        key=tuple(content["key"]),
        scope=content["scope"],
        label=content.get("label"),
        rows=tuple(Row(**row) for row in content["rows"]),
    )


def _check_references(path: Path, rules: tuple[Rule, ...]) -> None:
    """Refuse a row that refers to a rule that is not there, or has neither source nor value."""
    names = {rule.name for rule in rules}
    for rule in rules:
        for row in rule.rows:
            where = f"{path}: resources.{rule.name}.{row.to}"
            target = row.options.get("of")
            if row.how == "reference" and target not in names:
                raise BadMapping(f"{where}: no resource rule {target!r}")
            if row.source is None and row.value is None and row.how not in ("patient", "reference"):
                raise BadMapping(f"{where}: needs `from` or `is`")
