"""`gateway cert list`: lists come in by a pinned signer, and what changed is told."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.sandbox.certificates import Period
from gateway.signatures.sign import sign
from gateway.store import log_tables
from tests.pki.build import ALGORITHMS, DAY, Signing, issue, root
from tests.pki.trusted_lists import Listed, european, russian
from tests.unit.cli.conftest import Call

NOW = datetime.now(UTC).replace(microsecond=0)
AROUND = Period(begins=NOW - 90 * DAY, ends=NOW + 90 * DAY)
AUTHORITY = root("Root", "ecdsa", AROUND)
MINISTRY = issue(AUTHORITY, "Ministry", period=AROUND)
STRANGER = issue(AUTHORITY, "Stranger", period=AROUND)
ACTIVE, ENDED = ("Действует", "2020-01-01"), ("Прекращена", "2021-01-01")


def listed(*statuses: tuple[str, str], name: str = "УЦ Первый") -> Listed:
    return Listed(name=name, certificates=[AUTHORITY.certificate.dump()], statuses=statuses)


def signed(octets: bytes, by: Signing = MINISTRY) -> bytes:
    return sign(
        octets,
        key=by.key,
        chain=[by.der],
        algorithms=ALGORITHMS,
        form="xmldsig",
        detached=False,
        at=NOW,
    )


def of_day(days_ago: int, *statuses: tuple[str, str]) -> bytes:
    """Return a signed list of so many days ago, numbered by its day."""
    issued = (NOW - days_ago * DAY).strftime("%Y-%m-%dT%H:%M:%S")
    one = listed(*(statuses or (ACTIVE,)))
    return signed(russian(one, issued=issued, version=str(1000 - days_ago)))


@pytest.fixture
def home(call: Call, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    assert call("init", "--home", folder).code == 0
    return folder


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    path = tmp_path / "ministry.pem"
    path.write_bytes(pem.armor("CERTIFICATE", MINISTRY.der))
    return path


def written(tmp_path: Path, octets: bytes, name: str = "list.xml") -> Path:
    path = tmp_path / name
    path.write_bytes(octets)
    return path


def test_a_first_import_pins_its_signer_and_says_the_fingerprint(
    call: Call, home: Path, pin: Path, tmp_path: Path
) -> None:
    file = written(tmp_path, of_day(2))
    unknown = call("cert", "list", "import", file, "--home", home)
    fingerprint = MINISTRY.certificate.sha256.hex()
    assert unknown.code == 3
    assert fingerprint in unknown.stdout

    first = call("cert", "list", "import", file, "--signer", pin, "--home", home, "--json")
    assert first.code == 0
    assert (first.json["source"], first.json["pinned"]) == ("ru", [fingerprint])
    assert [one["kind"] for one in first.json["changes"]] == ["added"]
    snapshot = Path(first.json["snapshot"])
    assert snapshot.read_bytes() == file.read_bytes()
    assert snapshot.stat().st_mode & 0o222 == 0

    file = written(tmp_path, of_day(1, ENDED, ACTIVE))
    second = call("cert", "list", "import", file, "--home", home)
    assert second.code == 0
    assert "УЦ Первый" in second.stdout
    assert "действует → прекращена (2021-01-01)" in second.stdout


def test_a_refused_list_leaves_everything_as_it_was(
    call: Call, home: Path, pin: Path, tmp_path: Path
) -> None:
    """Neither snapshot nor pin: whoever slips in a file must not become its signer."""
    changed = of_day(1).replace("Первый".encode(), "Второй".encode())
    said = call(
        "cert", "list", "import", written(tmp_path, changed), "--signer", pin, "--home", home,
        "--json",
    )  # fmt: skip
    assert (said.code, said.json["problems"][0]["code"]) == (1, "SIG-241")
    assert not list((home / "trust").rglob("*.xml"))
    assert not (home / "list-signers").exists()


def test_an_older_list_is_refused(call: Call, home: Path, pin: Path, tmp_path: Path) -> None:
    newer, older = written(tmp_path, of_day(1), "new"), written(tmp_path, of_day(2), "old")
    assert call("cert", "list", "import", newer, "--signer", pin, "--home", home).code == 0
    said = call("cert", "list", "import", older, "--home", home, "--json")
    assert (said.code, said.json["problems"][0]["code"]) == (1, "SIG-243")
    again = call("cert", "list", "import", newer, "--home", home, "--json")
    assert (again.code, again.json["known"], again.json["changes"]) == (0, True, [])


@pytest.mark.parametrize(("language", "told"), [("ru", "файл пуст"), ("en", "is empty")])
def test_an_empty_list_is_refused_before_anything_is_done(
    call: Call, home: Path, tmp_path: Path, language: str, told: str
) -> None:
    file = written(tmp_path, b"")
    said = call("cert", "list", "import", file, "--home", home, "--lang", language)
    assert (said.code, said.stderr) == (1, "")
    assert "FMT-108" in said.stdout
    assert told in said.stdout
    assert str(file) in said.stdout


def test_an_ended_list_comes_in_with_a_warning(
    call: Call, home: Path, pin: Path, tmp_path: Path
) -> None:
    service = Listed(name="CA", certificates=[b""], statuses=[("granted", "2017-01-01T00:00:00Z")])
    times = [(NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (2, 1)]
    octets = signed(european(service, issued=times[0], update=times[1]))
    said = call(
        "cert", "list", "import", written(tmp_path, octets), "--signer", pin, "--home", home
    )
    assert said.code == 0
    assert "срок этого списка прошёл" in said.stderr


def test_shows_and_compares_what_is_here(call: Call, home: Path, pin: Path, tmp_path: Path) -> None:
    days = {3: (ACTIVE,), 2: (ACTIVE,), 1: (ENDED, ACTIVE)}
    for days_ago, statuses in days.items():
        file = written(tmp_path, of_day(days_ago, *statuses))
        assert call("cert", "list", "import", file, "--signer", pin, "--home", home).code == 0
    shown = [
        json.loads(line)
        for line in call("cert", "list", "show", "--home", home, "--json").stdout.splitlines()
    ]
    assert [one["accredited"] for one in shown] == [0, 1, 1]
    latest = call("cert", "list", "diff", "--home", home, "--json").json
    assert [(one["kind"], one["now"]) for one in latest["changes"]] == [("status", "прекращена")]
    until = (NOW - 2 * DAY).date().isoformat()
    assert (
        call("cert", "list", "diff", "ru", "--until", until, "--home", home, "--json").json[
            "changes"
        ]
        == []
    )
    assert call("cert", "list", "diff", "eu-LT", "--home", home).code == 2


def test_what_came_in_is_in_the_audit_log(
    call: Call, home: Path, pin: Path, tmp_path: Path
) -> None:
    from gateway.app import open_gateway
    from gateway.settings import Settings

    file = written(tmp_path, of_day(1))
    assert call("cert", "list", "import", file, "--signer", pin, "--home", home).code == 0
    gateway = open_gateway(Settings.load(home, {}))
    try:
        entry = log_tables.audit_entry
        with gateway.store.room.database.read() as connection:
            (row,) = connection.execute(entry.select().where(entry.c.action == "list.import")).all()
    finally:
        gateway.close()
    assert (row.subject, row.actor) == ("ru", "operator:local")
    assert row.detail["pinned"] == MINISTRY.certificate.sha256.hex()


def test_the_doctor_says_when_a_list_is_missing_or_ends_soon(
    call: Call, home: Path, pin: Path, tmp_path: Path
) -> None:
    def told() -> tuple[str, bool]:
        checks = call("doctor", "--home", home, "--json", "--lang", "en").json["checks"]
        (one,) = [one for one in checks if one["name"] == "Trusted list"]
        return one["status"], "cert list import" in one["fix"]

    (home / "trust").mkdir(exist_ok=True)
    (home / "trust" / "root.crt").write_bytes(AUTHORITY.certificate.dump())
    assert told() == ("warning", True)
    for days_ago, expected in ((28, ("warning", True)), (1, ("ok", False))):
        file = written(tmp_path, of_day(days_ago))
        assert call("cert", "list", "import", file, "--signer", pin, "--home", home).code == 0
        assert told() == expected


@pytest.mark.parametrize("octets", [b"", b"noise"])
def test_a_pin_that_is_no_certificate_is_wrong_usage(
    call: Call, home: Path, tmp_path: Path, octets: bytes
) -> None:
    file, pin = written(tmp_path, of_day(1)), written(tmp_path, octets, "pin")
    assert call("cert", "list", "import", file, "--signer", pin, "--home", home).code == 2
    assert call("cert", "list", "import", tmp_path / "none", "--home", home).code == 2


@pytest.fixture
def portal() -> Iterator[str]:
    """A web server with one list; anything else is not there."""
    octets = of_day(1)

    class Portal(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = octets if self.path == "/list.xml" else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Portal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_list_comes_from_an_address_that_may_be_asked(
    call: Call, home: Path, pin: Path, portal: str
) -> None:
    """Inside a network only where the home says so, as for everything that is fetched."""
    arguments = ("cert", "list", "import", f"{portal}/list.xml", "--signer", pin, "--home", home)
    assert call(*arguments).code == 4
    with (home / "gateway.toml").open("a") as file:
        file.write('\n[trust.network]\nprivate_hosts = ["127.0.0.1"]\n')
    assert call(*arguments).code == 0
    assert call("cert", "list", "import", f"{portal}/none", "--home", home).code == 4
