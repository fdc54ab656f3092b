"""Who is not let in by a gateway learns that the caller must act, not that the gateway failed."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import Call, Served

VERBS = (
    ("list",),
    ("status", "one"),
    ("repair", "list"),
    ("consent", "list"),
    ("items", "list"),
    ("replay", "--runs"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_secret_ends_with_one_and_says_what_to_check(
    call: Call, served: Served, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GATEWAY_CLIENT_ID", "polaris")
    monkeypatch.setenv("GATEWAY_CLIENT_SECRET", "wrong")
    said = call(*verb, "--to", served.url, "--home", served.home, "--lang", "ru")
    assert said.code == 1
    assert "AUTH-110" in said.stderr
    assert "GATEWAY_CLIENT_SECRET" in said.stderr
    assert "wrong" not in said.stderr + said.stdout


def test_the_right_secret_of_a_client_that_may_not_is_refused_with_one(
    call: Call, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clinic follows no submissions: its token is good, the scope is not there."""
    monkeypatch.setenv("GATEWAY_CLIENT_ID", "clinic")
    monkeypatch.setenv("GATEWAY_CLIENT_SECRET", served.secret("clinic"))
    said = call("list", "--to", served.url, "--home", served.home, "--json")
    assert said.code == 1
    assert [one["code"] for one in said.json["problems"]] == ["AUTH-104"]


def test_the_right_secret_lets_in(call: Call, served: Served) -> None:
    assert call("list", "--to", served.url, "--home", served.home).code == 0
