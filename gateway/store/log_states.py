"""Statuses against the log: what is shown of a document is what was last written down of it.

Work under way has no entry of its own: `received` and `processing` stand as long as the work
order does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from gateway.model import Status
from gateway.store import tables
from gateway.store.log_tables import audit_entry
from gateway.store.settle import LEAST_FINISHED

_PAGE = 400
_OPEN = {Status.RECEIVED.value, Status.PROCESSING.value}
_ENDED = {one.value for one in Status} - _OPEN
_WORKED = ("ready", "leased")

_Told = dict[str, tuple[datetime, set[str]]]
"""By subject: when its last entry about a status was written, and which it told of then."""


def first_untold(connection: Connection) -> tuple[str, str] | None:
    """Return the first submission or document whose status the log does not tell of."""
    submission = tables.submission
    wanted = select(submission.c.id, submission.c.status).order_by(submission.c.id).limit(_PAGE)
    after = ""
    while rows := connection.execute(wanted.where(submission.c.id > after)).all():
        if found := _first_of(connection, rows):
            return found, "state"
        after = rows[-1].id
    return None


def _first_of(connection: Connection, submissions: Sequence[Any]) -> str | None:
    ids = [row.id for row in submissions]
    document, order = tables.document, tables.work_order
    documents: defaultdict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(
        select(document.c.id, document.c.submission, document.c.status)
        .where(document.c.submission.in_(ids))
        .order_by(document.c.ordinal)
    ):
        documents[row.submission].append(row)
    worked = set(
        connection.execute(
            select(order.c.subject).where(
                order.c.kind == "submission",
                order.c.subject.in_(ids),
                order.c.state.in_(_WORKED),
            )
        ).scalars()
    )
    told = _told(connection, ids, "submission.")
    of_documents = [one.id for mine in documents.values() for one in mine]
    for start in range(0, len(of_documents), _PAGE):
        told |= _told(connection, of_documents[start : start + _PAGE], "document.")
    for row in submissions:
        under_way = row.id in worked
        for one in documents[row.id]:
            if not _document_told(one, told, row.id, under_way):
                return str(one.id)
        if not _submission_told(row, documents[row.id], told, under_way):
            return str(row.id)
    return None


def _document_told(row: Any, told: _Told, submission: str, under_way: bool) -> bool:
    if row.status in _OPEN:
        return under_way
    last = told.get(row.id)
    whole = told.get(submission)
    if last is None or (whole is not None and whole[0] >= last[0] and row.status in whole[1]):
        return whole is not None and row.status in whole[1]
    return row.status in last[1]


def _submission_told(row: Any, documents: Iterable[Any], told: _Told, under_way: bool) -> bool:
    if row.status in _OPEN:
        return under_way
    statuses = {one.status for one in documents}
    ends = [told[one.id][0] for one in documents if one.id in told]
    whole = told.get(row.id)
    if whole is not None and all(at <= whole[0] for at in ends) and row.status in whole[1]:
        return True
    least = [one.value for one in LEAST_FINISHED if one.value in statuses]
    return bool(least) and row.status == least[0]


def _told(connection: Connection, subjects: Sequence[str], family: str) -> _Told:
    rows = connection.execute(
        select(audit_entry.c.subject, audit_entry.c.at, audit_entry.c.action).where(
            audit_entry.c.subject.in_(subjects)
        )
    )
    told: _Told = {}
    for row in rows:
        status = row.action.removeprefix(family)
        if row.action == "submission.give-up":
            status = Status.NEEDS_INFO.value
        if status not in _ENDED:
            continue
        at, known = told.get(row.subject, (row.at, set()))
        if row.at > at:
            at, known = row.at, set()
        if row.at == at:
            told[row.subject] = (at, known | {status})
    return told
