"""Search results: a Bundle of what was found, with how many that are."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.door import context
from gateway.model import Json, JsonValue


def searchset(found: Sequence[Json], self_link: str, *, main: str = "Patient") -> Json:
    """Return a searchset; resources of type `main` are the match, others are included."""
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": [{"relation": "self", "url": self_link}],
    }
    # FHIR allows no empty arrays.
    if found:
        entries: list[JsonValue] = [
            {
                "fullUrl": f"{base()}/{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match" if one["resourceType"] == main else "include"},
            }
            for one in found
        ]
        bundle["entry"] = entries
    return bundle


def base() -> str:
    """Return the FHIR base address."""
    return f"{context.gateway().settings.url.rstrip('/')}/fhir"
