"""Brings a database's schema to its head with Alembic, in process.

Two branches: `data` (everything the gateway keeps) and `keys` (the key store), each with a
version table of its own, so that both may live in one PostgreSQL database.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

HEADS = {"data": "0004", "keys": "0002"}
"""Known without loading Alembic, which takes 0.3 s; a test holds it to the scripts."""

_LOCK = 7_316_201
"""Advisory lock of PostgreSQL under which one process at a time migrates."""


def migrate(engine: Engine, branch: str) -> None:
    """Run the migrations that `branch` still lacks."""
    with engine.connect() as connection:
        if _version(connection, branch) == HEADS[branch]:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        else:
            # Two processes opening one new home: the second waits here, then finds the head.
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if _version(connection, branch) != HEADS[branch]:
            _upgrade(connection, branch)


def version_table(branch: str) -> str:
    """Return the name of the table that holds a branch's version."""
    return f"alembic_version_{branch}"


def _version(connection: Connection, branch: str) -> str | None:
    table = version_table(branch)
    if not inspect(connection).has_table(table):
        return None
    # The name is ours, from HEADS.
    row = connection.execute(text(f"SELECT version_num FROM {table}")).first()  # noqa: S608
    return None if row is None else str(row[0])


def _upgrade(connection: Connection, branch: str) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    folder = Path(__file__).parent / branch
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])

    def steps(revision: object, _context: object) -> object:
        return scripts._upgrade_revs("head", revision)  # type: ignore[arg-type]

    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": version_table(branch),
            "fn": steps,
            "script": scripts,
            "transactional_ddl": True,
            "transaction_per_migration": False,
        },
    )
    with Operations.context(context):
        context.run_migrations()
