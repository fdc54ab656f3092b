"""Replays of many submissions: which, how fast, how far, and what each was before and after.

A run is a row with a cursor and one row per submission, so it may be stopped, resumed or
continued by another process at any point; a submission is put on the line by the same
transaction that moves the cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from gateway.fhir import text
from gateway.model import Json, Status
from gateway.store import records, repair_tables, tables, vault, views, work
from gateway.store.keys import KeyDestroyed
from gateway.store.log import audit_entry
from gateway.store.room import Room, new_id, write_audit
from gateway.store.statement import insert_rows
from gateway.store.values import Filter, ReplayItem, ReplayRun
from gateway.store.writing import place_of

STEP_MAX = 50
"""Submissions that one step puts on the line, so that others' are not behind a thousand."""

UNDER_WAY_MAX = 200
"""Submissions of a run that may be on the line at once."""

UNDECIDED = (Status.RECEIVED.value, Status.PROCESSING.value)

run = repair_tables.replay_run
item = repair_tables.replay_item


def matching(room: Room, wanted: Filter, most: int) -> tuple[str, ...]:
    """Return ids of submissions that match, oldest first: the order they came in."""
    table = tables.submission
    with room.database.read() as connection:
        return tuple(
            connection.execute(
                select(table.c.id)
                .where(*views.conditions(room, wanted))
                .order_by(table.c.kept_at, table.c.id)
                .limit(most)
            ).scalars()
        )


def start(
    room: Room,
    submissions: Sequence[str],
    *,
    organization: str | None,
    actor: str,
    reason: str,
    rate: float | None,
    dry_run: bool,
) -> ReplayRun:
    """Write a run down; nothing is put on the line yet."""

    def transaction(connection: Connection) -> ReplayRun:
        return write(
            connection,
            submissions,
            organization=organization,
            actor=actor,
            reason=reason,
            rate=rate,
            dry_run=dry_run,
            now=room.clock(),
        )

    return room.database.write(transaction)


def write(
    connection: Connection,
    submissions: Sequence[str],
    *,
    organization: str | None,
    actor: str,
    reason: str,
    rate: float | None,
    now: datetime,
    dry_run: bool = False,
) -> ReplayRun:
    """The body of `start`, inside a transaction: with a decision, whose run must not be lost."""
    chosen = list(dict.fromkeys(submissions))
    made = ReplayRun(
        id=new_id(now),
        actor=actor,
        state="running" if chosen else "done",
        total=len(chosen),
        started=0,
        finished=0,
        rate=rate,
        dry_run=dry_run,
        created_at=now,
        reason=reason,
    )
    row = {**asdict(made), "organization": organization, "next_at": now}
    insert_rows(connection, run, [row])
    waiting = {"run": made.id, "document": None, "state": "waiting", "before": None, "after": None}
    insert_rows(
        connection,
        item,
        [
            {**waiting, "position": position, "submission": submission}
            for position, submission in enumerate(chosen)
        ],
    )
    detail = {"reason": reason, "total": str(len(chosen)), "dry_run": "yes" if dry_run else "no"}
    write_audit(connection, audit_entry(actor, "replay.start", made.id, detail, now))
    return made


def one(room: Room, id: str, organizations: tuple[str, ...] | None) -> ReplayRun | None:
    """Return a run; None when it is not theirs to see."""
    with room.database.read() as connection:
        row = connection.execute(select(run).where(run.c.id == id, *_seen(organizations))).first()
    return None if row is None else _run(row)


def newest(room: Room, organizations: tuple[str, ...] | None, most: int) -> tuple[ReplayRun, ...]:
    """Return runs, newest first."""
    with room.database.read() as connection:
        rows = connection.execute(
            select(run)
            .where(*_seen(organizations))
            .order_by(run.c.created_at.desc(), run.c.id)
            .limit(most)
        ).all()
    return tuple(_run(row) for row in rows)


