"""A FHIR batch: every Bundle and every report in it is a document of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import Rejected
from gateway.formats import fhir_json, interface
from gateway.model import Assurance, Document, SignedContent, Unreadable
from tests.unit.formats.batches import (
    entry,
    held,
    inner,
    observation,
    parsed,
    patient,
    report,
    told,
)


def test_every_bundle_in_a_batch_is_a_document() -> None:
    """A laboratory's day in one file; places lead into the file that was sent."""
    found = parsed(
        inner(patient("1"), report("2", "1")),
        inner(patient("1"), report("2", "1")),
    )
    assert told(found) == [("/entry/0/resource",), ("/entry/1/resource",)]
    second = found[1]
    assert isinstance(second, Document)
    (node,) = second.root.each("DiagnosticReport")
    assert node.place == "/entry/1/resource/entry/1/resource"
    assert node.resolve("urn:uuid:1").place == "/entry/1/resource/entry/0/resource"  # type: ignore[attr-defined]
    assert {place.split("/")[2] for place, _ in second.root.leaves()} == {"1"}


def test_what_changes_the_meaning_of_a_bundle_from_around_it_refuses_that_bundle() -> None:
    marked = inner(patient("1"), report("2", "1"))
    marked["modifierExtension"] = [{"url": "urn:not", "valueBoolean": True}]
    found = parsed(marked, inner(patient("1"), report("2", "1")))
    assert told(found) == [
        ("/entry/0/resource", "MAP-111 /entry/0/modifierExtension"),
        ("/entry/1/resource",),
    ]
    with pytest.raises(Rejected) as refused:
        parsed(inner(patient("1"), report("2", "1")), implicitRules="urn:x")
    assert [(p.code, p.place) for p in refused.value.problems] == [("MAP-111", "/implicitRules")]


def test_a_broken_bundle_refuses_only_itself() -> None:
    """Thirty-nine others are not to wait for it."""
    broken = report("2", "1")
    del broken["resource"]["status"]
    found = parsed(inner(patient("1"), broken), inner(patient("1"), report("2", "1")))
    assert told(found) == [
        ("/entry/0/resource", "FMT-312 /entry/0/resource/entry/1/resource"),
        ("/entry/1/resource",),
    ]


def test_two_patients_in_one_of_its_bundles_refuse_that_bundle() -> None:
    """The rule against landing on another's card holds inside a batch as outside."""
    found = parsed(inner(patient("1"), patient("3"), report("2", "1")))
    assert told(found) == [
        ("/entry/0/resource", "FMT-335 /entry/0/resource/entry/1/resource"),
    ]


@pytest.mark.parametrize("kind", ["batch", "searchset"])
def test_a_batch_in_a_batch_is_refused_at_its_place(kind: str) -> None:
    """One level is a day's results; two are a mistake, or an attack on our patience."""
    nested = inner(patient("1"), report("2", "1"), kind=kind)
    found = parsed(nested, inner(patient("1"), report("2", "1")))
    assert told(found)[0] == ("/entry/0/resource", "FMT-330 /entry/0/resource/type")
    assert told(found)[1] == ("/entry/1/resource",)


def test_a_flat_batch_is_gathered_by_report() -> None:
    """Each report takes what it refers to, near and far; what two share belongs to both."""
    found = parsed(
        patient("a"),
        report("r1", "a", "o1"),
        observation("o1", "a"),
        report("r2", "a", "o2"),
        observation("o2", "a", specimen={"reference": "urn:uuid:s"}),
        entry("s", "Specimen", subject={"reference": "urn:uuid:a"}),
    )
    assert told(found) == [("/entry/1/resource",), ("/entry/3/resource",)]
    assert held(found[0]) == [f"/entry/{n}/resource" for n in (0, 1, 2)]
    assert held(found[1]) == [f"/entry/{n}/resource" for n in (0, 3, 4, 5)]


def test_what_speaks_about_a_report_goes_with_it() -> None:
    """A Provenance refers to its report, not the other way round."""
    witness = entry(
        "p",
        "Provenance",
        target=[{"reference": "urn:uuid:o2"}],
        recorded="2026-11-21T10:00:00Z",
        agent=[{"who": {"display": "x"}}],
    )
    found = parsed(
        witness,
        patient("a"),
        report("r1", "a", "o1"),
        observation("o1", "a"),
        patient("b"),
        report("r2", "b", "o2"),
        observation("o2", "b"),
    )
    assert held(found[0]) == [f"/entry/{n}/resource" for n in (1, 2, 3)]
    assert held(found[1]) == [f"/entry/{n}/resource" for n in (0, 4, 5, 6)]


