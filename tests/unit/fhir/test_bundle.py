"""Bundles: their own rules, and references that must lead somewhere."""

from __future__ import annotations

import pytest

from gateway.fhir import bundle, text
from gateway.model import Json, JsonValue, Problem

PATIENT = "urn:uuid:00000000-0000-4000-8000-000000000001"
RESULT = "urn:uuid:00000000-0000-4000-8000-000000000002"
NOBODY = "urn:uuid:00000000-0000-4000-8000-00000000dead"


def entry(resource: str, *, url: str = "", request: str = "", more: str = "") -> str:
    parts = [f'"resource":{resource}', *([more] if more else [])]
    if url:
        parts.append(f'"fullUrl":"{url}"')
    if request:
        method, _, target = request.partition(" ")
        parts.append(f'"request":{{"method":"{method}","url":"{target}"}}')
    return "{" + ",".join(parts) + "}"


def patient(more: str = '"active":true') -> str:
    return f'{{"resourceType":"Patient",{more}}}'


def observation(subject: str) -> str:
    return (
        '{"resourceType":"Observation","status":"final","code":{"text":"K"},'
        f'"subject":{{"reference":"{subject}"}}}}'
    )


def made(kind: str, *entries: str, more: str = "") -> Json:
    body = f'{{"resourceType":"Bundle","type":"{kind}"{more},"entry":[{",".join(entries)}]}}'
    return text.loads(body.encode())


def transaction(subject: str) -> Json:
    return made(
        "transaction",
        entry(patient('"id":"p"'), url=PATIENT, request="POST Patient"),
        entry(observation(subject), url=RESULT, request="POST Observation"),
    )


def found(resource: JsonValue) -> list[tuple[str, str]]:
    return [(problem.code, problem.place) for problem in bundle.problems(resource)]


def rules(resource: JsonValue) -> list[str]:
    return [problem.detail.get("rule", problem.code) for problem in bundle.problems(resource)]


DOCUMENT = ',"identifier":{"system":"urn:x","value":"1"},"timestamp":"2026-01-01T00:00:00Z"'
COMPOSITION = (
    '{"resourceType":"Composition","status":"final","type":{"text":"x"},"date":"2026",'
    '"title":"x","author":[{"reference":"%s"}]}'
)


@pytest.mark.parametrize(
    "subject", [PATIENT, "Patient/p", "http://x/fhir/Patient/7", "Patient?identifier=urn:x|1"]
)
def test_a_reference_that_leads_somewhere_is_fine(subject: str) -> None:
    """By fullUrl, by type and id, to another server, or as a search."""
    assert found(transaction(subject)) == []


@pytest.mark.parametrize("subject", [NOBODY, "Patient/q", "urn:oid:1.2.3", "nowhere"])
def test_refuses_a_dangling_reference(subject: str) -> None:
    """A result that points to nobody would be stored as nobody's."""
    assert found(transaction(subject)) == [("FMT-319", "/entry/1/resource/subject")]


def test_refuses_a_dangling_reference_in_a_document() -> None:
    """A document is complete in itself."""
    good = made("document", entry(COMPOSITION % PATIENT, url=RESULT), entry(patient(), url=PATIENT),
                more=DOCUMENT)  # fmt: skip
    assert found(good) == []
    for author in (NOBODY, "Patient/q"):
        bad = made("document", entry(COMPOSITION % author, url=RESULT), more=DOCUMENT)
        assert found(bad) == [("FMT-319", "/entry/0/resource/author/0")]


def test_a_collection_may_point_outside_but_never_by_urn() -> None:
    """Official collections do; a URN, though, means nothing outside its bundle."""
    assert found(made("collection", entry(observation("Patient/q")))) == []
    assert found(made("collection", entry(observation(NOBODY)))) == [
        ("FMT-319", "/entry/0/resource/subject")
    ]


def test_refuses_a_reference_to_the_wrong_type_behind_a_urn() -> None:
    """The type shows only when the reference is followed."""
    assert found(transaction(RESULT)) == [("FMT-318", "/entry/1/resource/subject")]


def test_a_relative_reference_means_the_server_of_its_entry() -> None:
    """Two servers may both have a Patient/1; the one beside the result is meant."""
    content = made(
        "document",
        entry(COMPOSITION % "Practitioner/1", url="http://a/Composition/1"),
        entry('{"resourceType":"Practitioner","id":"1","active":true}',
              url="http://a/Practitioner/1"),
        more=DOCUMENT,
    )  # fmt: skip
    assert found(content) == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (made("transaction", entry(patient(), request="POST Patient"), more=',"total":1'), "bdl-1"),
        (made("transaction", entry(patient())), "bdl-3"),
        (made("collection", entry(patient(), request="POST Patient")), "bdl-3"),
        (made("collection", '{"fullUrl":"urn:x:1"}'), "bdl-5"),
        (made("collection", entry(patient(), url="http://x/Patient/1/_history/2")), "bdl-8"),
        (made("document", entry(COMPOSITION % "http://x/y"),
              more=',"timestamp":"2026-01-01T00:00:00Z"'), "bdl-9"),
        (made("document", entry(COMPOSITION % "http://x/y"),
              more=',"identifier":{"system":"urn:x","value":"1"}'), "bdl-10"),
        (made("document", entry(patient()), more=DOCUMENT), "bdl-11"),
        (made("message", entry(patient())), "bdl-12"),
        (made("collection", entry(patient(), more='"search":{"mode":"match"}')), "bdl-2"),
        (made("collection", entry(patient(), more='"response":{"status":"200"}')), "bdl-4"),
        (made("collection", entry(patient(), url=PATIENT), entry(patient(), url=PATIENT)),
         "FMT-331"),
        (made("collection", entry(patient(), url="http://x/Group/1")), "FMT-332"),
        (made("transaction", entry(patient(), request="POST Group")), "FMT-333"),
        (made("transaction", entry(patient(), request="DELETE Patient/1")), "FMT-333"),
    ],
)  # fmt: skip
def test_refuses_a_bundle_that_breaks_its_own_rules(content: Json, rule: str) -> None:
    """fhir.resources takes every one of them."""
    assert rules(content) == [rule]


def test_an_empty_document_and_an_empty_message_have_no_first_resource() -> None:
    """Both need a head."""
    for kind, rule in (("document", "bdl-11"), ("message", "bdl-12")):
        content: Json = {
            "resourceType": "Bundle",
            "type": kind,
            **text.loads(b"{%s}" % DOCUMENT[1:].encode()),
        }
        assert rules(content) == [rule]


def test_faults_inside_a_resource_carry_their_place_in_the_bundle() -> None:
    """The pointer starts at the document the sender sent."""
    content = made("collection", entry(patient()), entry(patient('"gender":"M"')))
    assert found(content) == [("FMT-315", "/entry/1/resource/gender")]
    unknown = made("collection", entry('{"resourceType":"Patinet"}'))
    assert found(unknown) == [("FMT-310", "/entry/0/resource/resourceType")]
    assert [p.place for p in bundle.problems(unknown, "/a")] == ["/a/entry/0/resource/resourceType"]


def test_what_is_no_bundle_is_said_to_be_none() -> None:
    """The resource's own faults come first."""
    assert found(text.loads(patient().encode())) == [("FMT-330", "")]
    assert found(text.loads(b'{"resourceType":"Patient","gender":"M"}')) == [("FMT-315", "/gender")]
    assert found(None) == [("FMT-314", "")]


def test_problems_are_problems() -> None:
    """The type is what the line and the faces speak."""
    assert all(isinstance(item, Problem) for item in bundle.problems(transaction(NOBODY)))
