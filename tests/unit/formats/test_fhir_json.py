"""The FHIR JSON format: one bundle, one patient, one document."""

from __future__ import annotations

import pytest

from gateway.errors import Rejected
from gateway.fhir.nodes import JsonNode
from gateway.formats import fhir_json
from gateway.model import Assurance, Document, SignedContent

PATIENT = (
    '{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"1","name":['
    '{"family":"Ф","given":["И","О"]}]},"request":{"method":"PUT","url":"Patient/1"}}'
)
REPORT = (
    '{"fullUrl":"urn:uuid:2","resource":{"resourceType":"DiagnosticReport","status":"final",'
    '"code":{"text":"x"},"subject":{"reference":"urn:uuid:1"},"result":[{"reference":"#k"}],'
    '"contained":[{"resourceType":"Observation","id":"k","status":"final","code":{"text":"K"},'
    '"valueQuantity":{"value":5.00}}]},"request":{"method":"POST","url":"DiagnosticReport"}}'
)
SECOND = PATIENT.replace("urn:uuid:1", "urn:uuid:9").replace('"id":"1"', '"id":"9"')


def content(*entries: str, kind: str = "transaction") -> SignedContent:
    body = f'{{"resourceType":"Bundle","type":"{kind}","entry":[{",".join(entries)}]}}'
    return signed(body.encode())


def signed(octets: bytes) -> SignedContent:
    return SignedContent(
        octets=octets, media_type="application/fhir+json", assurance=Assurance.SIGNED, report=None
    )


def parsed() -> Document:
    (document,) = fhir_json.parse(content(PATIENT, REPORT))
    assert isinstance(document, Document)
    return document


def root() -> JsonNode:
    node = parsed().root
    assert isinstance(node, JsonNode)
    return node


def refused(given: SignedContent) -> list[tuple[str, str]]:
    with pytest.raises(Rejected) as caught:
        fhir_json.parse(given)
    return [(problem.code, problem.place) for problem in caught.value.problems]


def test_a_bundle_of_one_patient_is_one_document() -> None:
    """The unit that is mapped, stored and delivered."""
    document = parsed()
    assert (document.format, document.ordinal) == ("fhir_json", 0)


def test_refuses_two_patients_in_one_bundle() -> None:
    """Contained ones count: one person's result must not land on another's card."""
    assert refused(content(PATIENT, SECOND, REPORT)) == [("FMT-335", "/entry/1/resource")]
    inside = REPORT.replace(
        '"contained":[', '"contained":[{"resourceType":"Patient","id":"q","active":true,'
        '"link":[{"other":{"reference":"#q"},"type":"seealso"}]},'
    )  # fmt: skip
    assert refused(content(PATIENT, inside)) == [("FMT-335", "/entry/1/resource/contained/0")]


def test_refuses_a_bundle_without_a_report() -> None:
    """There would be nothing to put on the card."""
    assert refused(content(PATIENT)) == [("FMT-336", "/entry")]


@pytest.mark.parametrize("kind", ["searchset", "history"])
def test_refuses_bundles_that_are_no_handover(kind: str) -> None:
    """Naming the five that are."""
    assert refused(content(PATIENT, REPORT, kind=kind)) == [("FMT-330", "/type")]


def test_refuses_a_resource_that_is_no_bundle() -> None:
    """A lone report has nobody to belong to."""
    assert refused(signed(b'{"resourceType":"Patient","active":true}')) == [("FMT-330", "")]


