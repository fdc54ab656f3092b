"""What the parts of the store share: the databases, the clock, and small steps of many parts."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection

from gateway.model import Identifier, Json, Problem, Receipt
from gateway.store import log_tables, tables
from gateway.store.database import Database
from gateway.store.keys import KeyStore
from gateway.store.statement import insert_rows
from gateway.store.values import AuditEntry

NONE: Mapping[str, Receipt | None] = MappingProxyType({})


class IndexRow(Protocol):
    """One search value of a resource, as `gateway.fhir.search.index` gives it."""

    @property
    def param(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def system(self) -> str | None: ...
    @property
    def value(self) -> str | None: ...
    @property
    def date_low(self) -> datetime | date | None: ...
    @property
    def date_high(self) -> datetime | date | None: ...
    def __hash__(self) -> int: ...


Indexer = Callable[[Json], Iterable[IndexRow]]


class Heads(Protocol):
    """Who signs the heads of the log; `gateway.receipts.issue.Receipts` does."""

    def sign_head(self, size: int, root: str, at: datetime) -> str:
        """Return a JWS (compact) over the head."""

    def read_head(self, jws: str) -> Mapping[str, Any] | None:
        """Return the head's claims when its signature holds, else None."""


@dataclass
class Waker:
    """Tells threads of this process that work of a kind has become claimable."""

    condition: threading.Condition = field(default_factory=threading.Condition)
    rung: dict[str, int] = field(default_factory=dict)
    beyond: Callable[[str], None] | None = None
    """Rings the same bell in the process that works the line, where it is another one."""

    def ring(self, kind: str) -> None:
        with self.condition:
            self.rung[kind] = self.rung.get(kind, 0) + 1
            self.condition.notify_all()
        if self.beyond is not None:
            self.beyond(kind)

    def count(self, kind: str) -> int:
        with self.condition:
            return self.rung.get(kind, 0)

    def wait(self, kind: str, seen: int, timeout: float) -> None:
        """Wait until the bell for `kind` rang after `seen` was counted, or time is up."""
        with self.condition:
            self.condition.wait_for(lambda: self.rung.get(kind, 0) != seen, timeout)


@dataclass(frozen=True)
class Room:
    """Everything a part of the store works with."""

    database: Database
    keys: KeyStore
    clock: Callable[[], datetime]
    index: Indexer
    heads: Heads | None
    waker: Waker = field(default_factory=Waker)
    sealing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # Whoever writes to the log has a connection of this engine in his hands.
        self.database.engine.update_execution_options(log_key=self.log_key)

    @property
    def log_key(self) -> bytes:
        """The key of the log's entries; kept apart from the data."""
        return self.keys.system_key("audit-entry")

    def identifier_tokens(self, identifiers: Iterable[Identifier]) -> tuple[str, ...]:
        """Return the link tokens of identifiers, each once, in their order."""
        tokens = (self.keys.token("identifier", one.system, one.value) for one in identifiers)
        return tuple(dict.fromkeys(tokens))


def new_id(at: datetime | None = None) -> str:
    """Return a fresh UUID of version 7: ids made later sort later (RFC 9562, section 5.7)."""
    moment = datetime.now(UTC) if at is None else at
    milliseconds = (moment - tables.EPOCH) // timedelta(milliseconds=1)
    number = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(76)
    number = number & ~(3 << 62) | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def problems_to_rows(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return problems as plain values for a column."""
    return [msgspec.to_builtins(problem) for problem in problems]


def problem_from_row(row: Mapping[str, Any]) -> Problem:
    """Return the problem that `problems_to_rows` wrote."""
    return msgspec.convert(row, Problem)


def problems_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Problem, ...]:
    """Return the problems that `problems_to_rows` wrote."""
    return tuple(problem_from_row(row) for row in rows)


HELD_BACK = "FMT-339"
"""Cause of a document that waits for another of its submission alone, and goes with that."""


def cause(problems: Iterable[Problem]) -> str | None:
    """Return the code that says why something waits or was refused: the first real problem."""
    return next((problem.code for problem in problems if not problem.warning), None)


def codes(problems: Sequence[Problem]) -> dict[str, str]:
    """Return an event's detail: the codes of its problems."""
    return {"codes": ",".join(problem.code for problem in problems)} if problems else {}


def write_event(
    connection: Connection,
    at: datetime,
    submission: str,
    name: str,
    *,
    document: str | None = None,
    duration: timedelta | None = None,
    detail: Mapping[str, str] | None = None,
) -> None:
    """Add one point to a submission's timeline."""
    insert_rows(
        connection,
        tables.event,
        [event_row(at, submission, name, document, duration, detail or {})],
    )


def event_row(
    at: datetime,
    submission: str,
    name: str,
    document: str | None,
    duration: timedelta | None,
    detail: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "submission": submission,
        "document": document,
        "at": at,
        "name": name,
        "micros": None if duration is None else duration // timedelta(microseconds=1),
        "detail": dict(detail),
    }


def write_receipt(
    connection: Connection,
    receipt: Receipt,
    audit: str,
    submission: str,
    document: str | None = None,
    delivery: str | None = None,
) -> None:
    """Store an issued receipt."""
    row = {
        "number": receipt.number,
        "kind": receipt.kind,
        "submission": submission,
        "document": document,
        "delivery": delivery,
        "jws": receipt.jws,
        "issued_at": receipt.issued_at,
        "audit": audit,
    }
    insert_rows(connection, tables.receipt, [row])


def write_audit(
    connection: Connection, *entries: AuditEntry, receipts: Mapping[str, Receipt | None] = NONE
) -> None:
    """Append to the log; the sealer numbers the entries later.

    `receipts` are those issued with the entries, by the entry's id.
    """
    key: bytes = connection.engine.get_execution_options()["log_key"]
    rows = []
    for entry in entries:
        issued = receipts.get(entry.id)
        receipt = None if issued is None else bound(issued.number, issued.kind, issued.jws)
        rows.append(
            {
                "id": entry.id,
                "at": entry.at,
                "actor": entry.actor,
                "action": entry.action,
                "subject": entry.subject,
                "detail": dict(entry.detail),
                "leaf": entry.leaf,
                "receipt": receipt,
                "mac": entry_mac(key, entry.leaf, receipt),
            }
        )
    insert_rows(connection, log_tables.audit_entry, rows)
    insert_rows(
        connection,
        log_tables.audit_pending,
        [{"entry": entry.id, "leaf": entry.leaf} for entry in entries],
    )


def bound(number: str, kind: str, jws: str) -> str:
    """Return what an entry says of its receipt, which itself says the entry's leaf."""
    return f"{number} {kind} {hashlib.sha256(jws.encode()).hexdigest()}"


def entry_mac(key: bytes, leaf: str, receipt: str | None) -> str:
    """Return the seal of an entry: the gateway wrote this leaf, and this receipt with it."""
    return hashlib.blake2b(f"{leaf} {receipt}".encode(), key=key, digest_size=32).hexdigest()
