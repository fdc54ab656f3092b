"""The catalogue at work, documents made from its examples, and a context to map them in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.formats.interface import formats
from gateway.mapping import engine
from gateway.mapping.catalogue import Catalogue
from gateway.mapping.context import MappingContext, Original
from gateway.model import Assurance, Document, PatientRecord, SignedContent
from gateway.patients import identifiers

MAPPINGS = Path(__file__).parents[3] / "mappings"
PATIENT = "00000000-0000-4000-8000-00000000000a"

CONTEXT = MappingContext(
    patient=PATIENT,
    submission="s1",
    document="d1",
    assurance=Assurance.SIGNED,
    kept_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
    original=Original(sha256="ab" * 32, size=100, media_type="application/xml"),
    organization="lab-1",
)

ReadDocument = Callable[[str], Document]
MakeRecord = Callable[[str], PatientRecord]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load(MAPPINGS, identifiers)


@pytest.fixture(scope="session")
def lab_xml() -> str:
    return (MAPPINGS / "lab_xml" / "default.example.xml").read_text("utf-8")


@pytest.fixture(scope="session")
def bundle() -> str:
    return (MAPPINGS / "fhir_json" / "default.example.json").read_text("utf-8")


@pytest.fixture(scope="session")
def read() -> ReadDocument:
    """Parse text of either format into its document."""

    def parse(text: str) -> Document:
        name = "lab_xml" if text.lstrip().startswith("<") else "fhir_json"
        form = formats()[name]
        content = SignedContent(
            octets=text.encode(),
            media_type=form.MEDIA_TYPES[0],
            assurance=Assurance.SIGNED,
            report=None,
        )
        return form.parse(content)[0]

    return parse


@pytest.fixture(scope="session")
def make(catalogue: Catalogue, read: ReadDocument) -> MakeRecord:
    """Map text of either format with its default mapping."""

    def record(text: str) -> PatientRecord:
        document = read(text)
        return engine.record(catalogue.choose(document), document, CONTEXT)

    return record
