"""`gateway evidence` and `verify --evidence` with a record, over the years."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from asn1crypto import x509

from gateway.app import open_gateway
from gateway.sandbox import certificates as made
from gateway.sandbox import home as homes
from gateway.sandbox import pki
from gateway.sandbox.certificates import Period
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.sandbox.timestamping_server import make_server
from gateway.settings import Settings
from tests.handing_in import sent
from tests.pki.build import ALGORITHMS, DAY
from tests.running import running
from tests.unit.cli.conftest import Call

YEAR = 365 * DAY
LATER = 11 * YEAR
"""The sandbox's signers live for ten years, this authority for twelve."""


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Iterator[tuple[Path, str]]:
    """A home, and the address of an authority that outlives its signers."""
    home = tmp_path_factory.mktemp("evidence")
    homes.prepare(home, "http://127.0.0.1:1", "http://127.0.0.1:2", (), now)
    issuer = pki.load_authority(home, "rsa-ca")
    key, public = ALGORITHMS.generate("rsa")
    period = Period(begins=now - DAY, ends=now + 12 * YEAR)
    certificate: x509.Certificate = made.certify(
        made.name(("common_name", "Долгий штамп")),
        public,
        made.timestamper_extensions(),
        period,
        ALGORITHMS,
        issuer=issuer,
    )
    chain = (certificate.dump(), issuer.certificate.dump())
    authority = TimestampAuthority(key=key, chain=chain, algorithms=ALGORITHMS)
    with running(make_server(authority, 0, lambda: datetime.now(UTC))) as url:
        yield home, url


@pytest.fixture(scope="module")
def home(tsa: tuple[Path, str]) -> Path:
    folder, url = tsa
    name(folder, url)
    return folder


def name(folder: Path, url: str) -> None:
    config = folder / "gateway.toml"
    written = config.read_text("utf-8").partition("\n[evidence]")[0]
    config.write_text(f'{written}\n[evidence]\ntsa = "{url}"\ndigest = "sha256"\n', "utf-8")


@pytest.fixture(scope="module")
def ids(home: Path) -> list[str]:
    """Three documents that a doctor signed, accepted."""
    return [handed_in(home) for _ in range(3)]


def handed_in(home: Path) -> str:
    gateway = open_gateway(Settings.load(home, {}))
    try:
        return sent(gateway, pki.load(home))
    finally:
        gateway.close()


def copied(home: Path, target: Path, lists_of: datetime | None = None) -> Path:
    """Return a copy of a home, with the authorities' lists of another day."""
    shutil.copytree(home, target)
    if lists_of is not None:
        pki.refresh(target, ALGORITHMS, lists_of)
    return target


def test_the_proofs_are_looked_at_and_none_is_due(call: Call, home: Path, ids: list[str]) -> None:
    said = call("evidence", "renew", "--dry-run", "--home", home, "--json", "--quiet")
    assert (said.code, said.json["due"], said.json["surveyed"]) == (0, [], len(ids))
    status = call("evidence", "status", "--home", home, "--json").json
    assert status["states"]["waiting"] == len(ids)
    assert datetime.fromisoformat(status["first_end"]).year > datetime.now(UTC).year + 1
    due = call("evidence", "renew", "--dry-run", "--all", "--home", home, "--json", "--quiet")
    assert {one["submission"] for one in due.json["due"]} == set(ids)


def test_a_record_holds_the_verdict_when_everything_has_ended(
    call: Call, home: Path, ids: list[str], tmp_path: Path, now: datetime
) -> None:
    """The signer's certificate has ended; the stamp's authority lives, by its list of the day."""
    without = copied(home, tmp_path / "without", now + LATER)
    at = (now + LATER + timedelta(hours=1)).isoformat()
    for id in ids:
        said = call("verify", "--evidence", id, "--at", at, "--home", without, "--json")
        assert (said.code, said.json["indication"]) == (3, "INDETERMINATE")
        assert said.json["evidence_record"] is None

    done = call("evidence", "renew", "--all", "--home", home, "--json", "--quiet")
    assert (done.code, done.json["stamped"], done.json["batches"]) == (0, len(ids), 1)
    again = call("evidence", "renew", "--all", "--home", home, "--json", "--quiet")
    assert (again.code, again.json["stamped"]) == (0, 0)

    later = copied(home, tmp_path / "with", now + LATER)
    for id in ids:
        said = call("verify", "--evidence", id, "--at", at, "--home", later, "--json")
        assert (said.code, said.json["indication"]) == (0, "TOTAL_PASSED"), said.stdout
        assert said.json["evidence_record"]["indication"] == "TOTAL_PASSED"
        (one,) = said.json["signatures"]
        assert one["times"]["best"] < at
        today = call("verify", "--evidence", id, "--home", home, "--json")
        assert (today.code, today.json["equal"]) == (0, True)
    shown = call("evidence", "show", ids[0], "--home", home, "--json")
    assert (shown.code, shown.json["state"]) == (0, "stamped")
    assert len(shown.json["evidence_record"]["timestamps"]) == 1


