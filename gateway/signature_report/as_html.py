"""The page for people as HTML: one file, no script, nothing fetched."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from gateway.signature_report.page import Page


def to_html(page: Page) -> bytes:
    """Return the page as an HTML document, UTF-8; every text in it is escaped."""
    return _template().render(page=page).encode("utf-8", "replace")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    source = resources.files("gateway.signature_report") / "page.html"
    return environment.from_string(source.read_text("utf-8"))
