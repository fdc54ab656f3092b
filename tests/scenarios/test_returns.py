"""Reports without versions that say again what they said before (rules 2 and 3)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.scenarios import laboratory
from tests.scenarios.laboratory import HBA1C, Day, Report

FINAL = Report(version=None)


def later(hours: int, status: str = "corrected", value: str = "5.10") -> Report:
    """Return the report as it was let out so many hours after the first time."""
    issued = FINAL.issued + timedelta(hours=hours)
    return FINAL.but(status=status, values={HBA1C: value}, issued=issued)


@pytest.fixture(params=["sqlite", "postgresql"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    with laboratory.day(tmp_path / "var", database=url) as opened:
        yield opened


def test_a_correction_back_to_an_earlier_value_stands(day: Day) -> None:
    versions = (FINAL, later(1, value="6.10"), later(2, value="7.10"), later(3, value="6.10"))
    sent = [day.send(one) for one in versions]
    assert [day.status(one) for one in sent] == [*["replaced"] * 3, "accepted"]
    assert day.codes(sent[3]) == []
    assert day.results() == day.holds() == {HBA1C: "6.10"}
    assert [one[HBA1C] for one in day.received()] == ["5.10", "6.10", "7.10", "6.10"]


def test_everything_sent_again_changes_nothing(day: Day) -> None:
    """Old versions, the value that came back, and an export of it with another time of issue."""
    versions = (FINAL, later(1, value="6.10"), later(2, value="7.10"), later(3, value="6.10"))
    for one in versions:
        day.send(one)
    again = [day.send(one) for one in (*versions, later(9, value="6.10"))]
    assert [(day.status(one), day.codes(one)) for one in again] == [("accepted", ["DUP-101"])] * 5
    doubles = [day.document(one).duplicate_of for one in again]
    assert doubles[1] == doubles[3] == doubles[4]
    assert day.results() == day.holds() == {HBA1C: "6.10"}
    assert len(day.received()) == 4


def test_a_value_may_come_back_as_often_as_it_is_corrected(day: Day) -> None:
    day.send(FINAL)
    for hour in range(1, 7):
        day.send(later(hour, value=("7.10", "6.10")[hour % 2]))
        assert day.results() == {HBA1C: ("7.10", "6.10")[hour % 2]}
    assert day.holds() == {HBA1C: "7.10"}


def test_a_value_that_comes_back_within_one_batch(day: Day) -> None:
    versions = (FINAL, later(1, value="6.10"), later(2, value="7.10"), later(3, value="6.10"))
    sent = day.send(laboratory.batch(*versions))
    documents = day.view(sent).documents
    assert [str(one.status) for one in documents] == [*["replaced"] * 3, "accepted"]
    assert day.results() == day.holds() == {HBA1C: "6.10"}


def test_a_report_taken_back_comes_again_with_the_same_content(day: Day) -> None:
    first = day.send(FINAL)
    day.send(later(1, "entered-in-error"))
    again = day.send(later(2, "final"))
    assert (day.status(first), day.status(again), day.codes(again)) == ("withdrawn", "accepted", [])
    assert day.results() == day.holds() == {HBA1C: "5.10"}
    assert [one["report"] for one in day.received()] == ["final", "entered-in-error", "final"]


def test_what_came_again_is_taken_back_again(day: Day) -> None:
    """A copy of the first withdrawal is none; the second, word for word the first, is one."""
    for one in (FINAL, later(1, "entered-in-error"), later(2, "final")):
        day.send(one)
    day.send(later(1, "entered-in-error"))
    assert day.results() == day.holds() == {HBA1C: "5.10"}
    day.send(later(3, "entered-in-error"))
    assert day.results() == day.holds() == {}


@pytest.mark.parametrize("hours", [0, 1])
def test_a_copy_issued_no_later_than_the_withdrawal_is_withdrawn(day: Day, hours: int) -> None:
    first = day.send(FINAL)
    day.send(later(1, "entered-in-error"))
    copy = day.send(later(hours, "final"))
    assert (day.status(copy), day.codes(copy)) == ("withdrawn", ["DUP-101"])
    assert day.document(copy).duplicate_of == day.document(first).id
    assert [one.kind for one in day.receipts(copy)] == ["accepted", "registered"]
    assert day.results() == day.holds() == {}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_was_let_out_last_stands_however_often_the_rest_is_copied(
    tmp_path: Path, seed: int
) -> None:
    """Random series without versions, in order, with copies of anything in between."""
    chance = random.Random(seed)
    with laboratory.day(tmp_path / "var") as day:
        sent = [FINAL]
        day.send(FINAL)
        for hour in range(1, 12):
            back = sent[-1].status == "entered-in-error"
            statuses = ("final", "corrected") if back else ("corrected", "entered-in-error")
            value = chance.choice(("5.10", "6.10", "7.10"))
            sent.append(later(hour, chance.choice(statuses), value))
            day.send(sent[-1])
            for copy in chance.sample(sent, min(2, len(sent))):
                day.send(copy)
            last = sent[-1]
            stands = {} if last.status == "entered-in-error" else dict(last.values)
            assert (day.results(), day.holds()) == (stands, stands), (seed, hour)
