"""Verifying the log: its entries, its tree, its heads, and what stands beside it.

What it finds is named by one reason: `entry` (changed), `forged` (not written by the gateway),
`missing`, `unlogged`, `tree`, `head`, `node`, `truncated`, `receipt` (not the one the entry
was written with) or `state` (a status that the log does not tell of).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, select

from gateway.algorithms import merkle
from gateway.store import log_states, log_tables, tables
from gateway.store.log import PAGE, leaf_of, link, remembered
from gateway.store.log_tables import audit_head, audit_leaf, audit_node, audit_pending
from gateway.store.room import Room, bound, entry_mac
from gateway.store.values import AuditVerdict

Found = tuple[str, str] | None
"""Id of what is wrong, and the reason."""


def verify(room: Room, since: datetime | None) -> AuditVerdict:
    """Recompute the log.  `since` spares the entries before it; everything else never."""
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
        self.key = room.log_key
        # Before the first look at the data: what is remembered later may be beyond the snapshot.
        self.remembered = remembered(room)
        self.entries = 0
        self.tree = merkle.Growing()
        self.nodes = _Nodes()
        self.roots: dict[int, str] = {}
        self.heads = list(connection.execute(select(audit_head).order_by(audit_head.c.size)).all())
        self.sound = 0
        """Size of the last head that held: whatever is wrong with the tree comes after it."""

    def run(self) -> Found:
        return (
            self._sealed_entries()
            or self._heads_beyond()
            or self._remembered_head()
            or self.nodes.compared(self.connection)
            or self._loose_entries()
            or self._receipts_of_entries()
            or self._entries_of_receipts()
            or log_states.first_untold(self.connection)
        )

    def _sealed_entries(self) -> Found:
        waiting = iter(self.heads)
        head = next(waiting, None)
        for position, row in enumerate(self._rows()):
            if row.position != position:
                return row.entry, "missing"
            if found := self._entry(row):
                return found
            leaf = bytes.fromhex(row.leaf)
            self.tree.add(leaf)
            self.nodes.add(leaf)
            if head is not None and self.tree.size == head.size:
                if found := self._head(head):
                    return found
                self.sound = head.size
                head = next(waiting, None)
        return None

    def _entry(self, row: Any) -> Found:
        if row.id is None:
            return row.entry, "missing"
        if self.since is not None and row.at < self.since:
            return None
        self.entries += 1
        leaf = leaf_of(row.id, row.at, row.actor, row.action, row.subject, row.detail)
        if leaf != row.own_leaf or leaf != row.leaf:
            return row.entry, "entry"
        if row.mac != entry_mac(self.key, leaf, row.receipt):
            return row.entry, "forged"
        return None

    def _head(self, head: Any) -> Found:
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

    def _heads_beyond(self) -> Found:
        """Every leaf lies under a head, and no head is taller than the tree."""
        tallest = self.heads[-1].size if self.heads else 0
        if tallest > self.tree.size:
            return f"position {self.tree.size}", "truncated"
        if tallest < self.tree.size:
            return self._first_after_sound(), "head"
        return None

    def _remembered_head(self) -> Found:
        """The log reaches as far as the key store remembers, by the heads it remembers."""
        if self.remembered is None:
            return None
        size, root, chain = self.remembered
        if size > self.tree.size:
            return f"position {self.tree.size}", "truncated"
        found = ""
        for head in self.heads:
            if head.size <= size:
                found = link(found, head.jws)
        if self.roots.get(size) != root or found != chain:
            return f"position {size - 1}", "head"
        return None

    def _loose_entries(self) -> Found:
        """Entries that wait for the sealer hold; nothing stands beside the log."""
        entry = log_tables.audit_entry
        unsealed = ~exists().where(audit_leaf.c.entry == entry.c.id)
        rows = self.connection.execute(
            select(entry, entry.c.leaf.label("own_leaf"), audit_pending.c.leaf.label("pending"))
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
            if row.mac != entry_mac(self.key, leaf, row.receipt):
                return row.id, "forged"
        gone = self.connection.execute(
            select(audit_pending.c.entry)
            .where(~exists().where(entry.c.id == audit_pending.c.entry))
            .order_by(audit_pending.c.entry)
        ).scalar()
        return None if gone is None else (gone, "missing")

    def _receipts_of_entries(self) -> Found:
        """Every receipt the log tells of is there, as it was issued."""
        entry, receipt = log_tables.audit_entry, tables.receipt
        told = select(entry.c.id, entry.c.receipt).where(entry.c.receipt.is_not(None))
        for page in self._pages(told.order_by(entry.c.id), entry.c.id):
            numbers = [row.receipt.partition(" ")[0] for row in page]
            kept = {
                row.audit: bound(row.number, row.kind, row.jws)
                for row in self.connection.execute(
                    select(receipt).where(receipt.c.number.in_(numbers))
                )
            }
            for row in page:
                if kept.get(row.id) != row.receipt:
                    return row.id, "receipt"
        return None

    def _entries_of_receipts(self) -> Found:
        """Every receipt that is there, the log tells of."""
        entry, receipt = log_tables.audit_entry, tables.receipt
        wanted = (
            select(receipt, entry.c.receipt.label("told"))
            .join(entry, entry.c.id == receipt.c.audit, isouter=True)
            .order_by(receipt.c.number)
        )
        for page in self._pages(wanted, receipt.c.number):
            for row in page:
                if row.told != bound(row.number, row.kind, row.jws):
                    return row.audit, "receipt"
        return None

    def _pages(self, wanted: Any, column: Any) -> Iterator[list[Any]]:
        """Yield pages of rows in the order of `column`, a text key and their first column."""
        after = ""
        while rows := self.connection.execute(wanted.where(column > after).limit(PAGE)).all():
            yield list(rows)
            after = rows[-1][0]

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
                entry.c.receipt,
                entry.c.mac,
                entry.c.leaf.label("own_leaf"),
            )
            .join(entry, entry.c.id == audit_leaf.c.entry, isouter=True)
            .order_by(audit_leaf.c.position)
            .limit(PAGE)
        )
        after = -1
        while rows := self.connection.execute(wanted.where(audit_leaf.c.position > after)).all():
            yield from rows
            after = rows[-1].position


class _Nodes:
    """The roots of complete subtrees, computed as the leaves come."""

    def __init__(self) -> None:
        self._open: list[list[bytes]] = [[]]
        self._made: dict[tuple[int, int], str] = {}
        self._counts: list[int] = [0]

    def add(self, leaf: bytes) -> None:
        hash, height = leaf, 0
        while True:
            self._open[height].append(hash)
            if len(self._open[height]) < 1 << merkle.STEP:
                return
            sixteen, self._open[height] = self._open[height], []
            while len(sixteen) > 1:
                sixteen = [
                    merkle.node_hash(*pair) for pair in zip(*[iter(sixteen)] * 2, strict=True)
                ]
            (hash,) = sixteen
            height += 1
            if height == len(self._open):
                self._open.append([])
                self._counts.append(0)
            self._made[height * merkle.STEP, self._counts[height]] = hash.hex()
            self._counts[height] += 1

    def compared(self, connection: Connection) -> Found:
        """Name the first kept node that is not the computed one, or is not there."""
        rows = connection.execute(select(audit_node))
        kept = {(row.level, row.position): row.hash for row in rows}
        for place in sorted(self._made.keys() | kept.keys()):
            if self._made.get(place) != kept.get(place):
                return f"node {place[0]}/{place[1]}", "node"
        return None
