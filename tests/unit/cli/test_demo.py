"""What `gateway demo` prints to try next works for who copies it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.demo import said_again
from gateway.cli.output import Output


def output(home: str, language: str) -> Output:
    return Output(json=False, quiet=False, color=False, language=language, home=Path(home))


def test_the_line_to_try_repeats_the_home_and_the_language_that_were_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without them the copied line finds no credentials, or answers in another language."""
    for name in ("GATEWAY_HOME", "GATEWAY_LANG"):
        monkeypatch.delenv(name, raising=False)
    assert said_again(output("my home", "en")) == " --home 'my home' --lang en"
    assert said_again(output("var", "ru")) == ""


def test_what_the_environment_says_already_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_HOME", "/srv/gateway")
    monkeypatch.setenv("GATEWAY_LANG", "en")
    assert said_again(output("/srv/gateway", "en")) == ""
    assert said_again(output("var", "ru")) == " --home var --lang ru"
