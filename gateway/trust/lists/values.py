"""What a trusted list holds: services with their keys, and their statuses over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

State = Literal["accredited", "not", "unknown"]

SERVICES_MAX = 20_000
"""The largest national list has some thousand services and a few statuses each."""

NUMBER_DIGITS_MAX = 18
YEAR_MAX = 9000
"""Of a date of issue: days are added to it."""


class NotAList(ValueError):
    """The octets hold no trusted list we can read."""


@dataclass(frozen=True, kw_only=True)
class Accreditation:
    """Whether an authority was accredited at a moment, and who says so."""

    state: State
    source: str
    """`ru`, `eu-LT` and so on; empty when no list was there to ask."""

    snapshot_date: date | None
    provider: str = ""
    """The authority's name as the list gives it."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What holds from a moment on; None where a list does not say whether it is good."""

    since: datetime
    good: bool | None
    word: str = ""
    """The list's own word, in small letters."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One authority on a list."""

    provider: str
    keys: frozenset[bytes]
    """SubjectPublicKeyInfo of its certificates, DER."""

    statuses: tuple[Status, ...]
    """The current one first, then those of the history."""

    def status_at(self, moment: datetime) -> Status | None:
        """Return the last status that had begun at a moment, of one day's the first stated."""
        begun = [status for status in self.statuses if status.since <= moment]
        return max(begun, key=lambda status: status.since, default=None)

    def state_at(self, moment: datetime) -> State:
        """Return the state at a moment, by the last status that had begun."""
        last = self.status_at(moment)
        if last is not None:
            return "unknown" if last.good is None else "accredited" if last.good else "not"
        if not self.statuses:
            return "unknown"
        first = min(self.statuses, key=lambda status: status.since)
        # Before a first good status there was none; before a first bad one there must have
        # been something that the list does not tell.
        return "not" if first.good else "unknown"


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Where a list of lists says that another list is, and who signs it."""

    source: str
    location: str
    signers: tuple[bytes, ...]
    """Certificates, DER; any of them may have signed the list."""


@dataclass(frozen=True, kw_only=True)
class TrustedList:
    """One snapshot of a trusted list."""

    source: str
    issued_at: datetime
    next_update: datetime | None
    services: tuple[Service, ...]
    sha256: str
    sequence: int | None = None
    unread: int = 0
    """Certificates on it that could not be read."""

    pointers: tuple[Pointer, ...] = ()
    """Of a list of lists, which names no services of its own."""

    def speaks_until(self, age_max: timedelta) -> datetime:
        """Return the last moment this snapshot speaks for."""
        return self.next_update or self.issued_at + age_max

    def accreditation(self, state: State, provider: str) -> Accreditation:
        """Return a state as this snapshot's word."""
        return Accreditation(
            state=state,
            source=self.source,
            snapshot_date=self.issued_at.date(),
            provider=provider,
        )


def moment_of(text: str, zone: tzinfo = UTC) -> datetime:
    """Return the moment written as xsd:dateTime or xsd:date.  Raises NotAList.

    A time without offset is in `zone`; a day is its first moment there.
    """
    try:
        if "T" not in text:
            return datetime.combine(date.fromisoformat(text.strip()), time(), zone)
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise NotAList("a date that is none") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def issue_of(text: str, zone: tzinfo = UTC) -> datetime:
    """Return the moment a list was issued, from which others are reckoned.  Raises NotAList."""
    found = moment_of(text, zone)
    if found.year > YEAR_MAX:
        raise NotAList("a date of issue that is none")
    return found


def number_of(text: str | None) -> int | None:
    """Return the number of a list in its row; None for no number.  Raises NotAList."""
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) > NUMBER_DIGITS_MAX:
        raise NotAList("a number longer than any")
    return int(digits)


def limited(services: Sequence[Service]) -> tuple[Service, ...]:
    """Return the services of a list.  Raises NotAList when there are too many, or none."""
    if not 0 < len(services) <= SERVICES_MAX:
        raise NotAList(f"{len(services)} services; from 1 to {SERVICES_MAX} were expected")
    return tuple(services)
