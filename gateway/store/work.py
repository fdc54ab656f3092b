"""Work orders: what is to be done, by whom it is claimed, and until when.

A claim is a lease with a fencing token that counts up with every claim.  Whoever finishes an
order shows the token in the transaction that writes the result; a worker that was thought
dead and comes back late finds its token worthless and writes nothing.

Submissions take turns by sender (start-time fair queueing): an order's turn is one past the
last of its sender's, but never before the turn that is being worked.  A laboratory that sends
a thousand at once fills its own turns; another's next result is worked after the one at hand.

Source: Goyal, Vin, Cheng: Start-time Fair Queueing (SIGCOMM 1996).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Connection, and_, bindparam, column, or_, select, text, update

from gateway.model import DeliveryState, Problem, Status
from gateway.store import tables
from gateway.store.log import audit_entry
from gateway.store.room import HELD_BACK, Room, problems_to_rows, write_audit, write_event
from gateway.store.statement import Statement, insert_rows, update_rows
from gateway.store.tables import work_order
from gateway.store.values import LostLease, WorkOrder

POLL_S = 0.25
"""How often to look for work of other processes, and for orders that have become due."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Due time of an order that keeps its place in its line and waits for something to happen."""

KINDS = ("submission", "delivery")
EVERYBODY = "everybody"

_CLAIMABLE = """
    FROM work_order AS w
    WHERE w.kind = :kind AND w.state IN ('ready', 'leased') AND w.due_at <= :now
      AND (w.order_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM work_order AS e
        WHERE e.order_key = w.order_key AND e.sequence < w.sequence
          AND e.state IN ('ready', 'leased')))
"""

# S608: only the constants above and below are put together.
_CLAIM = """
    WITH due AS MATERIALIZED (
      SELECT w.id {claimable} ORDER BY w.turn, w.due_at, w.id LIMIT :limit {lock})
    UPDATE work_order
    SET state = 'leased', attempts = attempts + 1, token = token + 1, due_at = :until
    WHERE id IN (SELECT id FROM due)
    RETURNING id, kind, subject, attempts, token, created_at, kept_at
"""

_TIMES = (bindparam("now", type_=tables.Instant), bindparam("until", type_=tables.Instant))


def _claiming(lock: str) -> Statement:
    claim = text(_CLAIM.format(claimable=_CLAIMABLE, lock=lock)).bindparams(*_TIMES)
    names = ("id", "kind", "subject", "attempts", "token", "created_at", "kept_at")
    return Statement(claim.columns(*(work_order.c[name] for name in names)))


_CLAIM_EMBEDDED = _claiming("")
_CLAIM_SHARED = _claiming("FOR UPDATE OF w SKIP LOCKED")
_ANY = Statement(
    text(f"SELECT w.id {_CLAIMABLE} LIMIT 1").bindparams(_TIMES[0]).columns(work_order.c.id)
)
_REPEATED = (Status.NEEDS_INFO, Status.REJECTED)
"""What a replay works again: what waits for a person, and what was refused."""

_DOCUMENTS = Statement(
    select(tables.document.c.id, tables.document.c.status, tables.document.c.cause).where(
        tables.document.c.submission == bindparam("submission")
    )
)
_PART = Statement(
    select(tables.part.c.ordinal)
    .where(tables.part.c.submission == bindparam("submission"))
    .limit(1)
)
_HELD = Statement(
    select(work_order.c.token, work_order.c.state).where(work_order.c.id == bindparam("id"))
)


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """A piece of work to be put down."""

    kind: str
    subject: str
    at: datetime
    kept_at: datetime | None = None
    order_key: str | None = None
    sequence: int = 0
    lane: str | None = None
    """The sender whose turn it takes; None for work that takes no turns."""


_TURN = Statement(
    text("""
    SELECT
      COALESCE((SELECT MIN(turn) FROM work_order
                WHERE kind = 'submission' AND state IN ('ready', 'leased')
                  AND (state = 'leased' OR due_at <= :now)), 0) AS worked,
      COALESCE((SELECT MAX(turn) + 1 FROM work_order
                WHERE lane = :lane AND state IN ('ready', 'leased')), 0) AS own
    """)
    .bindparams(_TIMES[0])
    .columns(column("worked", BigInteger), column("own", BigInteger))
)


def _turn(connection: Connection, order: NewOrder) -> int:
    if order.lane is None:
        return 0
    row = _TURN.first(connection, lane=order.lane, now=order.at)
    return max(int(row.worked), int(row.own))


