"""Everything the verifier says of a check has its Russian sentence, and each says one thing."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pyhanko_certvalidator
import pytest

from gateway import errors, sentences
from gateway.model import Problem
from gateway.sentences import Sentence, kind_of, say, sentence, table
from tests.unit.sentences.written import OPEN, Code, is_name

FOREIGN = frozenset(
    {"values", "roles", "key_usages", "revocation_reasons", "certvalidator", "signing"}
)
"""Groups that no check of ours writes."""

KINDS = {"number", "time", "name", "names", "quote", "text"}
SAMPLES = {
    "number": "7",
    "time": "2026-11-21T15:04:05+00:00",
    "name": "x5t#S256",
    "names": "x5c, x5t",
    "quote": "УЦ «Полюс», Тверь",
    "text": "СНИЛС",
}
LIBRARY = Path(pyhanko_certvalidator.__file__).parent
SPOKEN = ("The path could", "The signature parameters for")
NOT_ASKED = re.compile(
    r"no revocation|check\(s\)|checks failed|attribute certificate|AA certificate"
)
"""What the library says of missing lists, where we say it ourselves, and of roles (RFC 5755)."""

EVERY = tuple(
    sentence(english, russian) for group in table().values() for english, russian in group.items()
)
FORMS = {re.sub(r"\{\w+\}", OPEN, one.english): one for one in EVERY}


def behind(text: str) -> set[Sentence] | None:
    """Return the sentences that `text`, with `{}` for what varies, is said by; None for English."""
    if text in FORMS:
        return {FORMS[text]}
    for one in sorted(EVERY, key=lambda one: -len("".join(one.pieces))):
        values = one.read(text) if one.places else None
        if values is None:
            continue
        found = [
            behind(value) if kind_of(place) == "text" and value != OPEN else _as_it_is(place, value)
            for place, value in values.items()
        ]
        if None not in found:
            return {one}.union(*filter(None, found))
    return None


def _as_it_is(place: str, value: str) -> set[Sentence] | None:
    return set() if kind_of(place) == "text" or is_name(value) else None


@cache
def said() -> frozenset[str]:
    return frozenset(Code().said())


def sample(one: Sentence) -> str:
    """Return what a check may say by this sentence."""
    return one.english.format_map({place: SAMPLES[kind_of(place)] for place in one.places})


# --- nothing is missing, nothing is left over --------------------------------------------


def test_everything_the_code_says_of_a_check_has_a_russian_sentence() -> None:
    """A new detail without one would come out in English before a doctor."""
    assert sorted(text for text in said() if behind(text) is None) == []


def test_every_sentence_is_said_somewhere() -> None:
    used = set().union(*filter(None, map(behind, said())))
    foreign = {english for group in FOREIGN for english in table()[group]}
    assert [one.english for one in EVERY if one not in used and one.english not in foreign] == []


def test_the_code_is_followed_where_details_come_from() -> None:
    """Each of these is reached another way: were one lost, its kind would be lost in silence."""
    assert {
        "does not hold",  # an argument
        "names a certificate that is not there",  # a value out of a few
        "line ends changed after signing",  # a generator's pair
        "PSS parameters that the key does not allow",  # an error's text
        "{} does not survive an IEEE double",  # an error that words itself
        "page content",  # added to a set, joined into a list
        "{} carried until {}",  # an answer behind an interface
        "an older number",  # why a trusted list is refused
    } <= said()


def test_everything_the_library_says_of_a_path_has_a_russian_sentence() -> None:
    wanted = set(_of_paths())
    assert len(wanted) > 10
    assert sorted(text for text in wanted if say(text, "ru") == text) == []


def _of_paths() -> Iterator[str]:
    """Yield what the library may say of a path, as `explain` cuts it."""
    for name in ("validate", "policy_graph", "errors"):
        for node in ast.walk(ast.parse((LIBRARY / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Call | ast.Assign):
                for spoken in node.args if isinstance(node, ast.Call) else [node.value]:
                    parts = spoken.values if isinstance(spoken, ast.JoinedStr) else [spoken]
                    text = "".join(map(_filled, parts))
                    if text.startswith(SPOKEN) and not NOT_ASKED.search(text):
                        yield text.partition(". ")[0]


def _filled(part: ast.expr) -> str:
    """Return a part of a sentence with a sample for what varies."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    written = ast.unparse(part)
    if "describe_cert" in written:
        return "the intermediate certificate 1"
    if "strftime" in written:
        return "2026-11-20 12:00:00Z"
    return "s" if "len(" in written else "1.2.3"


# --- each says one thing -----------------------------------------------------------------


def test_no_sentence_stands_twice() -> None:
    assert len({one.english for one in EVERY}) == len(EVERY) == len(FORMS)


