"""The one grammar for measured values, the same in all formats.

`read` takes the text a laboratory printed and says what it is; `show` prints it back.  What
does not print back to its source is refused, so no digit, sign or comma is lost unseen:

    number       5,10  5.00  -3                comparator   <0,01  >1000  ≤5  >=90
    titre        1:160                         span         5-7  5–7  5-7 в п/зр
    grade        1+ … 4+  +++                  word         отрицательно, следы, не обнаружено
    absent       гемолиз, сгусток, недостаточно материала
    free         any other text, kept as text

`1,000` (one, or a thousand?) is ambiguous unless the sender's profile says what its comma
means; `1.000,5` is always refused.

Source: semantics, rule 6; FHIR R4 Quantity, Ratio, Range, data-absent-reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

DIGITS_MAX = 40
"""Longest number read; longer ones are text no analyser prints."""


class Ambiguous(Exception):
    """The text can be read in two ways; nobody guesses."""


class NotPrintable(Exception):
    """What was read does not print back to what was written."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number with the decimal mark it was written with."""

    value: Decimal
    mark: str = "."


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number, perhaps beyond a limit of measurement."""

    number: Number
    comparator: str = ""
    """FHIR comparator: `<`, `<=`, `>=`, `>` or empty."""

    sign: str = ""
    """The comparator as it was written, with the space behind it."""


@dataclass(frozen=True, kw_only=True)
class Titre:
    numerator: Number
    denominator: Number
    colon: str = ":"


@dataclass(frozen=True, kw_only=True)
class Span:
    """From low to high."""

    low: Number
    high: Number
    dash: str
    tail: str = ""
    """What follows the numbers, its leading space included: ` в п/зр`."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """A coded word."""

    text: str
    system: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A reason why there is no value."""

    text: str
    code: str
    """Code of data-absent-reason."""


@dataclass(frozen=True, kw_only=True)
class Free:
    text: str


Value = Quantity | Titre | Span | Word | Absent | Free

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
OWN_WORDS = "urn:gateway:value-words"
"""Our own words where HL7 has none."""

_NUMBER = r"-?[0-9]+(?:[.,][0-9]+)?"
_QUANTITY = re.compile(rf"(?P<sign>(?:<=|>=|<|>|≤|≥)\s*)?(?P<number>{_NUMBER})")
_TITRE = re.compile(rf"(?P<a>[0-9]+)(?P<colon>\s?:\s?)(?P<b>{_NUMBER[2:]})")
_SPAN = re.compile(
    rf"(?P<low>{_NUMBER})(?P<dash>\s*(?:-|–|—|\.\.\.?|…)\s*)(?P<high>{_NUMBER[2:]})"
    r"(?P<tail>\s+в\s+(?:п/зр?\.?|поле зрения|п\.\s?зр?\.?))?"
)
_GROUPED = re.compile(r"-?[0-9]{1,3}([.,][0-9]{3})+[.,][0-9]+|-?[0-9]{1,3}(,[0-9]{3}){2,}")
_GROUPED_DOTS = re.compile(r"-?[0-9]{1,3}(\.[0-9]{3}){2,}")
_THOUSAND = re.compile(r"-?[1-9][0-9]{0,2},[0-9]{3}")
_GRADE = re.compile(r"[1-4]\s?\+|\+{1,4}")
_COMPARATORS = {"≤": "<=", "≥": ">="}


def read(text: str, decimal_mark: str | None = None) -> Value:
    """Return what `text` is.  `decimal_mark` is what the sender's profile promises.

    Raises Ambiguous, and NotPrintable when the reading does not print back.
    """
    trimmed = text.strip()
    value = _read(trimmed, decimal_mark)
    if show(value) != trimmed:
        raise NotPrintable
    return value


def show(value: Value) -> str:
    """Print a value as it was written."""
    match value:
        case Quantity():
            return value.sign + _show(value.number)
        case Titre():
            return _show(value.numerator) + value.colon + _show(value.denominator)
        case Span():
            return _show(value.low) + value.dash + _show(value.high) + value.tail
        case Word() | Absent() | Free():
            return value.text


