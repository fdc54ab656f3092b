"""FHIR JSON text with exact numbers: what is written as ``5.00`` is read and printed as ``5.00``.

Reading refuses what two parsers could understand differently (RFC 7493, I-JSON): a name twice
in one object, an integer beyond 2^53, a number with more digits or a larger exponent than any
measurement has, half a surrogate pair, bytes that are not UTF-8; and what no resource needs:
nesting beyond `DEPTH_MAX`.  Every refusal is `Rejected` with a JSON pointer; `read` leaves it to
the caller whether what stands at that pointer spoils the rest.

The standard library's decoder reads, because its hooks see every object and number as text:
with all checks it costs what msgspec costs without the check for doubled names.  msgspec writes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, islice
from typing import Any, NamedTuple, cast

import msgspec

from gateway.errors import Rejected
from gateway.model import Json, JsonValue, Problem

DEPTH_MAX = 64
"""Deepest nesting of objects and arrays; the deepest official R4 example has 22 levels."""

DIGITS_MAX = 34
"""Digits of one number: those of IEEE 754 decimal128.  FHIR asks for 18."""

EXPONENT_MAX = 308
"""Largest power of ten, up or down: that of an IEEE 754 double (RFC 7493, section 2.2)."""

INTEGER_MAX = 2**53 - 1

DOUBLED = "FMT-303"
"""A name twice in one object, at whose place the problem stands."""

FAULTS_MAX = 50
"""Faults named in one refusal: a problem for each of millions would be heavier than the file."""

FAULTS_READ_MAX = 2000
"""Faults that make a text unreadable: a bound on what is held of them."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Written(Decimal):
    """A decimal whose text is not what `str` would print: ``0.0000001``, ``1e5``, ``-0``."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Written:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __deepcopy__(self, memo: dict[int, Any]) -> Written:
        return self

    def __copy__(self) -> Written:
        return self

    def __reduce__(self) -> tuple[type[Written], tuple[str]]:
        return Written, (self.text,)


class Reading(NamedTuple):
    """A JSON object with what is wrong inside it."""

    value: Json
    """Without what the faults are about: null for a number that is refused or a branch that is
    too deep, and of a name that stands twice the last."""

    faults: tuple[Problem, ...]
    """FMT-301 and FMT-303 to FMT-306, every one with its place."""


def loads(octets: bytes) -> Json:
    """Return the JSON object that `octets` hold, numbers with a point or exponent as Decimal.

    A byte order mark of UTF-8 is passed over, as RFC 8259 allows.  Raises Rejected (FMT-301
    to FMT-307).
    """
    reading = read(octets)
    if reading.faults:
        raise Rejected(*reading.faults[:FAULTS_MAX])
    return reading.value


def read(octets: bytes) -> Reading:
    """Return the JSON object that `octets` hold, and the faults that have a place in it.

    Raises Rejected where nothing can be read beside the fault (FMT-301, 302, 305, 307), or
    there are `FAULTS_READ_MAX` of them.
    """
    text = _decode(octets)
    faults: list[Problem] = []
    try:
        value = _DECODER.decode(text)
    except _Fault:
        value = _marked(text, faults)
    except json.JSONDecodeError as error:
        detail = {"line": str(error.lineno), "column": str(error.colno)}
        raise Rejected(Problem(code="FMT-301", detail=detail)) from None
    except RecursionError:
        raise Rejected(_too_deep()) from None
    if not isinstance(value, dict):
        if faults:
            raise Rejected(*faults)
        raise Rejected(Problem(code="FMT-307", detail={"found": kind(value)}))
    further = chain(
        _cut(value) if _is_deep(value) else (),
        _bad_characters(value, "") if "\\u" in text else (),
    )
    faults += islice(further, FAULTS_READ_MAX)
    if len(faults) >= FAULTS_READ_MAX:
        raise Rejected(*faults[:FAULTS_MAX])
    return Reading(cast(Json, value), tuple(faults))


def dumps(value: JsonValue) -> bytes:
    """Return `value` as compact JSON in UTF-8, every decimal with the digits it came with."""
    return _ENCODER.encode(value)


def number_text(value: int | Decimal) -> str:
    """Return a JSON number as it was written.

    >>> number_text(loads(b'{"a": 5.00}')["a"])
    '5.00'
    """
    return value.text if isinstance(value, Written) else str(value)


def kind(value: object) -> str:
    """Return the JSON type of `value`, to say what was found without saying the value.

    >>> kind([]), kind(Decimal(1)), kind(None)
    ('array', 'number', 'null')
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | Decimal):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "null"


def pointer(place: str, *steps: str | int) -> str:
    """Return `place` extended by `steps`, escaped as RFC 6901 asks.

    >>> pointer("/entry", 3, "a/b")
    '/entry/3/a~1b'
    """
    for step in steps:
        text = str(step)
        if "/" in text or "~" in text:
            text = text.replace("~", "~0").replace("/", "~1")
        place = f"{place}/{text}"
    return place


class _Fault(Exception):
    """Something in the text is refused; where, the second pass tells."""


@dataclass(frozen=True, kw_only=True)
class _Marked:
    """Stands in the tree, in the second pass, for the thing that is refused."""

    problems: tuple[Problem, ...]
    instead: Json | None = None


