"""A story file that is wrong is named with its key; those that ship are right."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.sandbox.stories import BadStory
from gateway.sandbox.story_files import load_stories, load_story

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


def test_at_least_twenty_four_stories_ship() -> None:
    stories = load_stories(SAMPLES)
    assert len(stories) >= 24
    assert all({"ru", "en"} <= story.titles.keys() for story in stories)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input", "missing.json"),
        ("input", "../01-transaction-gost256/result.json"),
        ("clinic", "sideways"),
        ("patient", "no-system"),
        ("sign", {"form": "pgp", "place": "detached", "signers": ["x"]}),
        ("sign", {"form": "cades", "place": "detached", "signers": []}),
        ("tamper", {"from": "5.00", "to": "5.0"}),
        ("tamper", {"from": "5.00", "to": "5.00"}),
        ("unknown", "key"),
    ],
)
def test_names_what_is_wrong(tmp_path: Path, key: str, value: object) -> None:
    good = yaml.safe_load((SAMPLES / "01-transaction-gost256" / "story.yaml").read_text("utf-8"))
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "story.yaml").write_text(yaml.safe_dump(good))
    assert load_story(tmp_path / "story.yaml").name == tmp_path.name
    (tmp_path / "story.yaml").write_text(yaml.safe_dump({**good, key: value}))
    with pytest.raises(BadStory, match=key):
        load_story(tmp_path / "story.yaml")


SEND = {"send": {"as": "first", "input": "result.json"}}
LOOK = {"expect": {"of": "first", "status": "accepted"}}


def told_in(folder: Path, *steps: object) -> Path:
    good = yaml.safe_load((SAMPLES / "01-transaction-gost256" / "story.yaml").read_text("utf-8"))
    top = {key: good[key] for key in ("title", "laboratory", "media_type", "patient", "sign")}
    (folder / "result.json").write_text('{"resourceType": "Bundle"}')
    (folder / "story.yaml").write_text(yaml.safe_dump({**top, "steps": [*steps]}))
    return folder / "story.yaml"


def test_a_story_in_steps_takes_from_the_top_what_a_step_leaves_out(tmp_path: Path) -> None:
    own = {"send": {"as": "second", "input": "result.json", "laboratory": "meridian"}}
    story = load_story(told_in(tmp_path, SEND, {"clinic": "down"}, own, LOOK))
    assert [send.laboratory for send in story.sends] == ["polaris", "meridian"]
    assert story.sends[1].signing == story.first.signing
    assert not story.simple
    assert load_story(told_in(tmp_path, SEND, LOOK)).simple


def test_only_what_is_asked_is_compared(tmp_path: Path) -> None:
    facts = load_story(told_in(tmp_path, SEND, LOOK)).expect
    assert (facts.status, facts.codes, facts.deliveries) == ("accepted", None, None)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([SEND], "expect comes last"),
        ([LOOK], "'first' was not named before"),
        ([SEND, {"expect": {"of": "second"}}], "'second' was not named before"),
        ([SEND, {"dance": "first"}, LOOK], "step 2 is one of"),
        ([SEND, {"replay": "first", "tried": "first"}, LOOK], "step 2 is one of"),
        ([SEND, {"clinic": "sideways"}, LOOK], "step 2, clinic"),
        ([SEND, {"revoke": "consent"}, LOOK], "step 2, revoke"),
        ([SEND, {"expect": {"of": "first", "mood": "good"}}], "mood"),
        ([{"send": {**SEND["send"], "replace": {"Bundel": "Bundle"}}}, LOOK], "Bundel"),
        ([{"send": {**SEND["send"], "input": "other.json"}}, LOOK], "input"),
    ],
)
def test_a_step_that_is_wrong_is_named(tmp_path: Path, steps: list[object], said: str) -> None:
    with pytest.raises(BadStory, match=said):
        load_story(told_in(tmp_path, *steps))
