"""Empty databases whose schema is at its head already.

Most tests ask nothing about migrations, and walking them takes a database longer than all that
a test does with it.  What migrates a home from nothing has tests of its own: the key store's,
the command line's, four processes at one empty PostgreSQL.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from gateway.store.database import Database

FILES = {"gateway.db": "data", "keys.db": "keys"}


def put_into(folder: Path) -> None:
    """Put empty SQLite files of a home into `folder`, where there are none yet."""
    for name in FILES:
        if not (folder / name).exists():
            shutil.copy(_files() / name, folder / name)


@contextmanager
def on_server(server_url: str, template: str | None = None) -> Iterator[str]:
    """Give the URL of a PostgreSQL database that lives as long: a copy of `template`, or empty."""
    name = f"gateway_test_{secrets.token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(create)
    try:
        yield f"{server_url.rsplit('/', 1)[0]}/{name}"
    finally:
        # Another connection: one that idles through a long test may be gone by now.
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(url: str, *branches: str) -> None:
    """Bring the schema of a database to its head."""
    for branch in branches:
        database = Database(url, branch)
        database.migrate()
        database.close()


@cache
def _files() -> Path:
    """Return a folder with the migrated files, made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-databases-"))
    for name, branch in FILES.items():
        migrate(f"sqlite:///{folder / name}", branch)
    return folder
