"""The page for people as HTML: one file, no script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from gateway.signature_report.page import Page


def to_html(page: Page) -> bytes:
    """Return the page as an HTML document, UTF-8; every text in it is escaped."""
    return _template().render(page=page).encode("utf-8", "replace")


@cache
def content_policy() -> str:
    """Return the Content-Security-Policy of the page: its own style and nothing else."""
    style = _source().partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_source())


def _source() -> str:
    return (resources.files("gateway.signature_report") / "page.html").read_text("utf-8")
