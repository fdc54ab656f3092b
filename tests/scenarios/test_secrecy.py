"""After the demo nothing of a patient stands in clear in any file of the home."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sandboxes

NEWBORN_FROM = "2026"
"""A newborn's birth date moves with its document: as a day of this month it is no secret."""

LENGTH_MIN = 6
"""Shorter strings occur by chance and in code lists; a surname counts from four letters."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home all stories went through, as it lies on the disk after a clean stop."""
    folder = tmp_path_factory.mktemp("secrecy") / "var"
    with sandboxes.running(folder) as walk:
        for story in sandboxes.STORIES:
            told = walk.tell(story)
            assert told.ok, (story.name, told.failure, told.actual)
    return folder


def test_no_file_of_the_home_holds_a_patients_data_in_clear(home: Path) -> None:
    """A stolen disk, a backup or a log must tell nothing about a patient."""
    files = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    found = [
        f"{file.relative_to(home)} holds {label}"
        for label, secret in _secrets()
        for form in _forms(secret)
        for file, octets in files.items()
        if form in octets
    ]
    assert not found
    assert sum(map(len, files.values())) > 100_000


def test_the_search_itself_finds_what_was_planted(home: Path, tmp_path: Path) -> None:
    """A search that can find nothing would prove nothing."""
    label, secret = next(iter(_secrets()))
    for number, form in enumerate(_forms(secret)):
        file = tmp_path / f"planted-{number}"
        file.write_bytes(b"\x00noise" + form + b"noise\xff")
        assert any(one in file.read_bytes() for one in _forms(secret)), (label, number)


def test_homes_secret_files_are_for_their_owner_alone(home: Path) -> None:
    """The master key opens everything: nobody else on the machine may read it."""
    for name in ("master.key", "sandbox.json", "gateway.db", "keys.db"):
        assert (home / name).stat().st_mode & 0o077 == 0, name


def _secrets() -> Iterator[tuple[str, str]]:
    """Every name, number and distinctive value of the samples' patients, with a label."""
    seen: set[str] = set()
    for story in sandboxes.STORIES:
        for file in {send.input for send in story.sends}:
            text = file.read_text("utf-8")
            strings = _of_json(text) if file.suffix == ".json" else _of_xml(text)
            for kind, value in strings:
                if kind == "birth date" and value > NEWBORN_FROM:
                    continue
                least = 4 if kind == "name" else LENGTH_MIN
                for spelling in {value, re.sub(r"[\s-]", "", value)}:
                    if len(spelling) >= least and spelling not in seen:
                        seen.add(spelling)
                        yield f"{kind} of {story.name}", spelling


def _of_json(text: str) -> Iterator[tuple[str, str]]:
    for entry in json.loads(text, parse_float=str, parse_int=str)["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            for name in resource["name"]:
                # Given names are few and stand in our own signers' certificates too.
                yield "name", name["family"]
            yield from (("identifier", one["value"]) for one in resource.get("identifier", []))
            yield "birth date", resource["birthDate"]
        if resource["resourceType"] in ("Observation", "DiagnosticReport"):
            yield from _texts(resource)


def _texts(resource: dict[str, object]) -> Iterator[tuple[str, str]]:
    for key in ("conclusion", "valueString"):
        if isinstance(value := resource.get(key), str):
            yield key, value
    for note in resource.get("note", []):  # type: ignore[attr-defined]
        yield "note", note["text"]


def _of_xml(text: str) -> Iterator[tuple[str, str]]:
    patient = "".join(re.findall(r"<patient>.*?</patient>", text, re.DOTALL))
    yield from (("name", one) for one in re.findall(r"<family>([^<]+)<", patient))
    yield from (("identifier", one) for one in re.findall(r"<identifier[^>]*>([^<]+)<", patient))
    yield from (("birth date", one) for one in re.findall(r"<birthDate>([^<]+)<", patient))
    for tag in ("comment", "conclusion", "value"):
        yield from ((tag, one) for one in re.findall(rf"<{tag}>([^<]+)<", text))


def _forms(text: str) -> Iterator[bytes]:
    """The string as a file may hold it: four encodings, JSON escapes, hex and base64."""
    plain = [text.encode("utf-8"), text.encode("utf-16-le"), text.encode("utf-16-be")]
    plain.append(text.encode("cp1251", "ignore"))
    plain.append(json.dumps(text).strip('"').encode())
    for octets in plain:
        yield octets
        yield octets.hex().encode()
        for shift in range(3):
            # The middle of the base64 text is the same whatever stands around it.
            encoded = base64.b64encode(b"\x00" * shift + octets)
            middle = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
            if len(middle) >= LENGTH_MIN:
                yield middle
