"""Everything a user reads is in the user's language, click's own words too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli import russian, verbs

from .conftest import SAMPLES, Call

GOOD = SAMPLES / "01-transaction-gost256" / "result.json"
LATIN = re.compile(
    r"\b(Usage|Error|Options|Commands|Missing|Invalid|No such|Try|Did you mean)\b"
    r"|OPTIONS|ARGS|COMMAND|TEXT|INTEGER|FLOAT|RANGE|%[YmdHMSz]"
)

MISTAKES = [
    ("list", "--limmit"),
    ("nonsense",),
    ("status",),
    ("status", "one", "two"),
    ("list", "--status", "odd"),
    ("list", "--limit", "many"),
    ("list", "--limit", "0"),
    ("list", "--from", "yesterday"),
    ("list", "--limit"),
    ("list", "--json=yes"),
    ("items", "close", "one"),
    ("sign",),
    ("list", "--home", "/nonexistent"),
]


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_told_in_russian_and_with_lang_en_in_english(
    call: Call, sandbox: Path, words: tuple[str, ...]
) -> None:
    russian_said = call(*words)
    assert russian_said.code == 2
    assert LATIN.search(russian_said.stderr) is None, russian_said.stderr
    english = call("--lang", "en", *words)
    assert english.code == 2
    assert re.search("[а-яё]", english.stderr, re.IGNORECASE) is None


def test_a_file_that_is_not_there_is_told_in_russian(call: Call) -> None:
    said = call("receipt", "verify", "/nonexistent")
    assert said.code == 2
    assert "не существует" in said.stderr
    assert LATIN.search(said.stderr) is None


def helps(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, groups too."""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from helps(found, *words, name)


def test_the_help_of_every_verb_is_russian_to_its_placeholders(call: Call) -> None:
    for words in helps(verbs):
        said = call(*words, "--help").stdout
        assert said.startswith("Вызов: ")
        assert LATIN.search(said) is None, said
        english = call("--lang", "en", *words, "--help").stdout
        assert "[OPTIONS]" in english.splitlines()[0], english


@pytest.mark.parametrize(
    ("words", "ru", "en"),
    [
        (
            ("cert", "list", "diff", "--from", "11.11.2026"),
            "'11.11.2026': нужно в виде ГГГГ-ММ-ДД, например 2026-11-21",
            "'11.11.2026' is not written as YYYY-MM-DD, such as 2026-11-21",
        ),
        (("list", "--until", "today"), "например 2026-11-21T10:00", "such as 2026-11-21T10:00"),
        (
            ("verify", __file__, "--at", "today"),
            "--at today: нужен ISO 8601, например 2026-11-21T10:00:00Z",
            "--at today: ISO 8601 is needed, such as 2026-11-21T10:00:00Z",
        ),
    ],
    ids=["day", "time", "moment"],
)
def test_a_wrong_date_is_told_the_form_by_an_example(
    call: Call, words: tuple[str, ...], ru: str, en: str
) -> None:
    for language, told in (("ru", ru), ("en", en)):
        said = call(*words, "--lang", language)
        assert said.code == 2
        assert told in said.stderr


def test_every_sentence_of_the_table_keeps_its_blanks() -> None:
    """A translation that lost a blank would lose what was wrong; a new one would crash."""
    blanks = re.compile(r"\{[^}]*\}|%\([a-z]+\)s")
    number = {"{number_type}", "{choice}", "{choices}"}
    for english, said in russian.SENTENCES.items():
        assert set(blanks.findall(said)) <= set(blanks.findall(english))
        assert set(blanks.findall(english)) - number <= set(blanks.findall(said)), english


def test_the_table_speaks_of_this_version_of_click() -> None:
    """A sentence click does not say any more is a sentence it says in other words."""
    source = "".join(
        Path(str(module.__file__)).read_text("utf-8").replace("\\n\\t", "\n\t")
        for module in russian.MODULES
    )
    assert [one for one in russian.SENTENCES if one not in source] == []


def test_options_may_stand_before_the_verb(call: Call, sandbox: Path) -> None:
    """Who sets an alias `gateway --home …` need not say it again at every verb."""
    early = call("--home", sandbox, "--json", "--lang", "en", "audit", "verify")
    late = call("audit", "verify", "--home", sandbox, "--json", "--lang", "en")
    assert (early.code, early.json) == (0, late.json)
    assert call("--lang=en", "list", "--home", sandbox).stderr.startswith("Found: ")
    assert call("--quiet", "list", "--home", sandbox).stderr == ""


def test_options_may_stand_after_a_group_too(call: Call, sandbox: Path, tmp_path: Path) -> None:
    """`gateway repair --lang en list` is what a hand writes; the nearest option prevails."""
    said = call("repair", "--lang", "en", "--help")
    assert (said.code, said.stdout.startswith("Usage: ")) == (0, True)
    assert call("repair", "--lang", "odd", "list").code == 2
    home = ("--home", sandbox)
    assert call("repair", *home, "--lang", "en", "list").stderr == "Questions: 0\n"
    assert call("--lang", "ru", "repair", "--lang", "en", "list", *home).stderr == "Questions: 0\n"
    assert call("--home", tmp_path, "repair", *home, "list").code == 0
    assert call("--home", sandbox, "repair", "--home", tmp_path, "list").code == 2
    listed = call("admin", "--json", "org", *home, "list")
    assert (listed.code, listed.stdout[0]) == (0, "{")


def test_what_stands_at_the_verb_prevails(call: Call, sandbox: Path, tmp_path: Path) -> None:
    said = call("--home", tmp_path, "--lang", "en", "list", "--home", sandbox, "--lang", "ru")
    assert said.stderr.startswith("Найдено: ")


def test_a_home_before_the_verb_prevails_over_the_environment(
    call: Call, sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path))
    assert call("list").code == 2
    assert call("--home", sandbox, "list").code == 0


def test_the_timeline_is_told_in_russian(call: Call, sandbox: Path) -> None:
    id = call("send", GOOD, "--fresh", "--wait", "--json", "--home", sandbox).json["id"]
    said = call("status", str(id), "--home", sandbox).stdout
    assert "принято шлюзом" in said
    assert "поиск пациента" in said
    assert re.search(r"\b(received|identify|settled|sending|waiting|ms|attempt)\b", said) is None
    assert "identify" in call("status", str(id), "--home", sandbox, "--lang", "en").stdout
