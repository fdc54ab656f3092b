"""One door to a SQL database: SQLite embedded, PostgreSQL to scale.

SQLite is written by one thread that commits up to `GROUP_MAX` pieces of work together, each
under a savepoint of its own: 32 competing writers reached a third of its rate and waited up
to 3.3 s where this waits 13 ms.  A piece of work may be repeated only by its caller; `write`
returns after the commit that holds it is durable.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

from gateway.store.migrations import migrate

T = TypeVar("T")

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
        self.engine = _sqlite(self.url.database or "") if self.embedded else _postgres(url)
        self._writer = _Writer(self.engine) if self.embedded else None
        self._readers = self.engine
        if not self.embedded:
            # A read of several statements sees one moment, as it does on SQLite.
            self._readers = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    def migrate(self) -> None:
        """Bring the schema to its head; at head it costs one query."""
        migrate(self.engine, self.branch)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        Whatever `work` raises is raised here, and nothing it wrote stays.
        """
        if self._writer is not None:
            return self._writer.write(work)
        with self.engine.begin() as connection:
            return work(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: one consistent snapshot, begun at the first statement."""
        with self._readers.connect() as connection:
            yield connection

    def close(self) -> None:
        """Finish the writes that were taken, then close every connection."""
        if self._writer is not None:
            self._writer.close()
        self.engine.dispose()


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns, in one call of the driver.

    The statement is compiled once per table: on the line, building and compiling an INSERT
    anew cost more than the database took to run it.
    """
    if not rows:
        return
    statement = _insert(table, tuple(rows[0]), connection.dialect)
    connection.exec_driver_sql(statement.text, [statement.values(row) for row in rows])


@dataclass(frozen=True)
class _Insert:
    text: str
    columns: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    named: bool

    def values(self, row: Mapping[str, Any]) -> Any:
        values = {
            name: row[name] if change is None else change(row[name])
            for name, change in self.columns
        }
        return values if self.named else tuple(values.values())


@lru_cache(256)
def _insert(table: Table, names: tuple[str, ...], dialect: Dialect) -> _Insert:
    compiled = table.insert().compile(dialect=dialect, column_keys=list(names))
    order = compiled.positiontup or list(names)
    types = [(name, table.c[name].type.dialect_impl(dialect)) for name in order]
    return _Insert(
        text=str(compiled),
        columns=tuple((name, type_.bind_processor(dialect)) for name, type_ in types),
        named=compiled.positiontup is None,
    )


def insert_new(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless it, or one its constraints do not suffer beside it, is there.

    Returns whether it was inserted.  On PostgreSQL it waits for a transaction that is
    inserting the same row to end, so the answer is final.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(**values).on_conflict_do_nothing()
    # Without the option psycopg's count of an INSERT is lost, and "no row" looks like one.
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    assert done.rowcount in (0, 1), done.rowcount
    return bool(done.rowcount)


class _Writer:
    """The one thread that writes to a SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.Queue[tuple[Callable[[Connection], Any], Future[Any]] | None] = (
            queue.Queue(QUEUE_MAX)
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(self, work: Callable[[Connection], T]) -> T:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise Closed
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()
            self._queue.put((work, future))
        return future.result()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        connection = self._engine.connect()
        connection.exec_driver_sql("ROLLBACK")
        try:
            while (first := self._queue.get()) is not None:
                batch = [first]
                last = False
                while len(batch) < GROUP_MAX:
                    try:
                        following = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    if following is None:
                        last = True
                        break
                    batch.append(following)
                _commit_together(connection, batch)
                if last:
                    return
        finally:
            connection.close()


def _commit_together(
    connection: Connection, batch: list[tuple[Callable[[Connection], Any], Future[Any]]]
) -> None:
    """Write a batch in one transaction; tell everybody only after the commit."""
    done: list[tuple[Future[Any], Any]] = []
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for work, future in batch:
            connection.exec_driver_sql("SAVEPOINT piece")
            try:
                result = work(connection)
            # The work is its caller's; whatever it raises goes back to the caller.
            except BaseException as error:  # noqa: BLE001
                connection.exec_driver_sql("ROLLBACK TO piece")
                connection.exec_driver_sql("RELEASE piece")
                future.set_exception(error)
            else:
                connection.exec_driver_sql("RELEASE piece")
                done.append((future, result))
        connection.exec_driver_sql("COMMIT")
    # A failed commit (a full disk) is told to everyone who waits; the thread goes on.
    except BaseException as error:  # noqa: BLE001
        if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("ROLLBACK")
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
        return
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
        connection.exec_driver_sql("BEGIN")

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
