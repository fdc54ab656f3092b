"""What makes a Bundle one: its own rules, and references that must lead somewhere in it.

Each resource is checked by itself first.  A URN names nothing outside its bundle, so in a
bundle that is handed over (`CLOSED`) it must be answered there.  In a transaction or document
(`WHOLE`) a relative URL must be too: it means a resource of the server that is spoken to, and
the sender's numbers are none of ours.  An absolute URL may point anywhere; a conditional
reference (``Patient?identifier=…``) is a search, not a pointer.

Source: https://hl7.org/fhir/R4/bundle.html (bdl-1 to bdl-12, resolving references).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.fhir import structure
from gateway.fhir.references import Bundled, Entry, literal
from gateway.fhir.shape import PROBLEMS_MAX, has_shape
from gateway.fhir.structure import Pointed
from gateway.fhir.text import kind, plain_name
from gateway.model import Json, JsonValue, Problem

CLOSED = frozenset(("transaction", "document", "message", "collection"))
BATCH, TRANSACTION = "batch", "transaction"
WHOLE = frozenset(("transaction", "document"))

GATHERED = (TRANSACTION, "message", "collection")
"""Kinds that may hold several reports without saying that each entry is for itself."""

_ASKING = frozenset(("batch", "transaction", "history"))
_ANSWERING = frozenset(("batch-response", "transaction-response", "history"))
_FIRST = {"document": ("bdl-11", "Composition"), "message": ("bdl-12", "MessageHeader")}


def problems(
    bundle: JsonValue, place: str = "", *, bundled: Bundled | None = None
) -> tuple[Problem, ...]:
    """Return what is wrong with `bundle` and with every resource in it.

    `bundled` is the bundle's index, made for the same `place`, from a caller who has one.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return structure.problems(bundle, place) or (_not_bundle(bundle, place),)
    found: list[Problem] = []
    if not has_shape(_without_resources(bundle), "Bundle", place, found):
        return tuple(found)
    found += (_at(place, problem) for problem in _rules(bundle))
    bundled = bundled or Bundled(bundle, place)
    plain = structure.is_plain(bundle)
    for entry in bundled.entries:
        examined = structure.examine(entry.resource, entry.place, plain=plain)
        found += examined.problems
        found += unfollowed(examined.pointed, entry, bundled, bundle.get("type"))
    return tuple(found[:PROBLEMS_MAX])


def unfollowed(
    pointed: list[Pointed], entry: Entry, bundled: Bundled, bundle_type: JsonValue
) -> Iterator[Problem]:
    """Yield the problem of each reference that leads nowhere or to the wrong type."""
    for item in pointed:
        target = bundled.resolve(item.reference, entry.full_url)
        if target is None:
            if _must_resolve(item.reference, bundle_type):
                yield Problem(code="FMT-319", place=item.place)
            continue
        problem = structure.wrong_target(item, str(target.resource.get("resourceType")))
        # A literal reference was judged already, by the type it names.
        if problem and literal(item.reference) is None:
            yield problem


def _not_bundle(resource: Json | JsonValue, place: str) -> Problem:
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    shown = plain_name(name) if isinstance(name, str) else kind(resource)
    return Problem(code="FMT-330", place=place, detail={"found": shown, "expected": "Bundle"})


