"""Bundles changed at random: refused or taken, never a crash."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Rejected
from gateway.fhir import nodes, outcome, search, text
from gateway.fhir.tables import elements
from gateway.formats import fhir_json
from gateway.model import Assurance, SignedContent

URN = "urn:uuid:00000000-0000-4000-8000-00000000000%d"
BUNDLE: Any = text.loads(
    b"""{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{"resourceType":"Patient",
"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">x</div>"},
"extension":[{"url":"http://x","valuePeriod":{"start":"2026"}}],
"name":[{"family":"A","given":["B",null],"_given":[null,{"extension":[{"url":"u","valueCode":"v"}]}]}],
"birthDate":"1980-02-29","contained":[{"resourceType":"Organization","id":"o","name":"x"}],
"managingOrganization":{"reference":"#o"}},"request":{"method":"POST","url":"Patient"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{"resourceType":"Observation",
"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},
"subject":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"},
"effectivePeriod":{"start":"2026-01-01","end":"2026-01-02T00:00:00Z"},
"valueQuantity":{"value":5.00,"unit":"g/L"},
"referenceRange":[{"low":{"value":1},"high":{"value":1e1}}]},
"request":{"method":"POST","url":"Observation"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000003","resource":{
"resourceType":"DiagnosticReport","status":"final","code":{"text":"x"},
"result":[{"reference":"urn:uuid:00000000-0000-4000-8000-000000000002"}]},
"request":{"method":"POST","url":"DiagnosticReport"}}]}"""
)

NAMES = sorted(
    {
        name
        for kind in ("Observation", "Patient", "Bundle.entry", "Extension", "Reference", "Quantity")
        for element in elements(kind).values()
        for name, _ in element.properties()
    }
    | {"resourceType", "_status", "_given", "__proto__", "", "a/b", "Ж"}
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.sampled_from(["", " ", "final", "banana", "#o", "#", "#x", URN % 1, URN % 2, "Patient/1",
                     "Foo/1", "Bundle", "Observation", "2026-02-30", "9999-12-31T23:59:60Z", "é"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9, max_value=9),
    st.builds(list),
    st.builds(dict),
    st.just([None]),
    st.just({"resourceType": "Patient", "id": "x"}),
    st.just([{"resourceType": "Bundle", "type": "collection", "contained": [{}]}]),
    st.just({"extension": [{"url": "x", "extension": [{"extension": {}}]}]}),
    st.just({"reference": "#o", "type": "Foo"}),
)  # fmt: skip


def places(node: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) in `node`."""
    keys = (
        list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    )
    return [(node, key) for key in keys] + [pair for key in keys for pair in places(node[key])]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = copy.deepcopy(BUNDLE)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(content)))
        match draw(st.sampled_from(["replace", "remove", "add", "move"])):
            case "replace":
                container[key] = copy.deepcopy(draw(VALUES))
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(VALUES))
            case _:
                donor, name = draw(st.sampled_from(places(content)))
                container[key] = copy.deepcopy(donor[name])
        if not places(content):
            break
    return text.dumps(content)


def parse(octets: bytes) -> None:
    content = SignedContent(
        octets=octets, media_type="application/fhir+json", assurance=Assurance.SIGNED, report=None
    )
    try:
        (document,) = fhir_json.parse(content)
    except Rejected as refusal:
        resource = outcome.operation_outcome(refusal.problems)
        assert len(text.dumps(resource)) > 2
        return
    assert isinstance(document.root, nodes.JsonNode)
    for _ in document.root.leaves():
        pass
    for entry in document.root.each("entry/*/resource"):
        search.index(entry.value)  # type: ignore[arg-type]


def test_the_bundle_is_accepted_before_it_is_changed() -> None:
    """Else the changes below would prove nothing."""
    parse(text.dumps(BUNDLE))
    fhir_json.parse(
        SignedContent(
            octets=text.dumps(BUNDLE), media_type="", assurance=Assurance.SIGNED, report=None
        )
    )


@given(mutated())
def test_a_changed_bundle_is_taken_or_refused(octets: bytes) -> None:
    """Nothing but Rejected comes out, whatever a sender's software does to a bundle."""
    parse(octets)


@given(st.integers(0, len(text.dumps(BUNDLE)) - 1))
def test_a_cut_bundle_is_refused(length: int) -> None:
    """Half a report is no report."""
    try:
        text.loads(text.dumps(BUNDLE)[:length])
    except Rejected:
        return
    raise AssertionError(length)
