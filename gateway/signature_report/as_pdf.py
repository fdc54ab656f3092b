"""The page for people as PDF.

The fonts lie beside (DejaVu, cut down to Latin and Cyrillic), so that a server without fonts
of its own draws the same page.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from gateway.signature_report.page import CheckRow, Page, Row

MARGIN = 16 * mm
WIDTH = A4[0] - 2 * MARGIN - 12
"""Less the frame's own padding, 6 points a side."""

TEXT_CHARACTERS_MAX = 600
"""Of one cell: a longer one would not fit on a page, and no name or digest is."""

_COLOURS = {"good": "#17692f", "bad": "#b3261e", "open": "#7a5000"}


def to_pdf(page: Page) -> bytes:
    """Return the page as a PDF document."""
    _fonts()
    octets = io.BytesIO()
    document = SimpleDocTemplate(
        octets,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=page.title,
        lang=page.words.language,
        invariant=1,
    )
    document.build(list(_story(page)))
    return octets.getvalue()


def _story(page: Page) -> Iterator[Any]:
    yield _text(page.title, 14, bold=True)
    yield _text(page.verdict, 11, bold=True, tone=page.tone)
    yield _rows(page.rows)
    for part in page.signatures:
        yield Spacer(0, 4 * mm)
        yield _text(part.title, 11, bold=True)
        yield _text(part.verdict, 9, bold=True, tone=part.tone)
        yield _rows(part.rows)
        if part.hints:
            yield _text(page.words("page", "hints"), 8, bold=True)
            yield from (_text(hint, 7) for hint in part.hints)
        yield from _checks(page.words("page", "checks"), part.checks)
        yield from _checks(page.words("page", "conditions"), part.conditions)


def _rows(rows: Sequence[Row]) -> Table:
    cells = [[_text(name, 7), _text(text, 7)] for name, text in rows]
    return _table(cells, (0.3, 0.7))


def _checks(title: str, checks: Sequence[CheckRow]) -> Iterator[Any]:
    if not checks:
        return
    yield _text(title, 8, bold=True)
    cells = [
        [_text(one.name, 7), _text(one.word, 7, tone=one.tone), _text(one.detail, 7)]
        for one in checks
    ]
    yield _table(cells, (0.36, 0.14, 0.5))


def _table(cells: list[list[Paragraph]], shares: Sequence[float]) -> Table:
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, HexColor("#e3e6e8")),
        ("TOPPADDING", (0, 0), (-1, -1), 0.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ]
    widths = [WIDTH * share for share in shares]
    return Table(cells, colWidths=widths, style=style, hAlign="LEFT")


def _text(text: str, size: int, *, bold: bool = False, tone: str = "") -> Paragraph:
    cut = text if len(text) <= TEXT_CHARACTERS_MAX else text[:TEXT_CHARACTERS_MAX] + "…"
    return Paragraph(escape(cut), _style(size, bold, tone))


@cache
def _style(size: int, bold: bool, tone: str) -> ParagraphStyle:
    return ParagraphStyle(
        f"{size}{bold}{tone}",
        fontName="DejaVuSans-Bold" if bold else "DejaVuSans",
        fontSize=size,
        leading=size * 1.3,
        spaceAfter=1.5,
        textColor=HexColor(_COLOURS.get(tone, "#1b1f23")),
        splitLongWords=True,
        keepWithNext=bold,
    )


@cache
def _fonts() -> None:
    folder = resources.files("gateway.signature_report") / "fonts"
    for name in ("DejaVuSans", "DejaVuSans-Bold"):
        octets = io.BytesIO((folder / f"{name}.ttf").read_bytes())
        pdfmetrics.registerFont(TTFont(name, octets))
