"""FHIR R4 bundles in JSON: transaction, document, message, collection, and batch.

A bundle of one patient is one document; several patients in one bundle are refused, since a
mistake there would put one person's results on another's card.  A batch holds several documents:
every Bundle in it is one, and so is every report with what belongs to it.  So does a transaction,
a message or a collection of several reports.  Those of a transaction are indivisible, unless the
sender's policy says otherwise.

Source: https://hl7.org/fhir/R4/json.html and bundle.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from gateway.errors import Rejected
from gateway.fhir import batch, bundle, nodes, text
from gateway.fhir.references import Bundled
from gateway.fhir.tables import elements
from gateway.formats.interface import DOCUMENTS_MAX, TOGETHER_MAX
from gateway.model import Document, Json, JsonValue, Problem, SignedContent, Unreadable

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


def parse(content: SignedContent, *, apart: bool = False) -> tuple[Document | Unreadable, ...]:
    """Read a bundle into its document, or one of several reports into its documents.

    Those of a transaction are indivisible, but for `apart`.  Raises Rejected with every problem
    found: FMT-301 to FMT-307 for the JSON, FMT-310 to FMT-338 for the FHIR.
    """
    resource, faults = text.read(content.octets)
    kind = resource.get("type") if resource.get("resourceType") == "Bundle" else None
    if kind == bundle.BATCH or (kind in bundle.GATHERED and batch.is_several(resource)):
        indivisible = kind == bundle.TRANSACTION and not apart
        return _batch(resource, faults, content, indivisible=indivisible)
    if faults:
        raise Rejected(*faults[: text.FAULTS_MAX])
    bundled = Bundled(resource)
    if problems := _problems(resource, bundled, bundle.CLOSED | {bundle.BATCH}):
        raise Rejected(*problems)
    return (Document(format=NAME, root=nodes.root(resource, bundled), content=content),)


def _batch(
    resource: Json, faults: tuple[Problem, ...], content: SignedContent, *, indivisible: bool
) -> tuple[Document | Unreadable, ...]:
    by_entry = batch.faults_by_entry(resource, faults)
    if problems := batch.head_problems(resource) or tuple(_modified(resource, "")):
        raise Rejected(*problems)
    pieces = batch.pieces(resource, Bundled(resource), by_entry)
    limit = TOGETHER_MAX if indivisible else DOCUMENTS_MAX
    if len(pieces) > limit:
        detail = {"count": str(len(pieces)), "limit": str(limit)}
        raise Rejected(Problem(code="FMT-338", place="/entry", detail=detail))
    found = (_piece(resource, piece, ordinal, content) for ordinal, piece in enumerate(pieces))
    return tuple(replace(one, indivisible=indivisible) for one in found)


def _piece(
    resource: Json, piece: batch.Piece, ordinal: int, content: SignedContent
) -> Document | Unreadable:
    if piece.kind == "bundle":
        bundled, problems = _nested(resource, piece)
    else:
        bundled = batch.picked(resource, piece.entries)
        problems = piece.problems or tuple(_interactions(bundled)) or _not_one_report(bundled)
    if problems:
        return Unreadable(ordinal=ordinal, place=piece.place, problems=problems)
    root = nodes.root(bundled.bundle, bundled)
    return Document(
        format=NAME,
        root=root,
        content=content,
        ordinal=ordinal,
        place=piece.place,
        piece=text.dumps(bundled.bundle),
    )


def _nested(resource: Json, piece: batch.Piece) -> tuple[Bundled, tuple[Problem, ...]]:
    """Read a Bundle that stands in a batch; a batch in a batch is none that is taken."""
    entries = resource["entry"]
    assert isinstance(entries, list)
    entry = entries[piece.entries[0]]
    assert isinstance(entry, dict)
    inner = entry["resource"]
    assert isinstance(inner, dict)
    bundled = Bundled(inner, piece.place)
    around = (*piece.problems, *_interaction(entry, piece.place.removesuffix("/resource")))
    return bundled, around or _problems(inner, bundled, bundle.CLOSED)


def _problems(resource: Json, bundled: Bundled, taken: frozenset[str]) -> tuple[Problem, ...]:
    return (
        _not_taken(resource, bundled.place, taken)
        or bundle.problems(resource, bundled.place, bundled=bundled)
        or tuple(_modified(resource, bundled.place))
        or _not_one_report(bundled)
    )


def _not_taken(resource: Json, place: str, taken: frozenset[str]) -> tuple[Problem, ...]:
    """Refuse whole kinds of input first: their inner faults would only distract."""
    if resource.get("resourceType") != "Bundle":
        return bundle.problems(resource, place)
    found = resource.get("type")
    others = set(elements("Bundle")["type"].codes) - taken
    if not isinstance(found, str) or found not in others:
        return ()
    detail = {"found": f"Bundle {found}", "expected": ", ".join(sorted(taken))}
    return (Problem(code="FMT-330", place=f"{place}/type", detail=detail),)


def _not_one_report(bundled: Bundled) -> tuple[Problem, ...]:
    """Refuse what is no report of one patient, contained patients counted as well."""
    problems = [*_interactions(bundled), *_two_versions(bundled)]
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
        problems.append(Problem(code="FMT-336", place=f"{bundled.place}/entry"))
    return tuple(problems)


def _two_versions(bundled: Bundled) -> Iterator[Problem]:
    """Yield each fullUrl that stood before: of two versions of a result only one can be meant."""
    first: dict[str, str] = {}
    for entry in bundled.entries:
        here = f"{entry.place.removesuffix('resource')}fullUrl"
        known = first.setdefault(entry.full_url, here)
        if entry.full_url and known != here:
            yield Problem(code="FMT-331", place=here, detail={"first": known})


def _interactions(bundled: Bundled) -> Iterator[Problem]:
    entries = bundled.bundle.get("entry")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        yield from _interaction(entry, f"{bundled.place}/entry/{bundled.position(index)}")


def _modified(node: JsonValue, place: str) -> Iterator[Problem]:
    """Yield what changes, from outside a resource, what it means: nobody here knows how."""
    for name in ("implicitRules", "modifierExtension"):
        if isinstance(node, dict) and name in node:
            yield Problem(code="MAP-111", place=f"{place}/{name}")


def _interaction(entry: JsonValue, place: str) -> Iterator[Problem]:
    request = entry.get("request") if isinstance(entry, dict) else None
    yield from _modified(entry, place)
    yield from _modified(request, f"{place}/request")
    method = request.get("method", "POST") if isinstance(request, dict) else "POST"
    if method not in ("POST", "PUT"):
        place = f"{place}/request/method"
        yield Problem(code="FMT-334", place=place, detail={"method": str(method)})
