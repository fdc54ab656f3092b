"""A fresh document differs from its sample in numbers, ids and dates, and in nothing else."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import Rejected
from gateway.sandbox.fresh import fresh, report_number, telling

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
INPUTS = sorted(SAMPLES.glob("*/result.*"))
NOW = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
NUMBER = re.compile(rb'"(?:value)":\s*([0-9.]+)|<value>([^<]*)</value>')
BIRTH = re.compile(rb'birthDate"?[:>]\s*"?(\d{4}-\d\d-\d\d)')
MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:]+\+03:00")


def new_uuid() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_values_and_birth_dates_stay_as_they_are_written(path: Path) -> None:
    old, new = path.read_bytes(), fresh(path.read_bytes(), NOW, new_uuid)
    assert NUMBER.findall(new) == NUMBER.findall(old)
    assert BIRTH.findall(new) == BIRTH.findall(old)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_the_number_is_new_each_time(path: Path) -> None:
    old = path.read_bytes()
    numbers = {report_number(fresh(old, NOW, new_uuid)) for _ in range(3)}
    assert len(numbers) == 3
    assert all(number.startswith(report_number(old) + "-") for number in numbers)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_the_newest_moment_is_just_now_and_the_order_stays(path: Path) -> None:
    old = [datetime.fromisoformat(m.decode()) for m in MOMENT.findall(path.read_bytes())]
    new = [
        datetime.fromisoformat(m.decode())
        for m in MOMENT.findall(fresh(path.read_bytes(), NOW, new_uuid))
    ]
    assert timedelta() < NOW - max(new) < timedelta(minutes=5)
    assert {b - a for a, b in zip(old, new, strict=True)} == {max(new) - max(old)}


def test_references_still_meet() -> None:
    """A UUID that stands twice is renamed to one and the same."""
    old = INPUTS[0].read_bytes()
    pattern = re.compile(rb"urn:uuid:([0-9a-f-]{36})")
    before, after = pattern.findall(old), pattern.findall(fresh(old, NOW, new_uuid))
    assert len(set(before)) == len(set(after))
    assert [before.index(x) for x in before] == [after.index(x) for x in after]
    assert not set(before) & set(after)


@pytest.mark.parametrize("octets", [b"", b"{", b"<a>", b"plain text"])
def test_refuses_what_is_no_document(octets: bytes) -> None:
    with pytest.raises(Rejected):
        fresh(octets, NOW, new_uuid)


def test_versions_told_together_share_their_number_and_the_distance_of_their_dates() -> None:
    """Else a correction would be another report, or as old as what it corrects."""
    first = (SAMPLES / "03-lab-xml-gost256" / "result.xml").read_bytes()
    second = first.replace(b"T10:10:00", b"T10:40:00")
    shared = telling([first, second], NOW, new_uuid)
    one, two = (fresh(octets, NOW, new_uuid, shared) for octets in (first, second))
    assert report_number(one) == report_number(two)
    old, new = (
        max(datetime.fromisoformat(m.decode()) for m in MOMENT.findall(octets))
        for octets in (one, two)
    )
    assert new - old == timedelta(minutes=30)
    assert set(re.findall(rb"[0-9a-f-]{36}", one)).isdisjoint(re.findall(rb"[0-9a-f-]{36}", two))


def test_a_newborns_birth_moves_with_the_document_and_an_adults_stays() -> None:
    adult = (SAMPLES / "03-lab-xml-gost256" / "result.xml").read_bytes()
    newborn = adult.replace(b"1991-07-25", b"2026-11-18")
    assert b"1991-07-25" in fresh(adult, NOW, new_uuid)
    (born,) = BIRTH.findall(fresh(newborn, NOW, new_uuid))
    assert b"2031-01-31" <= born <= b"2031-02-02"
