"""The stories, walked twice through a sandbox of real processes and sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sandbox import demo
from gateway.sandbox.demo import Running
from gateway.sandbox.stories import Story
from tests import sandboxes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox") / "var"


@pytest.fixture(scope="module", params=["first start", "second start"])
def running(request: pytest.FixtureRequest, home: Path) -> Iterator[Running]:
    """The sandbox; the second start is of the same home and keeps what is in it."""
    with demo.running(sandboxes.made(home)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("story", sandboxes.STORIES, ids=lambda story: story.name)
def test_a_story_ends_as_it_says(running: Running, story: Story) -> None:
    told = sandboxes.walk(running.sandbox).tell(story)
    assert told.failure == ""
    assert told.actual == told.expected


def test_who_may_log_in_is_written_for_the_owner_alone(running: Running) -> None:
    file = running.sandbox.home / "sandbox.json"
    assert file.stat().st_mode & 0o777 == 0o600
    said = json.loads(file.read_text("utf-8"))
    assert set(said) >= {"url", "token_url", "clients", "trust", "signers", "clinic_url"}
    assert all(len(client["client_secret"]) >= 32 for client in said["clients"])
