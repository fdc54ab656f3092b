"""Settings: what `gateway.toml` may say, and what it may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.settings import BadSettings, Settings
from gateway.trust import PathPolicy
from gateway.trust.fetching import WebRules


def load(home: Path, lines: str) -> Settings:
    (home / "gateway.toml").write_text(lines, "utf-8")
    return Settings.load(home, {})


def test_transactions_are_taken_apart_for_the_senders_that_are_named(tmp_path: Path) -> None:
    lines = '[transactions]\napart = ["polaris"]\n'
    assert load(tmp_path, lines).transactions_apart == {"polaris"}
    assert load(tmp_path, "").transactions_apart == frozenset()


@pytest.mark.parametrize("line", ['apart = "polaris"', "apart = true", 'whole = ["polaris"]'])
def test_a_policy_for_transactions_that_there_is_not_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadSettings, match="transactions"):
        load(tmp_path, f"[transactions]\n{line}\n")


def test_nothing_is_sought_on_the_network_unless_a_home_says_so(tmp_path: Path) -> None:
    assert load(tmp_path, "").network is None
    lines = '[trust.network]\nhosts = ["ca.example"]\nseconds_max = 5\n'
    assert load(tmp_path, "[trust.network]\n").network == WebRules()
    assert load(tmp_path, lines).network == WebRules(
        hosts=frozenset({"ca.example"}), time_max=timedelta(seconds=5)
    )


def test_paths_are_judged_by_the_policy_of_the_home(tmp_path: Path) -> None:
    assert load(tmp_path, "").path_policy == PathPolicy()
    lines = '[trust.path]\npolicies = ["1.2.643.100.113.1"]\nexplicit_policy = true\n'
    assert load(tmp_path, lines).path_policy == PathPolicy(
        policies=frozenset({"1.2.643.100.113.1"}), explicit_policy=True
    )


@pytest.mark.parametrize(
    "lines",
    [
        "[trust.network]\nseconds_max = 0\n",
        "[trust.network]\nproxy = 'x'\n",
        "[trust.path]\nrevocation_hours_max = 0\n",
        "[trust.path]\nweak_algorithms = true\n",
    ],
)
def test_a_setting_of_trust_that_there_is_not_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(BadSettings, match="trust"):
        load(tmp_path, lines)
