"""How a refusal is said to a machine: RFC 9457, with the code, the place, the reason, the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway import errors
from gateway.errors import Explanation
from gateway.model import Problem

MEDIA_TYPE = "application/problem+json"
UNKNOWN_STATUS = 422
WHOLE = "/"
"""The place of a problem that concerns the request or the document as a whole."""


def explained(problem: Problem, language: str) -> Explanation:
    """Return the text of a problem; a code the catalogue lost is still said by its name."""
    try:
        return errors.say(problem, language)
    except KeyError:
        return Explanation(
            code=problem.code,
            http=UNKNOWN_STATUS,
            issue="processing",
            title=problem.code,
            reason=problem.code,
            fix="",
        )


def finding(problem: Problem, language: str) -> dict[str, Any]:
    """Return one problem as an item of a `problems` list."""
    page = explained(problem, language)
    return {
        "code": problem.code,
        "place": problem.place or WHOLE,
        "title": page.title,
        "reason": page.reason,
        "fix": page.fix,
        "warning": problem.warning,
        "type": type_of(problem.code),
    }


def document(
    problems: Sequence[Problem], language: str, trace_id: str, status: int | None = None
) -> dict[str, Any]:
    """Return the problem details of an answer that refuses; the first problem leads."""
    first = problems[0]
    page = explained(first, language)
    return {
        "type": type_of(first.code),
        "title": page.title,
        "status": status or page.http,
        "detail": page.reason,
        "code": first.code,
        "place": first.place or WHOLE,
        "reason": page.reason,
        "fix": page.fix,
        "trace_id": trace_id,
        "problems": [finding(problem, language) for problem in problems],
    }


def type_of(code: str) -> str:
    """Return the address of a code's catalogue page."""
    return f"/docs/errors/{code}"
