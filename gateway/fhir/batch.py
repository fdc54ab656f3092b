"""A batch Bundle taken apart into the pieces that are judged alone (semantics, rule 7).

A transaction, a message or a collection of several reports is taken apart the same way.

An entry that holds a Bundle is a piece by itself.  The other entries are gathered by report:
a DiagnosticReport with everything it refers to, near and far, and with what speaks about it,
such as a Provenance.  What two reports share, a Patient or a Specimen, belongs to both.  An
entry that belongs to no report is a piece of its own, so that nothing is lost unsaid; where
nothing says that each entry is for itself (all but a batch), it goes with a report of the
patient it speaks of.

A fault of the JSON inside an entry is that entry's, unless it leaves in doubt what the entry is
or by which name others call it: then nobody can tell whose result would be missing.

Source: https://hl7.org/fhir/R4/http.html#transaction (batch: each entry for itself).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.errors import Rejected
from gateway.fhir import bundle as whole
from gateway.fhir import structure, text
from gateway.fhir.references import Bundled
from gateway.fhir.shape import PROBLEMS_MAX, has_shape
from gateway.fhir.tables import elements, resource_types
from gateway.fhir.text import DOUBLED, plain_name
from gateway.model import Json, JsonValue, Problem

REPORT = "DiagnosticReport"

Faults = defaultdict[int, tuple[Problem, ...]]
"""Problems by position of the entry they stand in; an entry without any has none."""

_INSIDE = re.compile(r"/entry/(?P<position>[0-9]+)(/|\Z)")
_WHAT = frozenset(("", "/resource", "/resource/resourceType"))
_WHO = frozenset(("/fullUrl", "/resource/id"))

_SHARED = frozenset(
    ("Patient", "Practitioner", "PractitionerRole", "Organization", "Location", "Device")
)
"""Who and where: to refer to one of them says nothing about which report is meant."""

_OF_EVERY_REPORT = _SHARED | {"Consent"}
"""What holds for each report of a patient alike, and is stored once however often it is read."""


_SUBJECTS = frozenset(("subject", "patient", "beneficiary"))
"""Elements that name the patient a resource is of."""


class Piece(NamedTuple):
    """One part of a batch: a Bundle, a report with what belongs to it, or a lone entry."""

    place: str
    """JSON pointer of the Bundle, the report or the lone entry."""

    entries: tuple[int, ...]
    """Positions of its entries in the batch, in order."""

    kind: str
    """`bundle`, `report` or `stray`."""

    problems: tuple[Problem, ...]
    """What is wrong with its entries; of a `bundle` only what stands around the Bundle."""


def is_several(bundle: Json) -> bool:
    """Say whether `bundle` holds more than one report."""
    entries = bundle.get("entry")
    found = 0
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        found += isinstance(resource, dict) and resource.get("resourceType") in (REPORT, "Bundle")
    return found > 1


def head_problems(bundle: Json) -> tuple[Problem, ...]:
    """Return what is wrong with a batch apart from its entries: that refuses all of it."""
    # The kind of a batch asks nothing of its first entry; what others ask is asked below.
    head: Json = {name: value for name, value in bundle.items() if name != "entry"}
    found = whole.problems({**head, "type": whole.BATCH})
    return found or _no_entries(bundle) or tuple(whole.first_rule(bundle))


def pieces(bundle: Json, bundled: Bundled, faults: Faults) -> tuple[Piece, ...]:
    """Return the pieces of `bundle` in the order they stand in it.

    `faults` are those of its entries' JSON, as `faults_by_entry` gives them.
    """
    entries = bundle["entry"]
    assert isinstance(entries, list)
    problems = _entry_problems(entries, bundled, faults, str(bundle["type"]))
    found: list[Piece] = []
    flat: dict[int, Json] = {}
    for position, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        place = f"/entry/{position}"
        if not isinstance(resource, dict):
            found.append(Piece(place, (position,), "stray", problems[position]))
        elif resource.get("resourceType") == "Bundle":
            own = problems[position]
            found.append(Piece(f"{place}/resource", (position,), "bundle", own))
        else:
            flat[position] = resource
    adopt = bundle["type"] in whole.GATHERED
    found += _by_report(flat, bundled, problems, adopt=adopt)
    return tuple(sorted(found, key=lambda piece: int(piece.place.split("/")[2])))


def faults_by_entry(bundle: Json, faults: Iterable[Problem]) -> Faults:
    """Return the faults of the JSON of a batch by position of the entry they stand in.

    Raises Rejected with those that spoil more than their entry.
    """
    found: defaultdict[int, tuple[Problem, ...]] = defaultdict(tuple)
    beyond: list[Problem] = []
    for problem in faults:
        inside = _INSIDE.match(problem.place)
        if inside is None or _in_doubt(bundle, int(inside["position"]), problem):
            beyond.append(problem)
        else:
            found[int(inside["position"])] += (problem,)
    if beyond:
        raise Rejected(*beyond[:PROBLEMS_MAX])
    return found


def picked(bundle: Json, entries: tuple[int, ...]) -> Bundled:
    """Return `bundle` with only these entries; each keeps the place where it stands."""
    given = bundle["entry"]
    assert isinstance(given, list)
    some: Json = {**bundle, "entry": [given[position] for position in entries]}
    return Bundled(some, positions=entries)


def _no_entries(bundle: Json) -> tuple[Problem, ...]:
    entries = bundle.get("entry")
    if isinstance(entries, list) and entries:
        return ()
    return (Problem(code="FMT-336", place="/entry"),)


# --- what is wrong with each entry -----------------------------------------------------


def _in_doubt(bundle: Json, position: int, problem: Problem) -> bool:
    """Say whether a fault leaves open what an entry is, or by which name others call it."""
    entries = bundle["entry"]
    assert isinstance(entries, list)
    entry = entries[position]
    resource = entry.get("resource") if isinstance(entry, dict) else None
    is_bundle = isinstance(resource, dict) and resource.get("resourceType") == "Bundle"
    what = problem.place.removeprefix(f"/entry/{position}")
    if problem.code == DOUBLED:
        what += "/" + problem.detail["name"]
    return what in _WHAT or (not is_bundle and what in _WHO)


def _entry_problems(
    entries: list[JsonValue], bundled: Bundled, faults: Faults, kind: str
) -> Faults:
    """Return the problems by position of the entry they stand in.

    An entry that could not be read as it stands is not judged further: something is missing.
    """
    found: defaultdict[int, tuple[Problem, ...]] = defaultdict(tuple)
    resources = {entry.place: entry for entry in bundled.entries}
    shaped: list[Json] = []
    for position, item in enumerate(entries):
        shaped.append(item if isinstance(item, dict) else {})
        if position in faults:
            found[position] = faults[position][:PROBLEMS_MAX]
            continue
        place = f"/entry/{position}"
        mine = list(_around(item, place, kind))
        entry = resources.get(f"{place}/resource")
        if entry is not None and entry.resource.get("resourceType") != "Bundle":
            examined = structure.examine(entry.resource, entry.place)
            mine += examined.problems
            mine += whole.unfollowed(examined.pointed, entry, bundled, kind)
        found[position] = tuple(mine[:PROBLEMS_MAX])
    for problem in whole.doubled_urls(shaped):
        found[int(problem.place.split("/")[2])] += (problem,)
    return found


def _around(item: JsonValue, place: str, kind: str) -> Iterator[Problem]:
    """Yield what is wrong with an entry apart from its resource."""
    bare: JsonValue = item
    if isinstance(item, dict) and isinstance(item.get("resource"), dict):
        bare = {**item, "resource": {"resourceType": "Basic"}}
    alone: Json = {"resourceType": "Bundle", "type": kind, "entry": [bare]}
    problems: list[Problem] = []
    if not has_shape(alone, "Bundle", "", problems):
        for problem in problems:
            here = place + problem.place.removeprefix("/entry/0").removeprefix("/entry")
            yield Problem(code=problem.code, place=here, detail=problem.detail)
        return
    assert isinstance(item, dict)
    yield from whole.entry_rules(item, kind, place)
    request = item.get("request")
    writes = isinstance(request, dict) and request.get("method") in ("POST", "PUT")
    if writes and "resource" not in item:
        yield Problem(code="FMT-312", place=place, detail={"name": "resource"})


# --- which entries belong together -----------------------------------------------------


def _by_report(
    flat: dict[int, Json], bundled: Bundled, problems: Faults, *, adopt: bool
) -> Iterator[Piece]:
    """Yield a piece per report, and one per entry that belongs to none."""
    types = {position: str(resource.get("resourceType")) for position, resource in flat.items()}
    links = _links(flat, bundled)
    groups = {
        position: _reached(position, links, types) for position in flat if types[position] == REPORT
    }
    _join(groups, links, types)
    whose = {report: _whose(flat[report], bundled) for report in groups}
    if adopt:
        _adopt(groups, links, types, whose)
    unclear = _of_several(groups, flat, whose)
    for position, group in groups.items():
        members = tuple(sorted(group))
        mine = tuple(p for member in members for p in (*problems[member], *unclear[member]))
        yield Piece(f"/entry/{position}/resource", members, "report", mine[:PROBLEMS_MAX])
    taken = {member for group in groups.values() for member in group}
    for position in flat.keys() - taken:
        place = f"/entry/{position}/resource"
        lost = Problem(code="FMT-337", place=place, detail={"type": plain_name(types[position])})
        yield Piece(place, (position,), "stray", problems[position] or (lost,))


def _links(flat: dict[int, Json], bundled: Bundled) -> dict[int, set[int]]:
    """Return which entries each entry refers to."""
    positions = {f"/entry/{position}/resource": position for position in flat}
    urls = {entry.place: entry.full_url for entry in bundled.entries}
    found: dict[int, set[int]] = {}
    for place, position in positions.items():
        targets = (bundled.resolve(name, urls[place]) for name in _named(flat[position]))
        found[position] = {
            positions[target.place]
            for target in targets
            if target is not None and target.place in positions and target.place != place
        }
    return found


def _named(resource: Json) -> Iterator[str]:
    """Yield what a resource refers to: References, and attachments that lie in the batch."""
    waiting: list[JsonValue] = [resource]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            for name, value in node.items():
                if isinstance(value, str):
                    if name == "reference" or (name == "url" and value.startswith("urn:")):
                        yield value
                else:
                    waiting.append(value)


def _reached(start: int, links: dict[int, set[int]], types: dict[int, str]) -> set[int]:
    """Return `start` and all it leads to, stopping before another report."""
    reached, waiting = {start}, [start]
    while waiting:
        for target in links[waiting.pop()] - reached:
            if types[target] != REPORT:
                reached.add(target)
                waiting.append(target)
    return reached


def _join(groups: dict[int, set[int]], links: dict[int, set[int]], types: dict[int, str]) -> None:
    """Add to each group what speaks about its report, or about something only it has."""
    homes: defaultdict[int, set[int]] = defaultdict(set)
    for report, group in groups.items():
        for member in group:
            homes[member].add(report)
    own = {
        member: next(iter(reports))
        for member, reports in homes.items()
        if member in groups or (len(reports) == 1 and types[member] not in _SHARED)
    }
    for position in links.keys() - homes.keys():
        for report in {own[target] for target in links[position] if target in own}:
            reached = _reached(position, links, types)
            # What speaks about two reports names what only the other has as well.
            groups[report] |= {one for one in reached if own.get(one, report) == report}


def _adopt(
    groups: dict[int, set[int]],
    links: dict[int, set[int]],
    types: dict[int, str],
    whose: dict[int, str],
) -> None:
    """Give what belongs to no report to the first of the patient it speaks of.

    Where it names no patient, to the first that has something it names; where all reports are
    of one patient, everything is that one's.  What may be of a patient and is as near to one as
    to another is nobody's: a laboratory that both share does not say whose result it is.
    """
    patients = {position for position, type in types.items() if type == "Patient"}
    of_one = len(patients) < 2 and len(set(whose.values())) < 2
    for position in sorted(links.keys() - set().union(*groups.values())):
        mine = _reached(position, links, types)
        named = mine & patients or mine
        homes = [
            report
            for report, group in groups.items()
            if of_one or (named <= group if named <= patients else named & group)
        ]
        several = len({whose[report] for report in homes}) > 1
        if several and any(_is_personal(types[one]) for one in mine):
            continue
        for report in homes if types[position] in _OF_EVERY_REPORT else homes[:1]:
            groups[report] |= mine


def _of_several(
    groups: dict[int, set[int]], flat: dict[int, Json], whose: dict[int, str]
) -> Faults:
    """Return a problem for what reports of several patients share and does not say whose it is.

    Each report would take it for its own patient's, and one of them is wrong.
    """
    patients: defaultdict[int, set[str]] = defaultdict(set)
    for report, group in groups.items():
        for member in group:
            patients[member].add(whose[report])
    found: Faults = defaultdict(tuple)
    for member, several in patients.items():
        kind = str(flat[member].get("resourceType"))
        if len(several) > 1 and _is_personal(kind) and not _says_whose(flat[member]):
            place = f"/entry/{member}/resource"
            found[member] = (Problem(code="MAP-112", place=place, detail={"type": kind}),)
    return found


def _whose(report: Json, bundled: Bundled) -> str:
    """Return a mark of the patient a report names; what is written otherwise is another."""
    subject = report.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    if isinstance(reference, str) and reference.startswith("#"):
        contained = report.get("contained")
        several = contained if isinstance(contained, list) else []
        own = [one for one in several if isinstance(one, dict) and one.get("id") == reference[1:]]
        return text.dumps(list[JsonValue](own)).decode()
    found = bundled.resolve(reference) if isinstance(reference, str) else None
    return found.place if found else text.dumps(subject).decode()


def _is_personal(kind: str) -> bool:
    """Say whether resources of a type are of some patient; a Binary is some patient's page."""
    if kind in _SHARED or kind not in resource_types():
        return kind == "Patient"
    return kind == "Binary" or not _SUBJECTS.isdisjoint(elements(kind))


def _says_whose(resource: Json) -> bool:
    """Say whether a resource is a patient or names one by more than words."""
    named = (resource.get(name) for name in _SUBJECTS)
    return resource["resourceType"] == "Patient" or any(
        isinstance(one, dict) and one.keys() & {"reference", "identifier"} for one in named
    )
