"""Problems said in FHIR's words: the OperationOutcome.

Source: https://hl7.org/fhir/R4/operationoutcome.html.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway import errors
from gateway.model import Json, JsonValue, Problem

CODES = "urn:gateway:error-codes"
"""Code system of our error codes."""


def operation_outcome(problems: Iterable[Problem], language: str = "ru") -> Json:
    """Return an OperationOutcome with one issue per problem, in `language` (`ru` or `en`).

    `details.coding` carries the stable code, `expression` the place as the input's own path
    language writes it, `diagnostics` the reason and the fix.
    """
    issues: list[JsonValue] = [_issue(problem, language) for problem in problems]
    if not issues:
        issues = [{"severity": "information", "code": "informational"}]
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(problem: Problem, language: str) -> Json:
    page = errors.say(problem, language)
    issue: Json = {
        "severity": "warning" if problem.warning else "error",
        "code": page.issue,
        "details": {
            "coding": [{"system": CODES, "code": page.code, "display": page.title}],
            "text": page.title,
        },
        "diagnostics": f"{page.reason} {page.fix}",
    }
    if problem.place:
        issue["expression"] = [problem.place]
    return issue
