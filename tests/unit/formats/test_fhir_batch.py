"""A FHIR batch: every Bundle and every report in it is a document of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.errors import Rejected
from gateway.formats import fhir_json, interface
from gateway.model import Assurance, Document, SignedContent, Unreadable

Entry = dict[str, Any]


def entry(url: str, kind: str, **more: Any) -> Entry:
    """Return a batch entry with a resource."""
    return {
        "fullUrl": f"urn:uuid:{url}",
        "resource": {"resourceType": kind, **more},
        "request": {"method": "POST", "url": kind},
    }


def patient(url: str) -> Entry:
    return entry(url, "Patient", name=[{"family": f"F-{url}"}])


def observation(url: str, of: str, **more: Any) -> Entry:
    subject = {"reference": f"urn:uuid:{of}"}
    return entry(url, "Observation", status="final", code={"text": "K"}, subject=subject, **more)


def report(url: str, of: str, *results: str) -> Entry:
    named = [{"reference": f"urn:uuid:{one}"} for one in results]
    return entry(
        url,
        "DiagnosticReport",
        status="final",
        code={"text": "x"},
        identifier=[{"value": f"number-{url}"}],
        subject={"reference": f"urn:uuid:{of}"},
        **({"result": named} if named else {}),
    )


def inner(*entries: Entry, kind: str = "collection") -> Entry:
    """Return a batch entry with a Bundle in it."""
    bare = [{k: v for k, v in one.items() if k != "request"} for one in entries]
    bundle = {"resourceType": "Bundle", "type": kind, "entry": bare}
    return {"resource": bundle, "request": {"method": "POST", "url": "Bundle"}}


def written(*entries: Any, **head: Any) -> str:
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": list(entries), **head})


def parsed(*entries: Any, **head: Any) -> tuple[Document | Unreadable, ...]:
    return read(written(*entries, **head))


def read(bundle: str) -> tuple[Document | Unreadable, ...]:
    return fhir_json.parse(
        SignedContent(
            octets=bundle.encode(),
            media_type="application/fhir+json",
            assurance=Assurance.SIGNED,
            report=None,
        )
    )


def told(found: tuple[Document | Unreadable, ...]) -> list[tuple[str, ...]]:
    """Return place and codes, in order; a document has no codes."""
    assert [one.ordinal for one in found] == list(range(len(found)))
    return [
        (one.place, *(f"{p.code} {p.place}" for p in one.problems))
        if isinstance(one, Unreadable)
        else (one.place,)
        for one in found
    ]


def held(found: Document | Unreadable) -> list[str]:
    """Return the places of a document's resources."""
    assert isinstance(found, Document)
    return [node.place for node in found.root.resources()]  # type: ignore[attr-defined]


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


# --- what two patients' reports share ---------------------------------------------------


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
