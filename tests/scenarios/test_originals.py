"""Originals that hold several patients: rule 10 of the semantics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.fhir import text
from gateway.model import Part
from gateway.store import tables
from gateway.store.keys import KeyDestroyed
from gateway.store.wholes import KEPT_AFTER, owner_of
from tests.scenarios import batches, laboratory
from tests.scenarios.laboratory import ANNA, BORIS, FHIR, HBA1C, Day, Person, Report

SOON = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url) as opened:
        yield opened


def two(*, broken: bool = False) -> bytes:
    """Return a batch with a report of Anna's and one of Boris's."""
    first = batches.bundle(Report(number="1", patient=ANNA))
    second = batches.bundle(Report(number="2", patient=BORIS))
    if broken:
        batches.resources(second, "Patient")[0]["identifier"][0]["value"] = "22000000799"
    return batches.nested(first, second)


def patient(day: Day, person: Person) -> str:
    (resource,) = [one for one in day.card(person) if one["resourceType"] == "Patient"]
    return str(resource["id"])


def key_owner(day: Day, submission: str) -> str:
    table = tables.submission
    with day.gateway.store.database.read() as connection:
        return str(
            connection.execute(
                select(table.c.key_owner).where(table.c.id == submission)
            ).scalar_one()
        )


def later(day: Day, time: timedelta) -> int:
    """Let time pass and the daily step look; return how many originals it dropped."""
    day.now[0] += time
    return day.gateway.store.drop_wholes()


def test_each_piece_goes_with_its_patient(day: Day) -> None:
    """Erasing one of two leaves the other's document readable, and no way to the erased."""
    id = day.send(two())
    first, second = day.view(id).documents
    store = day.gateway.store
    mine: object = text.loads(store.piece(first.id))
    assert ANNA.snils in str(mine)
    assert BORIS.snils not in str(mine)
    store.keys.destroy(patient(day, ANNA))
    with pytest.raises(KeyDestroyed):
        store.piece(first.id)
    assert BORIS.family in str(text.loads(store.piece(second.id)))


def test_the_whole_lies_under_a_key_of_its_own(day: Day) -> None:
    """Neither patient's key opens it, nor that of the day it came on."""
    id = day.send(two())
    assert key_owner(day, id) == owner_of(id)
    day.gateway.store.keys.destroy("intake")
    assert len(day.gateway.store.submission(id).parts) == 1


def test_a_document_alone_lies_under_its_patients_key(day: Day) -> None:
    """There is nobody else in it to keep it apart from."""
    id = day.send(Report(patient=ANNA))
    assert key_owner(day, id) == patient(day, ANNA)
    with pytest.raises(KeyError):
        day.gateway.store.piece(day.document(id).id)


def test_the_whole_is_dropped_thirty_days_after_the_last_document_is_final(day: Day) -> None:
    """Its hash, receipts, ledger and verification result stay."""
    id = day.send(two())
    store, before = day.gateway.store, day.view(id)
    assert later(day, KEPT_AFTER - SOON) == 0
    assert len(store.submission(id).parts) == 1
    assert later(day, 2 * SOON) == 1
    assert later(day, SOON) == 0
    assert store.submission(id).parts == ()
    with pytest.raises(KeyDestroyed):
        store.keys.key(owner_of(id), "1")
    after = day.view(id)
    assert (after.sha256, after.documents) == (before.sha256, before.documents)
    assert len(store.ledger(id)) == 2
    assert store.signatures(id) is not None
    assert day.results(BORIS) == {HBA1C: "5.10"}
    assert store.piece(after.documents[1].id)


def test_a_document_that_waits_keeps_the_whole(day: Day) -> None:
    """It can be read from there alone."""
    waits = Report(number="77", status="entered-in-error", version=2, order=None)
    id = day.send(batches.nested(batches.bundle(Report()), batches.bundle(waits)))
    assert day.status(id) == "needs_info"
    assert later(day, 2 * KEPT_AFTER) == 0
    day.gateway.store.replay(id, "operator:test")
    day.work()
    assert day.status(id) == "needs_info"


def test_what_was_refused_may_be_sent_again_after_the_whole_is_gone(day: Day) -> None:
    """A replay has nothing to read; the same bytes from the laboratory bring it back."""
    octets = two(broken=True)
    id = day.send(octets)
    receipt = day.view(id).receipt
    assert day.status(id) == "rejected"
    assert later(day, KEPT_AFTER + SOON) == 1
    day.gateway.store.replay(id, "operator:test")
    day.work()
    assert day.status(id) == "rejected"
    part = Part(name="document", media_type=FHIR, body=octets)
    kept = day.gateway.line.keep(_Polaris(), FHIR, (part,))
    assert (kept.submission, kept.known, kept.receipt.number) == (id, True, receipt)
    day.work()
    assert [str(one.status) for one in day.view(id).documents] == ["accepted", "rejected"]
    assert key_owner(day, id) == owner_of(id)
    assert later(day, KEPT_AFTER + SOON) == 1
    assert len(day.gateway.store.ledger(id)) == 1


def test_a_crash_between_the_two_databases_is_made_good(day: Day) -> None:
    """The key of a whole that is gone dies with the next step."""
    id = day.send(two())
    keys, destroy = day.gateway.store.keys, day.gateway.store.keys.destroy

    def crash(owner: str, generation: str | None = None) -> None:
        raise ConnectionError(owner)

    keys.destroy = crash  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        later(day, KEPT_AFTER + SOON)
    keys.destroy = destroy  # type: ignore[method-assign]
    assert keys.owners("whole:") == (owner_of(id),)
    assert later(day, SOON) == 0
    assert keys.owners("whole:") == ()


class _Polaris:
    client = "polaris-lis"
    organization = "polaris"
