"""Evidence that two transactions keep at once: each in one order, so that none waits in a ring."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select, text

from gateway.store import Database, submissions, tables
from tests.unit.store.house import House


def test_two_that_keep_the_same_new_lists_do_not_stop_each_other(house: House) -> None:
    """Of two lists that came out today one document rests on both, in the other order."""
    database = house.store.database
    pair = [submissions.evidence_row(house.store.room, "crl", octets) for octets in (b"1", b"2")]
    low, high = sorted(pair, key=lambda row: row["id"])
    with ThreadPoolExecutor(1) as pool, database.engine.connect() as other:
        transaction = other.begin()
        submissions.insert_evidence(other, [low])
        second = pool.submit(
            database.write, lambda mine: submissions.insert_evidence(mine, [high, low])
        )
        ends = time.monotonic() + 30
        while not waiting(database):
            assert time.monotonic() < ends, "it waits for nobody"
            time.sleep(0.02)
        submissions.insert_evidence(other, [high])
        transaction.commit()
        second.result(60)
    with database.read() as connection:
        kept = connection.execute(select(tables.evidence.c.id)).scalars().all()
    assert sorted(kept) == [low["id"], high["id"]]


def waiting(database: Database) -> int:
    """Return how many connections wait for a lock; asked in a transaction of its own."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.read() as connection:
        return int(connection.execute(asked).scalar_one())