def add(connection: Connection, *orders: NewOrder) -> None:
    """Write new orders, due at once."""
    insert_rows(
        connection,
        work_order,
        [
            {
                "kind": order.kind,
                "subject": order.subject,
                "state": "ready",
                "attempts": 0,
                "token": 0,
                "due_at": order.at,
                "order_key": order.order_key,
                "sequence": order.sequence,
                "lane": order.lane,
                "turn": _turn(connection, order),
                "cause": None,
                "created_at": order.at,
                "kept_at": order.kept_at,
            }
            for order in orders
        ],
    )


def claim(room: Room, kind: str, limit: int, lease: timedelta) -> tuple[WorkOrder, ...]:
    """Claim due orders, by turn, then oldest first; of one order key only the first unfinished."""
    now = room.clock()
    statement = _CLAIM_EMBEDDED if room.database.embedded else _CLAIM_SHARED
    rows = room.database.write(
        lambda connection: statement.all(
            connection, kind=kind, limit=limit, now=now, until=now + lease
        ),
        durable=False,
    )
    return tuple(
        WorkOrder(
            id=row.id,
            kind=row.kind,
            subject=row.subject,
            attempt=row.attempts,
            token=row.token,
            created_at=row.created_at,
            kept_at=row.kept_at,
        )
        for row in sorted(rows, key=lambda row: row.id)
    )


def wait(room: Room, kind: str, timeout: float) -> bool:
    """Wait until an order can be claimed.

    A bell rings for work of this process; work of other processes, expired leases and orders
    that become due are found by looking again.  `wake` ends every wait.
    """
    end = time.monotonic() + timeout
    woken = room.waker.count(EVERYBODY)
    while True:
        seen = room.waker.count(kind)
        if _claimable(room, kind):
            return True
        left = end - time.monotonic()
        if left <= 0 or room.waker.count(EVERYBODY) != woken:
            return False
        room.waker.wait(kind, seen, min(left, POLL_S))


def wake(room: Room) -> None:
    """End the waits of this process's threads, for a stop."""
    room.waker.ring(EVERYBODY)
    for kind in KINDS:
        room.waker.ring(kind)


def check(connection: Connection, order: WorkOrder) -> None:
    """Raise LostLease unless `order` is the last claim; on PostgreSQL hold it until the end."""
    _change(connection, order, token=order.token)


def look(connection: Connection, order: WorkOrder) -> None:
    """Raise LostLease when the claim is gone already: a look, to spare work; no guard."""
    row = _HELD.first(connection, id=order.id)
    if row is None or (row.token, row.state) != (order.token, "leased"):
        raise LostLease(order.subject)


def finish(connection: Connection, order: WorkOrder, state: str = "done") -> None:
    """Complete an order (`done`) or set it aside (`parked`).  Raises LostLease."""
    _change(connection, order, state=state, cause=None)


def give_back(connection: Connection, order: WorkOrder, at: datetime, code: str) -> None:
    """Make an order claimable again from `at`.  Raises LostLease."""
    _change(connection, order, state="ready", due_at=at, cause=code)


def extend(room: Room, order: WorkOrder, lease: timedelta) -> None:
    """Lengthen a claim."""
    until = room.clock() + lease
    room.database.write(lambda connection: _change(connection, order, due_at=until))


def release_all(room: Room) -> int:
    """Make every claimed order claimable at once; return how many.

    For the start of the one process that works an embedded database: whoever held a claim is
    dead, and waiting for its lease would only keep laboratories waiting.  The fencing tokens
    guard the rest, should that be wrong.
    """
    now = room.clock()
    released = room.database.write(
        lambda connection: (
            connection.execute(
                update(work_order)
                .where(work_order.c.state == "leased")
                .values(state="ready", due_at=now)
            ).rowcount
        )
    )
    return int(released)


def postpone(room: Room, order: WorkOrder, at: datetime, problem: Problem) -> None:
    """Give a submission's order back until `at` and show why it waits."""

    def transaction(connection: Connection) -> None:
        give_back(connection, order, at, problem.code)
        connection.execute(
            update(tables.submission)
            .where(tables.submission.c.id == order.subject)
            .values(
                next_try=at,
                problems=problems_to_rows([problem]),
                cause=problem.code,
                awaits=problem.detail.get("issuer"),
            )
        )
        write_event(
            connection,
            room.clock(),
            order.subject,
            "postponed",
            detail={"code": problem.code, "next_try": at.isoformat()},
        )

    room.database.write(transaction)


def replay(room: Room, submission: str, actor: str, document: str | None = None) -> None:
    """Put a submission, or one document of it, and stranded deliveries to work again."""
    room.database.write(
        lambda connection: requeue(connection, submission, actor, room.clock(), document)
    )
    room.waker.ring("submission")
    room.waker.ring("delivery")


