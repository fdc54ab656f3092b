"""The catalogue of error codes says everything in both languages, and nothing speaks past it."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import errors
from gateway.model import Problem

TESTS = Path(__file__).parents[1]
GATEWAY = TESTS.parent / "gateway"
SHOWN_ONLY = ("test_errors.py", "test_pages.py", "test_verbs.py")
"""Tests that show pages of the catalogue: a code in them is not provoked."""

FAMILIES = ("FMT", "SIG", "PAT", "CON", "MAP", "DLV", "AUTH", "LIM", "DUP", "SYS")
CODE = re.compile(rf"\b(?:{'|'.join(FAMILIES)})-\d{{3}}\b")
RUSSIAN = re.compile("[а-яё]", re.IGNORECASE)
CATALOGUE = tomllib.loads((GATEWAY / "errors.toml").read_text("utf-8"))

# http://hl7.org/fhir/R4/valueset-issue-type.html
ISSUE_TYPES = re.compile(
    "invalid|structure|required|value|invariant|security|login|unknown|expired|forbidden"
    "|suppressed|processing|not-supported|duplicate|multiple-matches|not-found|deleted|too-long"
    "|code-invalid|extension|too-costly|business-rule|conflict|transient|lock-error|no-store"
    "|exception|timeout|incomplete|throttled|informational"
)


def spoken() -> dict[str, str]:
    """Return each code that the source names, with the file that does."""
    found: dict[str, str] = {}
    for suffix in ("py", "toml", "yaml"):
        for file in sorted(GATEWAY.rglob(f"*.{suffix}")):
            if file.name == "errors.toml":
                continue
            for code in CODE.findall(file.read_text("utf-8")):
                found.setdefault(code, str(file.relative_to(GATEWAY)))
    return found


def provoked() -> set[str]:
    """Return each code that a test or a story waits for; docstrings and comments do not count."""
    found: set[str] = set()
    for file in TESTS.rglob("*.py"):
        if file.name not in SHOWN_ONLY:
            for text in _strings(ast.parse(file.read_text("utf-8"))):
                found.update(CODE.findall(text))
    for file in (TESTS.parent / "samples").glob("*/story.yaml"):
        found.update(CODE.findall(file.read_text("utf-8")))
    return found


def _strings(tree: ast.Module) -> Iterator[str]:
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_code_the_source_speaks_is_explained() -> None:
    """A code without a page is a refusal without a reason."""
    unexplained = {code: file for code, file in spoken().items() if code not in CATALOGUE}
    assert unexplained == {}


def test_every_page_is_spoken_somewhere() -> None:
    """A page nobody raises is a promise nobody keeps."""
    assert sorted(set(CATALOGUE) - set(spoken())) == []


def test_every_code_is_provoked_by_a_test() -> None:
    """A refusal no test has met may never come, or come where nobody expects it."""
    assert sorted(set(CATALOGUE) - provoked()) == []


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_a_page_is_whole_in_both_languages(code: str) -> None:
    entry = CATALOGUE[code]
    assert CODE.fullmatch(code)
    assert set(entry) == {"http", "issue", "ru", "en"}
    assert entry["http"] in {200, 202, *range(400, 600)}
    assert ISSUE_TYPES.fullmatch(entry["issue"])
    for language in errors.LANGUAGES:
        page = entry[language]
        assert set(page) == {"title", "reason", "fix", "cause", "example"}
        assert all(page.values())
        assert not page["title"].endswith("."), "a title is not a sentence"
        assert page["reason"].endswith((".", "…")), page["reason"]
        assert page["fix"].endswith((".", "…", ":")), page["fix"]
        assert page["cause"].endswith("."), page["cause"]
        assert page["example"].endswith("."), page["example"]
        assert not placeholders(page["title"])


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_both_languages_say_the_same_details(code: str) -> None:
    """A Russian and an English reader must get the same facts."""
    for text in ("reason", "fix"):
        russian, english = (placeholders(CATALOGUE[code][lang][text]) for lang in ("ru", "en"))
        assert russian == english
        assert all(name.isidentifier() for name in russian)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_russian_pages_are_in_russian_and_english_ones_are_not(code: str) -> None:
    entry = CATALOGUE[code]
    assert all(RUSSIAN.search(text) for text in entry["ru"].values())


@pytest.mark.parametrize("language", errors.LANGUAGES)
def test_a_page_of_the_catalogue_shows_no_names_of_our_variables(language: str) -> None:
    """`gateway explain` and /docs/errors said "revoked before the moment of receipt {at}"."""
    pages = [errors.explain(code, language) for code in errors.codes()]
    assert [page.code for page in pages if "{" in page.reason + page.fix] == []


def test_a_reason_is_filled_from_the_details_and_never_fails() -> None:
    """A text must never fail to be said, even when its details are missing."""
    for code in errors.codes():
        for language in errors.LANGUAGES:
            said = errors.say(Problem(code=code), language)
            assert "{" not in said.reason + said.fix


def test_reason_and_fix_name_what_was_found() -> None:
    problem = Problem(code="SIG-206", detail={"issuer": "CN=Example"})
    assert "CN=Example" in errors.say(problem, "ru").reason


def test_an_unknown_code_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        errors.explain("FMT-000")
