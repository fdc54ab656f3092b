"""Our own faults and requests beyond HTTP are answered like every refusal, with nothing inside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flask import request

from tests.doorway import doorway

SECRET_WORD = "Ivanova"


def test_a_fault_tells_its_trace_and_nothing_of_what_failed(tmp_path: Path) -> None:
    with doorway(tmp_path) as door:

        @door.app.get("/v1/faulty")
        def faulty() -> str:
            raise ValueError(SECRET_WORD)

        @door.app.get("/v1/wordless")
        def wordless() -> str:
            return request.args["missing"]

        door.app.testing = False
        fault = door.http.get("/v1/faulty")
        said = fault.get_json(force=True)
        assert (fault.status_code, said["code"]) == (500, "SYS-500")
        assert said["trace_id"]
        assert SECRET_WORD not in fault.text
        unread = door.http.get("/v1/wordless")
        assert (unread.status_code, unread.get_json(force=True)["code"]) == (400, "SYS-400")


def test_a_gateway_without_its_database_is_not_ready_but_alive(tmp_path: Path) -> None:
    """The balancer looks away; the watchdog must not restart what lives."""
    with doorway(tmp_path) as door:
        assert door.http.get("/readyz").status_code == 200
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
            other.execute("ALTER TABLE submission RENAME TO lost")
        answer = door.http.get("/readyz")
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, "SYS-503")
        assert door.http.get("/healthz").status_code == 200