def test_a_sentence_has_the_same_places_in_both_languages() -> None:
    for one in EVERY:
        places = [place for _, place, _, _ in Formatter().parse(one.russian) if place is not None]
        assert sorted(places) == sorted(one.places) == sorted(set(one.places)), one.english
        assert {kind_of(place) for place in places} <= KINDS, one.english
        assert all(one.pieces[1:-1]), f"places side by side cannot be told apart: {one.english}"


def test_a_sentence_is_read_by_itself_alone() -> None:
    """Another that says as much by itself and fits as well would be chosen by chance."""
    for one in EVERY:
        size = len("".join(one.pieces))
        wide = (other for other in EVERY if len("".join(other.pieces)) >= size)
        readers = [other.english for other in wide if other.read(sample(one)) is not None]
        assert readers == [one.english]


def test_a_sentence_is_said_in_russian_with_what_varies() -> None:
    shown = SAMPLES | {"time": "2026-11-21 15:04:05 UTC"}
    for one in EVERY:
        filled = {place: shown[kind_of(place)] for place in one.places}
        assert say(sample(one), "ru") == one.russian.format_map(filled)


def test_english_stays_as_it_is() -> None:
    assert [one.english for one in EVERY if say(sample(one), "en") != sample(one)] == []


# --- how it is said ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("english", "russian"),
    [
        ("streebog256 differs", "хеш streebog256 не совпадает"),
        (
            "archive time stamp: names a certificate that is not there",
            "архивный штамп времени: назван сертификат, которого нет",
        ),
        (
            "revoked at 2026-11-21T15:04:05+03:00, key_compromise",
            "отозван 2026-11-21 12:04:05 UTC, причина: компрометация ключа",
        ),
        ("2026-01-01 to 2026-12-31", "с 2026-01-01 по 2026-12-31"),
        ("until —", "до —"),
        (
            "no current revocation list or OCSP answer of: УЦ, один из двух",
            "нет действующего СОС (CRL) или ответа OCSP, издатель: УЦ, один из двух",
        ),
        ("doctor, unknown; expected organisation", "врач, неизвестно; ожидалось: организация"),
        ("digital_signature, non_repudiation", "цифровая подпись, неотрекаемость"),
        (
            "rsa key of 1024 bits carried until 2011-01-01",
            "ключ rsa длиной 1024 бит: по политике не принимается с 2011-01-01",
        ),
        ("format: not SignedData", "format: не SignedData"),
    ],
)
def test_what_varies_is_said_as_it_should_be(english: str, russian: str) -> None:
    assert say(english, "ru") == russian


@pytest.mark.parametrize(
    "unknown",
    [
        "",
        "—",
        "a sentence of tomorrow",
        "Issuing → Root",
        "more than many signatures",
        "two words differs",
        "revoked at noon, key_compromise",
        "until 0001-01-01T00:00:00+14:00",
        "{text} differs and {__class__}",
        "digital_signature, sung aloud",
    ],
)
def test_what_is_not_known_stays_as_it_is(unknown: str) -> None:
    assert say(unknown, "ru") == unknown


def test_a_strangers_braces_stay_braces() -> None:
    assert say("{0.__class__} differs", "ru") == "хеш {0.__class__} не совпадает"


def test_a_text_longer_than_any_detail_is_not_looked_at() -> None:
    quoted = "x" * (sentences.CHARACTERS_MAX - len(" differs"))
    assert say(f"{quoted} differs", "ru") == f"хеш {quoted} не совпадает"
    assert say(f"x{quoted} differs", "ru") == f"x{quoted} differs"


@pytest.mark.parametrize(
    "piece",
    ["a: ", "differs, ", "; expected ", " is not ", " unsupported", " of: ", "unknown: ", "7 to "],
)
def test_no_text_takes_long(piece: str) -> None:
    """A stranger's file may be quoted: a thousand of the worst details stay within seconds."""
    worst = (piece * sentences.CHARACTERS_MAX)[: sentences.CHARACTERS_MAX]
    say(worst, "ru")
    begun = time.process_time()
    for _ in range(100):
        say(worst, "ru")
    assert time.process_time() - begun < 1


def test_a_problem_quotes_a_check_in_the_language_of_its_text() -> None:
    told = {"check": "format: not SignedData", "format": "CMS", "found": "—", "expected": "—"}
    problem = Problem(code="SIG-209", place="signature[0]", detail=told)
    assert errors.say(problem, "ru").reason == (
        "Подпись формата CMS нарушает свой стандарт: format: не SignedData."
    )
    assert "format: not SignedData." in errors.say(problem, "en").reason
    assert problem.detail["check"] == "format: not SignedData"


def test_only_a_quoted_check_is_translated() -> None:
    """The same words elsewhere are somebody's own."""
    problem = Problem(code="FMT-106", detail={"found": "encrypted"})
    assert "encrypted" in errors.say(problem, "ru").reason
