"""FHIR JSON text with exact numbers: what is written as ``5.00`` is read and printed as ``5.00``.

Reading refuses what two parsers could understand differently (RFC 7493, I-JSON): a name twice
in one object, an integer beyond 2^53, a number with more digits or a larger exponent than any
measurement has, half a surrogate pair, bytes that are not UTF-8; and what no resource needs:
nesting beyond `DEPTH_MAX`.  Every refusal is `Rejected` with a JSON pointer.

The standard library's decoder reads, because its hooks see every object and number as text:
with all checks it costs what msgspec costs without the check for doubled names.  msgspec writes.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, cast

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

FAULTS_MAX = 50
"""Faults named in one refusal: a problem for each of millions would be heavier than the file."""

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


def loads(octets: bytes) -> Json:
    """Return the JSON object that `octets` hold, numbers with a point or exponent as Decimal.

    A byte order mark of UTF-8 is passed over, as RFC 8259 allows.  Raises Rejected (FMT-301
    to FMT-307).
    """
    text = _decode(octets)
    try:
        value = _DECODER.decode(text)
    except _Fault:
        raise _located(text) from None
    except json.JSONDecodeError as error:
        detail = {"line": str(error.lineno), "column": str(error.colno)}
        raise Rejected(Problem(code="FMT-301", detail=detail)) from None
    except RecursionError:
        raise Rejected(_too_deep()) from None
    if not isinstance(value, dict):
        raise Rejected(Problem(code="FMT-307", detail={"found": kind(value)}))
    _check_depth(value)
    if "\\u" in text:
        _check_characters(value, "")
    return cast(Json, value)


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


class _Marked:
    """Stands in the tree, in the second pass, for the thing that is refused."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


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
    if len(text) > DIGITS_MAX and sum(map(str.isdigit, text)) > DIGITS_MAX:
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


def _located(text: str) -> Rejected:
    """Read `text` again with the first faults marked in the tree, and name their places."""
    left = FAULTS_MAX

    def mark(problem: Problem, beyond: object = None) -> object:
        nonlocal left
        left -= 1
        return _Marked(problem) if left >= 0 else beyond

    def marked_object(pairs: list[tuple[str, Any]]) -> object:
        result = dict(pairs)
        if len(result) == len(pairs):
            return result
        seen: set[str] = set()
        doubled = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        # Beyond the limit the object stays: the marks may all stand in it.
        return mark(Problem(code="FMT-303", detail={"name": plain_name(doubled)}), result)

    def marked_number(read: Any) -> Any:
        def number(text: str) -> object:
            try:
                return read(text)
            except _Fault:
                limits = {"digits": str(DIGITS_MAX), "exponent": str(EXPONENT_MAX)}
                return mark(Problem(code="FMT-304", detail=limits))

        return number

    decoder = json.JSONDecoder(
        object_pairs_hook=marked_object,
        parse_float=marked_number(_decimal),
        parse_int=marked_number(_integer),
        parse_constant=lambda _: mark(Problem(code="FMT-301", detail={})),
    )
    try:
        return Rejected(*_marks(decoder.decode(text), ""))
    except (json.JSONDecodeError, RecursionError):
        return Rejected(Problem(code="FMT-301", detail={}))


def _marks(value: object, place: str) -> list[Problem]:
    if isinstance(value, _Marked):
        problem = value.problem
        return [Problem(code=problem.code, place=place, detail=problem.detail)]
    if isinstance(value, dict):
        steps: list[tuple[str | int, object]] = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    else:
        return []
    return [
        mark
        for step, item in steps
        if isinstance(item, _Marked | dict | list)
        for mark in _marks(item, pointer(place, step))
    ]


def plain_name(name: str) -> str:
    """Return an element name fit to be shown: a name that is no name could be a patient's."""
    return name if _NAME.fullmatch(name) else "…"


def _check_depth(value: Json) -> None:
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        level = [
            item
            for node in level
            for item in (node.values() if type(node) is dict else node)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return
    raise Rejected(_too_deep())


def _too_deep() -> Problem:
    return Problem(code="FMT-305", detail={"limit": str(DEPTH_MAX)})


def _check_characters(value: JsonValue, place: str) -> None:
    """Refuse half surrogate pairs and NUL, which an escape can write and UTF-8 text cannot."""
    if isinstance(value, str):
        if _SURROGATE.search(value) or "\0" in value:
            raise Rejected(Problem(code="FMT-306", place=place))
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_characters(name, place)
            _check_characters(item, pointer(place, plain_name(name)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_characters(item, pointer(place, index))
