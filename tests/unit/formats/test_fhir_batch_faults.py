"""A fault of the JSON in a FHIR batch: it refuses what it stands in, and nothing else."""

from __future__ import annotations

import pytest

from gateway.errors import Rejected
from gateway.model import Document, Unreadable
from tests.unit.formats.batches import (
    Entry,
    entry,
    inner,
    observation,
    patient,
    read,
    report,
    told,
    written,
)

FAULT = "FAULT"
"""Stands in an entry where a test writes what `json.dumps` never would."""

FAULTS = {
    "FMT-301": "NaN",
    "FMT-303": '{"a":1,"a":2}',
    "FMT-304": "1e999",
    "FMT-305": "[" * 80 + "]" * 80,
    "FMT-306": r'"\ud800"',
}


def flawed(fault: str, *entries: Entry) -> tuple[Document | Unreadable, ...]:
    """Read a batch with `fault` for every value that says so."""
    return read(written(*entries).replace(f'"{FAULT}"', fault))


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_of_the_json_in_a_bundle_refuses_that_bundle_alone(code: str) -> None:
    """It is found while reading, before there are documents, and still is one document's."""
    broken = inner(patient("1"), report("2", "1"), observation("3", "1", note=FAULT))
    found = flawed(FAULTS[code], broken, inner(patient("1"), report("2", "1")))
    first, second = told(found)
    assert second == ("/entry/1/resource",)
    where, problem = first
    assert where == "/entry/0/resource"
    assert problem.startswith(f"{code} /entry/0/resource/entry/2/resource/note")


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_of_the_json_in_an_entry_refuses_its_report_alone(code: str) -> None:
    """So a report never goes on without the result that could not be read."""
    found = flawed(
        FAULTS[code],
        patient("a"),
        report("r1", "a", "o1"),
        observation("o1", "a", note=FAULT),
        report("r2", "a", "o2"),
        observation("o2", "a"),
    )
    first, second = told(found)
    assert second == ("/entry/3/resource",)
    assert first[0] == "/entry/1/resource"
    assert first[1].startswith(f"{code} /entry/2/resource/note")


def test_a_fault_in_what_reports_share_refuses_them_all() -> None:
    found = flawed(
        "1e999",
        entry("a", "Patient", multipleBirthInteger=FAULT),
        patient("b"),
        report("r1", "a"),
        report("r2", "b"),
        report("r3", "a"),
    )
    problem = "FMT-304 /entry/0/resource/multipleBirthInteger"
    assert told(found) == [
        ("/entry/2/resource", problem),
        ("/entry/3/resource",),
        ("/entry/4/resource", problem),
    ]


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ('"status": ', '"status": "final", "status": '),
        ('"request": ', '"request": null, "request": '),
    ],
)
def test_a_name_twice_in_an_entry_refuses_its_report_alone(name: str, again: str) -> None:
    text = written(patient("a"), report("r1", "a"), report("r2", "a"))
    head, mark, tail = text.rpartition(name)
    found = read(head + again + tail)
    assert mark
    assert [len(one) for one in told(found)] == [1, 2]
    assert told(found)[1][1].startswith("FMT-303 /entry/2")


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ('"fullUrl": ', '"fullUrl": "urn:uuid:x", "fullUrl": '),
        ('"resource": ', '"resource": {}, "resource": '),
        ('"resourceType": ', '"resourceType": "Basic", "resourceType": '),
        ('"id": ', '"id": "x", "id": '),
        ('"id": "o1"', '"id": 1e999'),
    ],
)
def test_an_entry_whose_name_is_in_doubt_refuses_the_whole(name: str, again: str) -> None:
    """Its result may be the one that some report in the batch would then lack."""
    text = written(patient("a"), report("r1", "a"), observation("o1", "a", id="o1"))
    head, mark, tail = text.rpartition(name)
    assert mark
    with pytest.raises(Rejected) as refused:
        read(head + again + tail)
    (problem,) = refused.value.problems
    assert problem.place.startswith("/entry/2")


@pytest.mark.parametrize(
    ("name", "again"),
    [('"id": ', '"id": "x", "id": '), ('"type": ', '"type": "message", "type": ')],
)
def test_a_bundle_whose_name_is_in_doubt_is_refused_alone(name: str, again: str) -> None:
    """Nobody in the batch refers to it, and it is a document whatever it says."""
    last = inner(patient("1"), report("2", "1"))
    last["resource"] = {"id": "x", **last["resource"]}
    head, mark, tail = written(inner(patient("1"), report("2", "1")), last).rpartition(name)
    assert mark
    found = read(head + again + tail)
    assert told(found) == [
        ("/entry/0/resource",),
        ("/entry/1/resource", "FMT-303 /entry/1/resource"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"type": "batch"', '"type": "batch", "type": "batch"'),
        ('"type": "batch"', '"type": "batch", "total": 1e999'),
        ('"entry": [', '"entry": [], "entry": ['),
        ('"entry": [', '"entry": {"0": NaN}, "x": ['),
        ('"entry": [', '"entry": [NaN, '),
        ('"entry": [', '"entry": [[,], '),
        ('"entry": [', '"entry": [' + "NaN," * 2001),
    ],
)
def test_a_fault_of_the_json_around_the_entries_refuses_the_whole(old: str, new: str) -> None:
    """There is no telling what the pieces are, or that they are all."""
    text = written(patient("a"), report("r1", "a"))
    assert read(text)
    with pytest.raises(Rejected):
        read(text.replace(old, new, 1))
