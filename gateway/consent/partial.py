"""The part of a record that a consent by test lets go.

Built from what is named here, never by taking away what is known to be dangerous: a report's
conclusion, its printed form and the signed original speak of every test, so they stay behind,
and what a resource says beside its results is left out.  The report that leaves says of
itself that it is not whole.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import cast

from gateway.model import Json, JsonValue

SUBSETTED: Json = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
REDACTED: Json = SUBSETTED | {"code": "REDACTED", "display": "redacted"}
REPORT_CODE: Json = {
    "coding": [
        {"system": "http://loinc.org", "code": "11502-2", "display": "Laboratory report"},
    ]
}
"""In place of a report's own code, which may name a test that stays behind."""

_COMMON = ("resourceType", "id", "meta", "identifier", "subject")
KEPT: dict[str, tuple[str, ...]] = {
    "DiagnosticReport": (
        *_COMMON,
        *("basedOn", "status", "category", "effectiveDateTime", "effectivePeriod", "issued"),
        *("performer", "resultsInterpreter", "specimen", "result"),
    ),
    "ServiceRequest": (
        *_COMMON,
        *("status", "intent", "priority", "authoredOn", "requester", "performer"),
        *("specimen", "encounter"),
    ),
    "Specimen": (*_COMMON, "accessionIdentifier", "status", "type", "receivedTime", "collection"),
    "Provenance": ("resourceType", "id", "meta", "target", "recorded", "agent"),
}
"""What is kept of a resource that speaks of several results."""

WHOLE = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Location"})
"""Types that say nothing of results."""


def tests_of(resource: Json) -> frozenset[str]:
    """Return every code an Observation is known by, its components' as well, `system|code`."""
    found: set[str] = set()
    components = resource.get("component")
    for one in (resource, *(components if isinstance(components, list) else ())):
        code = one.get("code") if isinstance(one, dict) else None
        coding = code.get("coding") if isinstance(code, dict) else None
        for item in coding if isinstance(coding, list) else ():
            if isinstance(item, dict):
                found.add(f"{item.get('system', '')}|{item.get('code', '')}")
    return frozenset(found)


def permitted_part(
    resources: tuple[Json, ...], may: Callable[[Set[str]], bool]
) -> tuple[Json, ...]:
    """Return what may go of `resources`; nothing when no result may.

    `may` is asked with the codes of one test.  An Observation with components goes only
    when it may go with each of them.
    """
    results = [one for one in resources if one["resourceType"] == "Observation"]
    going = {f"Observation/{one['id']}" for one in results if _may_go(one, may)}
    if not going:
        return ()
    if len(going) == len(results):
        return resources
    seen = {
        place
        for one in results
        if f"Observation/{one['id']}" in going
        for place in _references(one.get("specimen"))
    }
    kept = [one for one in resources if _stays(one, going, seen)]
    names = {f"{one['resourceType']}/{one['id']}" for one in kept}
    return tuple(_narrowed(one, names) for one in kept)


def _may_go(resource: Json, may: Callable[[Set[str]], bool]) -> bool:
    own = tests_of({name: value for name, value in resource.items() if name != "component"})
    components = resource.get("component")
    listed = components if isinstance(components, list) else []
    parts = [tests_of(one) for one in listed if isinstance(one, dict)]
    return all(may(own | part) for part in (frozenset[str](), *parts))


def _stays(resource: Json, going: Set[str], seen: Set[str]) -> bool:
    kind = str(resource["resourceType"])
    place = f"{kind}/{resource['id']}"
    if kind == "Observation":
        return place in going
    if kind == "Specimen":
        return place in seen
    return kind in WHOLE or kind in KEPT


def _narrowed(resource: Json, names: Set[str]) -> Json:
    kind = str(resource["resourceType"])
    if kind in WHOLE:
        return resource
    names_kept = KEPT.get(kind)
    if names_kept is None:
        # A result that goes, goes as it is but for its ties to those that stay.
        left_out = ("text", "contained", "hasMember", "derivedFrom")
        made = {name: value for name, value in resource.items() if name not in left_out}
        for name in ("hasMember", "derivedFrom"):
            if name in resource:
                made[name] = _known(resource[name], names)
    else:
        made = {name: resource[name] for name in names_kept if name in resource}
        made = {name: _known(value, names) for name, value in made.items()}
    if kind == "DiagnosticReport":
        made["code"] = REPORT_CODE
        made["meta"] = _marked(made.get("meta"))
    return {name: value for name, value in made.items() if value != []}


def _known(value: JsonValue, names: Set[str]) -> JsonValue:
    """Return a list without the references of ours to what stays behind."""
    if not isinstance(value, list):
        return value
    return [one for one in value if all(place in names for place in _references(one))]


def _references(value: JsonValue) -> tuple[str, ...]:
    """Return the reference a value is, as ours are written (`Type/id`)."""
    reference = value.get("reference") if isinstance(value, dict) else None
    return (reference,) if isinstance(reference, str) and reference.count("/") == 1 else ()


def _marked(meta: JsonValue) -> Json:
    marked: Json = dict(meta) if isinstance(meta, dict) else {}
    for name, coding in (("security", REDACTED), ("tag", SUBSETTED)):
        marked[name] = [*cast("list[JsonValue]", marked.get(name) or []), coding]
    return marked
