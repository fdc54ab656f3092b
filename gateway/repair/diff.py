"""What a replay changed: states, codes, and which elements of which resources; never values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.model import Json, JsonValue

PATHS_MAX = 200
"""Changed elements that are listed of one resource; the count beside them is of all."""

SERVER_META = ("versionId", "lastUpdated")


def changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Any]:
    """Return what differs between two sets of resources (`Type/id` → resource), by name."""
    found: list[Any] = []
    for name in sorted({*before, *after}):
        if name not in before:
            found.append({"resource": name, "change": "added", "paths": []})
        elif name not in after:
            found.append({"resource": name, "change": "removed", "paths": []})
        elif paths := sorted(set(_paths(_bare(before[name]), _bare(after[name]), ""))):
            shown: dict[str, Any] = {"resource": name, "change": "changed"}
            found.append(shown | {"paths": paths[:PATHS_MAX], "count": len(paths)})
    return found


def _paths(left: JsonValue, right: JsonValue, place: str) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in {*left, *right}:
            if key not in left or key not in right:
                yield f"{place}/{key}"
            else:
                yield from _paths(left[key], right[key], f"{place}/{key}")
    elif isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            if index >= len(left) or index >= len(right):
                yield f"{place}/{index}"
            else:
                yield from _paths(left[index], right[index], f"{place}/{index}")
    # 5.0 and 5.00 are one number and two results: precision is part of what was said.
    elif type(left) is not type(right) or str(left) != str(right):
        yield place or "/"


def _bare(resource: Json) -> Json:
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return resource
    return resource | {"meta": {k: v for k, v in meta.items() if k not in SERVER_META}}
