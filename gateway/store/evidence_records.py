"""The proofs of kept submissions: when they age out, and the evidence records that renew them.

A record is sealed under the submission's own key, so that it goes when its patient is erased;
what it covers beside the submission's parts lies among the evidence, each object once, and so
do its tokens, each of which stamps a whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, or_, select, update

from gateway.model import Status
from gateway.store import submissions, tables, vault
from gateway.store.log import audit_entry
from gateway.store.room import Room, write_audit
from gateway.store.statement import Statement, insert_new
from gateway.store.values import (
    NewRecord,
    Overtaken,
    ProofCounts,
    ProofEnd,
    ProofRow,
    StoredRecord,
)

table = tables.evidence_record

_UNFINISHED = (Status.RECEIVED.value, Status.PROCESSING.value)
_OPEN = ("waiting", "stamped")

STAMP = "timestamp"
"""The kind of evidence that a time-stamp token is."""

_ROW = Statement(select(table).where(table.c.submission == bindparam("submission")))


@dataclass(frozen=True)
class _Folded:
    """What is sealed: the record less its tokens, and ids of evidence rows."""

    record: bytes
    material: tuple[tuple[str, ...], ...]
    tokens: tuple[tuple[int, str], ...] = ()
    """Where in `record` each belongs; none where they were kept inside, as once they were."""


class EvidenceRecords:
    """What the job that renews evidence asks of the store."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def unseen(self, after: str, limit: int) -> tuple[str, ...]:
        """Return settled submissions nobody has asked how long their proof lasts, by id."""
        submission = tables.submission
        wanted = (
            select(submission.c.id)
            .outerjoin(table, table.c.submission == submission.c.id)
            .where(
                submission.c.id > after,
                table.c.submission.is_(None),
                submission.c.signatures.is_not(None),
                submission.c.status.not_in(_UNFINISHED),
            )
            .order_by(submission.c.id)
            .limit(limit)
        )
        with self.room.database.read() as connection:
            return tuple(connection.execute(wanted).scalars())

    def seen(self, ends: Sequence[tuple[str, ProofEnd]]) -> None:
        """Keep how long the proofs of submissions last; what is known already stays."""

        def transaction(connection: Connection) -> None:
            for submission, end in ends:
                insert_new(connection, table, submission=submission, **_columns(end), stamps=0)

        self.room.database.write(transaction)

    def due(
        self, now: datetime, ends_before: datetime, limit: int, *, unstamped: bool = False
    ) -> tuple[ProofRow, ...]:
        """Return whose proof ends before a moment, the first to end first.

        With `unstamped` also all that have no stamp yet, whenever they end.
        """
        soon: ColumnElement[bool] = table.c.ends_at <= ends_before
        if unstamped:
            soon = or_(soon, table.c.state == "waiting")
        wanted = (
            select(table)
            .where(table.c.state.in_(_OPEN), table.c.not_before <= now, soon)
            .order_by(table.c.ends_at, table.c.submission)
            .limit(limit)
        )
        with self.room.database.read() as connection:
            return tuple(map(_proof, connection.execute(wanted)))

    def row(self, submission: str) -> ProofRow | None:
        """Return how long a submission's proof lasts; None before anybody asked."""
        with self.room.database.read() as connection:
            row = _ROW.first(connection, submission=submission)
        return None if row is None else _proof(row)

    def record(self, submission: str) -> StoredRecord | None:
        """Return a submission's evidence record; None before its first stamp.

        Raises KeyError and KeyDestroyed, and Unreadable for one that is not as it was kept.
        """
        with self.room.database.read() as connection:
            owner = submissions.row_of(connection, submission)
            row = _ROW.first(connection, submission=submission)
        if row is None or not row.stamps:
            return None
        if row.sealed is None:
            raise vault.Unreadable(_place(submission))
        key = submissions.data_key_of(self.room, owner)
        plain = vault.open_sealed(key, row.sealed, _place(submission))
        folded = msgspec.msgpack.decode(plain, type=_Folded)
        material = tuple(submissions.evidence_of(self.room, ids) for ids in folded.material)
        return StoredRecord(record=self._whole(folded), material=material)

    def put_off(self, ids: Sequence[str], until: datetime) -> None:
        """Look at some not sooner than `until`."""
        mine = table.c.submission.in_(ids)
        self.room.database.write(
            lambda connection: connection.execute(
                update(table).where(mine).values(not_before=until)
            )
        )

    def end(self, row: ProofRow, state: str) -> None:
        """Note that nothing is to be renewed any more: `late` or `closed`.

        A proof that got another stamp since `row` was read goes on.
        """
        now = self.room.clock()
        entry = audit_entry("evidence", f"evidence.{state}", row.submission, {}, now)

        def transaction(connection: Connection) -> None:
            mine = and_(
                table.c.submission == row.submission,
                table.c.stamps == row.stamps,
                table.c.state.in_(_OPEN),
            )
            if connection.execute(update(table).where(mine).values(state=state)).rowcount:
                write_audit(connection, entry)

        self.room.database.write(transaction)

    def keep(self, new: Sequence[NewRecord]) -> None:
        """Keep records with one more stamp, all or none.  Raises Overtaken."""
        now = self.room.clock()
        sealed = [self._sealed(one) for one in new]
        objects = {pair for one in new for some in one.stored.material for pair in some}
        objects |= {(STAMP, token) for one in new for token in one.tokens}
        rows = [submissions.evidence_row(self.room, kind, blob) for kind, blob in objects]
        entries = [
            audit_entry(
                "evidence", "evidence.stamped", one.submission, {"stamps": str(one.stamps)}, now
            )
            for one in new
        ]

        def transaction(connection: Connection) -> None:
            submissions.insert_evidence(connection, rows)
            for one, body in zip(new, sealed, strict=True):
                mine = and_(
                    table.c.submission == one.submission, table.c.stamps == one.stamps_before
                )
                values = {
                    **_columns(one.end),
                    "stamps": one.stamps,
                    "stamped_at": one.stamped_at,
                    "sealed": body,
                }
                if not connection.execute(update(table).where(mine).values(values)).rowcount:
                    raise Overtaken(one.submission)
            write_audit(connection, *entries)

        self.room.database.write(transaction)

    def counts(self, ends_before: datetime) -> ProofCounts:
        """Return how many proofs are in which state, and what ends before a moment."""
        open_ = table.c.state.in_(_OPEN)
        with self.room.database.read() as connection:
            states = connection.execute(
                select(table.c.state, func.count().label("number")).group_by(table.c.state)
            ).all()
            due = connection.execute(
                select(func.count()).where(open_, table.c.ends_at <= ends_before)
            ).scalar_one()
            first = connection.execute(select(func.min(table.c.ends_at)).where(open_)).scalar()
        return ProofCounts(
            states={row.state: row.number for row in states}, due=due, first_end=first
        )

    def _sealed(self, one: NewRecord) -> bytes:
        with self.room.database.read() as connection:
            key = submissions.data_key_of(self.room, submissions.row_of(connection, one.submission))
        bare, tokens, taken = one.stored.record, list[tuple[int, str]](), 0
        for token in one.tokens:
            place = bare.index(token, taken)
            bare, taken = bare[:place] + bare[place + len(token) :], place
            tokens.append((place, self._id(token)))
        ids = tuple(tuple(self._id(blob) for _, blob in some) for some in one.stored.material)
        folded = _Folded(record=bare, material=ids, tokens=tuple(tokens))
        return vault.seal(key, msgspec.msgpack.encode(folded), _place(one.submission))

    def _whole(self, folded: _Folded) -> bytes:
        """Return a record with its tokens put back."""
        pieces, start = [], 0
        kept = submissions.evidence_of(self.room, tuple(id for _, id in folded.tokens))
        for (place, _), (_, token) in zip(folded.tokens, kept, strict=True):
            pieces += [folded.record[start:place], token]
            start = place
        return b"".join((*pieces, folded.record[start:]))

    def _id(self, blob: bytes) -> str:
        return self.room.keys.exact_token("evidence", blob)


def _columns(end: ProofEnd) -> dict[str, Any]:
    return {
        "state": end.state,
        "ends_at": end.ends_at,
        "ends_by": end.ends_by,
        "not_before": end.not_before,
    }


def _proof(row: Row[Any]) -> ProofRow:
    end = ProofEnd(
        state=row.state, ends_at=row.ends_at, ends_by=row.ends_by, not_before=row.not_before
    )
    return ProofRow(
        submission=row.submission, end=end, stamps=row.stamps, stamped_at=row.stamped_at
    )


def _place(submission: str) -> str:
    return f"evidence-record:{submission}"
