"""Whoever waits for a write is told when the others see what was written."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gateway.store.database import Database


def test_who_failed_beside_another_sees_what_he_failed_on(tmp_path: Path) -> None:
    """Told before the commit, he looks, finds nothing, tries again and fails again."""
    database = Database(f"sqlite:///{tmp_path / 'one.db'}")
    holding, go = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE taken (name TEXT PRIMARY KEY)")
        holding.set()
        go.wait(10)

    def take(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO taken VALUES ('one')")

    def fail_and_look() -> int:
        with pytest.raises(Exception, match="UNIQUE"):
            database.write(take)
        with database.read() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM taken").scalar_one()

    def linger(connection: Connection) -> None:
        threading.Event().wait(0.2)

    with ThreadPoolExecutor(4) as pool:
        pool.submit(database.write, hold)
        holding.wait(10)
        # All of these are waiting when the writer comes back, and go into one group.
        pool.submit(database.write, take)
        threading.Event().wait(0.05)
        seen = pool.submit(fail_and_look)
        threading.Event().wait(0.05)
        pool.submit(database.write, linger)
        threading.Event().wait(0.05)
        go.set()
        assert seen.result(10) == 1
    database.close()
