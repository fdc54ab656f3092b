"""Canonical JSON, as signatures digest it: members in order, numbers as an IEEE double prints them.

`5.00` becomes `5`: the canonical form proves the value and says nothing of its precision.  So
what is read is the received tree (`restricted`), its precision is told apart
(`unsigned_precision`), and a decimal that a double would change is refused: two values that
share one canonical form could be exchanged under the same signature.

Source: RFC 8785 (JCS); https://hl7.org/fhir/R4/json.html#canonical for the methods' names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from math import isinf
from operator import is_
from typing import Any

import msgspec
import rfc8785

from gateway.fhir.text import number_text, plain_name, pointer
from gateway.model import Json, JsonValue

JSON = "http://hl7.org/fhir/canonicalization/json"
LEFT_OUT: dict[str, frozenset[str]] = {
    JSON: frozenset(),
    f"{JSON}#data": frozenset(("text",)),
    f"{JSON}#static": frozenset(("text", "meta")),
    f"{JSON}#document": frozenset(("id", "meta")),
}
"""Method → members of the root that it leaves out."""

NARRATIVE = f"{JSON}#narrative"
NARRATIVE_KEEPS = frozenset(("resourceType", "id", "text"))
"""The one method that says what stays: name and narrative, and of what kind they are."""

METHODS = (*LEFT_OUT, NARRATIVE)
SIGNATURE = "signature"


class NotExact(ValueError):
    """A decimal would come out of an IEEE double as another value; `place` is its pointer."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(f"{place} does not survive an IEEE double")


def canonical(value: JsonValue) -> bytes:
    """Return the canonical form (RFC 8785) of what `fhir.text` read.  Raises NotExact.

    >>> canonical({"b": Decimal("5.00"), "a": "Ё"}).decode()
    '{"a":"Ё","b":5}'
    """
    try:
        return _sorted(_printed(value, _number))
    except NotExact as error:
        raise NotExact(next(_inexact(value, ""))) from error


def rounded(value: JsonValue) -> bytes:
    """Return the form the standard gives what `canonical` refuses.

    It tells whether a signer signed the rounded number; nobody may read what it is of.
    Raises NotExact for a number beyond all doubles.

    >>> rounded({"a": Decimal("0.10000000000000000001")})
    b'{"a":0.1}'
    """
    return _sorted(_printed(value, _double))


def restricted(resource: Json, method: str, own: bool = True) -> Json:
    """Return `resource` as far as `method` (one of `METHODS`) signs it.

    `own` says that the signature stands in `resource`: then its member is left out, in the
    root alone.  What is signed from outside is signed with all its members.
    """
    omitted = left_out(resource, method) | ({SIGNATURE} if own else frozenset())
    return {name: value for name, value in resource.items() if name not in omitted}


def left_out(resource: Json, method: str) -> frozenset[str]:
    """Return the members of `resource` that `method` does not sign, the signature aside."""
    if method == NARRATIVE:
        return frozenset(resource) - NARRATIVE_KEEPS - {SIGNATURE}
    return LEFT_OUT[method] & resource.keys()


def unsigned_precision(value: JsonValue) -> int:
    """Return how many numbers are written with digits the canonical form does not keep."""
    found, left = 0, [value]
    while left:
        node = left.pop()
        if isinstance(node, Decimal):
            found += _number(node) != number_text(node).encode("ascii")
        elif isinstance(node, dict):
            left.extend(item for item in node.values() if type(item) not in _PLAIN)
        elif isinstance(node, list):
            left.extend(item for item in node if type(item) not in _PLAIN)
    return found


def _printed(value: Any, number: Callable[[Decimal], bytes]) -> Any:
    """Return `value` with its decimals as they are to be written; itself where it has none."""
    if isinstance(value, dict):
        changed = {
            name: item
            for name, old in value.items()
            if type(old) not in _PLAIN and (item := _printed(old, number)) is not old
        }
        return {**value, **changed} if changed else value
    if isinstance(value, list):
        items = [old if type(old) in _PLAIN else _printed(old, number) for old in value]
        return value if all(map(is_, items, value)) else items
    return msgspec.Raw(number(value)) if isinstance(value, Decimal) else value


def _sorted(value: Any) -> bytes:
    """Return JSON with the members in order of their names' UTF-16 code units (3.2.3).

    That is the order of code points unless a name has one beyond U+FFFF.
    """
    octets = _ENCODER.encode(value)
    return _ENCODER_AS_IS.encode(_by_units(value)) if _BEYOND.search(octets) else octets


def _by_units(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _by_units(value[name]) for name in sorted(value, key=_units)}
    return [_by_units(item) for item in value] if isinstance(value, list) else value


def _inexact(value: JsonValue, place: str) -> Iterator[str]:
    """Yield the places of decimals that a double changes."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _inexact(item, pointer(place, plain_name(name)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inexact(item, pointer(place, index))
    elif isinstance(value, Decimal) and not _survives(value):
        yield place


def _units(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _survives(value: Decimal) -> bool:
    return Decimal(repr(float(value))) == value


def _number(value: Decimal) -> bytes:
    if not _survives(value):
        raise NotExact("")
    return _double(value)


def _double(value: Decimal) -> bytes:
    number = float(value)
    if isinf(number):
        raise NotExact("")
    return rfc8785.dumps(number)


_PLAIN = frozenset((str, int, bool, type(None)))
_BEYOND = re.compile(rb"[\xf0-\xf4]")
"""The first octet of a code point beyond U+FFFF in UTF-8."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_ENCODER_AS_IS = msgspec.json.Encoder()
