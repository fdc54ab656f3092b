"""FHIR R4 bundles in JSON: transaction, document, message and collection.

A bundle of one patient is one document; several patients in one bundle are refused, since a
mistake there would put one person's results on another's card.

Source: https://hl7.org/fhir/R4/json.html and bundle.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.errors import Rejected
from gateway.fhir import bundle, nodes, text
from gateway.fhir.references import Bundled
from gateway.fhir.tables import elements
from gateway.model import Document, Json, Problem, SignedContent

NAME = "fhir_json"
MEDIA_TYPES: tuple[str, ...] = ("application/fhir+json", "application/json")

_RESOURCE = re.compile(rb'"resourceType"\s*:\s*"')


def recognises(head: bytes) -> bool:
    """Say whether `head` starts a JSON object that names a resource type.

    An object may name its type late, so a long `head` without it is not recognised; every
    FHIR writer puts it first.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"{") and _RESOURCE.search(start) is not None


def parse(content: SignedContent) -> tuple[Document, ...]:
    """Read a bundle into its document.

    Raises Rejected with every problem found: FMT-301 to FMT-307 for the JSON, FMT-310 to
    FMT-336 for the FHIR.
    """
    resource = text.loads(content.octets)
    bundled = Bundled(resource)
    problems = (
        _not_taken(resource)
        or bundle.problems(resource, bundled=bundled)
        or _not_one_report(resource, bundled)
    )
    if problems:
        raise Rejected(*problems)
    return (Document(format=NAME, root=nodes.root(resource, bundled), content=content),)


def _not_taken(resource: Json) -> tuple[Problem, ...]:
    """Refuse whole kinds of input first: their inner faults would only distract."""
    if resource.get("resourceType") != "Bundle":
        return bundle.problems(resource)
    found = resource.get("type")
    others = set(elements("Bundle")["type"].codes) - bundle.CLOSED
    if not isinstance(found, str) or found not in others:
        return ()
    expected = ", ".join(sorted(bundle.CLOSED))
    detail = {"found": f"Bundle {found}", "expected": expected}
    return (Problem(code="FMT-330", place="/type", detail=detail),)


def _not_one_report(resource: Json, bundled: Bundled) -> tuple[Problem, ...]:
    """Refuse what is no report of one patient, contained patients counted as well."""
    problems = list(_interactions(resource))
    patients: list[str] = []
    reports = 0
    for entry in bundled.entries:
        name = entry.resource["resourceType"]
        reports += name == "DiagnosticReport"
        if name == "Patient":
            patients.append(entry.place)
        contained = entry.resource.get("contained")
        for index, item in enumerate(contained if isinstance(contained, list) else ()):
            if isinstance(item, dict) and item.get("resourceType") == "Patient":
                patients.append(text.pointer(entry.place, "contained", index))
    if len(patients) > 1:
        detail = {"count": str(len(patients))}
        problems.append(Problem(code="FMT-335", place=patients[1], detail=detail))
    if not reports:
        problems.append(Problem(code="FMT-336", place="/entry"))
    return tuple(problems)


def _interactions(resource: Json) -> Iterator[Problem]:
    entries = resource.get("entry")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        request = entry.get("request") if isinstance(entry, dict) else None
        method = request.get("method", "POST") if isinstance(request, dict) else "POST"
        if method not in ("POST", "PUT"):
            place = f"/entry/{index}/request/method"
            yield Problem(code="FMT-334", place=place, detail={"method": str(method)})
