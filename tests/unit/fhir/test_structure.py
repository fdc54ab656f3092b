"""The structure check: what R4 is, and each thing next to it that it is not."""

from __future__ import annotations

import pytest

from gateway.fhir import structure, text
from gateway.fhir.tables import elements, resource_types
from gateway.model import Json, Problem

XHTML = 'xmlns=\\"http://www.w3.org/1999/xhtml\\"'


def observation(extra: str = "", *, status: str = '"status":"final",') -> Json:
    more = f",{extra}" if extra else ""
    body = f'{{"resourceType":"Observation",{status}"code":{{"text":"K"}}{more}}}'
    return text.loads(body.encode())


def found(resource: Json) -> list[tuple[str, str]]:
    return [(problem.code, problem.place) for problem in structure.problems(resource)]


def only(resource: Json) -> Problem:
    (problem,) = structure.problems(resource)
    return problem


@pytest.mark.parametrize(
    "extra",
    [
        "",
        '"valueInteger":5',
        '"valueQuantity":{"value":5e0}',
        '"valueQuantity":{"value":0.0000001,"unit":"mg"}',
        '"valueQuantity":{"value":1,"code":"g","system":"http://unitsofmeasure.org"}',
        '"effectiveDateTime":"2024-02-29"',
        '"effectiveDateTime":"2026-02-03T10:00:60.123+14:00"',
        '"effectiveDateTime":"2026-02"',
        '"valueString":" a"',
        '"_valueString":{"extension":[{"url":"http://x","valueCode":"unknown"}]}',
        '"subject":{"reference":"Patient/1"}',
        '"subject":{"reference":"http://x/fhir/Patient/1/_history/2"}',
        '"subject":{"reference":"http://x/anything"}',
        '"subject":{"identifier":{"value":"1"},"type":"Patient"}',
        '"subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p","active":true}]',
        '"extension":[{"url":"http://x","extension":[{"url":"y","valueDecimal":1.0}]}]',
        f'"text":{{"status":"generated","div":"<div {XHTML}>a&nbsp;<b>b</b></div>"}}',
        '"referenceRange":[{"low":{"value":1},"high":{"value":1}}]',
        '"dataAbsentReason":{"text":"clotted"}',
    ],
)
def test_accepts_what_r4_allows(extra: str) -> None:
    """The good neighbours of everything refused below."""
    assert found(observation(extra)) == []


@pytest.mark.parametrize(
    ("extra", "code", "place"),
    [
        ('"foo":1', "FMT-311", "/foo"),
        ('"valueQuantity":{"value":1,"vlaue":2}', "FMT-311", "/valueQuantity/vlaue"),
        ('"valueString":"a","valueBoolean":true', "FMT-313", ""),
        ('"valueString":"a","_valueBoolean":{"extension":[{"url":"x","valueCode":"y"}]}',
         "FMT-313", ""),
        ('"component":[{"code":{"text":"a"},"valueString":"q","valueInteger":1}]',
         "FMT-313", "/component/0"),
        ('"component":[{"valueString":"q"}]', "FMT-312", "/component/0"),
        ('"valueQuantity":{"value":"5"}', "FMT-314", "/valueQuantity/value"),
        ('"valueBoolean":"true"', "FMT-314", "/valueBoolean"),
        ('"interpretation":{"text":"x"}', "FMT-314", "/interpretation"),
        ('"subject":[{"reference":"Patient/1"}]', "FMT-314", "/subject"),
        ('"subject":null', "FMT-314", "/subject"),
        ('"category":[null]', "FMT-314", "/category/0"),
        ('"valueInteger":5.0', "FMT-316", "/valueInteger"),
        ('"valueInteger":5e0', "FMT-316", "/valueInteger"),
        ('"valueInteger":3000000000', "FMT-316", "/valueInteger"),
        ('"effectiveDateTime":"2026-02-29"', "FMT-316", "/effectiveDateTime"),
        ('"effectiveDateTime":"1900-02-29"', "FMT-316", "/effectiveDateTime"),
        ('"effectiveDateTime":"2026-04-31"', "FMT-316", "/effectiveDateTime"),
        ('"effectiveDateTime":"2026-02-03T10:00:00"', "FMT-316", "/effectiveDateTime"),
        ('"effectiveDateTime":"2026-2-3"', "FMT-316", "/effectiveDateTime"),
        ('"effectiveDateTime":"0000-01-01"', "FMT-316", "/effectiveDateTime"),
        ('"valueString":""', "FMT-316", "/valueString"),
        ('"valueString":" "', "FMT-316", "/valueString"),
        ('"id":"a_b"', "FMT-316", "/id"),
        ('"language":" ru"', "FMT-316", "/language"),
        ('"subject":{}', "FMT-317", "/subject"),
        ('"subject":{"id":"x"}', "FMT-317", "/subject"),
        ('"category":[]', "FMT-317", "/category"),
        ('"subject":{"reference":"Observation/1"}', "FMT-318", "/subject"),
        ('"subject":{"reference":"http://x/fhir/Medication/1"}', "FMT-318", "/subject"),
        ('"subject":{"type":"Medication"}', "FMT-318", "/subject"),
        ('"subject":{"reference":"#p"},"contained":[{"resourceType":"Medication","id":"p","status":"active"}]',
         "FMT-318", "/subject"),
        ('"subject":{"reference":"Foo/1"}', "FMT-310", "/subject"),
        ('"extension":[{"url":"x","valueString":"b","valueCode":"c"}]', "FMT-313", "/extension/0"),
        ('"extension":[{"valueString":"b"}]', "FMT-312", "/extension/0"),
        ('"extension":[{"url":"x","valueFoo":"b"}]', "FMT-311", "/extension/0/valueFoo"),
        ('"contained":[{"resourceType":"Foo","id":"x"}],"note":[{"text":"#x"}]',
         "FMT-310", "/contained/0/resourceType"),
    ],
)  # fmt: skip
def test_refuses_the_nearest_wrong_thing(extra: str, code: str, place: str) -> None:
    """With the code that says what, and the pointer that says where."""
    assert found(observation(extra)) == [(code, place)]


