"""The audit log: appended by everyone without a lock, numbered and signed by one sealer.

An entry's leaf is the SHA-256 of 0x00 and the entry in canonical JSON (RFC 8785).  The sealer
gives unsealed entries their position, grows the Merkle tree and signs its head; receipts hold
the leaf, so a changed entry contradicts a signature in somebody else's hands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import Connection, delete, func, insert, select, text

from gateway.algorithms import merkle
from gateway.model import Json
from gateway.store import log_tables, tables
from gateway.store.log_tables import audit_head, audit_leaf, audit_node, audit_pending
from gateway.store.room import Room, entry_mac, new_id, write_audit
from gateway.store.statement import insert_rows
from gateway.store.values import AuditEntry, AuditHead

SEAL_MAX = 1000
"""Entries under one head: about a second of work at full speed."""

_SEALER = 7_316_202
"""Advisory lock of PostgreSQL: one sealer at a time among all processes."""

HEAD_FACT = "audit-head"
PAGE = 2000


def audit_entry(
    actor: str, action: str, subject: str, detail: Mapping[str, str], at: datetime
) -> AuditEntry:
    """Return an audit entry with its id and leaf."""
    id = new_id(at)
    leaf = leaf_of(id, at, actor, action, subject, detail)
    return AuditEntry(
        id=id, at=at, actor=actor, action=action, subject=subject, detail=dict(detail), leaf=leaf
    )


def leaf_of(
    id: str, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, str]
) -> str:
    """Return the leaf (hex) of an entry with these contents."""
    # Microseconds as text: beyond 2**53 a JSON number would lose its last digits.
    canonical = rfc8785.dumps(
        {
            "action": action,
            "actor": actor,
            "at": str(tables.micros(at)),
            "detail": dict(detail),
            "id": id,
            "subject": subject,
        }
    )
    return merkle.leaf_hash(canonical).hex()


def append(room: Room, entry: AuditEntry) -> None:
    """Write one entry in a transaction of its own."""
    room.database.write(lambda connection: write_audit(connection, entry))


# --- sealing ---------------------------------------------------------------------------


def seal(room: Room) -> int:
    """Number what is pending, at most `SEAL_MAX`, under a new signed head.

    Returns how many were sealed: 0 when nothing is pending, when another sealer is at work,
    or when the store was opened without someone to sign heads.
    """
    if room.heads is None or not room.sealing.acquire(blocking=False):
        return 0
    try:
        with room.database.read() as connection:
            if connection.execute(select(audit_pending.c.entry).limit(1)).first() is None:
                return 0
        sealed = room.database.write(lambda connection: _seal(room, connection))
        if sealed is None:
            return 0
        _remember(room, sealed)
        return sealed.added
    finally:
        room.sealing.release()


class _Sealed:
    def __init__(self, size: int, root: str, added: int) -> None:
        self.size = size
        self.root = root
        self.added = added


def _seal(room: Room, connection: Connection) -> _Sealed | None:
    assert room.heads is not None
    if not room.database.embedded:
        locked = connection.execute(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SEALER}
        ).scalar()
        if not locked:
            return None
    pending = _genuine(room, connection)
    if not pending:
        return None
    start = int(connection.execute(select(func.max(audit_head.c.size))).scalar() or 0)
    size = start + len(pending)
    insert_rows(
        connection,
        audit_leaf,
        [
            {"position": start + offset, "entry": row.entry, "leaf": row.leaf}
            for offset, row in enumerate(pending)
        ],
    )
    kept = _edge(connection, start, start)
    for offset, row in enumerate(pending):
        kept[0, start + offset] = bytes.fromhex(row.leaf)
    _keep_nodes(connection, kept, start, size)
    root = merkle.subtree(lambda level, place: kept.get((level, place)), 0, size).hex()
    at = room.clock()
    connection.execute(
        insert(audit_head).values(
            size=size, root=root, at=at, jws=room.heads.sign_head(size, root, at)
        )
    )
    connection.execute(
        delete(audit_pending).where(audit_pending.c.entry.in_([row.entry for row in pending]))
    )
    return _Sealed(size, root, len(pending))


def _genuine(room: Room, connection: Connection) -> list[Any]:
    """Return what is pending and was written by the gateway; the rest is never sealed."""
    entry, key = log_tables.audit_entry, room.log_key
    wanted = (
        select(audit_pending.c.entry, audit_pending.c.leaf, entry.c.receipt, entry.c.mac)
        .join(entry, entry.c.id == audit_pending.c.entry)
        .order_by(audit_pending.c.entry)
        .limit(SEAL_MAX)
    )
    found: list[Any] = []
    after = ""
    while rows := connection.execute(wanted.where(audit_pending.c.entry > after)).all():
        found += [row for row in rows if row.mac == entry_mac(key, row.leaf, row.receipt)]
        after = rows[-1].entry
        if len(rows) < SEAL_MAX or len(found) >= SEAL_MAX:
            break
    return found[:SEAL_MAX]


def _remember(room: Room, sealed: _Sealed) -> None:
    """Keep the last head, and a chain of all, apart from the data.

    A log cut short does not pass for a young one then, nor one that lost a head for whole.
    """
    size, _, before = remembered(room) or (0, "", "")
    with room.database.read() as connection:
        mine = (audit_head.c.size > size, audit_head.c.size <= sealed.size)
        rows = connection.execute(select(audit_head).where(*mine).order_by(audit_head.c.size))
        for row in rows:
            before = link(before, row.jws)
    # Another process may have sealed and remembered more meanwhile.
    if sealed.size > size:
        room.keys.remember(HEAD_FACT, f"{sealed.size}:{sealed.root}:{before}")


def remembered(room: Room) -> tuple[int, str, str] | None:
    """Return size and root of the last head that is remembered, and the chain up to it."""
    fact = room.keys.remembered(HEAD_FACT)
    if fact is None:
        return None
    size, root, chain = fact.split(":")
    return int(size), root, chain


def link(before: str, jws: str) -> str:
    """Return the chain of heads, one head longer."""
    return hashlib.sha256(f"{before}{jws}".encode()).hexdigest()


def _keep_nodes(
    connection: Connection, kept: dict[tuple[int, int], bytes], start: int, size: int
) -> None:
    """Add the subtrees that became complete between the two sizes, lowest level first."""
    rows = []
    level = merkle.STEP
    while size >> level:
        for place in range(start >> level, size >> level):
            node = merkle.subtree(
                lambda one, where: kept.get((one, where)), place << level, place + 1 << level
            )
            kept[level, place] = node
            rows.append({"level": level, "position": place, "hash": node.hex()})
        level += merkle.STEP
    if rows:
        insert_rows(connection, audit_node, rows)


def _edge(connection: Connection, index: int, size: int) -> dict[tuple[int, int], bytes]:
    """The kept hashes around leaf `index` and along the right edge of a tree of `size`."""
    kept: dict[tuple[int, int], bytes] = {}
    level = 0
    while size >> level:
        last = size >> level
        around = index >> level + merkle.STEP << merkle.STEP
        ranges = {(around, min(around + 16, last)), (last >> merkle.STEP << merkle.STEP, last)}
        for low, high in ranges:
            for place, value in _hashes(connection, level, low, high):
                kept[level, place] = bytes.fromhex(value)
        level += merkle.STEP
    return kept


def _hashes(connection: Connection, level: int, low: int, high: int) -> Iterator[tuple[int, str]]:
    if level == 0:
        table, value = audit_leaf, audit_leaf.c.leaf
        wanted = select(table.c.position, value.label("hash"))
    else:
        table = audit_node
        wanted = select(table.c.position, table.c.hash).where(table.c.level == level)
    rows = connection.execute(wanted.where(table.c.position >= low, table.c.position < high))
    return ((row.position, row.hash) for row in rows)


def heads(room: Room) -> tuple[AuditHead, ...]:
    """Return the signed heads, oldest first."""
    with room.database.read() as connection:
        rows = connection.execute(select(audit_head).order_by(audit_head.c.size)).all()
    return tuple(AuditHead(size=row.size, root=row.root, at=row.at, jws=row.jws) for row in rows)


def proof(room: Room, receipt_number: str) -> Json | None:
    """Return the inclusion proof for a receipt's audit entry against the newest head."""
    with room.database.read() as connection:
        row = connection.execute(
            select(log_tables.audit_entry.c.id, log_tables.audit_entry.c.leaf)
            .join(tables.receipt, tables.receipt.c.audit == log_tables.audit_entry.c.id)
            .where(tables.receipt.c.number == receipt_number)
        ).first()
        if row is None:
            return None
        proof: Json = {"receipt": receipt_number, "entry": row.id, "leaf": row.leaf}
        index = connection.execute(
            select(audit_leaf.c.position).where(audit_leaf.c.entry == row.id)
        ).scalar()
        if index is None:
            return proof | {"included": "pending"}
        head = connection.execute(
            select(audit_head).order_by(audit_head.c.size.desc()).limit(1)
        ).one()
        kept = _edge(connection, index, head.size)
    nodes = merkle.path(lambda level, place: kept.get((level, place)), index, head.size)
    return proof | {
        "included": "sealed",
        "index": index,
        "size": head.size,
        "path": [node.hex() for node in nodes],
        "root": head.root,
        "head": head.jws,
    }
