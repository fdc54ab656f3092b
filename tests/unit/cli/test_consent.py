"""`gateway consent` in the local home: add, check, list, revoke, with the exit codes promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Call, Served

SNILS = "112-233-445 95"
TEST = "http://loinc.org|2345-7"


def check(call: Call, home: Path, *words: str) -> tuple[int, str]:
    said = call(
        *("consent", "check", "--patient", SNILS, "--recipient", "clinic", *words),
        *("--json", "--home", home),
    )
    return said.code, said.json["state"]


def test_a_consent_is_added_checked_listed_and_revoked(call: Call, sandbox: Path) -> None:
    home = ("--json", "--home", sandbox)
    assert check(call, sandbox) == (1, "none")
    words = ("--patient", SNILS, "--recipient", "clinic", "--test", TEST)
    added = call("consent", "add", *words, *home).json
    assert (added["state"], added["scope"]) == ("active", "partial")
    assert check(call, sandbox) == (0, "active")
    assert check(call, sandbox, "--test", TEST) == (0, "active")
    assert check(call, sandbox, "--test", "http://loinc.org|1988-5")[0] == 1
    listed = call("consent", "list", "--state", "active", *home).stdout.splitlines()
    assert added["id"] in {json.loads(line)["id"] for line in listed}
    done = call("consent", "revoke", added["id"], *home)
    assert (done.code, done.json["state"], done.json["in_flight"]) == (0, "revoked", 0)
    assert check(call, sandbox) == (1, "revoked")


def test_a_fhir_consent_comes_from_a_file(call: Call, sandbox: Path, tmp_path: Path) -> None:
    file = tmp_path / "consent.json"
    file.write_text('{"resourceType": "Bundle"}')
    said = call("consent", "add", file, "--json", "--home", sandbox)
    assert said.code == 1
    assert said.json["problems"][0]["code"] == "CON-305"


@pytest.mark.parametrize("remote", [False, True])
def test_a_recipient_that_is_no_organisation_is_named(
    call: Call, served: Served, remote: bool
) -> None:
    """As `admin client add` says it; not in the words of a FHIR path nobody wrote."""
    where = ("--home", served.home, *(("--to", served.url) if remote else ()), "--lang", "en")
    words = ("consent", "add", "--patient", SNILS, "--recipient")
    said = call(*words, "nobody", *where)
    assert said.code == 1
    assert said.stderr.endswith("there is no organisation nobody: gateway admin org add\n")
    assert "CON-305" not in said.stdout
    assert call(*words, "clinic", *where).code == 0


def test_an_unknown_consent_is_refused(call: Call, sandbox: Path) -> None:
    assert call("consent", "revoke", "none", "--home", sandbox).code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "--patient", SNILS),
        ("add", "--patient", SNILS, "--recipient", "clinic", "--until", "soon"),
        ("add", "--patient", SNILS, "--recipient", "clinic", "--test", "2345-7"),
        ("list", "--state", "none"),
    ],
)
def test_wrong_words_end_with_two(call: Call, sandbox: Path, words: tuple[str, ...]) -> None:
    assert call("consent", *words, "--home", sandbox).code == 2
