"""`gateway repair` as a person reads it: what was decided, and why an answer was not taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doorway import Doorway, doorway
from tests.scenarios.repairs import lab_document, sent, worked
from tests.unit.cli.conftest import Call

GLUCOSE = "1003870"
CODE = "9120045533"
MEMBERS = {"code", "title", "place", "reason", "fix", "warning"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with doorway(tmp_path) as opened:
        yield opened


@pytest.fixture
def question(door: Doorway) -> str:
    """An unknown code that two documents ask about."""
    for number in ("1", "2"):
        sent(door, lab_document(number, code=CODE, name="Глюкоза натощак"))
    return door.gateway.repairs.waiting(None)[0].id


def home(door: Doorway) -> tuple[str, ...]:
    return ("--home", str(door.gateway.settings.home), "--lang", "en")


def test_a_decision_says_what_about_and_for_how_many_documents(
    call: Call, door: Doorway, question: str
) -> None:
    made = call("repair", "decide", question, "--test", GLUCOSE, *home(door))
    assert f"{CODE} → {GLUCOSE}  " in made.stdout
    worked(door)
    said = call("repair", "decisions", *home(door)).stdout
    assert f"MAP-101  {CODE} → {GLUCOSE}, 2 documents" in said


def test_a_decided_question_still_has_its_name_and_unit(
    call: Call, door: Doorway, question: str
) -> None:
    """Who checks a decision a month later must see more than a number."""
    call("repair", "decide", question, "--test", GLUCOSE, *home(door))
    worked(door)
    shown = call("repair", "show", question, *home(door)).stdout
    assert f"{CODE} Глюкоза натощак" in shown
    assert "unit: mmol/L" in shown


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (("--unit", "mmol/L"), "takes --test"),
        (("--test", "0000000"), "code 0000000 is not in the tables"),
        (("--test", "same"), "code same is not in the tables"),
        (("--card", "nobody"), "takes --test"),
    ],
)
def test_an_answer_that_is_none_is_explained_in_the_words_of_the_command(
    call: Call, door: Doorway, question: str, answer: tuple[str, str], reason: str
) -> None:
    said = call("repair", "decide", question, *answer, *home(door))
    assert said.code == 1
    assert reason in said.stderr
    assert f"gateway repair show {question}" in said.stderr
    problem = call("repair", "decide", question, *answer, "--json", *home(door)).json["problems"][0]
    assert set(problem) == MEMBERS
    assert (problem["code"], reason in problem["reason"]) == ("FMT-109", True)


def test_a_unit_and_a_card_that_are_not_there_are_named(call: Call, door: Doorway) -> None:
    sent(door, lab_document("3", code="GLU", unit="попугаи"))
    (one,) = door.gateway.repairs.waiting(None, "MAP-108")
    said = call("repair", "decide", one.id, "--unit", "parrots", *home(door))
    assert (said.code, "unit parrots is not in the table" in said.stderr) == (1, True)
    patient = (
        "<name><family>Иванов</family><given>{given}</given></name>"
        "<birthDate>2015-03-05</birthDate><sex>male</sex>"
    )
    snils = '<identifier system="snils">112-233-445 95</identifier>'
    sent(door, lab_document("4", identifiers=snils, patient=patient.format(given="Илья")))
    sent(door, lab_document("5", identifiers="", patient=patient.format(given="И")))
    (one,) = door.gateway.repairs.waiting(None, "PAT-104")
    said = call("repair", "decide", one.id, "--card", "nobody", *home(door))
    assert (said.code, "There is no card nobody." in said.stderr) == (1, True)


def test_a_settled_question_is_refused_with_every_member(
    call: Call, door: Doorway, question: str
) -> None:
    order = ("repair", "decide", question, "--test", GLUCOSE, "--json", *home(door))
    assert call(*order).code == 0
    again = call(*order)
    (problem,) = again.json["problems"]
    assert (again.code, problem["code"], set(problem)) == (1, "DUP-002", MEMBERS)
