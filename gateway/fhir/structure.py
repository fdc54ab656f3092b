"""The structure check: is this resource what FHIR R4 4.0.1 says it is?

`gateway.fhir.shape` judges the shape against schemas made from the official tables.  Only a
resource of the right shape is then walked, by a plan that visits nothing but references,
extensions, contained resources and values with rules a schema cannot say.  Problems carry a
JSON pointer, element names, types and code lists, never a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from gateway.fhir.invariants import CHECKS
from gateway.fhir.references import literal
from gateway.fhir.shape import PROBLEMS_MAX, has_shape
from gateway.fhir.tables import PRIMITIVES, elements, resource_types
from gateway.fhir.text import dumps, kind, plain_name, pointer
from gateway.model import Json, JsonValue, Problem


class Pointed(NamedTuple):
    """A reference as it stands in a resource."""

    place: str
    reference: str
    targets: frozenset[str]
    """Resource types it may point to; empty means any."""


@dataclass(slots=True)
class Examination:
    """What the check of one resource found; filled while the resource is walked."""

    problems: list[Problem] = field(default_factory=list)
    pointed: list[Pointed] = field(default_factory=list)
    """Literal references that are still to be resolved, contained resources' included."""


def problems(resource: JsonValue, place: str = "") -> tuple[Problem, ...]:
    """Return what is wrong with `resource`, which stands at `place`; nothing when it is R4.

    References are checked as far as the resource alone tells: contained ones must be there,
    literal ones must name an allowed type.
    """
    return tuple(examine(resource, place).problems[:PROBLEMS_MAX])


def examine(
    resource: JsonValue, place: str = "", *, is_contained: bool = False, plain: bool = False
) -> Examination:
    """Check `resource` and collect its references, for a caller that can resolve them.

    References to contained resources are settled here, or by the caller if this one is
    contained itself.  `plain` tells that the caller found `is_plain` of the whole.
    """
    found = Examination()
    if not _has_shape(resource, place, found.problems):
        return found
    assert isinstance(resource, dict)
    name = str(resource["resourceType"])
    if plain or is_plain(resource):
        _walk(resource, name, place, _SHORT, found)
    else:
        _walk(resource, name, place, _FULL, found)
        _check_contained(resource, place, found)
    if not is_contained:
        _check_local(resource, found)
    return found


def wrong_target(pointed: Pointed, found: str) -> Problem | None:
    """Return the problem of a reference that points to a resource of type `found`."""
    if not pointed.targets or found in pointed.targets:
        return None
    expected = ", ".join(sorted(pointed.targets))
    detail = {"found": plain_name(found), "expected": expected}
    return Problem(code="FMT-318", place=pointed.place, detail=detail)


def _has_shape(resource: JsonValue, place: str, problems: list[Problem]) -> bool:
    if not isinstance(resource, dict):
        detail = {"found": kind(resource), "expected": "object"}
        problems.append(Problem(code="FMT-314", place=place, detail=detail))
        return False
    name = resource.get("resourceType")
    if not isinstance(name, str) or name not in resource_types():
        shown = plain_name(name) if isinstance(name, str) else kind(name)
        here = pointer(place, "resourceType")
        problems.append(Problem(code="FMT-310", place=here, detail={"found": shown}))
        return False
    return has_shape(resource, name, place, problems)


# --- walk ------------------------------------------------------------------------------

_APART = (b'"extension"', b'"modifierExtension"', b'"contained"')

Plan = dict[str, dict[str, tuple[str, frozenset[str]]]]
"""Per type, the properties worth a visit: (type of the value, targets of a Reference)."""


class _LazyPlan(Plan):
    """Steps of a type are worked out when the type is first met."""

    def __init__(self, full: bool) -> None:
        super().__init__()
        self.full = full

    def __missing__(self, type_name: str) -> dict[str, tuple[str, frozenset[str]]]:
        steps = {
            name: (kind_name, element.targets if kind_name == "Reference" else frozenset())
            for element in elements(type_name).values()
            for name, kind_name in element.properties()
            if kind_name not in PRIMITIVES and (self.full or _is_worth(kind_name))
        }
        self[type_name] = steps
        return steps


_SHORT, _FULL = _LazyPlan(full=False), _LazyPlan(full=True)


@cache
def _is_worth(type_name: str) -> bool:
    """Say whether a check or a reference can be met at or below a value, extensions aside."""
    seen, waiting = set[str](), [type_name]
    while waiting:
        name = waiting.pop()
        if name == "Extension":
            continue
        if name in CHECKS or name in ("Reference", "Resource"):
            return True
        if name not in seen and name not in PRIMITIVES:
            seen.add(name)
            waiting += [kind for item in elements(name).values() for kind in item.types]
    return False


def is_plain(resource: Json) -> bool:
    """Say whether nothing in `resource` is extended or contained: the usual case.

    Looking for the names in the text finds every such element and costs a fifth of a walk; a
    value that happens to be such a name only means a walk that was not needed.
    """
    octets = dumps(resource)
    return not any(name in octets for name in _APART)


