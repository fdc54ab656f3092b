"""Times as written → FHIR times.  A date stays a date; a time needs an offset.

Source: semantics, rule 13; FHIR R4 dateTime and instant.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_HOUR_24 = re.compile(r"T24:00:00(\.0+)?")


class NoZone(Exception):
    """A time without an offset, and the sender's profile names no zone."""


class NotATime(Exception):
    """The text is no time FHIR can hold."""


def written(text: str, zone: ZoneInfo | None) -> str:
    """Return the FHIR text of a date or time; digits stay as they were written."""
    text = text.strip()
    if "T" not in text:
        return _date(text)
    if _HOUR_24.search(text):
        raise NotATime
    if _OFFSET.search(text):
        _parse(text)
        return text
    if zone is None:
        raise NoZone
    offset = _parse(text).replace(tzinfo=zone).strftime("%z")
    return f"{text}{offset[:3]}:{offset[3:5]}"


def instant(text: str, zone: ZoneInfo | None) -> datetime | date:
    """Return the moment (UTC) or the date that `text` gives."""
    fhir = written(text, zone)
    if "T" not in fhir:
        return date.fromisoformat(fhir)
    try:
        return _parse(fhir).astimezone(UTC)
    except OverflowError as error:  # the first or last day of the calendar, beyond it in UTC
        raise NotATime from error


def _date(text: str) -> str:
    try:
        # An offset on a date (XML Schema allows it) says nothing about the day.
        return date.fromisoformat(_OFFSET.sub("", text)).isoformat()
    except ValueError as error:
        raise NotATime from error


def _parse(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise NotATime from error
