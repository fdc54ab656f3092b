"""A signature report in the form somebody asks for."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import SignatureReport
from gateway.signature_report.as_etsi import to_etsi
from gateway.signature_report.as_html import to_html
from gateway.signature_report.page import Page, page_of

XML, HTML, PDF = "xml", "html", "pdf"


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A report as bytes."""

    octets: bytes
    media_type: str


MEDIA_TYPES = {XML: "application/xml", HTML: "text/html", PDF: "application/pdf"}
"""By kind, which is also the end of a file's name."""


def render(kind: str, report: SignatureReport, document: bytes | None, language: str) -> Rendered:
    """Return `report` on `document` as `kind` (`xml`, `html`, `pdf`), in `ru` or `en`."""
    if kind == XML:
        return Rendered(octets=to_etsi(report), media_type=MEDIA_TYPES[kind])
    page = page_of(report, document, language)
    return Rendered(octets=_drawn(kind, page), media_type=MEDIA_TYPES[kind])


def _drawn(kind: str, page: Page) -> bytes:
    # Drawing PDF takes a library that loads longer than all else here; few calls want it.
    if kind == PDF:
        from gateway.signature_report.as_pdf import to_pdf

        return to_pdf(page)
    assert kind == HTML, kind
    return to_html(page)