def test_refuses_a_status_that_is_no_status_and_lists_those_that_are() -> None:
    """fhir.resources takes status=banana; a clinic would not know final from preliminary."""
    problem = only(observation(status='"status":"banana",'))
    assert (problem.code, problem.place) == ("FMT-315", "/status")
    assert problem.detail["expected"].startswith("registered, preliminary, final")
    assert "banana" not in str(problem)


def test_refuses_a_missing_required_element_by_name() -> None:
    """A required primitive may be there by its extension alone, but not at all is refused."""
    problem = only(observation(status=""))
    assert (problem.code, problem.detail["name"]) == ("FMT-312", "status")
    unknown = '"_status":{"extension":[{"url":"http://x","valueCode":"unknown"}]},'
    assert found(observation(status=unknown)) == []


@pytest.mark.parametrize(
    "body", ['{"a":1}', '{"resourceType":"Patinet"}', '{"resourceType":["Patient"]}',
             '{"resourceType":null}', '{"resourceType":"Resource"}', '{"resourceType":"HumanName"}',
             '{"resourceType":"SubscriptionStatus"}']
)  # fmt: skip
def test_refuses_an_unknown_resource_type(body: str) -> None:
    """Never a KeyError; and types of other releases are not R4."""
    assert found(text.loads(body.encode())) == [("FMT-310", "/resourceType")]


@pytest.mark.parametrize("value", [None, [], "Patient", 5, True])
def test_refuses_what_is_no_object(value: list[None] | str | int | None) -> None:
    """A resource is an object."""
    assert [p.code for p in structure.problems(value, "/entry/0/resource")] == ["FMT-314"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ('"given":["a","b"]', None),
        ('"given":[null,"b"],"_given":[{"extension":[{"url":"x","valueCode":"y"}]},null]', None),
        ('"given":[null,"b"]', "FMT-321"),
        ('"given":[null,"b"],"_given":[{"extension":[{"url":"x","valueCode":"y"}]}]', "FMT-321"),
        (
            '"given":[null,"b"],"_given":[null,{"extension":[{"url":"x","valueCode":"y"}]}]',
            "FMT-321",
        ),
    ],
)
def test_a_null_stands_only_where_an_extension_does(names: str, code: str | None) -> None:
    """R4 JSON, 2.6.2.3: arrays of primitives and their extensions match item by item."""
    body = f'{{"resourceType":"Patient","name":[{{{names}}}]}}'
    assert [p.code for p in structure.problems(text.loads(body.encode()))] == (
        [code] if code else []
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"resourceType":"Patient","name":[{"family":"Секретова","given":"Мария"}]}',
        '{"resourceType":"Patient","gender":"Секретова"}',
        '{"resourceType":"Patient","birthDate":"Секретова"}',
        '{"resourceType":"Patient","Секретова Мария":"x"}',
        '{"resourceType":"Секретова Мария"}',
    ],
)
def test_no_value_stands_in_a_problem(body: str) -> None:
    """Problems are logged and sent around; a patient's data must not travel with them."""
    problems = structure.problems(text.loads(body.encode()))
    assert problems
    assert not any("Секретова" in str(problem) for problem in problems)


def test_many_faults_do_not_make_many_problems() -> None:
    """A list of ten thousand faults helps nobody and costs much."""
    body = {"resourceType": "Patient", "name": [{"family": 1} for _ in range(10_000)]}
    assert len(structure.problems(body)) == structure.PROBLEMS_MAX  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(resource_types()))
def test_every_resource_type_has_a_schema_that_builds(name: str) -> None:
    """A mistake in the tables of a rare type would show only when one arrives."""
    assert "id" in elements(name)
    problems = structure.problems({"resourceType": name, "unheardOf": 1})
    assert "FMT-311" in {problem.code for problem in problems}
