"""The one grammar for reference ranges: `3,5–5,1`, `до 5,0`, `<0,5`, `отрицательно`,
`муж. 130–160; жен. 120–140` (chosen by the patient's sex, the text kept).

A range that is not understood stays as text: it judges nothing, so nothing is guessed.

Source: semantics, rule 6; FHIR R4 Observation.referenceRange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from gateway.mapping import values

_SEX = re.compile(
    r"^(?P<sex>м|муж|мужчины|мужской|m|male|ж|жен|женщины|женский|f|female)\b[.:]?\s*:?\s*(?P<rest>.+)$",
    re.IGNORECASE,
)
_UP_TO = re.compile(r"^(?:до|менее|меньше|не более)\s+(?P<number>\S+)$", re.IGNORECASE)
_FROM = re.compile(r"^(?:от|более|больше|не менее|свыше)\s+(?P<number>\S+)$", re.IGNORECASE)
_FROM_TO = re.compile(r"^от\s+(?P<low>\S+)\s+до\s+(?P<high>\S+)$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ReferenceRange:
    """A range as read; both limits None when only the text is known."""

    text: str
    low: Decimal | None = None
    high: Decimal | None = None


def read(text: str, sex: str | None, decimal_mark: str | None = None) -> ReferenceRange:
    """Return the range `text` gives for a patient of `sex` (FHIR administrative gender)."""
    text = text.strip()
    chosen = _for_sex(text, sex)
    if chosen is None:
        return ReferenceRange(text=text)
    try:
        low, high = _limits(chosen, decimal_mark)
    except (values.Ambiguous, values.NotPrintable):
        return ReferenceRange(text=text)
    return ReferenceRange(text=text, low=low, high=high)


def _for_sex(text: str, sex: str | None) -> str | None:
    """Return the part of `text` for `sex`; None when no part, or more than one, is for it."""
    parts = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]
    told = [(found, part) for part in parts if (found := _SEX.match(part))]
    if not told:
        return text if len(parts) == 1 else None
    letters = {"male": "мm", "female": "жf"}.get(sex or "", "")
    mine = [found["rest"] for found, _ in told if found["sex"][0].lower() in letters]
    return mine[0] if letters and len(mine) == 1 and len(told) == len(parts) else None


def _limits(text: str, mark: str | None) -> tuple[Decimal | None, Decimal | None]:
    if found := _FROM_TO.match(text):
        return _number(found["low"], mark), _number(found["high"], mark)
    if found := _UP_TO.match(text):
        return None, _number(found["number"], mark)
    if found := _FROM.match(text):
        return _number(found["number"], mark), None
    value = values.read(text, mark)
    if isinstance(value, values.Span) and not value.tail:
        return value.low.value, value.high.value
    if isinstance(value, values.Quantity) and value.comparator:
        limit = value.number.value
        return (None, limit) if value.comparator[0] == "<" else (limit, None)
    return None, None


def _number(text: str, mark: str | None) -> Decimal:
    value = values.read(text, mark)
    if not isinstance(value, values.Quantity) or value.comparator:
        raise values.NotPrintable
    return value.number.value
