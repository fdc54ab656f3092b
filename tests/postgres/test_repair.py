"""What is asked, decided and repeated on SQLite is on PostgreSQL: the same tests again."""

# ruff: noqa: F403, F405
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine, Table, create_engine, text

from gateway.model import Destination
from gateway.store import tables
from tests.doorway import Doorway, doorway
from tests.scenarios.repairs import XML, lab_document, sent, worked
from tests.scenarios.test_repair import *

T = TypeVar("T")


@pytest.fixture
def door(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorway]:
    environ = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_KEYSTORE_URL": database_url}
    for name, value in environ.items():
        # The verbs of the command line open the same home.
        monkeypatch.setenv(name, value)
    with doorway(tmp_path, environ=environ) as opened:
        yield opened


@pytest.fixture
def beside(database_url: str) -> Iterator[Engine]:
    """Connections past the gateway, for somebody else who holds a row."""
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:", 1))
    yield engine
    engine.dispose()


def comes_second(beside: Engine, first: Table, then: Table, act: Callable[[], T]) -> T:
    """Let `act` come while another holds rows of `first` and then asks for those of `then`.

    Whoever took them the other way round would wait for the other, and the other for it:
    PostgreSQL would end one of them with an error of ours.
    """
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool, beside.connect() as other:
        other.execute(first.select().with_for_update())
        future = pool.submit(act)
        ends = time.monotonic() + 30
        while not other.execute(waiting).scalar_one():
            assert time.monotonic() < ends, "it waits for nobody"
            time.sleep(0.02)
        other.execute(text("SET LOCAL lock_timeout = '5s'"))
        other.execute(then.select().with_for_update())
        other.commit()
        return future.result(60)


def test_settling_and_undoing_take_patients_before_submissions(
    door: Doorway, beside: Engine
) -> None:
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = gateway(door, "repair", "list")
    (settled,) = gateway(door, "repair", "decide", question["id"], "--test", GLUCOSE)
    worked(door)
    body = lab_document("late", code="FER-9", name="Ферритин", unit="мкг/л")
    assert door.post("/v1/submissions", body, type=XML).status_code == 202
    comes_second(beside, tables.patient, tables.submission, lambda: worked(door))
    undone = comes_second(
        beside, tables.patient, tables.submission, lambda: undo(door, settled["decision"]["id"])
    )
    assert (undone.status_code, len(undone.get_json()["documents"])) == (202, 2)


def test_undoing_takes_orders_before_deliveries_as_a_start_does(
    tmp_path: Path, database_url: str, beside: Engine
) -> None:
    """A delivery that was just about to leave met the undoing, and one of them failed."""
    environ = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_KEYSTORE_URL": database_url}
    with doorway(tmp_path, '[[routes]]\nto = "clinic-mis"\n', environ) as door:
        options = {"url": "http://127.0.0.1:9/fhir"}
        door.gateway.store.put_destination(
            Destination(
                name="clinic-mis", kind="fhir_rest", organization="org-clinic", options=options
            )
        )
        body = lab_document("S-1", code="FER-9", name="Ферритин", unit="мкг/л")
        sent(door, body.replace(b"1267700000336", b"1027700000002"))
        (question,) = door.get("/v1/repairs").get_json()["items"]
        decided = post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN})
        worked(door)
        decision = decided.get_json()["decision"]["id"]
        undone = comes_second(
            beside, tables.work_order, tables.delivery, lambda: undo(door, decision)
        )
        assert len(undone.get_json()["documents"]) == 1
