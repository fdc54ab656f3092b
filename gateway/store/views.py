"""Submissions as their senders see them: one, or a page of a filtered list."""

from __future__ import annotations

import base64
from collections import defaultdict
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from gateway.model import DeliveryState, Status
from gateway.store import tables
from gateway.store.deliveries import reference_of
from gateway.store.room import Room, problem_from_row, problems_from_rows
from gateway.store.values import DeliveryView, DocumentView, Filter, Page, SubmissionView

PAGE_MAX = 200

table = tables.submission


class BadCursor(ValueError):
    """A cursor that no page of ours gave out."""


def view(room: Room, id: str, organizations: tuple[str, ...] | None) -> SubmissionView | None:
    """Return one submission, if it is one of these organisations'."""
    wanted = table.c.id == id
    if organizations is not None:
        wanted &= table.c.organization.in_(organizations)
    with room.database.read() as connection:
        rows = connection.execute(select(table).where(wanted)).all()
        found = _views(room, connection, list(rows))
    return found[0] if found else None


def page(room: Room, wanted: Filter) -> Page:
    """Return a page, newest first.  Raises BadCursor."""
    limit = max(1, min(wanted.limit, PAGE_MAX))
    query = (
        select(table)
        .where(*conditions(room, wanted))
        .order_by(table.c.kept_at.desc(), table.c.id.desc())
        .limit(limit + 1)
    )
    with room.database.read() as connection:
        rows = list(connection.execute(query).all())
        items = _views(room, connection, rows[:limit])
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(items=tuple(items), next_cursor=None if last is None else _cursor(last))


def conditions(room: Room, wanted: Filter) -> list[ColumnElement[bool]]:
    """Return the filter as conditions on submissions.  Raises BadCursor."""
    document = tables.document
    found: list[ColumnElement[bool]] = []
    if wanted.organizations is not None:
        found.append(table.c.organization.in_(wanted.organizations))
    if wanted.status is not None:
        found.append(table.c.status == wanted.status.value)
    if wanted.sender is not None:
        found.append(or_(table.c.organization == wanted.sender, table.c.client == wanted.sender))
    if wanted.cause is not None:
        same = select(document.c.submission).where(document.c.cause == wanted.cause)
        found.append(or_(table.c.cause == wanted.cause, table.c.id.in_(same)))
    if wanted.number is not None:
        token = room.keys.token("number", wanted.number)
        numbered = or_(document.c.number_token == token, document.c.order_token == token)
        found.append(table.c.id.in_(select(document.c.submission).where(numbered)))
    if wanted.since is not None:
        found.append(table.c.kept_at >= wanted.since)
    if wanted.until is not None:
        found.append(table.c.kept_at < wanted.until)
    if wanted.cursor is not None:
        at, id = _position(wanted.cursor)
        before = and_(table.c.kept_at == at, table.c.id < id)
        found.append(or_(table.c.kept_at < at, before))
    return found


def _views(room: Room, connection: Connection, rows: list[Row[Any]]) -> list[SubmissionView]:
    ids = [row.id for row in rows]
    documents = defaultdict(list)
    deliveries = defaultdict(list)
    if ids:
        wanted = select(tables.delivery).where(tables.delivery.c.submission.in_(ids))
        for row in connection.execute(wanted.order_by(tables.delivery.c.id)):
            deliveries[row.document].append(_delivery(room, row))
        wanted = select(tables.document).where(tables.document.c.submission.in_(ids))
        for row in connection.execute(wanted.order_by(tables.document.c.ordinal)):
            documents[row.submission].append(_document(row, tuple(deliveries[row.id])))
    return [
        SubmissionView(
            id=row.id,
            organization=row.organization,
            client=row.client,
            status=Status(row.status),
            media_type=row.media_type,
            size=row.size,
            sha256=row.sha256,
            streebog256=row.streebog256,
            kept_at=row.kept_at,
            receipt=row.receipt,
            documents=tuple(documents[row.id]),
            problems=problems_from_rows(row.problems),
            next_try=row.next_try,
        )
        for row in rows
    ]


def _document(row: Row[Any], deliveries: tuple[DeliveryView, ...]) -> DocumentView:
    return DocumentView(
        id=row.id,
        ordinal=row.ordinal,
        status=Status(row.status),
        place=row.place,
        problems=problems_from_rows(row.problems),
        receipt=row.receipt,
        duplicate_of=row.duplicate_of,
        deliveries=deliveries,
        succeeded_by=row.succeeded_by,
    )


def _delivery(room: Room, row: Row[Any]) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        destination=row.destination,
        action=row.action,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_try=row.next_try,
        problem=None if row.problem is None else problem_from_row(row.problem),
        reference=reference_of(room, row),
    )


def _cursor(row: Row[Any]) -> str:
    text = f"{tables.micros(row.kept_at)}.{row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[Any, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at, _, id = base64.urlsafe_b64decode(padded).decode().partition(".")
        # PostgreSQL takes no NUL in a text; a cursor of ours has only an id here.
        if not id.isprintable():
            raise BadCursor(cursor)
        return tables.EPOCH + timedelta(microseconds=int(at)), id
    except (ValueError, OverflowError) as error:
        raise BadCursor(cursor) from error
