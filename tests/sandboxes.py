"""A sandbox of one's own for a test: gateway and clinic as real processes on free ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.algorithms import standard
from gateway.cli.remote import Remote
from gateway.sandbox import demo
from gateway.sandbox.home import Sandbox
from gateway.sandbox.stories import Outgoing, Story, prepare
from gateway.sandbox.story_files import load_stories
from gateway.sandbox.walk import Walk

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
STORIES = load_stories(SAMPLES)
GOST = standard("auto")


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def made(home: Path) -> Sandbox:
    """Make a sandbox in `home`, not running yet."""
    return demo.prepare(home, free_port(), STORIES, datetime.now(UTC))


def walk(sandbox: Sandbox) -> Walk:
    return demo.walk(sandbox, "en", lambda: datetime.now(UTC))


@contextmanager
def running(home: Path) -> Iterator[Walk]:
    """Run a fresh sandbox in `home` and give what tells stories in it."""
    sandbox = made(home)
    with demo.running(sandbox):
        yield walk(sandbox)


def story(name: str) -> Story:
    return next(one for one in STORIES if one.name.startswith(name))


def outgoing(sandbox_walk: Walk, one: Story) -> Outgoing:
    """Return what the story's laboratory would send now: fresh numbers, signed."""
    return prepare(one, sandbox_walk.signers, GOST, datetime.now(UTC))


def send(laboratory: Remote, what: Outgoing) -> dict[str, object]:
    """Submit and return the answer's body; anything but 200 or 202 fails the test."""
    answer = laboratory.post_parts("/v1/submissions", what.document, what.beside)
    assert answer.status in (200, 202), (answer.status, answer.octets)
    return answer.body
