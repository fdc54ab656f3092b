"""What was changed in a home's database is told by its place, and never passes."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Call
from tests.unit.cli.test_evidence import cleared, copied, home, ids, now, tsa

__all__ = ["home", "ids", "now", "tsa"]

CHANGED = "CAST(substr(sealed, 1, 20) || x'00' || substr(sealed, 22) AS BLOB)"
OTHERS = {
    "an object of evidence changed": (
        f"UPDATE evidence SET sealed = {CHANGED} WHERE kind = 'crl'",
        "evidence:",
    ),
    "an object of evidence missing": (
        "DELETE FROM evidence WHERE kind = 'certificate'",
        "evidence:",
    ),
    "the rules of then exchanged": (
        "UPDATE evidence SET sealed = (SELECT sealed FROM evidence WHERE kind = 'crl')"
        " WHERE kind = 'policy'",
        "evidence:",
    ),
    "the rules of then called something else": (
        "UPDATE evidence SET kind = 'note' WHERE kind = 'policy'",
        "evidence:",
    ),
    "the token of another batch": (
        "UPDATE evidence SET sealed = (SELECT sealed FROM evidence WHERE kind = 'crl')"
        " WHERE kind = 'timestamp'",
        "evidence:",
    ),
    "the record of another": (
        "UPDATE evidence_record SET sealed ="
        " (SELECT sealed FROM evidence_record WHERE submission = :other) WHERE submission = :id",
        "evidence-record:{id}",
    ),
    "the record missing": (
        "UPDATE evidence_record SET sealed = NULL WHERE submission = :id",
        "evidence-record:{id}",
    ),
    "the document changed": (
        f"UPDATE part SET sealed = {CHANGED} WHERE submission = :id AND ordinal = 0",
        "part:{id}:0",
    ),
    "the document missing": (
        "DELETE FROM part WHERE submission = :id AND ordinal = 0",
        "part:{id}:0",
    ),
    "the verdict of another": (
        "UPDATE submission SET signatures ="
        " (SELECT signatures FROM submission WHERE id = :other) WHERE id = :id",
        "signatures:{id}",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_not_as_it_was_kept_is_told_by_its_place(
    call: Call, home: Path, ids: list[str], tmp_path: Path, what: str
) -> None:
    call("evidence", "renew", "--all", "--home", home, "--quiet")
    copy = copied(home, tmp_path / "var")
    change, place = OTHERS[what]
    with sqlite3.connect(copy / "gateway.db") as database:
        assert database.execute(change, {"id": ids[0], "other": ids[1]}).rowcount
    said = call("verify", "--evidence", ids[0], "--home", copy, "--lang", "en")
    assert said.code == 4
    told = f"{ids[0]}: damaged, missing or exchanged in the database: {place}"
    assert told.format(id=ids[0]) in said.stderr


def test_what_an_erased_patient_signed_is_told_as_erased(
    call: Call, home: Path, ids: list[str], tmp_path: Path
) -> None:
    copy = copied(home, tmp_path / "var")
    with sqlite3.connect(copy / "gateway.db") as database:
        row = database.execute("SELECT key_owner FROM submission WHERE id = ?", (ids[0],))
        owner = row.fetchone()
    with sqlite3.connect(copy / "keys.db") as database:
        assert database.execute("UPDATE key SET wrapped = NULL WHERE owner = ?", owner).rowcount
    said = call("verify", "--evidence", ids[0], "--home", copy, "--lang", "en")
    assert said.code == 2
    assert said.stderr.endswith(f"Error: {ids[0]}: the patient was erased\n")


def test_a_database_from_before_a_renewal_is_told_by_the_log(
    call: Call, home: Path, ids: list[str], tmp_path: Path
) -> None:
    """The key store was not put back with it, and remembers a longer log."""
    copy = copied(home, tmp_path / "var")
    cleared(copy)
    assert call("audit", "verify", "--home", copy).code == 0
    before = copied(copy, tmp_path / "before")
    call("evidence", "renew", "--all", "--home", copy, "--quiet")
    assert call("audit", "verify", "--home", copy).code == 0
    for file in copy.glob("gateway.db*"):
        file.unlink()
    for file in before.glob("gateway.db*"):
        shutil.copy(file, copy / file.name)
    shown = call("evidence", "show", ids[0], "--home", copy, "--json")
    assert (shown.code, shown.json["evidence_record"]) == (3, None)
    said = call("audit", "verify", "--home", copy, "--lang", "en")
    assert said.code == 1
    assert "truncated" in said.stdout