def _walk(node: Json, type_name: str, place: str, plan: Plan, found: Examination) -> None:
    check = CHECKS.get(type_name)
    if check is not None:
        for rule in check(node):
            detail = {"rule": rule, "type": type_name}
            found.problems.append(Problem(code="FMT-320", place=place, detail=detail))
    steps = plan[type_name]
    for name, value in node.items():
        step = steps.get(name)
        if step is not None:
            if type(value) is list:
                for index, item in enumerate(value):
                    _visit(item, step, f"{place}/{name}/{index}", plan, found)
            else:
                _visit(value, step, f"{place}/{name}", plan, found)
        elif name[0] == "_":
            _walk_twin(node, name, place, plan, found)


def _visit(
    value: JsonValue,
    step: tuple[str, frozenset[str]],
    place: str,
    plan: Plan,
    found: Examination,
) -> None:
    assert isinstance(value, dict), place
    type_name, targets = step
    if type_name == "Reference":
        _note_reference(value, place, targets, found)
        if len(value) == 1:
            return
    elif type_name == "Resource":
        inner = examine(value, place, is_contained="/contained/" in place[-16:])
        found.problems.extend(inner.problems)
        found.pointed.extend(inner.pointed)
        return
    elif type_name == "Extension" and not has_shape(value, "Extension", place, found.problems):
        return
    _walk(value, type_name, place, plan, found)


def _walk_twin(node: Json, name: str, place: str, plan: Plan, found: Examination) -> None:
    """Walk the extensions of a primitive; in an array, each twin belongs to its item."""
    twin, value = node[name], node.get(name[1:])
    if not isinstance(twin, list):
        assert isinstance(twin, dict), place
        _walk(twin, "Element", f"{place}/{name}", plan, found)
        return
    items = value if isinstance(value, list) else [None] * len(twin)
    if len(items) != len(twin) or any(
        item is None and extra is None for item, extra in zip(items, twin, strict=True)
    ):
        detail = {"name": name[1:]}
        found.problems.append(Problem(code="FMT-321", place=f"{place}/{name}", detail=detail))
    for index, extra in enumerate(twin):
        if isinstance(extra, dict):
            _walk(extra, "Element", f"{place}/{name}/{index}", plan, found)


def _note_reference(node: Json, place: str, targets: frozenset[str], found: Examination) -> None:
    """Keep a literal reference for who can follow it; judge the types it names by itself."""
    reference, named = node.get("reference"), None
    if isinstance(reference, str):
        found.pointed.append(Pointed(place, reference, targets))
        if not reference.startswith("urn:"):
            parts = literal(reference)
            named = parts.type if parts else None
        elif len(node) == 1:
            return
    told = node.get("type")
    for name in (named, told):
        if not isinstance(name, str) or "/" in name:
            continue
        if name not in resource_types():
            detail = {"found": plain_name(name)}
            found.problems.append(Problem(code="FMT-310", place=place, detail=detail))
        elif problem := wrong_target(Pointed(place, "", targets), name):
            found.problems.append(problem)
            return


# --- contained resources ---------------------------------------------------------------


def _check_contained(resource: Json, place: str, found: Examination) -> None:
    contained = resource.get("contained")
    if not isinstance(contained, list):
        return
    used = _local_uses(resource)
    for index, item in enumerate(contained):
        assert isinstance(item, dict)
        here = pointer(place, "contained", index)
        meta = item.get("meta")
        broken = [
            rule
            for rule, is_broken in (
                ("dom-2", "contained" in item),
                ("dom-3", f"#{item.get('id')}" not in used and "#" not in _local_uses(item)),
                (
                    "dom-4",
                    isinstance(meta, dict) and bool({"versionId", "lastUpdated"} & meta.keys()),
                ),
                ("dom-5", isinstance(meta, dict) and "security" in meta),
            )
            if is_broken
        ]
        found.problems.extend(
            Problem(code="FMT-320", place=here, detail={"rule": rule, "type": "Resource"})
            for rule in broken
        )


def _local_uses(node: JsonValue) -> set[str]:
    """Return every text in `node` that could point to a contained resource."""
    if isinstance(node, str):
        return {node} if node.startswith("#") else set()
    if isinstance(node, dict):
        node = list(node.values())
    uses = set[str]()
    for item in node if isinstance(node, list) else ():
        uses |= _local_uses(item)
    return uses


def _check_local(resource: Json, found: Examination) -> None:
    """Check references to contained resources (ref-1) and what they point to."""
    local = [item for item in found.pointed if item.reference.startswith("#")]
    if not local:
        return
    found.pointed[:] = [item for item in found.pointed if not item.reference.startswith("#")]
    contained = resource.get("contained")
    types = {
        f"#{item.get('id')}": str(item.get("resourceType"))
        for item in (contained if isinstance(contained, list) else ())
        if isinstance(item, dict)
    }
    types["#"] = str(resource["resourceType"])
    for item in local:
        if item.reference not in types:
            detail = {"rule": "ref-1", "type": "Reference"}
            found.problems.append(Problem(code="FMT-320", place=item.place, detail=detail))
        elif problem := wrong_target(item, types[item.reference]):
            found.problems.append(problem)