def items(
    room: Room, id: str, state: str | None = None, most: int = 1000
) -> tuple[ReplayItem, ...]:
    """Return a run's submissions in order."""
    wanted: list[ColumnElement[bool]] = [item.c.run == id]
    if state is not None:
        wanted.append(item.c.state == state)
    with room.database.read() as connection:
        rows = connection.execute(
            select(item).where(*wanted).order_by(item.c.position).limit(most)
        ).all()
    return tuple(
        ReplayItem(
            submission=row.submission,
            position=row.position,
            state=row.state,
            before=row.before,
            after=row.after,
        )
        for row in rows
    )


def set_state(room: Room, id: str, state: str, actor: str) -> None:
    """Stop (`stopped`) or resume (`running`) a run that is not done.  Raises KeyError."""
    assert state in ("running", "stopped"), state
    now = room.clock()

    def transaction(connection: Connection) -> None:
        row = connection.execute(select(run).where(run.c.id == id).with_for_update()).first()
        if row is None:
            raise KeyError(id)
        if row.state in ("done", state):
            return
        connection.execute(update(run).where(run.c.id == id).values(state=state, next_at=now))
        action = "replay.resume" if state == "running" else "replay.stop"
        write_audit(connection, audit_entry(actor, action, id, {}, now))

    room.database.write(transaction)


def running(room: Room) -> tuple[ReplayRun, ...]:
    """Return the runs that go on, oldest first; stopped ones while submissions are under way."""
    open_ = select(item.c.run).where(item.c.run == run.c.id, item.c.state == "started").exists()
    with room.database.read() as connection:
        rows = connection.execute(
            select(run)
            .where((run.c.state == "running") | ((run.c.state == "stopped") & open_))
            .order_by(run.c.created_at, run.c.id)
        ).all()
    return tuple(_run(row) for row in rows)


def advance(room: Room, id: str, *, requeue: bool = True) -> tuple[str, ...]:
    """Take the next submissions of a run in hand; return which.

    With `requeue` they are put on the line; a dry run only marks them.  A run that is
    stopped, not due yet, or has enough under way takes none.
    """
    now = room.clock()

    def transaction(connection: Connection) -> tuple[str, ...]:
        row = connection.execute(
            select(run).where(run.c.id == id).with_for_update(skip_locked=True)
        ).first()
        if row is None or row.state != "running" or row.next_at > now:
            return ()
        under_way = connection.execute(
            select(func.count())
            .select_from(item)
            .where(item.c.run == id, item.c.state == "started")
        ).scalar_one()
        number = min(_allowed(row, now), UNDER_WAY_MAX - under_way)
        waiting = connection.execute(
            select(item)
            .where(item.c.run == id, item.c.state == "waiting")
            .order_by(item.c.position)
            .limit(max(number, 0))
        ).all()
        for one in waiting:
            before = _snapshot(connection, one.submission)
            connection.execute(
                update(item)
                .where(item.c.run == id, item.c.position == one.position)
                .values(state="started", before=before)
            )
            if requeue and before is not None:
                work.requeue(connection, one.submission, row.actor, now)
        pause = timedelta(seconds=len(waiting) / row.rate) if row.rate else timedelta()
        connection.execute(
            update(run)
            .where(run.c.id == id)
            .values(started=row.started + len(waiting), next_at=now + pause)
        )
        return tuple(one.submission for one in waiting)

    taken = room.database.write(transaction)
    if taken and requeue:
        room.waker.ring("submission")
        room.waker.ring("delivery")
    return taken


def settled(
    room: Room, id: str, *, whatever: bool = False
) -> tuple[tuple[ReplayItem, Json | None], ...]:
    """Return a run's submissions that came to an end since, with what they are now.

    With `whatever`, also those still on the line: a dry run waits for nothing.
    """
    table = tables.submission
    with room.database.read() as connection:
        rows = connection.execute(
            select(item, table.c.status)
            .outerjoin(table, table.c.id == item.c.submission)
            .where(item.c.run == id, item.c.state == "started")
            .order_by(item.c.position)
        ).all()
        return tuple(
            (
                ReplayItem(
                    submission=row.submission,
                    position=row.position,
                    state=row.state,
                    before=row.before,
                    after=None,
                ),
                _snapshot(connection, row.submission),
            )
            for row in rows
            if whatever or row.status not in UNDECIDED
        )


