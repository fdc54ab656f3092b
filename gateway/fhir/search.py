"""What of a resource can be searched: rows for the index, one per value.

The parameters below are those the gateway indexes, as data: per resource type the name, the
type and the path of R4's own search parameter.  A row of type `token` has system and code, of
`date` a half-open range of instants, of `reference` the literal reference, of `string` the
text in lower case.  Which rows are stored in clear and which as keyed tokens is the store's
decision, not made here.

Source: https://hl7.org/fhir/R4/search.html, searchparameter-registry.html.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gateway.model import Json, JsonValue

PARAMETERS: dict[str, str] = {
    "Composition": "date:date patient:reference=subject status:token type:token",
    "Consent": "date:date=dateTime patient:reference status:token",
    "DiagnosticReport": """based-on:reference=basedOn category:token code:token
        date:date=effective[x] identifier:token issued:date patient:reference=subject
        performer:reference result:reference specimen:reference status:token""",
    "DocumentReference": """date:date identifier:token=identifier|masterIdentifier
        patient:reference=subject status:token type:token""",
    "Encounter": "date:date=period identifier:token patient:reference=subject status:token",
    "Observation": """based-on:reference=basedOn category:token code:token
        combo-code:token=code|component/code date:date=effective[x] identifier:token
        interpretation:token patient:reference=subject performer:reference specimen:reference
        status:token""",
    "Organization": "identifier:token name:string",
    "Patient": """active:token birthdate:date=birthDate family:string=name/family gender:token
        given:string=name/given identifier:token""",
    "Practitioner": "family:string=name/family given:string=name/given identifier:token",
    "PractitionerRole": """identifier:token organization:reference practitioner:reference
        role:token=code""",
    "Provenance": "patient:reference=target recorded:date target:reference",
    "ServiceRequest": """authored:date=authoredOn category:token code:token identifier:token
        patient:reference=subject requester:reference requisition:token status:token""",
    "Specimen": """accession:token=accessionIdentifier collected:date=collection/collected[x]
        identifier:token patient:reference=subject status:token type:token""",
    "Task": "authored-on:date=authoredOn identifier:token patient:reference=for status:token",
}
"""Per type: ``name:kind=path|path``; the path is left out where it is the name."""

_EVERYWHERE = "_lastUpdated:date=meta/lastUpdated _security:token=meta/security _tag:token=meta/tag"

_TIME = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:T(?P<hour>\d\d):(?P<minute>\d\d)"
    r":(?P<second>\d\d)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d))?)?)?"
)


class IndexRow(NamedTuple):
    """One searchable value of a resource."""

    param: str
    kind: str
    """`token`, `date`, `reference` or `string`."""

    system: str = ""
    value: str = ""
    date_low: datetime | None = None
    """First instant the value may mean; None where it has no beginning."""

    date_high: datetime | None = None
    """First instant it cannot mean any more; None where it has no end."""


def index(resource: Json) -> tuple[IndexRow, ...]:
    """Return the rows of `resource`, without doubles, in the order of the parameters."""
    rows = dict.fromkeys(
        row
        for name, read, steps in _PLANS.get(str(resource.get("resourceType")), _PLANS[""])
        for value in _values(resource, steps)
        for row in read(name, value)
    )
    return tuple(rows)


def date_range(text: str) -> tuple[datetime, datetime] | None:
    """Return the half-open range of instants that a FHIR date or dateTime means.

    A date without an offset is taken in UTC; the last of time is cut at year 9999.

    >>> [str(end) for end in date_range("2026-02")]
    ['2026-02-01 00:00:00+00:00', '2026-03-01 00:00:00+00:00']
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        low = _start(match)
        return low.astimezone(UTC), min(_end(match, low), _LAST)
    except (ValueError, OverflowError):
        return None


_LAST = datetime.max.replace(tzinfo=UTC)


def _start(match: re.Match[str]) -> datetime:
    year, month, day = (int(match[name] or 1) for name in ("year", "month", "day"))
    if match["hour"] is None:
        return datetime(year, month, day, tzinfo=UTC)
    # A leap second is indexed as the second before it.
    second = min(int(match["second"]), 59)
    micro = int((match["fraction"] or ".0")[1:7].ljust(6, "0"))
    zone = datetime.fromisoformat(f"2000-01-01T00:00:00{match['zone']}").tzinfo
    hour, minute = int(match["hour"]), int(match["minute"])
    return datetime(year, month, day, hour, minute, second, micro, zone)


