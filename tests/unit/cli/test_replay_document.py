"""`gateway replay ID --document`: one document of a submission."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Call


def test_a_document_that_is_not_there_is_said_so(call: Call, sandbox: Path) -> None:
    said = call("replay", "one", "--document", "one-1", "--home", sandbox, "--json")
    assert (said.code, said.json["document"]) == (1, "one-1")


def test_a_document_goes_with_its_submission_and_nothing_else(call: Call, sandbox: Path) -> None:
    """Half of what was asked for would be done, and the other half not."""
    assert call("replay", "--document", "one-1", "--home", sandbox).code == 2
    assert call("replay", "one", "--document", "one-1", "--dry-run", "--home", sandbox).code == 2
    assert call("replay", "one", "two", "--document", "one-1", "--home", sandbox).code == 2
