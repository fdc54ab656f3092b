"""Finding, following and rewriting references."""

from __future__ import annotations

from gateway.fhir import references, text

CONTENT = text.loads(b"""{"resourceType":"Bundle","type":"collection","entry":[
 {"fullUrl":"http://a/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1"}},
 {"fullUrl":"http://b/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1"}},
 {"fullUrl":"urn:uuid:3","resource":{"resourceType":"Observation","id":"3",
  "subject":{"reference":"Patient/1"},"performer":[{"reference":"#o"},{"display":"x"}]}}]}""")


def test_a_relative_reference_is_followed_on_its_own_server() -> None:
    """Else the result of one laboratory's patient 1 lands on the other's."""
    bundled = references.Bundled(CONTENT)
    places = {
        source: entry.place
        for source in ("http://a/fhir/Observation/9", "http://b/fhir/Observation/9", "urn:uuid:3")
        if (entry := bundled.resolve("Patient/1", source))
    }
    assert places == {
        "http://a/fhir/Observation/9": "/entry/0/resource",
        "http://b/fhir/Observation/9": "/entry/1/resource",
        "urn:uuid:3": "/entry/0/resource",
    }


def test_what_is_not_in_the_bundle_is_not_found() -> None:
    """An absolute URL is never answered by a resource of another server."""
    bundled = references.Bundled(CONTENT)
    for reference in ("", "urn:uuid:4", "Patient/2", "http://c/fhir/Patient/1", "Patient", "#o"):
        assert bundled.resolve(reference) is None
    found = bundled.resolve("http://b/fhir/Patient/1/_history/5")
    assert found is not None
    assert found.full_url == "http://b/fhir/Patient/1"


def test_the_number_in_a_fullurl_and_the_resources_own_name_one_thing() -> None:
    """Where a fullUrl says 1 and its resource 2, nobody knows which of them 1 means."""
    crossed = text.loads(b"""{"resourceType":"Bundle","type":"collection","entry":[
     {"fullUrl":"http://a/fhir/Patient/1","resource":{"resourceType":"Patient","id":"2"}},
     {"fullUrl":"http://a/fhir/Patient/2","resource":{"resourceType":"Patient","id":"1"}}]}""")
    bundled = references.Bundled(crossed)
    assert bundled.resolve("Patient/1", "urn:uuid:3") is None
    found = bundled.resolve("Patient/1", "http://a/fhir/Observation/3")
    assert found is not None
    assert found.place == "/entry/0/resource"


def test_walking_names_every_reference_with_its_place() -> None:
    """Displays without a reference point nowhere."""
    found = {item.place: item.node["reference"] for item in references.walk(CONTENT)}
    assert found == {
        "/entry/2/resource/subject": "Patient/1",
        "/entry/2/resource/performer/0": "#o",
    }


def test_rewriting_leaves_the_original_and_local_references_alone() -> None:
    """Deliveries renumber; the stored resource must not change under them."""
    before = text.dumps(CONTENT)
    renamed = references.rewrite(CONTENT, {"Patient/1": "Patient/77"}.get)
    assert text.dumps(CONTENT) == before
    assert text.dumps(renamed) == before.replace(b'"Patient/1"', b'"Patient/77"')


def test_rewriting_keeps_numbers_as_written() -> None:
    """A copy is no excuse to lose a zero."""
    resource = text.loads(b'{"value":0.0000001,"other":5.00}')
    assert text.dumps(references.rewrite(resource, lambda _: None)) == text.dumps(resource)
