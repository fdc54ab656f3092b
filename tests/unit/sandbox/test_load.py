"""A benchmark's load looks like a laboratory's day and counts what really came back."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.algorithms import standard
from gateway.model import Part
from gateway.patients.identifiers import ENP, SNILS
from gateway.sandbox import pki
from gateway.sandbox.load import Sent, make, send_all
from gateway.sandbox.numbers import numbered
from gateway.sandbox.stories import Outgoing, Story
from gateway.sandbox.story_files import load_story

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MADE = 5


@pytest.fixture(scope="module")
def story() -> Story:
    return load_story(ROOT / "samples/01-transaction-gost256/story.yaml")


@pytest.fixture(scope="module")
def outgoing(story: Story, tmp_path_factory: pytest.TempPathFactory) -> list[Outgoing]:
    home = tmp_path_factory.mktemp("home")
    pki.build(home, standard(), NOW, families=("gost256",))
    return make(home, story.first.input.with_name("story.yaml"), MADE, NOW)


def test_every_bundle_is_another_patients(story: Story, outgoing: list[Outgoing]) -> None:
    """Results of one patient wait for each other: a benchmark of one patient measures a queue."""
    found = [re.findall(rb'"(\d{11}|\d{16})"', one.document.body) for one in outgoing]
    assert len({tuple(numbers) for numbers in found}) == MADE
    assert story.patient.rpartition("|")[2].encode() not in b"".join(b"".join(n) for n in found)


def test_every_bundle_is_new_content(outgoing: list[Outgoing]) -> None:
    """Known content is answered from memory and would flatter the gateway."""
    assert len({hashlib.sha256(one.document.body).digest() for one in outgoing}) == MADE


@pytest.mark.parametrize(
    ("system", "start", "digits"), [(SNILS, "112233445", 2), (ENP, "7" * 15, 1)]
)
def test_made_up_numbers_have_their_check_digits(system: str, start: str, digits: int) -> None:
    assert numbered(system, start, digits).decode().startswith(start)
    assert len(numbered(system, start, digits)) == len(start) + digits


def some(count: int) -> list[Outgoing]:
    part = Part(name="document", media_type="text/plain", body=b"x")
    return [Outgoing(document=part, signatures=(), number="")] * count


def test_only_a_202_counts_as_accepted() -> None:
    """A refused or repeated bundle must not look like throughput."""
    answers = iter([202, 200, 429, 202, 500])
    sent = send_all(some(5), lambda one: next(answers), senders=1, seconds=10)
    assert (len(sent.waits), sent.refused) == (2, 3)


def test_sending_ends_when_the_time_is_over() -> None:
    def slow(one: Outgoing) -> int:
        time.sleep(0.05)
        return 202

    sent = send_all(some(1000), slow, senders=2, seconds=0.2)
    assert 2 <= len(sent.waits) <= 12
    assert sent.seconds < 5


def test_percentiles_name_a_wait_that_was_measured() -> None:
    sent = Sent(waits=tuple(n / 1000 for n in range(1, 101)), refused=0, seconds=1)
    assert (sent.wait_ms(0.50), sent.wait_ms(0.99)) == (50.0, 99.0)
    assert Sent(waits=(), refused=0, seconds=1).wait_ms(0.5) == 0.0
