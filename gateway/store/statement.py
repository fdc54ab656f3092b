"""Statements compiled once and run on the driver's own connection.

SQLAlchemy writes the SQL and knows the types; building, compiling and wrapping a statement
anew each time took twenty times what SQLite needs to run it.  What is run here is part of the
connection's transaction like everything else; errors are the driver's own.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, LargeBinary, Table, TypeDecorator, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

Change = Callable[[Any], Any] | None


class Statement:
    """One statement with named values; every `bindparam` in it is an argument of a run."""

    def __init__(self, clause: Any) -> None:
        self._clause = clause
        self._ready: dict[str, _Ready] = {}

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Return the rows, with the columns as attributes."""
        ready = self._of(connection)
        found = _driver(connection).execute(ready.text, ready.bind(values)).fetchall()
        return [ready.row(row) for row in found]

    def first(self, connection: Connection, **values: Any) -> Any:
        """Return the first row, or None."""
        ready = self._of(connection)
        row = _driver(connection).execute(ready.text, ready.bind(values)).fetchone()
        return None if row is None else ready.row(row)

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.first(connection, **values)
        return None if row is None else row[0]

    def run(self, connection: Connection, **values: Any) -> int:
        """Run it; return how many rows it changed."""
        ready = self._of(connection)
        return int(_driver(connection).execute(ready.text, ready.bind(values)).rowcount)

    def _of(self, connection: Connection) -> _Ready:
        dialect = connection.dialect
        ready = self._ready.get(dialect.name)
        if ready is None:
            ready = self._ready[dialect.name] = _compiled(self._clause, dialect)
        return ready


@dataclass(frozen=True)
class _Ready:
    """A compiled statement: its text, what its values become, and what its rows are."""

    text: str
    binds: tuple[tuple[str, Change, Any], ...]
    """In the order of their places: name, conversion, and the value when none is given."""

    named: bool
    columns: Callable[..., Any] | None
    changes: tuple[tuple[int, Callable[[Any], Any]], ...]

    def bind(self, values: Mapping[str, Any]) -> Any:
        made = [
            (name, value if change is None else change(value))
            for name, change, usual in self.binds
            for value in (values.get(name, usual),)
        ]
        return dict(made) if self.named else [value for _, value in made]

    def row(self, row: Sequence[Any]) -> Any:
        assert self.columns is not None, self.text
        if not self.changes:
            return self.columns(*row)
        cells = list(row)
        for place, change in self.changes:
            cells[place] = change(cells[place])
        return self.columns(*cells)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns, in one call of the driver."""
    if not rows:
        return
    made = _insert(table, tuple(rows[0]), connection.dialect)
    cells = [
        [row[name] if change is None else change(row[name]) for name, change in made.columns]
        for row in rows
    ]
    driver = _driver(connection)
    if connection.dialect.name == "sqlite":
        driver.executemany(made.each, cells)
    elif len(cells) == 1:
        driver.execute(made.each, cells[0])
    else:
        # One value of JSON for all rows: the driver writes lists and parameters item by item.
        names = [name for name, _ in made.columns]
        records = [dict(zip(names, map(_hex, row), strict=True)) for row in cells]
        driver.execute(made.together, [msgspec.json.encode(records).decode()])


def insert_new(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless it, or one its constraints do not suffer beside it, is there.

    Returns whether it was inserted.  On PostgreSQL it waits for a transaction that is
    inserting the same row to end, so the answer is final.
    """
    new = {f"new_{name}": value for name, value in values.items()}
    count = _insert_new(table, tuple(values), connection.dialect.name).run(connection, **new)
    assert count in (0, 1), count
    return bool(count)


def update_rows(
    connection: Connection, table: Table, where: Mapping[str, Any], values: Mapping[str, Any]
) -> int:
    """Give rows with the values of `where` new `values`; return how many there were."""
    old = {f"old_{name}": value for name, value in where.items()}
    new = {f"new_{name}": value for name, value in values.items()}
    return _update(table, tuple(where), tuple(values)).run(connection, **old, **new)


@dataclass(frozen=True)
class _Insert:
    each: str
    """For one row, a place for each value."""

    together: str
    """For many rows in one value; PostgreSQL only."""

    columns: tuple[tuple[str, Change], ...]


@lru_cache(256)
def _insert(table: Table, names: tuple[str, ...], dialect: Dialect) -> _Insert:
    types = [table.c[name].type.dialect_impl(dialect) for name in names]
    quoted = [dialect.identifier_preparer.quote(name) for name in names]
    # S608: names of our own tables and columns.
    into = f"INSERT INTO {table.name} ({', '.join(quoted)})"
    mark = "?" if dialect.name == "sqlite" else "%s"
    kinds = (type_.compile(dialect) for type_ in types)
    fields = ", ".join(f"{name} {kind}" for name, kind in zip(quoted, kinds, strict=True))
    return _Insert(
        each=f"{into} VALUES ({', '.join([mark] * len(names))})",
        together=f"{into} SELECT * FROM json_to_recordset(%s::json) AS t({fields})",  # noqa: S608
        columns=tuple(
            (name, _change(type_, dialect)) for name, type_ in zip(names, types, strict=True)
        ),
    )


@lru_cache(256)
def _insert_new(table: Table, names: tuple[str, ...], database: str) -> Statement:
    insert = sqlite.insert if database == "sqlite" else postgresql.insert
    return Statement(insert(table).values(_new(table, names)).on_conflict_do_nothing())


@lru_cache(256)
def _update(table: Table, where: tuple[str, ...], names: tuple[str, ...]) -> Statement:
    wanted = [table.c[name] == bindparam(f"old_{name}", type_=table.c[name].type) for name in where]
    return Statement(update(table).where(*wanted).values(_new(table, names)))


def _new(table: Table, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}


def _compiled(clause: Any, dialect: Dialect) -> _Ready:
    compiled = clause.compile(dialect=dialect)
    order = compiled.positiontup or list(compiled.binds)
    found = compiled._result_columns
    changes = [
        (place, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for place, column in enumerate(found)
    ]
    return _Ready(
        text=str(compiled),
        binds=tuple(
            (name, _change(bind.type.dialect_impl(dialect), dialect), bind.value)
            for name in order
            for bind in (compiled.binds[name],)
        ),
        named=compiled.positiontup is None,
        columns=namedtuple("Row", [column.keyname for column in found]) if found else None,
        changes=tuple((place, change) for place, change in changes if change is not None),
    )


def _change(type_: Any, dialect: Dialect) -> Change:
    """What a value of a type becomes; our own types spared SQLAlchemy's wrapping."""
    if isinstance(type_, TypeDecorator) and type_.impl_instance.bind_processor(dialect) is None:
        return partial(type_.process_bind_param, dialect=dialect)
    if isinstance(type_, LargeBinary):
        return None
    change: Change = type_.bind_processor(dialect)
    return change


def _hex(value: Any) -> Any:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
