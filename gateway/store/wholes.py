"""Originals that hold several patients' documents (semantics, rule 10).

Each document's own piece lies under its patient's key and goes with it.  The whole, which
nobody can take one patient out of, lies under a key of its own that dies thirty days after the
last document is final; its digest, receipts and verification results stay.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select

from gateway.model import Status
from gateway.store import submissions, tables, vault
from gateway.store.keys import WHOLE
from gateway.store.log import audit_entry
from gateway.store.room import Room, write_audit, write_event
from gateway.store.statement import insert_new, update_rows
from gateway.store.values import Outcome

KEPT_AFTER = timedelta(days=30)
STEP_MAX = 200
"""Originals that one step drops; the next step takes the rest."""

_ENDED = (
    Status.ACCEPTED.value,
    Status.REPLACED.value,
    Status.WITHDRAWN.value,
    Status.REJECTED.value,
)
"""A document that was refused is final too: whoever sends it again sends its bytes."""


def owner_of(submission: str) -> str:
    """Return the owner, in the key store, of the key a whole lies under."""
    return f"{WHOLE}{submission}"


def rewrapped(room: Room, row: Row[Any], data_key: bytes) -> dict[str, Any]:
    """Return what a submission's row becomes once its original is known to hold several."""
    owner = owner_of(row.id)
    if row.key_owner == owner:
        return {}
    return _wrapped(room, row.id, owner, data_key)


def write_piece(
    room: Room, connection: Connection, submission: str, outcome: Outcome, owner: str
) -> None:
    """Keep a document's own piece under its patient's key."""
    generation, key = room.keys.owner_key(owner)
    insert_new(
        connection,
        tables.document_piece,
        document=outcome.document,
        submission=submission,
        owner=owner,
        key_generation=generation,
        sealed=vault.seal(key, outcome.piece, _place(outcome.document, owner)),
    )


def piece(room: Room, document: str) -> bytes:
    """Return a document's own piece of its original.  Raises KeyError, KeyDestroyed."""
    table = tables.document_piece
    with room.database.read() as connection:
        row = connection.execute(select(table).where(table.c.document == document)).first()
    if row is None:
        raise KeyError(document)
    key = room.keys.key(row.owner, row.key_generation)
    return vault.open_sealed(key, row.sealed, _place(document, row.owner))


def drop_due(room: Room) -> int:
    """Drop the wholes whose documents have all been final for long enough; return how many."""
    due = _due(room, room.clock() - KEPT_AFTER)
    for submission in due:
        _drop(room, submission)
    # Only once nothing names it any more: a crash in between is made good by the next step.
    for owner in room.keys.owners(WHOLE):
        if not _in_use(room, owner):
            room.keys.destroy(owner)
    return len(due)


# --- inside ----------------------------------------------------------------------------


def _due(room: Room, before: datetime) -> list[str]:
    table, document = tables.submission, tables.document
    other = document.alias("other")
    waiting = select(other.c.id).where(
        other.c.submission == table.c.id, other.c.status.not_in(_ENDED)
    )
    with room.database.read() as connection:
        return list(
            connection.execute(
                select(table.c.id)
                .join(document, document.c.submission == table.c.id)
                .where(
                    table.c.key_owner.startswith(WHOLE),
                    table.c.status.in_(_ENDED),
                    ~waiting.exists(),
                )
                .group_by(table.c.id)
                .having(func.max(document.c.settled_at) <= before)
                .limit(STEP_MAX)
            ).scalars()
        )


def _drop(room: Room, submission: str) -> None:
    with room.database.read() as connection:
        row = submissions.row_of(connection, submission)
        ledgers = connection.execute(
            select(tables.document.c.id, tables.document.c.ledger).where(
                tables.document.c.submission == submission,
                tables.document.c.ledger.is_not(None),
            )
        ).all()
    old, new = submissions.data_key_of(room, row), vault.new_key()
    values = _wrapped(room, submission, submission, new)
    if row.signatures is not None:
        values["signatures"] = _without_octets(row, old, new)
    kept = {one.id: _resealed(one.ledger, old, new, f"ledger:{one.id}") for one in ledgers}
    now = room.clock()

    def transaction(connection: Connection) -> None:
        whole = {"id": submission, "key_owner": row.key_owner, "status": row.status}
        if not update_rows(connection, tables.submission, whole, values):
            # Replayed or sent again meanwhile: it is not over.
            return
        connection.execute(delete(tables.part).where(tables.part.c.submission == submission))
        for id, ledger in kept.items():
            update_rows(connection, tables.document, {"id": id}, {"ledger": ledger})
        write_event(connection, now, submission, "original.dropped")
        write_audit(connection, audit_entry("system", "submission.drop", submission, {}, now))

    room.database.write(transaction)


def _wrapped(room: Room, submission: str, owner: str, data_key: bytes) -> dict[str, Any]:
    generation, key = room.keys.owner_key(owner)
    wrapped = vault.wrap(key, data_key, f"submission:{submission}:{owner}")
    return {"key_owner": owner, "key_generation": generation, "key_wrapped": wrapped}


def _without_octets(row: Row[Any], old: bytes, new: bytes) -> bytes:
    """Return a verification result without the signed octets, which are the whole again."""
    place = f"signatures:{row.id}"
    folded = msgspec.msgpack.decode(
        vault.open_sealed(old, row.signatures, place), type=submissions.Folded
    )
    return vault.seal(new, msgspec.msgpack.encode(folded.without_octets()), place)


def _resealed(sealed: bytes, old: bytes, new: bytes, place: str) -> bytes:
    return vault.seal(new, vault.open_sealed(old, sealed, place), place)


def _in_use(room: Room, owner: str) -> bool:
    table = tables.submission
    id = owner.removeprefix(WHOLE)
    with room.database.read() as connection:
        row = connection.execute(
            select(table.c.key_owner, table.c.status).where(table.c.id == id)
        ).first()
    # A submission on the line may be about to lie under it.
    return row is None or row.key_owner == owner or row.status in ("received", "processing")


def _place(document: str, owner: str) -> str:
    return f"piece:{document}:{owner}"
