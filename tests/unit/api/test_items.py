"""Open items over HTTP: listed and closed by whom they concern, and by nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Problem
from gateway.store import items
from tests.doorway import Doorway, doorway

JSON = "application/json"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with doorway(tmp_path) as opened:
        yield opened


@pytest.fixture
def submission(door: Doorway) -> str:
    """A submission of `lab` with one open item about it."""
    id = str(door.keep().get_json()["id"])
    store = door.gateway.store
    where = items.Recipient(id=None, submission=id, document=f"{id}-1", destination="clinic")
    problem = Problem(code="DLV-303", detail={"destination": "clinic"})
    store.database.write(
        lambda connection: items.add(
            connection, where, items.UNSUPPORTED, problem, door.gateway.clock()
        )
    )
    return id


def _listed(door: Doorway, client: str = "lab", query: str = "") -> list[dict[str, Any]]:
    answer = door.get(f"/v1/items{query}", client=client)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.get_json()["items"]
    return found


def _close(door: Doorway, id: str, client: str = "lab", note: str = "Позвонили") -> Any:
    body = json.dumps({"note": note}).encode()
    return door.post(f"/v1/items/{id}/close", body, type=JSON, client=client)


def test_an_item_says_what_where_and_what_to_do(door: Doorway, submission: str) -> None:
    (one,) = _listed(door)
    assert (one["kind"], one["destination"]) == ("withdrawal-unsupported", "clinic")
    assert (one["submission"], one["problem"]["code"]) == (submission, "DLV-303")
    assert one["problem"]["fix"]


def test_another_laboratory_sees_and_closes_nothing(door: Doorway, submission: str) -> None:
    (one,) = _listed(door)
    assert _listed(door, "lab2") == []
    foreign, unknown = _close(door, one["id"], "lab2"), _close(door, "no-such-item", "lab2")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert _listed(door) == [one]


def test_a_clinic_has_no_items(door: Doorway, submission: str) -> None:
    assert door.get("/v1/items", client="clinic").status_code == 403


def test_a_closed_item_keeps_who_and_what(door: Doorway, submission: str) -> None:
    (one,) = _listed(door)
    closed = _close(door, one["id"]).get_json()
    assert (closed["closed_by"], closed["note"]) == ("lab", "Позвонили")
    assert _listed(door) == []
    again = _close(door, one["id"], note="Ещё раз").get_json()
    assert again["note"] == "Позвонили"
    assert _listed(door, query="?closed=true") == [again]


@pytest.mark.parametrize("body", [b"{}", b'{"note": ""}', b"[]", b'{"note": 1}'])
def test_an_item_is_not_closed_without_a_word(door: Doorway, submission: str, body: bytes) -> None:
    (one,) = _listed(door)
    answer = door.post(f"/v1/items/{one['id']}/close", body, type=JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "FMT-109")
    assert _listed(door) == [one]
