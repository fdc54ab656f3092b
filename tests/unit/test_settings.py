"""Settings: what `gateway.toml` may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import BadSettings, Settings


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
