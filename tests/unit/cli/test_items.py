"""`gateway items` on the home of this machine."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios import laboratory
from tests.scenarios.laboratory import Report
from tests.unit.cli.conftest import Call


def test_items_are_listed_and_closed(call: Call, tmp_path: Path) -> None:
    """An operator sees who must be called, calls, and says so."""
    home = tmp_path / "var"
    with laboratory.day(home, clinics={"clinic": {"withdrawals": "no"}}) as day:
        day.send(Report())
        day.send(Report(version=2, status="entered-in-error"))
    item = call("items", "list", "--json", "--home", home).json
    assert (item["kind"], item["destination"]) == ("withdrawal-unsupported", "clinic")
    shown = call("items", "list", "--home", home, "--lang", "en")
    assert "takes no withdrawals" in shown.stdout
    closed = call("items", "close", item["id"], "--note", "called", "--json", "--home", home).json
    assert closed["note"] == "called"
    assert call("items", "list", "--json", "--home", home).stdout == ""


def test_an_unknown_item_is_refused(call: Call, tmp_path: Path) -> None:
    home = tmp_path / "var"
    with laboratory.day(home):
        pass
    assert call("items", "close", "x", "--note", "y", "--home", home).code == 1


def test_one_word_for_open_items_and_another_for_questions(call: Call, tmp_path: Path) -> None:
    """Who reads "открытых дел: 3" after an undo finds three under the same word."""
    home = tmp_path / "var"
    with laboratory.day(home):
        pass
    assert call("items", "list", "--home", home).stderr == "Дел: 0\n"
    assert "дела x нет" in call("items", "close", "x", "--note", "y", "--home", home).stderr
    assert call("repair", "list", "--home", home).stderr == "Вопросов: 0\n"


def test_the_help_of_items_and_of_undo_say_what_comes_of_a_delivered_document(call: Call) -> None:
    whole = " ".join(call("items", "--help").stdout.split())
    assert "отменённые решения" in whole
    undo = " ".join(call("repair", "undo", "--help").stdout.split())
    assert "gateway items" in undo
    assert "исправление присылает лаборатория" in undo