def _without_resources(bundle: Json) -> Json:
    """Return `bundle` without the resources in it, which are checked one by one."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    bare: list[JsonValue] = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            bare.append({**entry, "resource": {"resourceType": "Basic"}})
        else:
            bare.append(entry)
    return {**bundle, "entry": bare}


def _must_resolve(reference: str, bundle_type: JsonValue) -> bool:
    if reference.startswith("urn:"):
        return bundle_type in CLOSED or bundle_type == BATCH
    is_relative = ":" not in reference.split("/")[0] and "?" not in reference
    return bundle_type in WHOLE and is_relative


def _at(place: str, problem: Problem) -> Problem:
    return Problem(code=problem.code, place=place + problem.place, detail=problem.detail)


def _rule(key: str, place: str = "") -> Problem:
    return Problem(code="FMT-320", place=place, detail={"rule": key, "type": "Bundle"})


def _rules(bundle: Json) -> Iterator[Problem]:
    name = str(bundle.get("type"))
    items = bundle.get("entry")
    entries = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if "total" in bundle and name not in ("searchset", "history"):
        yield _rule("bdl-1", "/total")
    if name == "document":
        yield from _document_rules(bundle)
    yield from first_rule(bundle)
    for index, entry in enumerate(entries):
        yield from entry_rules(entry, name, f"/entry/{index}")
    if name != "history":
        yield from doubled_urls(entries)


def first_rule(bundle: Json) -> Iterator[Problem]:
    """Yield what is wrong with the kind of the first entry (bdl-11, bdl-12)."""
    name, entries = str(bundle.get("type")), bundle.get("entry")
    if name not in _FIRST:
        return
    key, expected = _FIRST[name]
    first = entries[0] if isinstance(entries, list) and entries else None
    resource = first.get("resource") if isinstance(first, dict) else None
    if not isinstance(resource, dict) or resource.get("resourceType") != expected:
        yield _rule(key, "/entry/0" if first else "")


def _document_rules(bundle: Json) -> Iterator[Problem]:
    identifier = bundle.get("identifier")
    if not isinstance(identifier, dict) or not {"system", "value"} <= identifier.keys():
        yield _rule("bdl-9", "/identifier")
    if "timestamp" not in bundle:
        yield _rule("bdl-10")


def entry_rules(entry: Json, name: str, place: str) -> Iterator[Problem]:
    if "search" in entry and name != "searchset":
        yield _rule("bdl-2", f"{place}/search")
    if ("request" in entry) != (name in _ASKING):
        yield _rule("bdl-3", place)
    if ("response" in entry) != (name in _ANSWERING):
        yield _rule("bdl-4", place)
    if not {"resource", "request", "response"} & entry.keys():
        yield _rule("bdl-5", place)
    full_url = entry.get("fullUrl")
    if isinstance(full_url, str):
        if "/_history/" in full_url:
            yield _rule("bdl-8", f"{place}/fullUrl")
        yield from _url_rules(entry, full_url, place)
    if name == "transaction":
        yield from _request_rules(entry, place)


def _url_rules(entry: Json, full_url: str, place: str) -> Iterator[Problem]:
    """A fullUrl on a server names the resource's own type.

    It should end in the resource's id as well, but official examples differ there.
    """
    resource, parts = entry.get("resource"), literal(full_url)
    if parts is None or not isinstance(resource, dict):
        return
    name = resource.get("resourceType")
    if parts.type != name:
        shown = plain_name(name) if isinstance(name, str) else kind(name)
        yield Problem(code="FMT-332", place=f"{place}/fullUrl", detail={"type": shown})


def _request_rules(entry: Json, place: str) -> Iterator[Problem]:
    request, resource = entry.get("request"), entry.get("resource")
    if not isinstance(request, dict):
        return
    method = str(request.get("method"))
    path = str(request.get("url", "")).partition("?")[0].rstrip("/").split("/")
    carries = isinstance(resource, dict) and resource.get("resourceType") in path[-2:]
    if method in ("POST", "PUT") and not carries and not path[-1].startswith("$"):
        yield Problem(code="FMT-333", place=f"{place}/request", detail={"method": method})
    if method in ("GET", "HEAD", "DELETE") and resource is not None:
        yield Problem(code="FMT-333", place=f"{place}/request", detail={"method": method})


def doubled_urls(entries: list[Json]) -> Iterator[Problem]:
    """bdl-7: a fullUrl stands once, or once per version of its resource."""
    first: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(entries):
        full_url, resource = entry.get("fullUrl"), entry.get("resource")
        if not isinstance(full_url, str):
            continue
        meta = resource.get("meta") if isinstance(resource, dict) else None
        version = str(meta.get("versionId", "")) if isinstance(meta, dict) else ""
        here = f"/entry/{index}/fullUrl"
        known = first.setdefault((full_url, version), here)
        if known != here:
            yield Problem(code="FMT-331", place=here, detail={"first": known})
