"""The clinical content of a report, in one form however it was exported.

GOST and ECDSA signatures are randomised and exports carry fresh UUIDs, so a resend has new
bytes.  What stays is what a doctor reads: patient, specimen, tests, values, units, ranges,
status, times.  Left out is what an export makes anew: ids, identifiers, who signed and when it
was sent, and pages and narrative, unless nothing is coded and they are all there is.  Everything
that is not known to be such stays in: a change taken for a resend would be lost, a resend taken
for a change only waits for a person.

Source: semantics, rule 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from gateway.model import Json, JsonValue, PatientRecord

VERSION = "clinical-1"

NOT_CLINICAL = frozenset(
    {
        "Binary",
        "Composition",
        "Coverage",
        "Device",
        "DocumentReference",
        "Encounter",
        "EpisodeOfCare",
        "Location",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Provenance",
        "RelatedPerson",
        "CareTeam",
        "ServiceRequest",
    }
)
"""Who, where and on which paper; the patient goes in by number."""

_LEFT_OUT = frozenset(
    {
        "id",
        "meta",
        "text",
        "identifier",
        "resourceType",
        "subject",
        "patient",
        "performer",
        "resultsInterpreter",
        "basedOn",
        "encounter",
        "presentedForm",
        "contained",
        "display",
        "userSelected",
    }
)
_PAGES = ("Binary", "Composition", "DiagnosticReport", "DocumentReference")
"""Types in which results stand for people to read."""

_REPORT_VERSION = "urn:gateway:report-version"
_PRINTER = msgspec.json.Encoder(order="sorted", decimal_format="string")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")


def canonical(record: PatientRecord, patient: str | None) -> bytes:
    """Return the clinical content of `record` as bytes: equal content, equal bytes."""
    clinical = [r for r in record.resources if r["resourceType"] not in NOT_CLINICAL]
    reading = _Reading(clinical)
    entries = [_printed([r["resourceType"], reading.content(r)]) for r in clinical]
    if not any(r["resourceType"] == "Observation" for r in record.resources):
        pages = (r for r in record.resources if r["resourceType"] in _PAGES)
        entries += (_printed(["page", page]) for r in pages for page in _written(r))
    return b"\n".join([_printed([VERSION, patient]), *sorted(entries)])


def again(content: bytes, issued: datetime) -> bytes:
    """Return canonical `content` that the laboratory let out a second time, at `issued`.

    One version may say what an earlier one said, after another that did not: it is a content of
    its own, told from the first by the time of issue.
    """
    return b"\n".join([content, _printed(["again", issued.astimezone(UTC).isoformat()])])


class _Reading:
    """Resources of one record, read with references put as what they lead to."""

    def __init__(self, resources: Iterable[Json]) -> None:
        self._named = {f"{r['resourceType']}/{r['id']}": r for r in resources}

    def content(self, resource: Json) -> JsonValue:
        kept: Json = {}
        for name, value in resource.items():
            if name in _LEFT_OUT or (
                # When this report was let out; an export may well say the time of the export.
                name == "issued" and resource["resourceType"] == "DiagnosticReport"
            ):
                continue
            kept[name] = self._value(value)
        if resource["resourceType"] == "Specimen":
            kept["labels"] = _labels(resource)
        if contained := [self.content(one) for one in _contained(resource)]:
            kept["contained"] = sorted(contained, key=_printed)
        return kept

    def _value(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            # Nearly no text is a time: the first look spares the rest.
            return _instant(value) if value[10:11] == "T" else value
        if isinstance(value, list):
            items = [self._value(item) for item in value if not _is_version(item)]
            items = [one for one in items if one is not None and one != {}]
            # The order of codings, results and ranges is the exporter's, not the doctor's.
            return sorted(items, key=_printed) if len(items) > 1 else items
        return self._element(value) if isinstance(value, dict) else value

    def _element(self, element: Json) -> JsonValue:
        reference = element.get("reference")
        if isinstance(reference, str):
            target = self._named.get(reference)
            return None if target is None else _key(target)
        if "coding" in element:
            # The words beside a code are the exporter's; without one they are all there is.
            codings = self._value(element["coding"])
            return codings if codings else {"text": element.get("text")}
        if "value" in element and ("code" in element or "unit" in element):
            # мкмоль/л and umol/L are one unit; the code says which.
            skipped: tuple[str, ...] = ("id", "unit") if element.get("code") else ("id",)
        else:
            known = element.get("code") or element.get("identifier")
            skipped = ("id", "userSelected", "identifier", *(("display",) if known else ()))
        return {
            name: self._value(one) if isinstance(one, (str, list, dict)) else one
            for name, one in element.items()
            if name not in skipped
        }


def _contained(resource: Json) -> Iterator[Json]:
    several = resource.get("contained")
    for one in several if isinstance(several, list) else ():
        if isinstance(one, dict) and one.get("resourceType") not in NOT_CLINICAL:
            yield one


def _written(value: JsonValue) -> Iterator[str]:
    """Yield what people read: the octets of attachments, and narrative."""
    for one in value if isinstance(value, list) else ():
        yield from _written(one)
    for name, one in value.items() if isinstance(value, dict) else ():
        if name in ("data", "div") and isinstance(one, str):
            yield one
        else:
            yield from _written(one)


def _key(resource: Json) -> JsonValue:
    """Return what a referred resource is known by within its report."""
    kind = resource["resourceType"]
    if kind == "Specimen":
        return [kind, _labels(resource), resource.get("type")]
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    if isinstance(codings, list) and codings:
        return [kind, *sorted(_coding(one) for one in codings if isinstance(one, dict))]
    return [kind, code]


def _coding(coding: Mapping[str, JsonValue]) -> str:
    return f"{coding.get('system') or ''}|{coding.get('code') or ''}"


def _labels(specimen: Json) -> list[JsonValue]:
    """Return what is written on the tube: barcodes; an export's own UUIDs are not."""
    found = set()
    for name in ("identifier", "accessionIdentifier"):
        items = specimen.get(name)
        for item in items if isinstance(items, list) else [items]:
            value = item.get("value") if isinstance(item, dict) else None
            if isinstance(value, str) and not _UUID.search(value):
                found.add(value)
    labels: list[JsonValue] = [*sorted(found)]
    return labels


def _is_version(item: JsonValue) -> bool:
    """The laboratory's version is part of the key, not of the content."""
    return isinstance(item, dict) and item.get("url") == _REPORT_VERSION


def _instant(text: str) -> str:
    """Return a time in UTC, so that 13:00+03:00 is 10:00Z; any other text as it is."""
    if not _MOMENT.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.astimezone(UTC).isoformat()


def _printed(value: JsonValue) -> bytes:
    # Decimals as they were written: 5.0 and 5.00 are two results of different precision.
    return _PRINTER.encode(value)