def finish(room: Room, id: str, position: int, after: Json | None) -> None:
    """Note how a submission of a run ended; the last one ends the run."""

    def transaction(connection: Connection) -> None:
        row = connection.execute(select(run).where(run.c.id == id).with_for_update()).one()
        changed = connection.execute(
            update(item)
            .where(item.c.run == id, item.c.position == position, item.c.state == "started")
            .values(state="finished", after=after)
        )
        if not changed.rowcount:
            return
        finished = row.finished + 1
        values: dict[str, Any] = {"finished": finished}
        if finished >= row.total:
            values["state"] = "done"
        connection.execute(update(run).where(run.c.id == id).values(values))

    room.database.write(transaction)


def versions(room: Room, names: Sequence[Sequence[Any]]) -> dict[str, Json]:
    """Return resources by `Type/id`, in the versions that snapshots name (type, id, version)."""
    table, found = tables.resource_version, {}
    with room.database.read() as connection:
        for type, id, version in names:
            row = connection.execute(
                select(table).where(
                    and_(table.c.type == type, table.c.id == id, table.c.version == version)
                )
            ).first()
            if row is None:
                continue
            try:
                key = room.keys.key(row.owner, row.key_generation)
            except KeyDestroyed:
                continue
            place = place_of((type, id), version, row.owner)
            found[f"{type}/{id}"] = text.loads(vault.open_sealed(key, row.sealed, place))
    return found


def current(room: Room, names: Sequence[str]) -> dict[str, Json]:
    """Return current resources by `Type/id`, as they were stored."""
    found: dict[str, Json] = {}
    for name in names:
        type, _, id = name.partition("/")
        row = records.resource(room, type, id)
        if row is not None:
            found[name] = row[0]
    return found


# --- inside ----------------------------------------------------------------------------


def _seen(organizations: tuple[str, ...] | None) -> list[ColumnElement[bool]]:
    return [] if organizations is None else [run.c.organization.in_(organizations)]


def _allowed(row: Row[Any], now: datetime) -> int:
    """How many a step may take: with a rate, one at a time, so that the pace is even."""
    return STEP_MAX if row.rate is None else 1


def _snapshot(connection: Connection, submission: str) -> Json | None:
    """Return the states, causes and resource versions of a submission; no content."""
    table, document, content = tables.submission, tables.document, tables.document_resource
    status = connection.execute(select(table.c.status).where(table.c.id == submission)).scalar()
    if status is None:
        return None
    whole = connection.execute(select(table.c.problems).where(table.c.id == submission)).scalar()
    rows = connection.execute(
        select(document).where(document.c.submission == submission).order_by(document.c.ordinal)
    ).all()
    documents: list[Any] = []
    for row in rows:
        resources = connection.execute(
            select(content.c.type, content.c.id, content.c.version)
            .where(content.c.document == row.id)
            .order_by(content.c.ordinal)
        ).all()
        documents.append(
            {
                "id": row.id,
                "status": row.status,
                "codes": [one["code"] for one in row.problems],
                "resources": [list(one) for one in resources],
            }
        )
    return {
        "status": str(status),
        "codes": [one["code"] for one in whole or []],
        "documents": documents,
    }


def _run(row: Row[Any]) -> ReplayRun:
    return ReplayRun(
        id=row.id,
        actor=row.actor,
        state=row.state,
        total=row.total,
        started=row.started,
        finished=row.finished,
        rate=row.rate,
        dry_run=row.dry_run,
        created_at=row.created_at,
        reason=row.reason,
    )