def test_nobody_vouches_for_the_last_stamp_without_its_authoritys_list(
    call: Call, home: Path, ids: list[str], now: datetime
) -> None:
    """The nearest refused neighbour: the same moment, and the lists are those of today."""
    call("evidence", "renew", "--all", "--home", home, "--quiet")
    at = (now + LATER).isoformat()
    said = call("verify", "--evidence", ids[0], "--at", at, "--home", home, "--json")
    assert (said.code, said.json["indication"]) == (3, "INDETERMINATE")
    assert said.json["evidence_record"]["sub_indication"] == "TRY_LATER"
    shown = call("verify", "--evidence", ids[0], "--at", at, "--home", home, "--lang", "en")
    assert shown.stdout.count("time stamp 1: TRY_LATER") == 1, shown.stdout
    shown = call("evidence", "show", ids[0], "--home", home, "--lang", "en")
    assert "  ✔ Evidence record: passed, 1 time stamps since" in shown.stdout


def test_what_is_exported_is_checked_with_other_tools(
    call: Call, home: Path, ids: list[str], tmp_path: Path
) -> None:
    """OpenSSL for the token and a few lines here for the tree: nothing of the gateway's."""
    call("evidence", "renew", "--all", "--home", home, "--quiet")
    file = tmp_path / "evidence.zip"
    said = call("evidence", "export", ids[0], "--out", file, "--home", home, "--json")
    assert (said.code, said.json["size"]) == (0, file.stat().st_size)
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    (stamp,) = manifest["timestamps"]
    hashes = []
    for one in manifest["objects"]:
        octets = (tmp_path / one["file"]).read_bytes()
        assert hashlib.sha256(octets).hexdigest() == one["sha256"]
        if one["covered_by"] == 1:
            hashes.append(hashlib.sha256(octets).digest())
    record = (tmp_path / "evidence-record.er").read_bytes()
    assert all(one in record for one in hashes)
    joined = hashlib.sha256(b"".join(sorted(set(hashes)))).digest()
    assert joined.hex() != stamp["root"]  # the others of its batch stand beside
    checked = subprocess.run(
        [
            *("openssl", "ts", "-verify", "-digest", stamp["root"], "-token_in"),
            *("-in", tmp_path / stamp["file"], "-CAfile", home / "trust" / "rsa-root.crt.pem"),
            *("-untrusted", home / "trust" / "rsa-ca.crt.pem"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "Verification: OK" in checked.stdout + checked.stderr, checked.stderr


def test_an_authority_that_is_down_fails_and_nothing_is_kept(
    call: Call, home: Path, ids: list[str], tmp_path: Path
) -> None:
    copy = copied(home, tmp_path / "var")
    cleared(copy)
    name(copy, "http://127.0.0.1:9/")
    said = call("evidence", "renew", "--all", "--home", copy, "--json", "--quiet")
    assert (said.code, said.json["stamped"], said.json["error"]) == (4, 0, "ConnectionError")
    shown = call("evidence", "show", ids[0], "--home", copy, "--json")
    assert (shown.code, shown.json["evidence_record"]) == (3, None)
    assert call("evidence", "export", ids[0], "--home", copy).code == 3


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("ru", "не дала штампа: файл с именем и паролем не прочитать: tsa.credentials"),
        ("en", "gave no time stamp: credentials_file: tsa.credentials"),
    ],
)
def test_a_password_that_is_not_there_is_told_by_its_file(
    call: Call, home: Path, ids: list[str], tmp_path: Path, language: str, told: str
) -> None:
    copy = copied(home, tmp_path / "var")
    cleared(copy)
    with (copy / "gateway.toml").open("a") as file:
        file.write('credentials_file = "tsa.credentials"\n')
    said = call("evidence", "renew", "--all", "--home", copy, "--lang", language)
    assert said.code == 4
    assert told in said.stderr


@pytest.mark.parametrize(
    ("language", "look", "make"),
    [
        ("ru", "ещё не смотрели", "записи ещё нет; сделать её"),
        ("en", "nobody has looked yet", "no record yet; to make it"),
    ],
)
def test_what_nobody_looked_at_says_what_to_do(
    call: Call, home: Path, ids: list[str], tmp_path: Path, language: str, look: str, make: str
) -> None:
    copy = copied(home, tmp_path / "var")
    cleared(copy)
    here = ("--home", copy, "--lang", language)
    assert f"{look}: gateway evidence renew\n" in call("evidence", "status", *here).stdout
    assert f"{look}: gateway evidence renew\n" in call("evidence", "show", ids[0], *here).stdout
    said = call("evidence", "export", ids[0], *here)
    assert f"{make}: gateway evidence renew --all\n" in said.stderr


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("ru", r"доказывает до 20\S+: (устареет \S+|кончится сертификат)"),
        ("en", r"proves until 20\S+: (\S+ \d+ ages out|a certificate ends)"),
    ],
)
def test_a_record_says_until_when_it_proves_and_why_no_longer(
    call: Call, home: Path, ids: list[str], language: str, told: str
) -> None:
    call("evidence", "renew", "--all", "--home", home, "--quiet")
    said = call("evidence", "show", ids[0], "--home", home, "--lang", language)
    assert re.search(told, said.stdout)