def test_a_result_that_no_report_names_is_refused_alone() -> None:
    """Its patient is known and its report is not: to guess one would be to invent a result."""
    found = parsed(patient("a"), report("r1", "a"), observation("o1", "a"))
    assert told(found) == [
        ("/entry/1/resource",),
        ("/entry/2/resource", "FMT-337 /entry/2/resource"),
    ]


def test_a_broken_entry_refuses_its_report_and_no_other() -> None:
    """The report cannot be taken without its result."""
    broken = observation("o1", "a")
    broken["resource"]["status"] = "banana"
    found = parsed(
        patient("a"),
        report("r1", "a", "o1"),
        broken,
        report("r2", "a", "o2"),
        observation("o2", "a"),
    )
    assert told(found) == [
        ("/entry/1/resource", "FMT-315 /entry/2/resource/status"),
        ("/entry/3/resource",),
    ]


def test_an_entry_that_is_no_entry_is_refused_at_its_place() -> None:
    """And so is one that asks for something else than to be taken."""
    deletion = {"request": {"method": "DELETE", "url": "Observation/1"}}
    found = parsed(7, patient("a"), report("r1", "a"), deletion)
    assert [one[0] for one in told(found)] == ["/entry/0", "/entry/2/resource", "/entry/3"]
    assert told(found)[2] == ("/entry/3", "FMT-334 /entry/3/request/method")


def test_a_reference_to_nothing_in_the_batch_is_refused() -> None:
    """A URN means something only within what was sent."""
    found = parsed(patient("a"), report("r1", "a", "gone"), report("r2", "a"))
    assert told(found) == [
        ("/entry/1/resource", "FMT-319 /entry/1/resource/result/0"),
        ("/entry/2/resource",),
    ]


def test_every_problem_of_a_late_entry_is_seen_however_many_came_before() -> None:
    """A limit on problems shown must not let the sixtieth broken report through."""
    entries = []
    for number in range(60):
        broken = report(f"r{number}", "a")
        del broken["resource"]["status"]
        entries.append(broken)
    found = parsed(patient("a"), *entries)
    assert len(found) == 60
    assert all(isinstance(one, Unreadable) for one in found)


def test_a_transaction_is_all_or_nothing() -> None:
    """So says FHIR, and a laboratory that wants it otherwise sends a batch."""
    broken = observation("o1", "a")
    broken["resource"]["status"] = "banana"
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [patient("a"), report("r1", "a"), broken],
    }
    with pytest.raises(Rejected):
        fhir_json.parse(
            SignedContent(
                octets=json.dumps(bundle).encode(),
                media_type="application/fhir+json",
                assurance=Assurance.SIGNED,
                report=None,
            )
        )


def test_the_reports_of_a_transaction_are_documents_that_stand_or_fall_together() -> None:
    """What speaks of one patient goes with that one's first report; who it is, with all."""
    of_a = observation("o9", "a")
    found = parsed(
        patient("a"),
        report("r1", "a"),
        of_a,
        report("r2", "a"),
        patient("b"),
        report("r3", "b"),
        type="transaction",
    )
    assert told(found) == [(f"/entry/{n}/resource",) for n in (1, 3, 5)]
    assert all(one.indivisible for one in found)
    held = [one.piece.count(b"o9") for one in found if isinstance(one, Document)]
    assert held == [1, 0, 0]
    assert not any(one.indivisible for one in parsed(patient("a"), report("r1", "a")))


def test_a_patient_no_report_refers_to_is_that_of_every_report_of_a_transaction() -> None:
    reports = [report("r1", "a"), report("r2", "a")]
    for one in reports:
        del one["resource"]["subject"]
    found = parsed(patient("a"), *reports, type="transaction")
    assert [one.piece.count(b"F-a") for one in found if isinstance(one, Document)] == [1, 1]


@pytest.mark.parametrize("given", [{"entry": []}, {"total": 2}, {"entry": "x"}])
def test_a_batch_whose_frame_is_broken_is_refused_whole(given: dict[str, Any]) -> None:
    """There is no telling its pieces apart."""
    with pytest.raises(Rejected):
        parsed(patient("a"), report("r1", "a"), **given)


def test_a_batch_has_a_limit() -> None:
    """One order of work must end before its lease does."""
    number = interface.DOCUMENTS_MAX + 1
    with pytest.raises(Rejected) as refused:
        parsed(*([{"request": {"method": "POST", "url": "x"}}] * number))
    assert [p.code for p in refused.value.problems] == ["FMT-338"]
