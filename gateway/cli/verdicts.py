"""A report on signatures in the terminal: the words of the page, less the checks that hold."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.cli.output import Output
from gateway.model import Check, SignatureReport
from gateway.signature_report.page import CheckRow, SignaturePart, page_of
from gateway.signature_report.parts import check_rows
from gateway.signature_report.words import Words

MARKS = {"good": True, "bad": False}
"""Of the page's tones; any other is undecided."""


def show(out: Output, report: SignatureReport) -> None:
    """Print each signature and power of attorney: its verdict, whose it is, and what is amiss."""
    page = page_of(report, None, out.language)
    if not report.signatures:
        out.text(f"{out.mark(None)} {page.words('page', 'no_signatures')}")
    for part in page.signatures:
        title = f"{part.title}. " if len(page.signatures) > 1 else ""
        out.text(f"{out.mark(MARKS.get(part.tone))} {title}{part.verdict}")
        for name, text in part.rows:
            out.text(f"  {out.dim(f'{name}:')} {text}")
        _show_rows(out, (check for check in part.checks if check.tone != "good"))
        _show_conditions(out, part, page.words)
        for hint in part.hints:
            out.text(out.dim(f"  {hint}"))


def show_checks(out: Output, checks: Iterable[Check]) -> None:
    """Print checks that stand beside the report, those that hold as well."""
    _show_rows(out, check_rows(checks, Words(language=out.language)))


def _show_rows(out: Output, rows: Iterable[CheckRow]) -> None:
    for row in rows:
        out.text(f"  {out.mark(MARKS.get(row.tone))} {_said(row)}")


def _show_conditions(out: Output, part: SignaturePart, words: Words) -> None:
    """Print what keeps a signature from being a qualified one, and every word on powers."""
    told = [one for one in part.conditions if _speaks(one, part, words)]
    if told:
        out.text(f"  {out.dim(words('page', 'conditions') + ':')}")
    for one in told:
        out.text(f"    {_said(one)}")


def _speaks(condition: CheckRow, part: SignaturePart, words: Words) -> bool:
    if condition.key.startswith("attorney"):
        return True
    if part.tone == "bad" or condition.key == "signature_valid":
        return False
    return condition.tone != "good" and condition.word != words("status", "NOT_DONE")


def _said(check: CheckRow) -> str:
    return f"{check.name}: " + ", ".join(filter(None, (check.word, check.detail)))
