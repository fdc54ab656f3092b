"""A mapping file that is wrong or too narrow stops its document; nothing half right is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.errors import NeedsOperator, Rejected
from gateway.mapping import engine
from gateway.mapping.catalogue import Catalogue
from gateway.model import PatientRecord
from gateway.patients import identifiers
from tests.unit.mapping.conftest import CONTEXT, MAPPINGS, ReadDocument

GENDER = '{to: gender, from: "l:sex"'


def mapped(folder: Path, read: ReadDocument, text: str, gender: str) -> PatientRecord:
    """Map `text` by a copy of the mappings whose row for the patient's sex is `gender`."""
    shutil.copytree(MAPPINGS, folder / "mappings")
    file = folder / "mappings" / "lab_xml" / "default.yaml"
    rows = file.read_text("utf-8")
    assert rows.count(GENDER) == 1
    file.write_text(rows.replace(GENDER, gender), "utf-8")
    document = read(text)
    catalogue = Catalogue.load(folder / "mappings", identifiers)
    return engine.record(catalogue.choose(document), document, CONTEXT)


def test_a_word_that_is_not_in_the_table_waits_for_a_person(
    tmp_path: Path, read: ReadDocument, lab_xml: str
) -> None:
    narrow = f"{GENDER}, map: {{nobody: unknown}}"
    with pytest.raises(NeedsOperator) as caught:
        mapped(tmp_path, read, lab_xml, narrow)
    assert [problem.code for problem in caught.value.problems] == ["MAP-105"]


def test_a_word_that_is_in_the_table_goes_through(
    tmp_path: Path, read: ReadDocument, lab_xml: str
) -> None:
    wide = f"{GENDER}, map: {{male: male, female: female}}"
    assert mapped(tmp_path, read, lab_xml, wide).resources


def test_what_comes_out_is_checked_as_fhir_whatever_the_mapping_says(
    tmp_path: Path, read: ReadDocument, lab_xml: str
) -> None:
    """A file that makes a patient of sex 'anybody' harms no card."""
    with pytest.raises(Rejected) as caught:
        mapped(tmp_path, read, lab_xml, '{to: gender, is: "anybody"')
    assert {problem.code for problem in caught.value.problems} == {"MAP-115"}
