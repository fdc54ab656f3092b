"""A story file that is wrong is named with its key; the ten that ship are right."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.sandbox.stories import BadStory, load_stories, load_story

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


def test_at_least_ten_stories_ship() -> None:
    stories = load_stories(SAMPLES)
    assert len(stories) >= 10
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
