"""FHIR R4 bundles in JSON: transaction, document, message and collection.

A bundle of one patient is one document; several patients in one bundle are refused, since a
mistake there would put one person's results on another's card.

Source: https://hl7.org/fhir/R4/json.html and bundle.html.
"""

from __future__ import annotations

import re

from gateway.errors import Rejected
from gateway.fhir import bundle, nodes, text
from gateway.fhir.nodes import JsonNode
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
    root = nodes.root(resource)
    problems = _not_taken(resource) or bundle.problems(resource) or _not_one_report(root)
    if problems:
        raise Rejected(*problems)
    return (Document(format=NAME, root=root, content=content),)


def _not_taken(resource: Json) -> tuple[Problem, ...]:
    """Refuse whole kinds of input first: their inner faults would only distract."""
    if resource.get("resourceType") != "Bundle":
        return bundle.problems(resource)
    found = resource.get("type")
    if not isinstance(found, str) or found in bundle.CLOSED:
        return ()
    expected = ", ".join(sorted(bundle.CLOSED))
    detail = {"found": f"Bundle {text.plain_name(found)}", "expected": expected}
    return (Problem(code="FMT-330", place="/type", detail=detail),)


def _not_one_report(root: JsonNode) -> tuple[Problem, ...]:
    """Refuse what is no report of one patient, contained patients counted as well."""
    requests = root.each("entry/*/request")
    problems = [_interaction(request) for request in requests if _changes(request)]
    inside = root.each("entry/*/resource/contained/*")
    patients = [
        *root.each("Patient"),
        *(node for node in inside if node.select("resourceType") == "Patient"),
    ]
    if len(patients) > 1:
        detail = {"count": str(len(patients))}
        problems.append(Problem(code="FMT-335", place=patients[1].place, detail=detail))
    if not root.each("DiagnosticReport"):
        problems.append(Problem(code="FMT-336", place="/entry"))
    return tuple(problems)


def _changes(request: JsonNode) -> bool:
    return request.select("method") not in ("POST", "PUT")


def _interaction(request: JsonNode) -> Problem:
    detail = {"method": str(request.select("method"))}
    return Problem(code="FMT-334", place=f"{request.place}/method", detail=detail)
