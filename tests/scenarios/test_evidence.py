"""Receipts and the audit log as evidence: believed as they are, refused when touched."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import verbs
from tests import sandboxes


@dataclass(frozen=True)
class Said:
    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home some stories went through, stopped."""
    folder = tmp_path_factory.mktemp("evidence") / "var"
    with sandboxes.running(folder) as walk:
        for name in ("01", "03", "06"):
            told = walk.tell(sandboxes.story(name))
            assert told.ok, (told.failure, told.actual)
    return folder


@pytest.fixture(scope="module")
def receipts(home: Path) -> list[str]:
    """Every receipt of every kind that was given."""
    found: list[str] = []
    for line in gateway(home, "list", "--json").stdout.splitlines():
        submission = json.loads(line)["id"]
        for kind in ("accepted", "registered", "refused", "delivered"):
            fetched = gateway(home, "receipt", submission, "--kind", kind)
            if fetched.code == 0:
                found.append(fetched.stdout.strip())
    return found


def test_every_receipt_verifies_offline(home: Path, receipts: list[str], tmp_path: Path) -> None:
    """A court has the file and our public key, and nothing else of ours."""
    assert len(receipts) == 8
    for receipt in receipts:
        (tmp_path / "receipt.jws").write_text(receipt, "ascii")
        verified = gateway(home, "receipt", "verify", str(tmp_path / "receipt.jws"), "--json")
        assert verified.code == 0, verified.stdout
        assert json.loads(verified.stdout)["valid"] is True


def test_a_receipt_with_one_byte_changed_is_refused(
    home: Path, receipts: list[str], tmp_path: Path
) -> None:
    """One by the command line for each receipt; tests/unit/receipts changes every place."""
    chance = random.Random(20261121)
    for receipt in receipts:
        at = chance.randrange(len(receipt))
        other = chance.choice([c for c in "ABab01-_." if c != receipt[at]])
        (tmp_path / "receipt.jws").write_text(receipt[:at] + other + receipt[at + 1 :], "ascii")
        verified = gateway(home, "receipt", "verify", str(tmp_path / "receipt.jws"), "--json")
        assert verified.code == 1, (at, len(receipt))


def test_the_audit_log_verifies_until_a_row_is_edited(home: Path, tmp_path: Path) -> None:
    """Whoever edits the database by hand is found out."""
    untouched = gateway(home, "audit", "verify", "--json")
    assert untouched.code == 0, untouched.stdout
    assert json.loads(untouched.stdout)["valid"] is True
    assert json.loads(untouched.stdout)["entries"] > 10

    copy = tmp_path / "var"
    shutil.copytree(home, copy)
    with sqlite3.connect(copy / "gateway.db") as database:
        database.execute(
            "UPDATE audit_entry SET actor = 'nobody'"
            " WHERE rowid = (SELECT rowid FROM audit_entry LIMIT 1 OFFSET 4)"
        )
    edited = gateway(copy, "audit", "verify", "--json")
    assert edited.code == 1
    verdict = json.loads(edited.stdout)
    assert verdict["valid"] is False
    assert verdict["first_bad"]


def test_a_verdict_comes_out_again_without_the_trust_folder(home: Path, tmp_path: Path) -> None:
    """Years later the authorities' files are gone, and the verdicts stand."""
    copy = tmp_path / "var"
    shutil.copytree(home, copy)
    shutil.rmtree(copy / "trust")
    (copy / "trust").mkdir()
    codes = []
    for line in gateway(copy, "list", "--json").stdout.splitlines():
        submission = json.loads(line)["id"]
        report = tmp_path / f"{submission}.html"
        again = gateway(copy, "verify", "--evidence", submission, "--json", "--report", str(report))
        told = json.loads(again.stdout)
        assert (told["equal"], told["differences"]) == (True, []), again.stderr
        assert told["submission"] == submission
        assert report.exists()
        codes.append(again.code)
        later = gateway(
            copy, "verify", "--evidence", submission, "--at", "2060-01-01T00:00:00Z", "--json"
        )
        assert json.loads(later.stdout)["indication"] != "TOTAL_PASSED"
    assert sorted(codes) == [0, 0, 1]
    assert gateway(copy, "verify", "--evidence", "nobody").code == 2


def gateway(home: Path, *arguments: str) -> Said:
    result = CliRunner().invoke(verbs, [*arguments, "--home", str(home)], catch_exceptions=False)
    return Said(code=result.exit_code, stdout=result.stdout, stderr=result.stderr)
