"""No patient's data in clear in any file, before a checkpoint or after it."""

from __future__ import annotations

import base64
import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from gateway.fhir import search
from gateway.model import Json, Problem, Receipt
from gateway.store import tables
from gateway.store.search_values import search_rows
from gateway.store.values import Filter
from gateway.store.vault import Unreadable
from tests.unit.store.house import POLICY, SNILS, House, signed

FAMILY = "Неповторимова-Заречная"
VALUE = "773.912345"
BIRTH = "1984-03-05"
NUMBER = "LAB-77-104-XYZ"


def _secrets() -> list[bytes]:
    words = [FAMILY, FAMILY.casefold(), SNILS.value, POLICY.value, VALUE, BIRTH, NUMBER, "0876543"]
    found = []
    for word in words:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp1251"):
            octets = word.encode(encoding)
            found.append(octets)
            # base64 of the word at each of its three alignments, without the uncertain ends.
            for shift in range(3):
                found.append(base64.b64encode(b"\0" * shift + octets)[4:-4])
    return [one for one in found if len(one) >= 6]


def _fill(house: House) -> str:
    body = f"{FAMILY} {SNILS.value} {POLICY.value} {VALUE} {BIRTH} {NUMBER}".encode()
    patient = house.store.new_patient_number()
    resources: tuple[Json, ...] = (
        {
            "resourceType": "Patient",
            "id": patient,
            "identifier": [{"system": SNILS.system, "value": SNILS.value}],
            "name": [{"family": FAMILY}],
            "birthDate": BIRTH,
        },
        {
            "resourceType": "Specimen",
            "id": f"s-{patient}",
            "accessionIdentifier": {"value": NUMBER},
            "subject": {"reference": f"Patient/{patient}"},
        },
        {
            "resourceType": "Observation",
            "id": f"o-{patient}",
            "status": "final",
            "identifier": [{"value": NUMBER}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            "valueQuantity": {"value": Decimal(VALUE)},
        },
    )
    kept = house.store.keep(house.arrive(body, key=f"order {NUMBER}"))
    order = house.claim()
    house.store.begin(order)
    outcome = house.outcome(
        kept.submission, patient=patient, resources=resources, problems=(Problem(code="PAT-107"),)
    )
    house.store.settle(order, (outcome,), signed(body))
    house.store.add_grant(
        (SNILS, POLICY), "clinic", "care", house.clock.now, None, resources[0], "operator:anna"
    )
    house.deliver(house.claim("delivery"))
    house.store.seal()
    return kept.submission


def _search(folder: Path) -> list[tuple[str, bytes]]:
    return [
        (path.name, secret)
        for path in sorted(folder.iterdir())
        for octets in [path.read_bytes()]
        for secret in _secrets()
        if secret in octets
    ]


def test_no_file_holds_a_patients_data_in_clear(house: House, tmp_path: Path) -> None:
    """Neither the files, nor the write-ahead logs, nor what a checkpoint leaves."""
    object.__setattr__(house.store.room, "index", search.index)
    _fill(house)
    assert {"gateway.db-wal", "keys.db-wal"} <= {path.name for path in tmp_path.iterdir()}
    assert _search(tmp_path) == []
    for name in ("gateway.db", "keys.db"):
        connection = sqlite3.connect(tmp_path / name)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    assert _search(tmp_path) == []
    house.store.close()
    assert _search(tmp_path) == []


def test_the_search_for_secrets_finds_one_when_it_is_there(tmp_path: Path) -> None:
    """A search that finds nothing anywhere proves nothing."""
    for encoding in ("utf-8", "utf-16-le", "cp1251"):
        (tmp_path / encoding).write_bytes(b"xx" + FAMILY.encode(encoding) + b"yy")
    (tmp_path / "base64").write_bytes(base64.b64encode(b"x" + FAMILY.encode() + b"tail"))
    assert {name for name, _ in _search(tmp_path)} == {"utf-8", "utf-16-le", "cp1251", "base64"}


def test_what_is_hidden_is_found_again_by_its_token(house: House) -> None:
    submission = _fill(house)
    (found,) = house.store.list(Filter(organizations=None, number="77-104")).items
    assert found.id == submission
    assert house.store.list(Filter(organizations=None, number="77-105")).items == ()


@pytest.mark.parametrize("type", ["Patient", "Practitioner"])
def test_a_person_is_indexed_by_tokens_only(house: House, type: str) -> None:
    object.__setattr__(house.store.room, "index", search.index)
    resource: Json = {
        "resourceType": type,
        "id": "x",
        "active": True,
        "gender": "female",
        "identifier": [{"system": SNILS.system, "value": SNILS.value}],
        "name": [{"family": FAMILY, "given": ["Анна"]}],
        "birthDate": BIRTH,
    }
    rows = search_rows(house.store.room, resource)
    plain = {row["param"] for row in rows if len(row["value"] or "") != 64}
    assert plain <= {"active", "gender"}
    assert all(row["date_low"] is None for row in rows)
    assert ("identifier" in {row["param"] for row in rows}) == (type == "Practitioner")
    birth = [row for row in rows if row["param"] == "birthdate"]
    assert all(row["value"] != date(1984, 3, 5).isoformat() for row in birth)


def test_codes_dates_and_our_own_references_stay_searchable(house: House) -> None:
    object.__setattr__(house.store.room, "index", search.index)
    resource: Json = {
        "resourceType": "Observation",
        "id": "x",
        "status": "final",
        "identifier": [{"value": NUMBER}],
        "subject": {"reference": "Patient/0190-1"},
        "performer": [{"reference": f"urn:snils:{SNILS.value}"}],
        "effectiveDateTime": "2026-11-21",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
        "valueQuantity": {"value": Decimal(VALUE)},
    }
    rows = {row["param"]: row for row in search_rows(house.store.room, resource)}
    assert (rows["code"]["system"], rows["code"]["value"]) == ("http://loinc.org", "2345-7")
    assert rows["patient"]["value"] == "Patient/0190-1"
    assert rows["date"]["date_low"].date() == date(2026, 11, 21)
    assert len(rows["identifier"]["value"]) == len(rows["performer"]["value"]) == 64


def test_a_sealed_body_moved_to_another_row_does_not_open(house: House) -> None:
    """Somebody who may write to the database still cannot swap two patients' values."""
    first, second = (house.store.keep(house.arrive(b"%d" % n)).submission for n in range(2))
    part = tables.part

    def swap(connection: Connection) -> None:
        sealed = connection.execute(
            select(part.c.sealed).where(part.c.submission == first, part.c.ordinal == 1)
        ).scalar()
        connection.execute(
            part.update()
            .where(part.c.submission == first, part.c.ordinal == 0)
            .values(sealed=sealed)
        )

    house.store.database.write(swap)
    with pytest.raises(Unreadable):
        house.store.submission(first)
    assert house.store.submission(second).document.body == b"1"


def test_receipts_hold_no_more_than_they_say(house: House) -> None:
    submission = _fill(house)
    for row in house.store.receipts(submission):
        assert isinstance(row.receipt, Receipt)
        payload = base64.urlsafe_b64decode(row.receipt.jws.split(".")[1] + "==")
        assert not any(secret in payload for secret in _secrets())
