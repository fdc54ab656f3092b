"""The ten stories, walked twice through a sandbox of real processes and sockets."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.sandbox import demo
from gateway.sandbox.demo import Running
from gateway.sandbox.stories import Story, load_stories

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STORIES = load_stories(SAMPLES)


def clock() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox") / "var"


@pytest.fixture(scope="module", params=["first start", "second start"])
def running(request: pytest.FixtureRequest, home: Path) -> Iterator[Running]:
    """The sandbox; the second start is of the same home and keeps what is in it."""
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        port = int(probe.getsockname()[1])
    made = demo.prepare(home, port, STORIES, clock())
    with demo.running(made) as sandbox:
        yield sandbox


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_ends_as_it_says(running: Running, story: Story) -> None:
    told = demo.walk(running.sandbox, "en", clock).tell(story)
    assert told.failure == ""
    assert told.actual == told.expected


def test_no_patient_stands_in_clear_in_the_home(running: Running) -> None:
    """A stolen disk tells nobody's name, number or long value."""
    needles = [form for word in _secret_words() for form in _spellings(word)]
    files = [path for path in running.sandbox.home.rglob("*") if path.is_file()]
    assert any(path.name == "gateway.db" for path in files)
    for path in files:
        octets = path.read_bytes()
        assert not [needle for needle in needles if needle in octets], path


def test_who_may_log_in_is_written_for_the_owner_alone(running: Running) -> None:
    file = running.sandbox.home / "sandbox.json"
    assert file.stat().st_mode & 0o777 == 0o600
    said = json.loads(file.read_text("utf-8"))
    assert set(said) >= {"url", "token_url", "clients", "trust", "signers", "clinic_url"}
    assert all(len(client["client_secret"]) >= 32 for client in said["clients"])


def _secret_words() -> set[str]:
    words = set()
    for story in STORIES:
        text = story.input.read_text("utf-8")
        words.add(story.patient.split("|")[1])
        if story.input.suffix == ".json":
            (patient,) = (
                entry["resource"]
                for entry in json.loads(text)["entry"]
                if entry["resource"]["resourceType"] == "Patient"
            )
            words |= {identifier["value"] for identifier in patient["identifier"]}
            words.add(patient["name"][0]["family"])
        else:
            words |= {text.split("<family>")[1].split("<")[0]}
            words |= {part.split("<")[0] for part in text.split('system="enp">')[1:]}
            words |= {part.split("<")[0] for part in text.split('system="snils">')[1:]}
    return words


def _spellings(word: str) -> list[bytes]:
    plain = [word.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "cp1251")]
    # Base64 of a word inside a longer text depends on where it starts; the middle does not.
    coded = [base64.b64encode(b"\0" * shift + one)[4:-4] for shift in range(3) for one in plain[:1]]
    return plain + [one for one in coded if len(one) >= 8]