def _decode(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected(Problem(code="FMT-302", detail={"offset": str(error.start)})) from None
    return text


def _object(pairs: list[tuple[str, JsonValue]]) -> Json:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Fault
    return result


def _integer(text: str) -> int | Decimal:
    if len(text) > 16 or text == "-0":
        return _unusual_integer(text)
    number = int(text)
    if -INTEGER_MAX <= number <= INTEGER_MAX:
        return number
    raise _Fault


def _unusual_integer(text: str) -> int | Decimal:
    if text == "-0":
        return Written(text)
    if len(text) == 17 and text[0] == "-" and int(text) >= -INTEGER_MAX:
        return int(text)
    raise _Fault


def _decimal(text: str) -> Decimal:
    if len(text) > DIGITS_MAX:
        # Nobody counts the digits of a number as long as the file: few characters are none.
        digits = len(text) - sum(map(text.count, "-+.eE"))
        if digits > DIGITS_MAX:
            raise _Fault
    try:
        number = Decimal(text)
    except ArithmeticError:  # an exponent beyond what Decimal itself can hold
        raise _Fault from None
    if not -EXPONENT_MAX <= number.adjusted() <= EXPONENT_MAX:
        raise _Fault
    return number if str(number) == text else Written(text)


def _constant(_: str) -> None:
    raise _Fault


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_constant,
)


def _written(value: object) -> msgspec.Raw:
    if isinstance(value, Written):
        return msgspec.Raw(value.text.encode("ascii"))
    raise TypeError(type(value).__name__)


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_written)


def _marked(text: str, faults: list[Problem]) -> Json:
    """Read `text` again, gather its faults with their places, and return it without them.

    Raises Rejected when the text is none after all, or has `FAULTS_READ_MAX`.
    """

    def marked_object(pairs: list[tuple[str, Any]]) -> object:
        result = dict(pairs)
        if len(result) == len(pairs):
            return result
        doubled = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        return mark(
            *(Problem(code="FMT-303", detail={"name": plain_name(name)}) for name in doubled),
            instead=result,
        )

    def marked_number(read: Any) -> Any:
        def number(text: str) -> object:
            try:
                return read(text)
            except _Fault:
                limits = {"digits": str(DIGITS_MAX), "exponent": str(EXPONENT_MAX)}
                return mark(Problem(code="FMT-304", detail=limits))

        return number

    left = FAULTS_READ_MAX

    def mark(*problems: Problem, instead: Json | None = None) -> object:
        nonlocal left
        if left <= 0:
            # The object stays: the marks may all stand in it.
            return instead
        left -= len(problems)
        return _Marked(problems=problems[:FAULTS_MAX], instead=instead)

    decoder = json.JSONDecoder(
        object_pairs_hook=marked_object,
        parse_float=marked_number(_decimal),
        parse_int=marked_number(_integer),
        parse_constant=lambda _: mark(Problem(code="FMT-301", detail={})),
    )
    try:
        value = _unmarked(decoder.decode(text), "", faults)
    except json.JSONDecodeError:
        raise Rejected(Problem(code="FMT-301", detail={})) from None
    except RecursionError:
        raise Rejected(_too_deep()) from None
    if left <= 0:
        # Those that stood in the first of a doubled name went with it.
        raise Rejected(*faults[:FAULTS_MAX] or (Problem(code="FMT-303", detail={"name": "…"}),))
    return cast(Json, value)


def _unmarked(value: object, place: str, faults: list[Problem]) -> object:
    """Return `value` with its marks taken out, each noted in `faults` with its place."""
    if isinstance(value, _Marked):
        faults += (replace(problem, place=place) for problem in value.problems)
        value = value.instead
    if isinstance(value, dict | list):
        steps: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in steps:
            if isinstance(item, _Marked | dict | list):
                # The key is there already, so the walk over the mapping goes on.
                value[step] = _unmarked(item, _below(place, step), faults)
    return value


def plain_name(name: str) -> str:
    """Return an element name fit to be shown: a name that is no name could be a patient's."""
    return name if _NAME.fullmatch(name) else "…"


def _is_deep(value: Json) -> bool:
    """Say whether `value` is nested beyond `DEPTH_MAX`."""
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        level = [
            item
            for node in level
            for item in (node.values() if type(node) is dict else node)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return False
    return True


def _cut(node: Any, place: str = "", depth: int = 1) -> Iterator[Problem]:
    """Take out of `node` what is too deep, and yield the place of each branch."""
    for step, item in node.items() if isinstance(node, dict) else enumerate(node):
        if not isinstance(item, dict | list):
            continue
        here = _below(place, step)
        if depth < DEPTH_MAX:
            yield from _cut(item, here, depth + 1)
        else:
            node[step] = None
            yield replace(_too_deep(), place=here)


def _below(place: str, step: str | int) -> str:
    """Return `place` extended by `step`, whose name is shown only if it looks like one."""
    return pointer(place, plain_name(step) if isinstance(step, str) else step)


def _too_deep() -> Problem:
    return Problem(code="FMT-305", detail={"limit": str(DEPTH_MAX)})


def _bad_characters(value: JsonValue, place: str) -> Iterator[Problem]:
    """Yield where half surrogate pairs and NUL stand; an escape can write them, UTF-8 cannot."""
    if isinstance(value, str):
        if _SURROGATE.search(value) or "\0" in value:
            yield Problem(code="FMT-306", place=place)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _bad_characters(name, place)
            if isinstance(item, str | dict | list):
                yield from _bad_characters(item, _below(place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _bad_characters(item, _below(place, index))