def number(text: str, decimal_mark: str | None = None) -> Number:
    """Return the number `text` is.  Raises Ambiguous, NotPrintable."""
    bare = text.lstrip("-")
    if _GROUPED.fullmatch(text) or _GROUPED_DOTS.fullmatch(text):
        raise Ambiguous
    if decimal_mark is None and _THOUSAND.fullmatch(text):
        raise Ambiguous
    mark = "," if "," in bare else "."
    if decimal_mark is not None and mark in bare and mark != decimal_mark:
        raise Ambiguous
    if len(bare) > DIGITS_MAX:
        raise NotPrintable
    read_back = Number(value=Decimal(text.replace(",", ".")), mark=mark)
    if _show(read_back) != text:
        # A leading zero (007) or a bare sign would be lost: the record could not show it.
        raise NotPrintable
    return read_back


def fold(text: str) -> str:
    """Return text as it is looked up: case, ё, spaces and look-alike letters do not count."""
    return " ".join(text.casefold().translate(LOOK_ALIKES).split())


def _read(text: str, mark: str | None) -> Value:
    if _GROUPED.fullmatch(text.lstrip("<>=≤≥ ")):
        raise Ambiguous
    if found := _QUANTITY.fullmatch(text):
        sign = found["sign"] or ""
        comparator = _COMPARATORS.get(sign.strip(), sign.strip())
        return Quantity(number=number(found["number"], mark), comparator=comparator, sign=sign)
    if found := _TITRE.fullmatch(text):
        return Titre(
            numerator=number(found["a"], mark),
            denominator=number(found["b"], mark),
            colon=found["colon"],
        )
    if found := _SPAN.fullmatch(text):
        low, high = number(found["low"], mark), number(found["high"], mark)
        if low.value > high.value:
            return Free(text=text)
        return Span(low=low, high=high, dash=found["dash"], tail=found["tail"] or "")
    return _word(text)


def _word(text: str) -> Value:
    if _GRADE.fullmatch(text):
        plus = text.count("+")
        grade = int(text[0]) if text[0].isdigit() else plus
        return Word(text=text, system=OWN_WORDS, code=f"{grade}+")
    folded = fold(text).rstrip(".")
    if folded in _WORDS:
        system, code = _WORDS[folded]
        return Word(text=text, system=system, code=code)
    if folded in _ABSENT:
        return Absent(text=text, code=_ABSENT[folded])
    return Free(text=text)


def _show(value: Number) -> str:
    return format(value.value, "f").replace(".", value.mark)


LOOK_ALIKES = str.maketrans("aceopxykmhtbёµ", "асеорхукмнтвеμ")
"""Latin letters that look like Cyrillic ones, for look-up only (semantics, rule 6)."""


def _folded(words: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {fold(word): code for code, spellings in words.items() for word in spellings}


_HL7_WORDS = _folded(
    {
        "NEG": ("отрицательно", "отрицательный", "отриц", "отр", "neg", "negative"),
        "POS": ("положительно", "положительный", "полож", "пол", "pos", "positive"),
        "ND": (
            "не обнаружено",
            "не обнаружен",
            "не обнаружена",
            "не обнаружены",
            "не выявлено",
            "not detected",
            "abs",
            "отсутствует",
            "отсутствуют",
        ),
        "DET": ("обнаружено", "обнаружен", "обнаружена", "обнаружены", "выявлено", "detected"),
        "IND": ("сомнительно", "сомнительный", "неопределенно", "indeterminate"),
    }
)
_OWN_WORDS = _folded({"trace": ("следы", "trace", "traces"), "normal": ("норма", "в норме")})
_WORDS: dict[str, tuple[str, str]] = {
    **{word: (INTERPRETATION, code) for word, code in _HL7_WORDS.items()},
    **{word: (OWN_WORDS, code) for word, code in _OWN_WORDS.items()},
}
_ABSENT = _folded(
    {
        "error": ("гемолиз", "хилез", "липемия", "сгусток", "сгустки", "hemolysis"),
        "not-performed": (
            "недостаточно материала",
            "недостаточно биоматериала",
            "недостаточное количество",
            "не выполнено",
            "не выполнялось",
            "not performed",
        ),
    }
)
