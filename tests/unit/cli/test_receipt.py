"""`gateway receipt`: by submission or by its own number, and what kinds there will never be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import SAMPLES, Call, Served

GOOD = SAMPLES / "01-transaction-gost256" / "result.json"


@pytest.fixture
def accepted(call: Call, sandbox: Path) -> str:
    """A submission that was accepted; the clinic of this home does not answer."""
    said = call("send", GOOD, "--fresh", "--wait", "--timeout", "20", "--json", "--home", sandbox)
    assert said.json["status"] == "accepted"
    return str(said.json["id"])


def test_a_receipt_is_fetched_by_its_own_number(call: Call, sandbox: Path, accepted: str) -> None:
    """The number is what stands on the paper; the submission's id may be long lost."""
    by_id = call("receipt", accepted, "--kind", "accepted", "--home", sandbox, "--json")
    number = by_id.json["receipt"]["number"]
    by_number = call("receipt", number.lower(), "--home", sandbox, "--json")
    assert (by_number.code, by_number.json) == (0, by_id.json)


def test_a_number_nobody_issued_is_not_there(call: Call, sandbox: Path, accepted: str) -> None:
    said = call("receipt", "R-20261122-AAAAAAAAAA", "--home", sandbox, "--lang", "en")
    assert (said.code, said.stdout) == (1, "")
    assert said.stderr == "there is no receipt R-20261122-AAAAAAAAAA\n"


def test_a_number_goes_without_a_kind(call: Call, sandbox: Path) -> None:
    number = ("receipt", "R-20261122-AAAAAAAAAA")
    assert call(*number, "--kind", "refused", "--home", sandbox).code == 2


def test_a_kind_that_will_never_come_is_refused_with_the_kinds_there_are(
    call: Call, sandbox: Path, accepted: str
) -> None:
    """3 means try later; nobody should wait for the registration of what was refused."""
    refused = call("send", GOOD, "--wait", "--json", "--home", sandbox).json["id"]
    said = call("receipt", refused, "--kind", "registered", "--home", sandbox, "--lang", "en")
    assert said.code == 1
    assert "will have none; it has: accepted, refused" in said.stderr


def test_a_kind_that_may_still_come_is_not_decided(
    call: Call, sandbox: Path, accepted: str, served: Served
) -> None:
    """A delivery on its way may yet arrive, and what waits on the line may end either way."""
    assert call("receipt", accepted, "--kind", "delivered", "--home", sandbox).code == 3
    to = ("--to", served.url, "--home", served.home)
    waiting = call("send", GOOD, "--fresh", *to, "--json").json["id"]
    assert call("receipt", waiting, "--kind", "registered", *to).code == 3


def test_a_number_is_found_over_http_by_its_own_laboratory_alone(
    call: Call, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ("--to", served.url, "--home", served.home, "--json")
    number = call("send", GOOD, "--fresh", *to).json["receipt"]["number"]
    assert call("receipt", number, *to).json["receipt"]["number"] == number
    monkeypatch.setenv("GATEWAY_CLIENT_ID", "meridian")
    monkeypatch.setenv("GATEWAY_CLIENT_SECRET", served.secret("meridian"))
    assert call("receipt", number, *to).code == 1
