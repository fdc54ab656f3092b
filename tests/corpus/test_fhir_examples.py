"""The official R4 examples: every one is accepted, or its name and its fault stand here.

The examples are HL7's (CC0) and are not part of this repository; `place.py` says
where they lie.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import Rejected
from gateway.fhir import bundle, search, structure, text
from tests.corpus.place import CORPUS, MISSING

FOLDER = CORPUS / "fhir" / "r4-official-examples"
EXAMPLES = sorted(FOLDER.glob("*.json"))
if not EXAMPLES:
    pytest.skip(
        MISSING,
        allow_module_level=True,
    )

EXCEPTIONS = {
    # 1E+18 written out as an integer: beyond 2^53, other software reads other digits (RFC 7493).
    "Observation-decimal": ["FMT-304 /component/4/valueQuantity/value"],
    # The example names a Practitioner where R4 4.0.1 allows an Organization only.
    "MedicationRequest-medrx0301": ["FMT-318 /dispenseRequest/performer"],
    # The example names an Encounter as the performer of an Observation.
    "Observation-clinical-gender": ["FMT-318 /performer/0"],
}

DANGLING = {
    # A transaction that speaks of patients and specimens of the server it is sent to; the
    # numbers of the sender's server are none of ours.
    "Bundle-hla-1",
}


def found(path: Path) -> list[str]:
    try:
        resource = text.loads(path.read_bytes())
    except Rejected as refusal:
        return [f"{problem.code} {problem.place}" for problem in refusal.problems]
    check = bundle.problems if resource["resourceType"] == "Bundle" else structure.problems
    return [f"{problem.code} {problem.place}" for problem in check(resource)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_official_example_is_accepted(path: Path) -> None:
    """What HL7 calls right is right, but for the few that are not."""
    problems = found(path)
    if path.stem in DANGLING:
        assert {problem.split()[0] for problem in problems} == {"FMT-319"}
    else:
        assert problems == EXCEPTIONS.get(path.stem, [])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_official_example_comes_out_as_it_went_in(path: Path) -> None:
    """Every number keeps its digits; every resource can be indexed."""
    if path.stem == "Observation-decimal":
        return
    resource = text.loads(path.read_bytes())
    assert text.loads(text.dumps(resource)) == resource
    assert str(text.loads(text.dumps(resource))) == str(resource)
    search.index(resource)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_fhir_resources_agrees_on_what_is_accepted(path: Path) -> None:
    """A second opinion: what we take, the R4B models take too."""
    if found(path):
        return
    resource = text.loads(path.read_bytes())
    model = get_fhir_model_class(str(resource["resourceType"]))
    model.model_validate_json(path.read_bytes())