def requeue(
    connection: Connection,
    submission: str,
    actor: str,
    now: datetime,
    document: str | None = None,
) -> None:
    """The body of `replay`, inside a transaction.  Raises KeyError.

    Documents that wait or were refused become `received`; the line works those and no other.
    """
    table = tables.submission
    status = connection.execute(
        select(table.c.status).where(table.c.id == submission).with_for_update()
    ).scalar()
    if status is None:
        raise KeyError(submission)
    if _PART.first(connection, submission=submission) is not None:
        _receive_again(connection, submission, document)
    elif status in _REPEATED:
        # Its original was dropped in time: only whoever has the bytes can send them again.
        return
    if status in _REPEATED:
        _ready(connection, "submission", [submission], now)
        connection.execute(
            update(table)
            .where(table.c.id == submission)
            .values(status=Status.RECEIVED.value, next_try=None, problems=[], cause=None)
        )
    else:
        # Postponed work need not wait for its hour; work under way is left alone.
        connection.execute(
            update(work_order)
            .where(
                work_order.c.kind == "submission",
                work_order.c.subject == submission,
                work_order.c.state == "ready",
            )
            .values(due_at=now)
        )
    _requeue_deliveries(connection, submission, now, document)
    write_event(connection, now, submission, "replayed", document=document, detail={"actor": actor})
    named = {} if document is None else {"document": document}
    write_audit(connection, audit_entry(actor, "submission.replay", submission, named, now))


def left_alone(room: Room, submission: str) -> frozenset[str]:
    """Return the documents of a submission that nobody asked to be worked again."""
    with room.database.read() as connection:
        rows = _DOCUMENTS.all(connection, submission=submission)
    return frozenset(row.id for row in rows if row.status != Status.RECEIVED)


def left_by_replay(room: Room, submission: str) -> frozenset[str]:
    """Return the documents of a submission that a replay of it would leave as they are."""
    with room.database.read() as connection:
        rows = _DOCUMENTS.all(connection, submission=submission)
    return frozenset(row.id for row in rows if row.status not in (Status.RECEIVED, *_REPEATED))


def go_on(connection: Connection, submission: str, now: datetime) -> bool:
    """Make a finished order claimable again when a replay came while it was worked."""
    rows = _DOCUMENTS.all(connection, submission=submission)
    if all(row.status != Status.RECEIVED for row in rows):
        return False
    _ready(connection, "submission", [submission], now)
    return True


def _receive_again(connection: Connection, submission: str, document: str | None) -> None:
    table = tables.document
    mine = table.c.submission == submission
    if document is not None:
        causes = {one.id: one.cause for one in _DOCUMENTS.all(connection, submission=submission)}
        if document not in causes:
            raise KeyError(document)
        if HELD_BACK not in causes.values():
            mine &= table.c.id == document
    waiting = table.c.status.in_([one.value for one in _REPEATED])
    connection.execute(update(table).where(mine, waiting).values(status=Status.RECEIVED.value))


def _requeue_deliveries(
    connection: Connection, submission: str, now: datetime, only: str | None
) -> None:
    table = tables.delivery
    document = tables.document
    stranded = and_(
        table.c.submission == submission,
        table.c.state.in_((DeliveryState.DEAD.value, DeliveryState.HELD.value)),
        # What was replaced or withdrawn is not sent any more; a withdrawal always is.
        or_(table.c.action == "withdrawal", document.c.current),
    )
    wanted = select(table.c.id).join(document, document.c.id == table.c.document).where(stranded)
    if only is not None:
        wanted = wanted.where(table.c.document == only)
    ids = list(connection.execute(wanted).scalars())
    if not ids:
        return
    _ready(connection, "delivery", ids, now)
    connection.execute(
        update(table)
        .where(table.c.id.in_(ids))
        .values(state=DeliveryState.WAITING.value, next_try=now, updated_at=now)
    )


def _ready(connection: Connection, kind: str, subjects: list[str], now: datetime) -> None:
    connection.execute(
        update(work_order)
        .where(
            work_order.c.kind == kind,
            work_order.c.subject.in_(subjects),
            work_order.c.state.in_(("done", "parked")),
        )
        .values(state="ready", due_at=now, attempts=0, cause=None)
    )


def _change(connection: Connection, order: WorkOrder, **values: object) -> None:
    claimed = {"id": order.id, "token": order.token, "state": "leased"}
    if not update_rows(connection, work_order, claimed, values):
        raise LostLease(order.subject)


def _claimable(room: Room, kind: str) -> bool:
    with room.database.read() as connection:
        return _ANY.first(connection, kind=kind, now=room.clock()) is not None
