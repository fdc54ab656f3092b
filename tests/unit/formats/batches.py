"""Batches for tests, and what reading one gives."""

from __future__ import annotations

import json
from typing import Any

from gateway.formats import fhir_json
from gateway.model import Assurance, Document, SignedContent, Unreadable

Entry = dict[str, Any]


def entry(url: str, kind: str, **more: Any) -> Entry:
    """Return a batch entry with a resource."""
    return {
        "fullUrl": f"urn:uuid:{url}",
        "resource": {"resourceType": kind, **more},
        "request": {"method": "POST", "url": kind},
    }


def patient(url: str) -> Entry:
    return entry(url, "Patient", name=[{"family": f"F-{url}"}])


def observation(url: str, of: str, **more: Any) -> Entry:
    subject = {"reference": f"urn:uuid:{of}"}
    return entry(url, "Observation", status="final", code={"text": "K"}, subject=subject, **more)


def report(url: str, of: str, *results: str) -> Entry:
    named = [{"reference": f"urn:uuid:{one}"} for one in results]
    return entry(
        url,
        "DiagnosticReport",
        status="final",
        code={"text": "x"},
        identifier=[{"value": f"number-{url}"}],
        subject={"reference": f"urn:uuid:{of}"},
        **({"result": named} if named else {}),
    )


def inner(*entries: Entry, kind: str = "collection") -> Entry:
    """Return a batch entry with a Bundle in it."""
    bare = [{k: v for k, v in one.items() if k != "request"} for one in entries]
    bundle = {"resourceType": "Bundle", "type": kind, "entry": bare}
    return {"resource": bundle, "request": {"method": "POST", "url": "Bundle"}}


def written(*entries: Any, **head: Any) -> str:
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": list(entries), **head})


def parsed(*entries: Any, **head: Any) -> tuple[Document | Unreadable, ...]:
    return read(written(*entries, **head))


def read(bundle: str) -> tuple[Document | Unreadable, ...]:
    return fhir_json.parse(
        SignedContent(
            octets=bundle.encode(),
            media_type="application/fhir+json",
            assurance=Assurance.SIGNED,
            report=None,
        )
    )


def told(found: tuple[Document | Unreadable, ...]) -> list[tuple[str, ...]]:
    """Return place and codes, in order; a document has no codes."""
    assert [one.ordinal for one in found] == list(range(len(found)))
    return [
        (one.place, *(f"{p.code} {p.place}" for p in one.problems))
        if isinstance(one, Unreadable)
        else (one.place,)
        for one in found
    ]


def held(found: Document | Unreadable) -> list[str]:
    """Return the places of a document's resources."""
    assert isinstance(found, Document)
    return [node.place for node in found.root.resources()]  # type: ignore[attr-defined]
