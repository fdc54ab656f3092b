"""A person who wrote a wrong line into a TOML file is told which, and what belongs there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import BadSettings, Settings


def refused(home: Path, lines: str) -> BadSettings:
    (home / "gateway.toml").write_text(lines, "utf-8")
    with pytest.raises(BadSettings) as caught:
        Settings.load(home, {})
    return caught.value


@pytest.mark.parametrize(
    ("lines", "ru", "en"),
    [
        (
            '[signatures]\nlevls = ["T"]',
            "signatures.levls: такого ключа нет (может быть, levels?); есть: required, levels",
            "signatures.levls: there is no such key (perhaps levels?), only: required, levels",
        ),
        (
            '[signatures]\nrequired = ["nurse"]',
            "signatures.required[0]: нужно: из doctor, organisation",
            "signatures.required[0]: expected: of doctor, organisation",
        ),
        (
            '[signatures]\nrequired = "doctor"',
            "signatures.required: нужно: список [из doctor, organisation]",
            "signatures.required: expected: a list [of doctor, organisation]",
        ),
        (
            "[[signatures.documents]]\n[[signatures.documents]]\nlevel = 1",
            "signatures.documents[1].level: такого ключа нет",
            "signatures.documents[1].level: there is no such key",
        ),
        (
            '[signatures.organizations.polaris]\nsends_for = ["x"]',
            "signatures.organizations.polaris.sends_for[0]: нужно: system|value",
            "signatures.organizations.polaris.sends_for[0]: expected: system|value",
        ),
        ("signatures = 3", "signatures: нужно: таблица", "signatures: expected: a table"),
        (
            "[evidence]\nbatch = 0",
            "evidence.tsa: нужно: адрес http:// или https://",
            "evidence.batch: expected: a whole number from 1 to 5000",
        ),
        ("[signatures", "это не TOML: ", "not TOML: "),
    ],
)
def test_a_wrong_line_is_told_in_both_languages(
    tmp_path: Path, lines: str, ru: str, en: str
) -> None:
    found = refused(tmp_path, lines)
    assert ru in found.say("ru")
    assert en in found.say("en")
    assert found.say("ru").startswith(f"{tmp_path / 'gateway.toml'}: ")


def test_a_wrong_value_is_not_said_back(tmp_path: Path) -> None:
    """A password written into the wrong line would stand in the terminal and its log."""
    found = refused(tmp_path, '[evidence]\ntsa = "swordfish"')
    assert "swordfish" not in found.say("ru") + found.say("en")