def _end(match: re.Match[str], low: datetime) -> datetime:
    if match["fraction"]:
        step = timedelta(microseconds=10 ** max(0, 7 - len(match["fraction"])))
    elif match["hour"]:
        step = timedelta(seconds=1)
    elif match["day"]:
        step = timedelta(days=1)
    elif match["month"]:
        step = timedelta(days=calendar.monthrange(low.year, low.month)[1])
    else:
        step = timedelta(days=366 if calendar.isleap(low.year) else 365)
    try:
        return low.astimezone(UTC) + step
    except OverflowError:
        return _LAST


def _values(resource: Json, steps: tuple[_Step, ...]) -> list[JsonValue]:
    """Return the values at a path, in document order; an array counts as its items."""
    nodes: list[JsonValue] = [resource]
    for step in steps:
        below: list[JsonValue] = []
        for node in nodes:
            if not isinstance(node, dict):
                continue
            if step.is_choice:
                names = [name for name in node if name.startswith(step.name)]
            else:
                names = [step.name] if step.name in node else []
            for value in (node[name] for name in names):
                if isinstance(value, list):
                    below.extend(value)
                else:
                    below.append(value)
        nodes = below
    return nodes


def _tokens(name: str, value: JsonValue) -> Iterator[IndexRow]:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, str):
        yield IndexRow(param=name, kind="token", value=value)
    elif isinstance(value, dict):
        codings = value.get("coding")
        for item in codings if isinstance(codings, list) else [value]:
            code = item.get("code", item.get("value")) if isinstance(item, dict) else None
            if isinstance(item, dict) and isinstance(code, str):
                system = str(item.get("system", ""))
                yield IndexRow(param=name, kind="token", system=system, value=code)


def _dates(name: str, value: JsonValue) -> Iterator[IndexRow]:
    if isinstance(value, str):
        if span := date_range(value):
            yield IndexRow(param=name, kind="date", date_low=span[0], date_high=span[1])
    elif isinstance(value, dict) and {"start", "end"} & value.keys():
        start, end = (
            date_range(str(value[key])) if key in value else None for key in ("start", "end")
        )
        yield IndexRow(
            param=name,
            kind="date",
            date_low=start[0] if start else None,
            date_high=end[1] if end else None,
        )


def _references(name: str, value: JsonValue) -> Iterator[IndexRow]:
    reference = value.get("reference") if isinstance(value, dict) else None
    if isinstance(reference, str) and not reference.startswith("#"):
        is_patient = name != "patient" or "Patient/" in reference or ":" in reference
        if is_patient:
            yield IndexRow(param=name, kind="reference", value=reference)


def _strings(name: str, value: JsonValue) -> Iterator[IndexRow]:
    if isinstance(value, str):
        yield IndexRow(param=name, kind="string", value=value.casefold())


_READERS = {"token": _tokens, "date": _dates, "reference": _references, "string": _strings}


class _Step(NamedTuple):
    """One element of a path; of a choice, `name` is what its names begin with."""

    name: str
    is_choice: bool


_Plan = list[tuple[str, Callable[[str, JsonValue], Iterator[IndexRow]], tuple[_Step, ...]]]


def _plan(parameters: str) -> _Plan:
    """Work the parameters of a type out once: name, reader and path of each."""
    plan: _Plan = []
    for parameter in f"{parameters} {_EVERYWHERE}".split():
        name, _, rest = parameter.partition(":")
        kind, _, paths = rest.partition("=")
        for path in (paths or name).split("|"):
            steps = (_Step(step.removesuffix("[x]"), "[x]" in step) for step in path.split("/"))
            plan.append((name, _READERS[kind], tuple(steps)))
    return plan


_PLANS = {name: _plan(parameters) for name, parameters in {**PARAMETERS, "": ""}.items()}
"""Per type; under the empty name, the plan of every type without parameters of its own."""
