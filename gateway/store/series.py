"""Reports as series of versions: what is known of one, and what a new version does to it.

The line places a document by the series as it read it; here it is judged again under the
series' lock, and what was seen must still stand.  Constraints judge what a lock missed: one
document for each content of a version, one current document for each series.

Source: semantics, rules 2, 3 and 14.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select
from sqlalchemy import text as sql

from gateway.fhir.withdrawal import withdrawn
from gateway.model import Identifier, Placement, PlacementKind, Problem, Status
from gateway.store import records, tables, work, writing
from gateway.store.log import audit_entry
from gateway.store.room import Room, write_audit, write_event
from gateway.store.statement import Statement, update_rows
from gateway.store.values import KnownVersion, Moved, Outcome

FINAL = (Status.ACCEPTED.value, Status.REPLACED.value, Status.WITHDRAWN.value)
"""States of a document that a repeat of the line leaves alone."""

CURRENT = (PlacementKind.FIRST, PlacementKind.NEWER, PlacementKind.WITHDRAWAL)
"""Kinds of document that a series stands on from then on."""

ENDING = (PlacementKind.NEWER, PlacementKind.WITHDRAWAL)
"""Kinds of document that end others."""

WITHDRAWALS = ("entered-in-error", "cancelled")
"""Report statuses that take a report back."""

NO_ORIGINAL = "DUP-103"

_KEY_ORDER = (
    "urn:gateway:organization",
    "urn:oid:1.2.643.100.1",
    "urn:oid:1.2.643.100.5",
)
"""What an organisation is known by first, so that the order it writes does not count."""

table = tables.document

_SERIES = Statement(
    select(table)
    .where(
        table.c.series == bindparam("series"),
        table.c.identity.is_not(None),
        or_(*(table.c.status == status for status in FINAL)),
    )
    .order_by(table.c.settled_at, table.c.id)
)
_WAITING = Statement(
    select(table.c.id, table.c.submission).where(
        table.c.series == bindparam("series"),
        table.c.status == Status.NEEDS_INFO.value,
        table.c.cause == NO_ORIGINAL,
    )
)
_DOCUMENT = Statement(select(table).where(table.c.id == bindparam("id")))
_LOCK = Statement(sql("SELECT pg_advisory_xact_lock(:key)"))


def token(room: Room, performer: Sequence[Identifier], number: str) -> str:
    """Return the token of a series: who performed and how they numbered it."""
    return room.keys.token("series", _organization(performer), number)


def identity(room: Room, series: str, version: int | None, clinical: str) -> str:
    """Return the token that one document may have: the second identity of semantics, rule 2."""
    return room.keys.token("report", series, "" if version is None else str(version), clinical)


def known(room: Room, performer: Sequence[Identifier], number: str) -> tuple[KnownVersion, ...]:
    """Return the settled documents of a series, duplicates aside, as they came."""
    with room.database.read() as connection:
        rows = _SERIES.all(connection, series=token(room, performer, number))
    return tuple(_known(row) for row in rows)


def lock(connection: Connection, series: Iterable[str]) -> None:
    """Let one transaction at a time judge a series.  SQLite has one writer anyway."""
    if connection.dialect.name == "sqlite":
        return
    keys = (int.from_bytes(hashlib.sha256(one.encode()).digest()[:8], "big") for one in series)
    for key in sorted({key - (1 << 63) for key in keys}):
        _LOCK.run(connection, key=key)


def judge(connection: Connection, series: str, outcome: Outcome) -> None:
    """Raise Moved unless the series is what the line placed the document by."""
    placement = outcome.placement
    if placement is None:
        if any(one.code == NO_ORIGINAL for one in outcome.problems) and _SERIES.first(
            connection, series=series
        ):
            raise Moved(outcome.document)
        return
    # What a first document could not see, the constraints do.
    if placement.seen or connection.dialect.name != "sqlite":
        rows = _SERIES.all(connection, series=series)
        if {(row.id, row.status) for row in rows} != set(placement.seen):
            raise Moved(outcome.document)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A document that a newer one replaces or takes back."""

    id: str
    submission: str
    patient: str | None
    status: Status
    """What it becomes."""


