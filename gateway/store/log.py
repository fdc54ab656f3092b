"""The audit log: appended by everyone without a lock, numbered and signed by one sealer.

An entry's leaf is the SHA-256 of 0x00 and the entry in canonical JSON (RFC 8785).  The sealer
gives unsealed entries their position, grows the Merkle tree and signs its head; receipts hold
the leaf, so a changed entry contradicts a signature in somebody else's hands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import Connection, delete, exists, func, insert, select, text

from gateway.algorithms import merkle
from gateway.model import Json
from gateway.store import log_tables, tables
from gateway.store.log_tables import audit_head, audit_leaf, audit_node, audit_pending
from gateway.store.room import Room, new_id, write_audit
from gateway.store.statement import insert_rows
from gateway.store.values import AuditEntry, AuditHead, AuditVerdict

SEAL_MAX = 1000
"""Entries under one head: about a second of work at full speed."""

_SEALER = 7_316_202
"""Advisory lock of PostgreSQL: one sealer at a time among all processes."""

_HEAD_FACT = "audit-head"
_PAGE = 2000


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
        # Kept apart from the data, so that a log cut short does not pass for a young one.
        room.keys.remember(_HEAD_FACT, f"{sealed.size}:{sealed.root}")
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
    pending = connection.execute(
        select(audit_pending).order_by(audit_pending.c.entry).limit(SEAL_MAX)
    ).all()
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


# --- verification ----------------------------------------------------------------------


def verify(room: Room, since: datetime | None) -> AuditVerdict:
    """Recompute the log.  `since` spares the entries before it; leaves and heads never."""
    with room.database.read() as connection:
        checked = _Checked(room, connection, since)
        bad = checked.run()
    return AuditVerdict(
        valid=bad is None,
        entries=checked.entries,
        first_bad=None if bad is None else bad[0],
        reason="" if bad is None else bad[1],
    )


class _Checked:
    """One pass over the log, in the order of positions."""

    def __init__(self, room: Room, connection: Connection, since: datetime | None) -> None:
        self.room = room
        self.connection = connection
        self.since = since
        self.entries = 0
        self.tree = merkle.Growing()
        self.roots: dict[int, str] = {}
        self.heads = list(connection.execute(select(audit_head).order_by(audit_head.c.size)).all())
        self.sound = 0
        """Size of the last head that held: whatever is wrong with the tree comes after it."""

    def run(self) -> tuple[str, str] | None:
        return (
            self._sealed_entries()
            or self._heads_beyond()
            or self._remembered_head()
            or self._loose_entries()
        )

    def _sealed_entries(self) -> tuple[str, str] | None:
        waiting = iter(self.heads)
        head = next(waiting, None)
        for position, row in enumerate(self._rows()):
            if row.position != position:
                return row.entry, "missing"
            if found := self._entry(row):
                return found
            self.tree.add(bytes.fromhex(row.leaf))
            if head is not None and self.tree.size == head.size:
                if found := self._head(head):
                    return found
                self.sound = head.size
                head = next(waiting, None)
        return None

    def _entry(self, row: Any) -> tuple[str, str] | None:
        if row.id is None:
            return row.entry, "missing"
        if self.since is not None and row.at < self.since:
            return None
        self.entries += 1
        leaf = leaf_of(row.id, row.at, row.actor, row.action, row.subject, row.detail)
        if leaf != row.own_leaf or leaf != row.leaf:
            return row.entry, "entry"
        return None

    def _head(self, head: Any) -> tuple[str, str] | None:
        """The computed root is the head's, and the head says so under its signature."""
        root = self.tree.root().hex()
        self.roots[head.size] = root
        if root != head.root:
            return self._first_after_sound(), "tree"
        if self.room.heads is not None:
            claims = self.room.heads.read_head(head.jws)
            if claims is None or (claims.get("size"), claims.get("root")) != (head.size, root):
                return self._first_after_sound(), "head"
        return None

    def _first_after_sound(self) -> str:
        entry = self.connection.execute(
            select(audit_leaf.c.entry).where(audit_leaf.c.position == self.sound)
        ).scalar()
        return str(entry)

    def _heads_beyond(self) -> tuple[str, str] | None:
        """Every leaf lies under a head, and no head is taller than the tree."""
        tallest = self.heads[-1].size if self.heads else 0
        if tallest > self.tree.size:
            return f"position {self.tree.size}", "truncated"
        if tallest < self.tree.size:
            return self._first_after_sound(), "head"
        return None

    def _remembered_head(self) -> tuple[str, str] | None:
        fact = self.room.keys.remembered(_HEAD_FACT)
        if fact is None:
            return None
        size, _, root = fact.partition(":")
        if int(size) > self.tree.size:
            return f"position {self.tree.size}", "truncated"
        if self.roots.get(int(size)) != root:
            return f"position {int(size) - 1}", "head"
        return None

    def _loose_entries(self) -> tuple[str, str] | None:
        """Entries that wait for the sealer hold; nothing stands beside the log."""
        entry = log_tables.audit_entry
        unsealed = ~exists().where(audit_leaf.c.entry == entry.c.id)
        rows = self.connection.execute(
            select(entry, audit_pending.c.leaf.label("pending"))
            .join(audit_pending, audit_pending.c.entry == entry.c.id, isouter=True)
            .where(unsealed)
            .order_by(entry.c.id)
        )
        for row in rows:
            if row.pending is None:
                return row.id, "unlogged"
            self.entries += 1
            leaf = leaf_of(row.id, row.at, row.actor, row.action, row.subject, row.detail)
            if leaf != row.leaf or leaf != row.pending:
                return row.id, "entry"
        gone = self.connection.execute(
            select(audit_pending.c.entry)
            .where(~exists().where(entry.c.id == audit_pending.c.entry))
            .order_by(audit_pending.c.entry)
        ).scalar()
        return None if gone is None else (gone, "missing")

    def _rows(self) -> Iterator[Any]:
        entry = log_tables.audit_entry
        wanted = (
            select(
                audit_leaf.c.position,
                audit_leaf.c.entry,
                audit_leaf.c.leaf,
                entry.c.id,
                entry.c.at,
                entry.c.actor,
                entry.c.action,
                entry.c.subject,
                entry.c.detail,
                entry.c.leaf.label("own_leaf"),
            )
            .join(entry, entry.c.id == audit_leaf.c.entry, isouter=True)
            .order_by(audit_leaf.c.position)
            .limit(_PAGE)
        )
        after = -1
        while rows := self.connection.execute(wanted.where(audit_leaf.c.position > after)).all():
            yield from rows
            after = rows[-1].position
