"""Times keep their digits; a time without an offset takes the sender's zone or nobody's."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.mapping import times

KAMCHATKA = ZoneInfo("Asia/Kamchatka")


@pytest.mark.parametrize(
    "text", ["2026-11-20T10:02:00+03:00", "2026-11-20T10:02:00.50Z", "2026-11-20"]
)
def test_what_says_its_offset_stays_as_written(text: str) -> None:
    assert times.written(text, None) == text


def test_a_time_without_an_offset_takes_the_zone_of_the_profile() -> None:
    assert times.written("2026-11-20T10:02:00", KAMCHATKA) == "2026-11-20T10:02:00+12:00"


def test_a_time_without_an_offset_and_without_a_zone_is_not_guessed() -> None:
    with pytest.raises(times.NoZone):
        times.written("2026-11-20T10:02:00", None)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-11-20T24:00:00Z", "2026-13-01T00:00:00Z", "вчера"]
)
def test_what_is_no_day_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(times.NotATime):
        times.written(text, None)


def test_order_is_by_instant_and_a_date_stays_a_date() -> None:
    assert times.instant("2026-11-20T10:02:00+03:00", None) == datetime(
        2026, 11, 20, 7, 2, tzinfo=UTC
    )
    assert times.instant("2026-11-20", None) == date(2026, 11, 20)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_moment_beyond_the_calendar_in_utc_is_refused(text: str) -> None:
    with pytest.raises(times.NotATime):
        times.instant(text, None)