def test_a_run_that_was_killed_is_made_good_by_the_next(
    call: Call, home: Path, ids: list[str], tmp_path: Path, tsa: tuple[Path, str]
) -> None:
    """Killed while it waits for the token: half a batch is never kept."""
    copy = copied(home, tmp_path / "var")
    cleared(copy)
    asked = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.set()
            time.sleep(3)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Silent)) as url:
        name(copy, url)
        command = [sys.executable, "-m", "gateway.cli", "evidence", "renew", "--all"]
        with subprocess.Popen([*command, "--home", str(copy)], stderr=subprocess.PIPE) as process:
            assert asked.wait(60)
            os.kill(process.pid, signal.SIGKILL)
    name(copy, tsa[1])
    done = call("evidence", "renew", "--all", "--home", copy, "--json", "--quiet")
    assert (done.code, done.json["stamped"]) == (0, len(ids))
    assert call("audit", "verify", "--home", copy).code == 0


def cleared(home: Path) -> None:
    """Forget every record of a copied home."""
    with sqlite3.connect(home / "gateway.db") as database:
        database.execute("DELETE FROM evidence_record")


def test_a_record_moved_to_another_submission_does_not_open(
    call: Call, home: Path, ids: list[str], tmp_path: Path
) -> None:
    call("evidence", "renew", "--all", "--home", home, "--quiet")
    copy = copied(home, tmp_path / "var")
    with sqlite3.connect(copy / "gateway.db") as database:
        database.execute(
            "UPDATE evidence_record SET sealed ="
            " (SELECT sealed FROM evidence_record WHERE submission = ?) WHERE submission = ?",
            (ids[1], ids[0]),
        )
    said = call("verify", "--evidence", ids[0], "--home", copy, "--json")
    assert said.code == 4


def test_a_home_without_an_authority_says_so(call: Call, sandbox: Path) -> None:
    assert call("evidence", "renew", "--home", sandbox).code == 2
    said = call("evidence", "status", "--home", sandbox, "--lang", "en")
    assert said.code == 0
    assert "[evidence] tsa" in said.stdout
    assert call("evidence", "show", "nobody", "--home", sandbox).code == 2
    assert call("evidence", "export", "nobody", "--home", sandbox).code == 2


def test_the_doctor_tells_what_ends_soon_and_what_to_do(
    call: Call, home: Path, ids: list[str], tmp_path: Path, now: datetime
) -> None:
    copy = copied(home, tmp_path / "var")
    cleared(copy)
    call("evidence", "renew", "--dry-run", "--home", copy, "--quiet")
    for days, status, fix in (
        (1000, "ok", ""),
        (80, "warning", "gateway evidence renew"),
        (20, "failed", "gateway evidence renew"),
    ):
        end = int((now + timedelta(days=days)).timestamp() * 1_000_000)
        with sqlite3.connect(copy / "gateway.db") as database:
            database.execute("UPDATE evidence_record SET ends_at = ?", (end,))
        said = call("doctor", "--home", copy, "--json", "--lang", "en")
        (check,) = [one for one in said.json["checks"] if one["name"] == "Evidence"]
        assert (check["status"], check["fix"]) == (status, fix)
    with sqlite3.connect(copy / "gateway.db") as database:
        database.execute("UPDATE evidence_record SET state = 'late'")
    checks = call("doctor", "--home", copy, "--json", "--lang", "en").json["checks"]
    late = [one["detail"] for one in checks if one["name"] == "Evidence"][-1]
    assert late == f"ended before a time stamp: {len(ids)}"
