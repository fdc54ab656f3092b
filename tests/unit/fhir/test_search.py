"""The index: what of a resource can be searched."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir import search, text
from gateway.fhir.tables import elements

OBSERVATION = text.loads(
    b"""{"resourceType":"Observation","status":"final",
 "meta":{"lastUpdated":"2026-01-01T00:00:00Z","tag":[{"system":"urn:t","code":"signed"}]},
 "code":{"coding":[{"system":"http://loinc.org","code":"718-7"},{"code":"718-7"}],"text":"Hb"},
 "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}}],
 "subject":{"reference":"Patient/1"},"effectiveDateTime":"2026-01-01T03:00:00+03:00",
 "performer":[{"reference":"#o"}],"valueString":"x"}"""
)


def rows(param: str) -> list[tuple[str, str]]:
    found = [row for row in search.index(OBSERVATION) if row.param == param]
    return [(row.system, row.value) for row in found]


def test_tokens_carry_system_and_code() -> None:
    """A code without a system is one too; a text is none."""
    assert rows("code") == [("http://loinc.org", "718-7"), ("", "718-7")]
    assert rows("combo-code")[-1] == ("http://loinc.org", "8480-6")
    assert rows("status") == [("", "final")]
    assert rows("_tag") == [("urn:t", "signed")]


def test_references_are_literal_and_never_local() -> None:
    """A contained organisation is no place to search from."""
    assert rows("patient") == [("", "Patient/1")]
    assert rows("performer") == []


def test_values_of_results_are_not_indexed() -> None:
    """The index stands in clear; a measured value has no business there."""
    assert not any(row.value == "x" for row in search.index(OBSERVATION))


def test_a_date_is_a_range_of_instants() -> None:
    """Searching by day must find a moment of that day, in any offset."""
    (row,) = [row for row in search.index(OBSERVATION) if row.param == "date"]
    assert row.date_low == datetime(2026, 1, 1, tzinfo=UTC)
    assert row.date_high == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_an_open_period_has_one_end() -> None:
    """Someone still treated has no end date."""
    resource = text.loads(b'{"resourceType":"Encounter","period":{"start":"2026-01-02"}}')
    (row,) = search.index(resource)
    assert (row.date_low, row.date_high) == (datetime(2026, 1, 2, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("written", "days"),
    [("2024", 366), ("2026", 365), ("2024-02", 29), ("2026-02", 28), ("2026-12", 31),
     ("2026-12-31", 1)],
)  # fmt: skip
def test_a_partial_date_covers_what_it_leaves_open(written: str, days: int) -> None:
    """2026-02 is all of February."""
    span = search.date_range(written)
    assert span is not None
    assert (span[1] - span[0]).days == days


@given(
    st.from_regex(
        r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?",
        fullmatch=True,
    )
)
def test_a_date_never_crashes_the_index(written: str) -> None:
    """Not at the ends of time, and not for days that do not exist."""
    span = search.date_range(written)
    assert span is None or span[0] <= span[1]


def test_every_path_exists_in_r4() -> None:
    """A mistyped path would silently index nothing."""
    for name, parameters in search.PARAMETERS.items():
        for parameter in parameters.split():
            own, _, rest = parameter.partition(":")
            for path in (rest.partition("=")[2] or own).split("|"):
                kind = name
                for step in path.split("/"):
                    assert step in elements(kind), (name, path)
                    kind = elements(kind)[step].types[0]
