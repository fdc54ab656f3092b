"""Search rows of a resource, in the form that may lie in the database.

Codes, statuses, dates of care and references between our own ids stay plain under the
pseudonymous patient number.  Whatever tells who a person is becomes a keyed token; measured
values are not indexed at all.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from gateway.model import Json
from gateway.store.room import IndexRow, Room

PEOPLE = ("Patient", "Person", "RelatedPerson", "Practitioner")
PLAIN_OF_PEOPLE = ("_lastUpdated", "_security", "_tag", "active", "gender")
PLAIN_TOKENS = (
    "_security",
    "_tag",
    "category",
    "code",
    "combo-code",
    "interpretation",
    "role",
    "status",
    "type",
)
"""Token parameters that hold codes; every other one may be somebody's number."""

_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}")


def search_rows(room: Room, resource: Json) -> list[dict[str, Any]]:
    """Return the rows for a resource; the caller adds owner, type and id."""
    kind = str(resource["resourceType"])
    rows = (_plain(kind, row) or _row(room, kind, row) for row in room.index(resource))
    return [row for row in rows if row is not None]


@lru_cache(4096)
def _plain(type: str, row: IndexRow) -> dict[str, Any] | None:
    """The row of what may lie in clear; the resources of a document share most of them."""
    if not _is_plain(type, row):
        return None
    return {
        "param": row.param,
        "kind": row.kind,
        "system": row.system,
        "value": row.value,
        "date_low": _instant(row.date_low),
        "date_high": _instant(row.date_high),
    }


def _row(room: Room, type: str, row: IndexRow) -> dict[str, Any] | None:
    if row.kind in ("quantity", "number") or "value" in row.param:
        return None
    # Links from a patient's identifiers to the number live in the key store alone.
    if row.param == "identifier" and type == "Patient":
        return None
    words = row.value or _date_text(row.date_low)
    return {
        "param": row.param,
        "kind": row.kind,
        "system": None,
        "value": room.keys.token(f"search:{row.param}", row.system or "", words),
        "date_low": None,
        "date_high": None,
    }


def _is_plain(type: str, row: IndexRow) -> bool:
    if row.kind in ("quantity", "number") or "value" in row.param:
        return False
    if type in PEOPLE:
        return row.param in PLAIN_OF_PEOPLE
    if row.kind == "reference":
        return bool(_REFERENCE.fullmatch(row.value or ""))
    return row.kind == "date" or (row.kind == "token" and row.param in PLAIN_TOKENS)


def _instant(at: datetime | date | None) -> datetime | None:
    if at is None or isinstance(at, datetime):
        return at
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


def _date_text(at: datetime | date | None) -> str:
    if at is None:
        return ""
    return (at.date() if isinstance(at, datetime) else at).isoformat()