def taken(connection: Connection, placement: Placement | None) -> tuple[Taken, ...]:
    """Return the documents that a placement ends, before the transaction that does."""
    if placement is None:
        return ()
    ends = dict.fromkeys(placement.replaces, Status.REPLACED)
    ends |= dict.fromkeys(placement.withdraws, Status.WITHDRAWN)
    found = []
    for id, status in ends.items():
        row = _DOCUMENT.first(connection, id=id)
        if row is None:
            raise Moved(id)
        found.append(Taken(id=id, submission=row.submission, patient=row.patient, status=status))
    return tuple(found)


def withdrawals(
    room: Room, connection: Connection, taken: Iterable[Taken], document: str
) -> list[writing.Drafted]:
    """Draft the withdrawn form of every result that the withdrawn documents state."""
    drafts: list[writing.Drafted] = []
    seen: set[writing.Name] = set()
    for one in reversed(tuple(taken)):
        if one.status is not Status.WITHDRAWN or one.patient is None:
            continue
        made = []
        for resource in records.of_document(room, connection, one.id):
            name = (str(resource["resourceType"]), str(resource["id"]))
            form = withdrawn(resource)
            if form is not None and name not in seen:
                seen.add(name)
                made.append(form)
        drafts += writing.draft(room, made, one.patient, document, withdrawn=True)
    return drafts


def step_down(
    connection: Connection, taken: Iterable[Taken], by: str, now: datetime
) -> tuple[str, ...]:
    """End documents for `by`; return the submissions whose status may have changed."""
    submissions = []
    for one in taken:
        values = {"status": one.status.value, "current": False, "succeeded_by": by}
        update_rows(connection, table, {"id": one.id}, values)
        detail = {"by": by}
        name = one.status.value
        write_event(connection, now, one.submission, name, document=one.id, detail=detail)
        write_audit(connection, audit_entry("line", f"document.{name}", one.id, detail, now))
        submissions.append(one.submission)
    return tuple(dict.fromkeys(submissions))


def retire(connection: Connection, taken: Iterable[Taken]) -> None:
    """Take out of default reads what only ended documents hold; a card stays a card."""
    content, head = tables.document_resource.c, tables.resource.c
    for patient in sorted({one.patient for one in taken if one.patient}):
        ended = [one.id for one in taken if one.patient == patient]
        held = {
            (row.type, row.id)
            for row in connection.execute(
                select(content.type, content.id, head.deleted)
                .join(table, table.c.id == content.document)
                .join(
                    tables.resource,
                    (head.type == content.type) & (head.id == content.id),
                )
                .where(content.document.in_(ended), ~head.deleted, head.type != "Patient")
            )
        }
        if not held:
            continue
        still = connection.execute(
            select(content.type, content.id)
            .join(table, table.c.id == content.document)
            .where(
                table.c.patient == patient,
                table.c.current,
                # A withdrawal is current and holds nothing up.
                or_(table.c.report_status.is_(None), table.c.report_status.not_in(WITHDRAWALS)),
            )
        )
        writing.hide(connection, sorted(held - {(row.type, row.id) for row in still}))


def go_on(connection: Connection, series: str, now: datetime) -> bool:
    """Put what waited for the original of a series on the line again."""
    waiting = sorted((row.submission, row.id) for row in _WAITING.all(connection, series=series))
    for submission, document in waiting:
        work.requeue(connection, submission, "line", now, document)
    return bool(waiting)


def cancelled(destination: str) -> Problem:
    """Return why a delivery ended before it left."""
    return Problem(code="DLV-302", detail={"destination": destination})


def _organization(performer: Sequence[Identifier]) -> str:
    names = {one.system: f"{one.system}|{one.value}" for one in reversed(performer)}
    for system in _KEY_ORDER:
        if system in names:
            return names[system]
    return min(names.values(), default="")


def _known(row: Any) -> KnownVersion:
    return KnownVersion(
        document=row.id,
        submission=row.submission,
        patient=row.patient,
        version=row.version,
        status=row.report_status,
        issued=_issued(row.issued),
        digest=row.clinical_digest,
        current=row.current,
        state=row.status,
    )


def _issued(written: str | None) -> datetime | date | None:
    if written is None:
        return None
    return datetime.fromisoformat(written) if "T" in written else date.fromisoformat(written)
