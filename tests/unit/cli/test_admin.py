"""`gateway admin`: an empty home gets its first laboratory, and what is there stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.api import create_app
from gateway.app import open_gateway
from gateway.settings import Settings
from tests.doorway import basic

from .conftest import SAMPLES, Call

OGRN = "1267700000116"
GOOD = SAMPLES / "01-transaction-gost256" / "result.json"


@pytest.fixture
def home(call: Call, tmp_path: Path) -> Path:
    assert call("init", "--home", tmp_path / "new").code == 0
    return tmp_path / "new"


def org(call: Call, home: Path, id: str = "north", *more: str, kind: str = "laboratory") -> int:
    words = ("--kind", kind, *(more or ("--ogrn", OGRN)))
    return call("admin", "org", "add", id, *words, "--home", home).code


def test_an_empty_home_sends_the_newcomer_to_admin(call: Call, home: Path) -> None:
    said = call("send", GOOD, "--home", home, "--lang", "en")
    assert said.code == 2
    assert "gateway admin org add" in said.stderr


def test_the_secret_of_the_first_laboratory_lets_it_in_and_is_shown_once(
    call: Call, home: Path
) -> None:
    assert org(call, home) == 0
    made = call("admin", "client", "add", "north-lis", "--org", "north", "--home", home, "--json")
    assert (made.code, made.json["role"], made.json["organization"]) == (0, "laboratory", "north")
    secret = made.json["client_secret"]
    listed = call("admin", "client", "list", "--home", home, "--json")
    assert listed.json["client_id"] == "north-lis"
    assert secret not in listed.stdout
    gateway = open_gateway(Settings.load(home, {}))
    try:
        door = create_app(gateway).test_client()
        for word, status in ((secret, 200), (secret[:-1] + "!", 401)):
            asked = door.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                headers=basic("north-lis", word),
            )
            assert asked.status_code == status
    finally:
        gateway.close()
    kept = b"".join(file.read_bytes() for file in home.iterdir() if file.is_file())
    assert secret.encode() not in kept


def test_organisations_and_destinations_are_listed_as_they_were_added(
    call: Call, home: Path
) -> None:
    assert org(call, home) == 0
    assert org(call, home, "clinic", "--oid", "1.2.643.5.1.13.13.12.2.77.1", kind="clinic") == 0
    words = ("admin", "destination", "add", "mis", "--org", "clinic", "--home", home)
    made = call(*words, "--url", "https://mis.example/fhir", "--option", "timeout_seconds=7")
    assert made.code == 0
    assert '[[routes]] и to = "mis"' in made.stderr
    listed = call("admin", "org", "list", "--home", home, "--json").stdout.splitlines()
    assert [json.loads(one)["id"] for one in listed] == ["clinic", "north"]
    where = call("admin", "destination", "list", "--home", home, "--json").json
    assert (where["url"], where["routed"]) == ("https://mis.example/fhir", False)
    with (home / "gateway.toml").open("a") as settings:
        settings.write('\n[[routes]]\nto = "mis"\n')
    assert call("admin", "destination", "list", "--home", home, "--json").json["routed"] is True


def test_what_is_there_is_never_written_over(call: Call, home: Path) -> None:
    """A second `add` with a slip in it would lock a laboratory out, or rename it."""
    assert org(call, home) == 0
    client = ("admin", "client", "add", "lis", "--org", "north", "--home", home)
    assert call(*client).code == 0
    before = call("admin", "client", "list", "--home", home).stdout
    assert org(call, home, "north", "--ogrn", "1027700132195") == 1
    assert org(call, home, "other") == 1
    assert call(*client).code == 1
    assert call("admin", "client", "list", "--home", home).stdout == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("org", "add", "a b", "--kind", "laboratory", "--ogrn", OGRN), 2),
        (("org", "add", "a", "--kind", "laboratory"), 2),
        (("org", "add", "a", "--kind", "hospital", "--ogrn", OGRN), 2),
        (("org", "add", "a", "--kind", "laboratory", "--ogrn", "1267700000117"), 1),
        (("org", "add", "a", "--kind", "laboratory", "--ogrn", OGRN, "--name", "x" * 201), 2),
        (("client", "add", "lis", "--org", "nobody"), 1),
        (("destination", "add", "mis", "--org", "nobody", "--url", "https://mis.example"), 1),
        (("destination", "add", "mis", "--org", "nobody", "--url", "ftp://mis.example"), 2),
        (("destination", "add", "mis", "--org", "nobody", "--url", "https://u:p@mis.example"), 2),
        (("destination", "add", "m", "--org", "n", "--url", "https://a.example", "--kind", "x"), 2),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(
    call: Call, home: Path, words: tuple[str, ...], code: int
) -> None:
    assert call("admin", *words, "--home", home).code == code
    for kind in ("org", "client", "destination"):
        assert call("admin", kind, "list", "--home", home, "--json").stdout == ""


def test_every_change_is_in_the_audit_log_without_the_secret(call: Call, home: Path) -> None:
    assert org(call, home) == 0
    call("admin", "client", "add", "lis", "--org", "north", "--home", home)
    said = call("audit", "verify", "--home", home, "--json")
    assert (said.code, said.json["valid"]) == (0, True)
    assert said.json["entries"] >= 2
