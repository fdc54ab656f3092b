"""Codes of tests: ФСЛИ and LOINC of one test side by side, and laboratories' own codes.

A local code is looked up for the day the specimen was collected, because a laboratory
may give a code a new meaning (semantics, rule 12).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from gateway.model import Json

FSLI = "urn:oid:1.2.643.5.1.13.13.11.1080"
LOINC = "http://loinc.org"
STANDARD = (
    FSLI,
    LOINC,
    "http://snomed.info/sct",
    "urn:oid:1.2.643.5.1.13.13.11.1070",  # НМУ
    "urn:oid:1.2.643.5.1.13.13.11.1437",  # profiles of tests
    "urn:oid:1.2.643.2.69.1.1.1.1",  # regional tests
)
"""Systems whose codes mean the same to everybody, whether or not the test is in our list."""

_SPELLINGS = {
    "1.2.643.5.1.13.13.11.1080": FSLI,
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.6.1": LOINC,
    "https://loinc.org": LOINC,
    "http://loinc.org/": LOINC,
}


@dataclass(frozen=True, kw_only=True)
class Test:
    """A supported test."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    fsli: str | None
    loinc: str | None
    name: str
    units: tuple[str, ...] = ()
    """UCUM codes it may come in; none: it has no unit."""

    @property
    def key(self) -> str:
        """The code decisions and uses know it by: ФСЛИ, else LOINC."""
        return self.fsli or self.loinc or ""

    @property
    def needs_unit(self) -> bool:
        return bool(self.units) and not {"1", "[pH]"} & set(self.units)


@dataclass(frozen=True, kw_only=True)
class LocalCode:
    """One row of a laboratory's ConceptMap; `until` is the first day it no longer holds."""

    code: str
    to: str
    name: str
    valid_from: date | None = None
    until: date | None = None

    def holds(self, day: date | None) -> bool:
        if day is None:
            return self.valid_from is None and self.until is None
        after = self.valid_from is None or day >= self.valid_from
        return after and (self.until is None or day < self.until)


@dataclass(frozen=True, kw_only=True)
class LocalTable:
    """A laboratory's ConceptMap: its own code system and the rows that lead to ФСЛИ."""

    source: str
    rows: tuple[LocalCode, ...]


class Codes:
    """The catalogue of tests with its look-ups."""

    def __init__(self, tests: Iterable[Test], local: dict[str, LocalTable]) -> None:
        self._tests = tuple(tests)
        self._by: dict[tuple[str, str], Test] = {}
        for test in self._tests:
            for system, code in ((FSLI, test.fsli), (LOINC, test.loinc)):
                if code is not None and self._by.setdefault((system, code), test) is not test:
                    raise ValueError(f"{code} stands for two tests")
        self._local = local
        for name, table in local.items():
            for row in table.rows:
                if (FSLI, row.to) not in self._by:
                    raise ValueError(f"{name}: {row.code} leads to {row.to}, which is no test")

    def tests(self) -> tuple[Test, ...]:
        """Return every supported test, for the capabilities page."""
        return self._tests

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables of local codes."""
        return tuple(self._local)

    def find(self, system: str, code: str) -> Test | None:
        """Return the test of a ФСЛИ or LOINC code, or None."""
        return self._by.get((canonical_system(system), code))

    def local(self, tables: Iterable[str], system: str, code: str, day: date | None) -> Test | None:
        """Return the test a laboratory's own code means for a specimen of `day`, or None."""
        row = self.row(tables, system, code, day)
        return None if row is None else self._by[(FSLI, row.to)]

    def row(
        self, tables: Iterable[str], system: str, code: str, day: date | None
    ) -> LocalCode | None:
        """Return the row of a laboratory's own code for a specimen of `day`, or None."""
        for table in (self._local[name] for name in tables):
            for row in table.rows if table.source == system else ():
                if row.code == code and row.holds(day):
                    return row
        return None


def canonical_system(system: str) -> str:
    """Return the canonical URI of a code system however it is spelled."""
    return _SPELLINGS.get(system, system)


def codings(test: Test) -> list[Json]:
    """Return the standard codings of a test, ФСЛИ first."""
    found: list[Json] = []
    if test.fsli:
        found.append({"system": FSLI, "code": test.fsli, "display": test.name})
    if test.loinc:
        found.append({"system": LOINC, "code": test.loinc})
    return found
