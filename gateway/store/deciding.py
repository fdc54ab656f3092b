"""Taking a decision: it, what it teaches and the replay of all that wait for it, or nothing.

Who dies between a decision and its replay would leave documents waiting for an answer that was
given, and which nobody can give again; so the run of replays is written down with it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

from gateway.model import CodeUse, Decision
from gateway.store import code_uses, moment, repair_tables, repairs, replays, vault
from gateway.store.log import audit_entry
from gateway.store.room import Room, new_id, write_audit
from gateway.store.statement import insert_new
from gateway.store.values import NewDecision, ReplayRun


class Decided(Exception):
    """The question has a decision that stands: undo it first."""


def decide(
    room: Room, new: NewDecision, *, uses: Iterable[CodeUse], rate: float | None
) -> tuple[Decision, ReplayRun]:
    """Store a decision with the `uses` it confirms; start the replay of what waits for it.

    `rate` is submissions a second, None: as fast as they go.  Raises Decided when another stands.
    """
    now = room.clock()
    made = Decision(
        id=new_id(now),
        cause=new.cause,
        subject=dict(new.subject),
        answer=dict(new.answer),
        by=new.by,
        at=now,
        valid_from=new.valid_from,
        note=new.note,
    )
    key = room.keys.system_key("decision")
    plain = msgspec.json.encode(
        {"subject": dict(new.subject), "answer": dict(new.answer), "note": new.note}
    )
    sealed = vault.seal(key, plain, f"decision:{made.id}")
    detail = {"repair": new.repair, "cause": new.cause, "organization": new.organization}
    if new.note:
        # The log cannot be erased and a note may name anybody: the log holds its keyed token,
        # which shows whether the sealed words are still those that were said.
        detail["note"] = room.keys.exact_token("note", new.note.encode())
    audit = audit_entry(new.by, "repair.decide", made.id, detail, now)
    learnt = code_uses.use_rows(room, new.organization, uses)

    def transaction(connection: Connection) -> ReplayRun | None:
        # Whoever is writing this question down ends first; whoever comes later sees the answer.
        moment.lock_alone(connection, new.repair)
        if not _insert(connection, new, made, sealed):
            return None
        write_audit(connection, audit)
        for row in learnt:
            insert_new(connection, repair_tables.code_use, **row)
        return replays.write(
            connection,
            repairs.waiting_on(connection, new.repair),
            organization=new.organization,
            actor=new.by,
            reason=f"decision {made.id}",
            rate=rate,
            now=now,
        )

    run = room.database.write(transaction)
    if run is None:
        raise Decided(new.repair)
    return made, run


def _insert(connection: Connection, new: NewDecision, made: Decision, sealed: bytes) -> bool:
    return insert_new(
        connection,
        repair_tables.decision,
        id=made.id,
        repair=new.repair,
        organization=new.organization,
        cause=new.cause,
        document=new.subject.get("document"),
        by=new.by,
        at=made.at,
        valid_from=new.valid_from.isoformat() if new.valid_from else None,
        sealed=sealed,
        undone_by=None,
        undone_at=None,
    )
