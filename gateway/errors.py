"""Errors, named by who must act, and the catalogue of their codes.

The texts (title, reason, cause, fix, example; Russian and English) are data in `errors.toml`;
a `Problem` carries a code, a place and the words that fill the text, never a patient's data.

Source: RFC 9457 (problem details); FHIR R4 OperationOutcome for the `issue` types.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from gateway import sentences
from gateway.model import Problem, Question

LANGUAGES = ("ru", "en")

OF_CHECKS = ("check", "found", "expected")
"""Where the detail of a problem quotes a check of the verifier, which speaks English."""


class GatewayError(Exception):
    """Root of every error this gateway raises on purpose."""

    def __init__(self, *problems: Problem) -> None:
        assert problems
        self.problems = problems
        super().__init__("; ".join(f"{p.code} at {p.place or '/'}" for p in problems))


class Rejected(GatewayError):
    """The sender must act: what came cannot be taken as it is."""


class NeedsOperator(GatewayError):
    """A person must decide; the document waits as `needs_info` and nothing is lost."""

    def __init__(self, *problems: Problem, questions: tuple[Question, ...] = ()) -> None:
        """`questions` are those of the problems that a decision can settle."""
        self.questions = questions
        super().__init__(*problems)


class TryLater(GatewayError):
    """The gateway must act: something it depends on is not to be had now."""

    def __init__(self, *problems: Problem, at: datetime | None = None) -> None:
        self.at = at
        super().__init__(*problems)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One code's catalogue page in one language."""

    code: str
    http: int
    issue: str
    """FHIR issue type, http://hl7.org/fhir/issue-type."""

    title: str
    reason: str
    """Template; `{names}` are filled from the problem's detail, in the fix too."""

    fix: str

    cause: str = ""
    """What usually leads to it: the same for every problem of this code."""

    example: str = ""


def codes() -> tuple[str, ...]:
    """Return every code in the catalogue, in the order of the alphabet: where one looks."""
    return tuple(sorted(_catalogue()))


def explain(code: str, language: str = "ru") -> Explanation:
    """Return the catalogue page of `code`, of no problem in particular: what varies is "…".

    Raises KeyError for an unknown code.
    """
    return _filled(_page(code, language), _Blank())


def _page(code: str, language: str) -> Explanation:
    entry = _catalogue()[code]
    text = entry[language]
    return Explanation(
        code=code,
        http=entry["http"],
        issue=entry["issue"],
        title=text["title"],
        reason=text["reason"],
        fix=text["fix"],
        cause=text.get("cause", ""),
        example=text.get("example", ""),
    )


def say(problem: Problem, language: str = "ru") -> Explanation:
    """Return the explanation of `problem` with its reason and fix filled in."""
    words = _Blank(problem.detail)
    if "check" in words:
        for name in words.keys() & set(OF_CHECKS):
            words[name] = sentences.say(words[name], language)
    return _filled(_page(problem.code, language), words)


def _filled(page: Explanation, words: Mapping[str, str]) -> Explanation:
    return replace(page, reason=page.reason.format_map(words), fix=page.fix.format_map(words))


class _Blank(dict[str, str]):
    """A missing placeholder shows as an ellipsis: a text must never fail to be said."""

    def __missing__(self, key: str) -> str:
        return "…"


@cache
def _catalogue() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "errors.toml").read_text("utf-8"))
