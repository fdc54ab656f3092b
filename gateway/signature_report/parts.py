"""The parts of the page for people: one for each signature and each power of attorney."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from gateway import sentences
from gateway.model import Check, CheckStatus, Indication
from gateway.signature_report.words import Words

Row = tuple[str, str]

TONES = {
    Indication.TOTAL_PASSED: "good",
    Indication.TOTAL_FAILED: "bad",
    Indication.INDETERMINATE: "open",
}
_CHECK_TONES = {CheckStatus.PASSED: "good", CheckStatus.FAILED: "bad"}

_CODED = {
    "signature_valid": "indication",
    "attorney_signature": "indication",
    "identification_kind": "identification",
}
"""Checks whose detail is a code: it is told in words."""


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """One check: its name, `good`, `bad` or `open`, the word for that, and the detail."""

    key: str
    """Its name in JSON."""

    name: str
    tone: str
    word: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class SignaturePart:
    """One signature as the page tells it."""

    title: str
    tone: str
    verdict: str
    rows: tuple[Row, ...]
    checks: tuple[CheckRow, ...]
    conditions: tuple[CheckRow, ...]
    hints: tuple[str, ...]


def place_of(place: str, words: Words) -> str:
    """Return where a signature stands: in the document or beside it, and its exact place.

    >>> place_of("signature[0]", Words(language="en"))
    'beside the document (signature[0])'
    """
    stands = "beside" if place.startswith("signature[") else "inside"
    return f"{words('place', stands)} ({place})"


def check_rows(checks: Iterable[Check], words: Words) -> tuple[CheckRow, ...]:
    """Return the rows of checks; several references make rows that say the same: one is told."""
    rows = (_row(check, words) for check in checks)
    return tuple(row for row, _ in groupby(rows))


def _row(check: Check, words: Words) -> CheckRow:
    return CheckRow(
        key=check.name,
        name=words("check", check.name),
        tone=_CHECK_TONES.get(check.status, "open"),
        word=words("status", check.status.value),
        detail=detail(check, words),
    )


def detail(check: Check, words: Words) -> str:
    """Return what a check found, in the reader's words."""
    group = _CODED.get(check.name)
    if group is not None and words.knows(group, check.detail):
        return words(group, check.detail)
    return sentences.say(check.detail, words.language)
