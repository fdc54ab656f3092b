"""Problems in FHIR's words."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.fhir import outcome, structure, text
from gateway.model import Problem


@pytest.mark.parametrize("language", errors.LANGUAGES)
def test_an_outcome_says_code_place_reason_and_fix(language: str) -> None:
    """And is itself what R4 says it is."""
    problem = Problem(
        code="FMT-311", place="/entry/0/foo", detail={"name": "foo", "type": "Bundle"}
    )
    resource = outcome.operation_outcome([problem], language)
    page = errors.say(problem, language)
    assert structure.problems(resource) == ()
    (issue,) = resource["issue"]  # type: ignore[misc, union-attr]
    assert issue["severity"] == "error"  # type: ignore[index, call-overload]
    assert issue["expression"] == ["/entry/0/foo"]  # type: ignore[index, call-overload]
    assert page.reason in issue["diagnostics"]  # type: ignore[index, call-overload, operator]
    assert b"FMT-311" in text.dumps(resource)


def test_a_warning_is_a_warning_and_nothing_is_still_an_outcome() -> None:
    """issue is 1..*: an empty outcome would not be R4."""
    warning = Problem(code="FMT-311", warning=True)
    assert b'"warning"' in text.dumps(outcome.operation_outcome([warning]))
    assert structure.problems(outcome.operation_outcome([])) == ()


def test_every_issue_type_of_the_catalogue_is_one_of_r4() -> None:
    """A code of our own making there would make every outcome invalid."""
    for code in errors.codes():
        resource = outcome.operation_outcome([Problem(code=code, place="/x")])
        assert structure.problems(resource) == (), code
