"""Mapping files: the right one is chosen, and a mistake is named by file, line and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.cli.map import _parse as parse
from gateway.mapping import examples
from gateway.mapping.catalogue import BadMapping, Catalogue
from gateway.patients import identifiers
from tests.unit.mapping.conftest import MAPPINGS, ReadDocument


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MAPPINGS, tmp_path / "mappings"))


def edit(path: Path, old: str, new: str) -> int:
    """Change a file and return the line (from 1) of the change."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_the_examples_beside_the_files_pass(catalogue: Catalogue) -> None:
    results = examples.run(catalogue, parse)
    assert results.failed == ()
    assert len(results.passed) >= 2


def test_an_example_whose_outcome_changed_fails_with_its_place(copy: Path) -> None:
    edit(copy / "lab_xml" / "default.example.xml", ">5,10<", ">5,1<")
    results = examples.run(Catalogue.load(copy, identifiers), parse, "lab_xml/default")
    assert [f.name for f in results.failed] == ["lab_xml/default.example.xml"]
    assert results.failed[0].reason.endswith("differs")
    assert "5,1" not in results.failed[0].reason


def test_a_mapping_without_an_example_fails(copy: Path) -> None:
    (copy / "lab_xml" / "default.example.xml").unlink()
    results = examples.run(Catalogue.load(copy, identifiers), parse)
    assert [f.name for f in results.failed] == ["lab_xml/default"]


def test_an_unknown_name_is_an_error(catalogue: Catalogue) -> None:
    with pytest.raises(LookupError):
        examples.run(catalogue, parse, "lab_xml/nobody")


def test_a_senders_own_file_comes_before_the_default(
    copy: Path, read: ReadDocument, lab_xml: str
) -> None:
    text = (copy / "lab_xml" / "default.yaml").read_text("utf-8")
    own = text.replace("mapping: default", "mapping: north").replace(
        "zone: null", "zone: Asia/Kamchatka"
    )
    (copy / "lab_xml" / "north.yaml").write_text(own, "utf-8")
    catalogue = Catalogue.load(copy, identifiers)
    document = read(lab_xml)
    assert catalogue.choose(document, "north").name == "lab_xml/north"
    assert catalogue.choose(document, "south").name == "lab_xml/default"
    assert catalogue.choose(document).name == "lab_xml/default"


@pytest.mark.parametrize(
    ("file", "old", "new", "key"),
    [
        ("lab_xml/default.yaml", "zone: null", "zone: Europe/Nowhere", "zone"),
        ("lab_xml/default.yaml", "check_digits: error", "check_digits: maybe", "check_digits"),
        ("lab_xml/default.yaml", "    scope: patient", "    scope: planet", "resources.0.scope"),
        ("lab_xml/default.yaml", "as: moment}", "as: momnet}", "resources.0.rows.3.as"),
        ("lab_xml/default.yaml", "  family:", "  famly:", "facts.famly"),
        ("units.yaml", '  - {ucum: "mol/L"', '  - {ucm: "mol/L"', "units.0.ucm"),
        ("codes/tests.yaml", "version: 1", "version: one", "version"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(
    copy: Path, file: str, old: str, new: str, key: str
) -> None:
    line = edit(copy / file, old, new)
    with pytest.raises(BadMapping) as caught:
        Catalogue.load(copy, identifiers)
    assert f"{file}:{line}: {key}:" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("mapping: default", "mapping: other", "must be named"),
        ("[sandbox-laboratory]", "[nobody]", "no table"),
        ("{of: author}", "{of: nobody}", "no resource rule"),
        ('{to: gender, from: "l:sex"}', "{to: gender}", "needs `from` or `is`"),
        ("mapping: default", "mapping: [", "not YAML"),
    ],
)
def test_what_does_not_fit_together_is_refused_when_loaded(
    copy: Path, old: str, new: str, reason: str
) -> None:
    edit(copy / "lab_xml" / "default.yaml", old, new)
    with pytest.raises(BadMapping, match=reason):
        Catalogue.load(copy, identifiers)
