"""What two patients' reports in one Bundle share goes on no card unless it says whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from gateway.errors import Rejected
from gateway.model import Document
from tests.unit.formats.batches import (
    Entry,
    entry,
    held,
    observation,
    parsed,
    patient,
    report,
    told,
)


def bare(url: str, **more: Any) -> Entry:
    """Return an Observation that does not say whose it is."""
    found = observation(url, "nobody", **more)
    del found["resource"]["subject"]
    return found


def collected(*entries: Entry, kind: str = "collection") -> list[tuple[str, ...]]:
    return told(parsed(*_of_kind(kind, entries), type=kind))


def _of_kind(kind: str, entries: Iterable[Entry]) -> list[Entry]:
    """Return entries without what only a batch or a transaction asks of them."""
    left_out = () if kind in ("batch", "transaction") else ("request",)
    return [{k: v for k, v in one.items() if k not in left_out} for one in entries]


def named_by(performer: str) -> dict[str, Any]:
    return {"performer": [{"reference": f"urn:uuid:{performer}"}]}


@pytest.mark.parametrize("second", ["a", "b"])
def test_a_laboratory_that_two_share_does_not_say_whose_a_result_is(second: str) -> None:
    found = collected(
        patient("a"),
        patient("b"),
        entry("lab", "Organization", name="L"),
        {**report("r1", "a"), "resource": {**report("r1", "a")["resource"], **named_by("lab")}},
        {**report("r2", "b"), "resource": {**report("r2", second)["resource"], **named_by("lab")}},
        bare("o", **named_by("lab")),
    )
    stray = ("/entry/5/resource", "FMT-337 /entry/5/resource")
    assert (stray in found) == (second == "b")


@pytest.mark.parametrize("second", ["1", "2"])
def test_a_result_is_nobodys_where_reports_contain_their_patients(second: str) -> None:
    """Neither is an entry of the bundle, and yet they are two."""

    def own(url: str, value: str) -> Entry:
        made = report(url, "nobody")
        made["resource"]["subject"] = {"reference": "#p"}
        person = {"resourceType": "Patient", "id": "p", "identifier": [{"value": value}]}
        made["resource"]["contained"] = [person]
        return made

    found = collected(own("r1", "1"), own("r2", second), bare("o"))
    stray = ("/entry/2/resource", "FMT-337 /entry/2/resource")
    assert (stray in found) == (second == "2")


def test_a_name_that_two_patients_bear_names_neither() -> None:
    """Two servers number their patients alike; the first is not meant by both."""
    bundle = (
        {**entry("", "Patient", id="1", name=[{"family": "A"}]), "fullUrl": "http://a/Patient/1"},
        {**entry("", "Patient", id="1", name=[{"family": "B"}]), "fullUrl": "http://b/Patient/1"},
        report("r1", "x"),
    )
    subject = bundle[2]["resource"]["subject"]
    subject["reference"] = "http://b/Patient/1"
    assert held(parsed(*bundle)[1]) == ["/entry/1/resource", "/entry/2/resource"]
    subject["reference"] = "Patient/1"
    assert not any(
        "/entry/0" in place
        for one in parsed(*bundle)
        if isinstance(one, Document)
        for place in held(one)
    )


X: dict[str, Any] = {"reference": "urn:uuid:x"}
SHARED: dict[str, tuple[str, dict[str, Any], Entry]] = {
    "a result": ("result", X, bare("x")),
    "a specimen": ("specimen", X, entry("x", "Specimen", status="available")),
    "a page": ("presentedForm", {"url": "urn:uuid:x"}, entry("x", "Binary", contentType="a/b")),
}


@pytest.mark.parametrize("kind", ["batch", "transaction", "collection"])
@pytest.mark.parametrize("what", SHARED)
def test_what_two_patients_reports_name_goes_on_no_card_unless_it_says_whose_it_is(
    what: str, kind: str
) -> None:
    """Each report would take it for its own patient's, and one of them is wrong."""
    element, named, shared = SHARED[what]

    def found(second: str) -> list[tuple[str, ...]]:
        reports = report("r1", "a", "o1"), report("r2", second, "o2")
        for one in reports:
            one["resource"].setdefault(element, []).append(named)
        results = observation("o1", "a"), observation("o2", second)
        return collected(shared, patient("a"), patient("b"), *reports, *results, kind=kind)

    assert [one[1:] for one in found("b")] == [("MAP-112 /entry/0/resource",)] * 2
    assert ("/entry/3/resource",) in found("a")
    assert ("/entry/4/resource",) in found("a")


def test_a_member_of_another_patients_result_goes_on_no_card() -> None:
    found = collected(
        patient("a"),
        patient("b"),
        report("r1", "a", "o1"),
        report("r2", "b", "o2"),
        observation("o1", "a", hasMember=[{"reference": "urn:uuid:o2"}]),
        bare("o2"),
    )
    assert [one[1:] for one in found] == [("MAP-112 /entry/5/resource",)] * 2


def test_a_device_that_says_nothing_of_patients_may_be_shared() -> None:
    analyser = {"device": {"reference": "urn:uuid:x"}}
    found = parsed(
        patient("a"),
        patient("b"),
        report("r1", "a", "o1"),
        report("r2", "b", "o2"),
        observation("o1", "a", **analyser),
        observation("o2", "b", **analyser),
        entry("x", "Device", status="active"),
    )
    assert told(found) == [("/entry/2/resource",), ("/entry/3/resource",)]


def versions(*ids: str) -> list[Entry]:
    """Return Patients under one fullUrl, with these versions."""
    return [
        {
            **entry("", "Patient", id="1", meta={"versionId": id}, name=[{"family": id}]),
            "fullUrl": "http://x/Patient/1",
        }
        for id in ids
    ]


def test_a_reference_to_a_version_is_to_no_other() -> None:
    """Two people under one address: the second's result would stand on the first's card."""
    reports = [report("r1", "x"), report("r2", "x"), report("r3", "x")]
    for one, version in zip(reports, ("/_history/1", "/_history/2", ""), strict=True):
        one["resource"]["subject"]["reference"] = "http://x/Patient/1" + version
    found = parsed(*versions("1", "2"), *reports)
    assert [held(one)[0] for one in found] == [
        "/entry/0/resource",
        "/entry/1/resource",
        "/entry/4/resource",
    ]


def test_a_document_holds_one_version_of_a_resource() -> None:
    """Of two versions of a result a reader would see two results."""
    results = versions("1", "2")
    for one, value in zip(results, (5, 9), strict=True):
        one["fullUrl"] = "http://x/Observation/1"
        one["resource"] = {
            **observation("", "a", valueInteger=value)["resource"],
            "meta": one["resource"]["meta"],
        }
    with pytest.raises(Rejected) as refused:
        collected(patient("a"), report("r1", "a"), *results)
    assert [(p.code, p.place) for p in refused.value.problems] == [("FMT-331", "/entry/3/fullUrl")]


def test_two_patients_under_one_address_belong_to_nobody() -> None:
    """The report of the second would go to the first."""
    first, second = patient("a"), patient("b")
    second["fullUrl"] = first["fullUrl"]
    found = parsed(first, second, report("r1", "a"))
    assert [one.place for one in found if isinstance(one, Document)] == []
