"""Gives a sample new numbers, ids and dates, in its text, before it is signed.

Only the characters of those places change: nothing is parsed and written again, so 5.00 stays
5.00.  New are: every UUID, the laboratory's own numbers (report, order, barcode), and dates,
which all move by the same span so that the newest is just now.  Birth dates stay, but for a
newborn's, whose age is what the document is about.  Documents of one telling share the end of
their numbers and the span, so that versions of a report stay versions of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.fhir import text
from gateway.model import Json, JsonValue
from gateway.xml.parser import parse

UUID = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
MOMENT = re.compile(
    rb'(?P<open>[">])(?P<day>\d{4}-\d\d-\d\d)'
    rb'(?P<time>T\d\d:\d\d:\d\d(?:\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d))?(?P<close>["<])'
)
BIRTH = re.compile(rb'"birthDate"\s*:\s*$|<(?:\w+:)?birthDate\s*$')
BIRTH_LOOK_BACK = 64
"""Bytes before a date in which its name is looked for."""

NUMBERED_TYPES = ("Composition", "DiagnosticReport", "ServiceRequest", "Specimen", "Observation")
NUMBERED_ELEMENTS = ("document/number", "order/number", "specimen/barcode")
NUMBER_LENGTH_MAX = 100
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
ISSUED_AGO = timedelta(minutes=2)
"""How long before now the newest date of a fresh document lies."""

NEWBORN = timedelta(days=60)
"""A birth date this near to the document's newest date moves along."""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What the documents of one story share."""

    token: str
    """Ends every number of the laboratory."""

    newest: datetime | None
    """The newest moment in any of the documents; None when there is none."""

    now: datetime


def telling(documents: Iterable[bytes], now: datetime, new_uuid: Callable[[], str]) -> Telling:
    """Return what `documents` share when they are told now."""
    newest = max((_newest(one) for one in documents), default=None, key=lambda at: at or _LONG_AGO)
    return Telling(token=new_uuid().replace("-", "")[:8].upper(), newest=newest, now=now)


def fresh(
    octets: bytes,
    now: datetime,
    new_uuid: Callable[[], str],
    shared: Telling | None = None,
) -> bytes:
    """Return the document (JSON or XML) with new ids, numbers and dates.

    `new_uuid` gives a fresh UUID each time.  Raises Rejected when it can be read as neither.
    """
    shared = shared or telling([octets], now, new_uuid)
    numbers = _xml_numbers(octets) if octets.lstrip()[:1] == b"<" else _json_numbers(octets)
    octets = _renumbered(octets, sorted(set(numbers)), shared.token)
    octets = with_new_uuids(octets, new_uuid)
    return _moved(octets, shared)


def report_number(octets: bytes) -> str:
    """Return the laboratory's own number of the report in a document; empty when it has none."""
    if octets.lstrip()[:1] == b"<":
        found = parse(octets).find("{*}document/{*}number")
        return (found.text or "") if found is not None else ""
    for resource in _resources(text.loads(octets)):
        if resource.get("resourceType") == "DiagnosticReport":
            return next(_identifier_values(resource), "")
    return ""


def _json_numbers(octets: bytes) -> Iterator[str]:
    for resource in _resources(text.loads(octets)):
        if resource.get("resourceType") in NUMBERED_TYPES:
            yield from _identifier_values(resource)


def _resources(bundle: Json) -> Iterator[Json]:
    """Yield the resource itself and, for a Bundle, every resource in it, Bundles in it included."""
    yield bundle
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield from _resources(resource)


def _identifier_values(resource: Json) -> Iterator[str]:
    for name in ("identifier", "requisition", "accessionIdentifier"):
        found: JsonValue = resource.get(name)
        for one in found if isinstance(found, list) else [found]:
            value = one.get("value") if isinstance(one, dict) else None
            if isinstance(value, str) and not UUID.search(value.encode()):
                yield value


def _xml_numbers(octets: bytes) -> Iterator[str]:
    root = parse(octets)
    for path in NUMBERED_ELEMENTS:
        steps = "/".join(f"{{*}}{step}" for step in path.split("/"))
        yield from (found.text for found in root.iterfind(f".//{steps}") if found.text)


def _renumbered(octets: bytes, numbers: list[str], token: str) -> bytes:
    """Append `token` to every number, where it stands as a whole string or element."""
    for number in numbers:
        new = f"{number[:NUMBER_LENGTH_MAX]}-{token}"
        quoted = json.dumps(number, ensure_ascii=False).encode()
        octets = octets.replace(quoted, json.dumps(new, ensure_ascii=False).encode())
        octets = octets.replace(f">{number}<".encode(), f">{new}<".encode())
    return octets


def with_new_uuids(octets: bytes, new_uuid: Callable[[], str]) -> bytes:
    """Return a document with every UUID replaced, each by the same one wherever it stands."""
    renamed: dict[bytes, bytes] = {}

    def new(match: re.Match[bytes]) -> bytes:
        return renamed.setdefault(match[0].lower(), new_uuid().encode())

    return UUID.sub(new, octets)


def _newest(octets: bytes) -> datetime | None:
    return max((_instant(m) for m in MOMENT.finditer(octets) if m["time"]), default=None)


def _moved(octets: bytes, shared: Telling) -> bytes:
    newest = shared.newest
    if newest is None:
        return octets
    span = shared.now.astimezone(UTC) - ISSUED_AGO - newest
    span -= timedelta(microseconds=span.microseconds)

    def move(match: re.Match[bytes]) -> bytes:
        if _is_birth(match) and newest - _day(match) > NEWBORN:
            return match[0]
        if not match["time"]:
            return match["open"] + f"{_day(match) + span:%Y-%m-%d}".encode() + match["close"]
        moved = datetime.fromisoformat(_written(match)) + span
        zone = "Z" if match["zone"] == b"Z" else match["zone"].decode()
        return match["open"] + f"{moved:%Y-%m-%dT%H:%M:%S}{zone}".encode() + match["close"]

    return MOMENT.sub(move, octets)


def _is_birth(match: re.Match[bytes]) -> bool:
    before = match.string[max(0, match.start() - BIRTH_LOOK_BACK) : match.start()]
    return BIRTH.search(before) is not None


def _day(match: re.Match[bytes]) -> datetime:
    return datetime.strptime(match["day"].decode(), "%Y-%m-%d").replace(tzinfo=UTC)


def _instant(match: re.Match[bytes]) -> datetime:
    return datetime.fromisoformat(_written(match)).astimezone(UTC)


def _written(match: re.Match[bytes]) -> str:
    return (match["day"] + match["time"]).decode()
