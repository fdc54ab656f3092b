"""What is wrong in a TOML file that a person wrote, key by key: where, and what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

TABLE = "таблица", "a table"
KINDS: tuple[tuple[type[fields.Field[Any]], tuple[str, str]], ...] = (
    (fields.Boolean, ("true или false", "true or false")),
    (fields.Integer, ("целое число", "a whole number")),
    (fields.Float, ("число", "a number")),
    (fields.Url, ("адрес http:// или https://", "an address http:// or https://")),
    (fields.String, ("строка", "a text")),
    (fields.Nested, TABLE),
    (fields.Dict, TABLE),
)
"""The first that fits speaks: a URL is a string too."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A key that there is not, or whose value cannot be taken."""

    place: str
    """The keys that lead there, such as `signatures.documents[0].levels`."""

    ru: str
    en: str

    def say(self, language: str) -> str:
        return f"{self.place}: {self.en if language == 'en' else self.ru}"


def faults(schema: Schema, error: ValidationError) -> tuple[Fault, ...]:
    """Return what `error` found when `schema` loaded a file.

    A wrong value is never said back: it may be a secret written into the wrong line.
    """
    return tuple(_in_table("", schema, error.messages))


def _in_table(place: str, schema: Schema, messages: Any) -> Iterator[Fault]:
    for name, found in messages.items():
        here = f"{place}.{name}" if place else str(name)
        if name == "_schema":
            yield _expecting(place, TABLE)
        elif name in schema.fields:
            yield from _in_field(here, schema.fields[name], found)
        else:
            yield _unknown(here, str(name), list(schema.fields))


def _in_field(place: str, field: fields.Field[Any], messages: Any) -> Iterator[Fault]:
    if not isinstance(messages, dict):
        yield _expecting(place, _expected(field))
    elif isinstance(field, fields.Nested):
        yield from _in_table(place, field.schema, messages)
    elif isinstance(field, fields.List):
        for index, found in messages.items():
            yield from _in_field(f"{place}[{index}]", field.inner, found)
    elif isinstance(field, fields.Dict) and field.value_field is not None:
        for name, found in messages.items():
            yield from _in_field(f"{place}.{name}", field.value_field, found["value"])


def _unknown(place: str, name: str, known: list[str]) -> Fault:
    near = get_close_matches(name, known, 1)
    perhaps = (f" (может быть, {near[0]}?)", f" (perhaps {near[0]}?)") if near else ("", "")
    listed = ", ".join(known)
    return Fault(
        place=place,
        ru=f"такого ключа нет{perhaps[0]}; есть: {listed}",
        en=f"there is no such key{perhaps[1]}, only: {listed}",
    )


def _expecting(place: str, expected: tuple[str, str]) -> Fault:
    return Fault(place=place, ru=f"нужно: {expected[0]}", en=f"expected: {expected[1]}")


def _expected(field: fields.Field[Any]) -> tuple[str, str]:
    if isinstance(field, fields.List):
        ru, en = _expected(field.inner)
        return f"список [{ru}]", f"a list [{en}]"
    if told := field.metadata.get("expected"):
        return told, told
    ru, en = next((kind for known, kind in KINDS if isinstance(field, known)), TABLE)
    for one in field.validators:
        if isinstance(one, validate.OneOf):
            listed = ", ".join(map(str, one.choices))
            return f"из {listed}", f"of {listed}"
        if isinstance(one, validate.Regexp):
            return one.error, one.error
        if isinstance(one, validate.Range):
            least, most = one.min, one.max
            ru += f" от {least}" + (f" до {most}" if most is not None else "")
            en += f" from {least}" + (f" to {most}" if most is not None else "")
    return ru, en
