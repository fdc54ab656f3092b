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