def test_refuses_a_deletion() -> None:
    """A laboratory withdraws a report by its status, never by deleting resources."""
    deletion = '{"request":{"method":"DELETE","url":"Observation/1"}}'
    assert refused(content(PATIENT, REPORT, deletion)) == [("FMT-334", "/entry/2/request/method")]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"type":', '"implicitRules":"urn:x","type":', "/implicitRules"),
        ('"request":', '"modifierExtension":[{M}],"request":', "/entry/0/modifierExtension"),
        ('"method":', '"modifierExtension":[{M}],"method":', "/entry/0/request/modifierExtension"),
    ],
)
def test_refuses_what_changes_the_meaning_from_around_a_resource(
    old: str, new: str, place: str
) -> None:
    """«Do not count this one» may be said of an entry as well as of a result."""
    modifier = '{"url":"urn:not","valueBoolean":true}'
    written = content(PATIENT, REPORT).octets.decode()
    changed = written.replace(old, new.replace("{M}", modifier), 1)
    assert refused(signed(changed.encode())) == [("MAP-111", place)]


def test_refuses_noise_with_a_place() -> None:
    """Bytes that are not the format are the sender's fault, never a bug of ours."""
    assert refused(signed(b"noise")) == [("FMT-301", "")]
    assert refused(signed(b'{"resourceType":"Bundle","type":"banana"}')) == [("FMT-315", "/type")]
    assert refused(signed(b'{"resourceType":"Bundle","type":["batch"]}')) == [("FMT-315", "/type")]


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (b'{"resourceType":"Bundle"', True),
        (b'\xef\xbb\xbf \n{ "id":"x",\n"resourceType" : "Bundle"', True),
        (b'{"order":"77-104"}', False),
        (b'[{"resourceType":"Bundle"}]', False),
        (b"<Bundle/>", False),
        (b"", False),
    ],
)
def test_recognises_an_object_with_a_resource_type(head: bytes, is_ours: bool) -> None:
    """application/json may be another format of ours."""
    assert fhir_json.recognises(head) is is_ours


def test_a_type_selects_the_resources_of_a_bundle() -> None:
    """Mapping asks for reports, not for entry 1."""
    (report,) = root().each("DiagnosticReport")
    assert report.place == "/entry/1/resource"
    assert root().select("/DiagnosticReport/code/text") == "x"
    assert root().each("Specimen") == ()


def test_a_path_walks_names_numbers_and_stars() -> None:
    """JSON pointer, with a star for every item."""
    patient = root().each("Patient")[0]
    assert [node.value for node in patient.each("name/*/given")] == ["И", "О"]
    assert [node.place for node in patient.each("/name/0/given/*")] == [
        "/entry/0/resource/name/0/given/0",
        "/entry/0/resource/name/0/given/1",
    ]
    assert patient.select("name/0/family") == "Ф"
    assert patient.each("name/*/given")[1].select(".") == "О"
    for nothing in ("name/7/family", "name/x", "birthDate", "name/0/family/x", "name/-1"):
        assert patient.select(nothing) is None
        assert patient.each(nothing) == ()


def test_references_are_followed_in_the_bundle_and_in_the_resource() -> None:
    """The report's result is contained; its subject is another entry."""
    (report,) = root().each("DiagnosticReport")
    subject = report.resolve("urn:uuid:1")
    assert subject is not None
    assert (subject.place, subject.full_url) == ("/entry/0/resource", "urn:uuid:1")
    result = report.each("result")[0].resolve("#k")
    assert result is not None
    assert result.place == "/entry/1/resource/contained/0"
    assert report.resolve("urn:uuid:7") is None
    assert report.resolve("#x") is None


def test_leaves_are_the_texts_of_every_scalar() -> None:
    """The ledger accounts for each; 5.00 stays 5.00."""
    leaves = dict(root().leaves())
    assert leaves["/entry/1/resource/contained/0/valueQuantity/value"] == "5.00"
    assert leaves["/entry/0/resource/name/0/given/1"] == "О"
    assert len(leaves) == 23


def test_names_with_slashes_are_escaped_in_places() -> None:
    """RFC 6901: a pointer must lead back to where it came from."""
    node = JsonNode({"a/b": {"c~d": True}})
    assert list(node.leaves()) == [("/a~1b/c~0d", "true")]
    assert node.select("/a~1b/c~0d") is True
