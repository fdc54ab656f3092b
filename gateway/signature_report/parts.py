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


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """One check: its name, `good`, `bad` or `open`, the word for that, and the detail."""

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


def check_rows(checks: Iterable[Check], words: Words) -> tuple[CheckRow, ...]:
    """Return the rows of checks; several references make rows that say the same: one is told."""
    rows = (_row(check, words) for check in checks)
    return tuple(row for row, _ in groupby(rows))


def _row(check: Check, words: Words) -> CheckRow:
    return CheckRow(
        name=words("check", check.name),
        tone=_CHECK_TONES.get(check.status, "open"),
        word=words("status", check.status.value),
        detail=sentences.say(check.detail, words.language),
    )
