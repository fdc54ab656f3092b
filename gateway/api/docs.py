"""The API reference for people: plain HTML, no script, nothing from elsewhere.

Its text is data in `pages/docs.toml`; error pages are the error catalogue itself.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template, request

from gateway import errors
from gateway.api.answers import answer, not_found
from gateway.api.present import LABELS
from gateway.door import context, media
from gateway.errors import LANGUAGES

PAGES = Path(__file__).parent / "pages"

blueprint = Blueprint("docs", __name__, template_folder="pages")


@blueprint.get("/")
def home() -> Response:
    return Response(status=302, headers={"Location": "/docs"})


@blueprint.get("/docs")
def reference() -> Response:
    """Every address, what it does and what it answers."""
    gateway = context.gateway()
    said = _said()
    return _page(
        "reference.html",
        url=gateway.settings.url.rstrip("/"),
        steps=said["steps"],
        sections=said["sections"],
        states=said["states"],
        labels={str(status): text for status, text in LABELS[context.language()].items()},
        media_types=[*media.taken(), media.MULTIPART],
        body_bytes_max=gateway.settings.limits.body_bytes_max,
        signatures_max=gateway.settings.limits.signatures_max,
    )


@blueprint.get("/docs/errors")
def error_list() -> Response:
    language = context.language()
    return _page("errors.html", pages=[errors.explain(code, language) for code in errors.codes()])


@blueprint.get("/docs/errors/<key:code>")
def error(code: str) -> Response:
    """One code's catalogue page: what the `type` of a problem names."""
    if code not in errors.codes():
        return not_found()
    page = errors.explain(code, context.language())
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "text/html":
        return _page("error.html", page=page)
    return answer(
        {
            "code": page.code,
            "status": page.http,
            "title": page.title,
            "reason": page.reason,
            "cause": page.cause,
            "fix": page.fix,
            "example": page.example,
        }
    )


@blueprint.get("/docs/docs.css")
def style() -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response((PAGES / "docs.css").read_text("utf-8"), headers=headers, mimetype="text/css")


def _page(template: str, **words: Any) -> Response:
    language = context.language()
    text = render_template(template, language=language, say=_said()["say"][language], **words)
    return Response(text, mimetype="text/html", headers={"Content-Language": language})


@cache
def _said() -> dict[str, Any]:
    said = tomllib.loads((PAGES / "docs.toml").read_text("utf-8"))
    assert set(said["say"]) == set(LANGUAGES)
    return said
