"""One door to a SQL database: SQLite embedded, PostgreSQL to scale.

SQLite is written by one thread a process that commits up to `GROUP_MAX` pieces of work
together, each under a savepoint of its own: 32 competing writers reached a third of its rate
and waited up to 3.3 s where this waits 13 ms.  Processes take turns.  A piece of work may be
repeated only by its caller; `write` returns after the commit that holds it is durable.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

from gateway.store.migrations import migrate
from gateway.store.write_turn import WriteTurn

T = TypeVar("T")


@dataclass(frozen=True)
class _Piece:
    """A piece of work and where its result is waited for."""

    work: Callable[[Connection], Any]
    future: Future[Any]
    durable: bool


GROUP_MAX = 64
QUEUE_MAX = 1024
READERS_MAX = 16
POSTGRES_POOL = 8
POSTGRES_OVERFLOW = 24
CONNECT_TIMEOUT_S = 10


class Closed(Exception):
    """The database was closed before this work could be written."""


class Database:
    """A database opened for this process.  `branch` names its set of migrations."""

    def __init__(self, url: str, branch: str = "data") -> None:
        self.url = make_url(url)
        self.branch = branch
        self.embedded = self.url.get_backend_name() == "sqlite"
        path = self.url.database or ""
        self.engine = _sqlite(path) if self.embedded else _postgres(url)
        self._writer = _Writer(self.engine, path) if self.embedded else None
        self._readers = self.engine
        if not self.embedded:
            # A read of several statements sees one moment, as it does on SQLite.
            self._readers = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    def migrate(self) -> None:
        """Bring the schema to its head; at head it costs one query."""
        migrate(self.engine, self.branch)

    def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        Whatever `work` raises is raised here, and nothing it wrote stays.  Without `durable` an
        embedded database may forget it when the machine (not the process) dies, which spares a
        flush: for what says only who works at what, since whoever worked is dead then too.  On
        PostgreSQL he may live on elsewhere, so nothing is forgotten.
        """
        if self._writer is not None:
            return self._writer.write(work, durable)
        with self.engine.begin() as connection:
            return work(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: one consistent snapshot, begun at the first statement."""
        with self._readers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Finish the writes that were taken, then close every connection."""
        if self._writer is not None:
            self._writer.close()
        self.engine.dispose()


class _Writer:
    """The one thread that writes to a SQLite file."""

    def __init__(self, engine: Engine, path: str) -> None:
        self._engine = engine
        self._turn = WriteTurn(path)
        self._queue: queue.Queue[_Piece | None] = queue.Queue(QUEUE_MAX)
        self._lock = threading.Lock()
        self._closed = False
        # Now, not at the first write: a thread has the priority of the one that starts it, and
        # whoever waits for the turn must not wait for a writer that threads of the line started.
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Connection], T], durable: bool) -> T:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise Closed
            self._queue.put(_Piece(work, future, durable))
        return future.result()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._turn.close()

    def _run(self) -> None:
        if (first := self._queue.get()) is None:
            return
        connection = self._engine.connect()
        connection.exec_driver_sql("ROLLBACK")
        try:
            while first is not None:
                following = self._following() if first.durable else ()
                with self._turn.taken():
                    _commit_together(connection, first, following)
                first = self._queue.get()
        finally:
            connection.close()

    def _following(self) -> Iterator[_Piece]:
        """Yield what waits to be written with the first, until another process wants its turn."""
        for _ in range(GROUP_MAX - 1):
            if self._turn.wanted():
                return
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                return
            if following is None:
                self._queue.put(None)  # the end, for the loop above
                return
            yield following


def _commit_together(connection: Connection, first: _Piece, following: Iterable[_Piece]) -> None:
    """Write a group in one transaction; tell everybody only after the commit.

    Also whoever failed: told before, he would look again and not yet see what he failed on.
    """
    done: list[tuple[Future[Any], Any]] = []
    failed: list[tuple[Future[Any], BaseException]] = []
    taken = [first.future]
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        driver.execute(f"PRAGMA synchronous={'FULL' if first.durable else 'NORMAL'}")
        driver.execute("BEGIN IMMEDIATE")
        for piece in chain([first], following):
            taken.append(piece.future)
            driver.execute("SAVEPOINT piece")
            try:
                result = piece.work(connection)
            # The work is its caller's; whatever it raises goes back to the caller.
            except BaseException as error:  # noqa: BLE001
                driver.execute("ROLLBACK TO piece")
                driver.execute("RELEASE piece")
                failed.append((piece.future, error))
            else:
                driver.execute("RELEASE piece")
                done.append((piece.future, result))
        driver.execute("COMMIT")
    # A failed commit (a full disk) is told to everyone who waits; the thread goes on.
    except BaseException as error:  # noqa: BLE001
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        for future in taken:
            future.set_exception(error)
        return
    for future, why in failed:
        future.set_exception(why)
    for future, result in done:
        future.set_result(result)


def _sqlite(path: str) -> Engine:
    assert path, "an embedded database needs a file: readers and the writer share it"
    # For its owner alone, from the first byte; SQLite gives -wal and -shm the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(
        "sqlite+pysqlite://",
        poolclass=QueuePool,
        pool_size=READERS_MAX,
        max_overflow=READERS_MAX,
        creator=lambda: _open(path),
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # sqlite3 begins nothing by itself (isolation_level None); a reader's snapshot starts
        # at its first SELECT.
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("BEGIN")

    return engine


def _open(path: str) -> Any:
    import sqlite3

    connection = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "temp_store=MEMORY",
        "secure_delete=ON",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
    return connection


def _postgres(url: str) -> Engine:
    address = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(
        address,
        pool_size=POSTGRES_POOL,
        max_overflow=POSTGRES_OVERFLOW,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
    )
