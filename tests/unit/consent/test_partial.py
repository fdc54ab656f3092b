"""What leaves under a consent by test says nothing of what stays behind."""

from __future__ import annotations

import json
from typing import Any

from gateway.consent import partial
from gateway.consent.partial import permitted_part
from gateway.model import Json

GLUCOSE, CRP = "http://loinc.org|2345-7", "http://loinc.org|1988-5"
SECRET = "SECRET"


def observation(id: str, *codes: str, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": id,
        "code": {"coding": [_coding(code) for code in codes]},
        **more,
    }


def _coding(code: str) -> Json:
    system, _, value = code.rpartition("|")
    return {"system": system, "code": value}


def only(test: str) -> Any:
    return lambda codes: test in codes


RECORD: tuple[Json, ...] = (
    {"resourceType": "Patient", "id": "p"},
    {
        "resourceType": "ServiceRequest",
        "id": "order",
        "status": "completed",
        "code": {"text": SECRET},
        "note": [{"text": SECRET}],
    },
    {"resourceType": "Specimen", "id": "blood", "note": [{"text": SECRET}]},
    {"resourceType": "Specimen", "id": "swab", "type": {"text": SECRET}},
    observation("one", GLUCOSE, specimen={"reference": "Specimen/blood"}),
    observation("two", CRP, valueString=SECRET, specimen={"reference": "Specimen/swab"}),
    {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "code": {"text": SECRET},
        "meta": {"tag": [{"code": "signed"}]},
        "result": [{"reference": "Observation/one"}, {"reference": "Observation/two"}],
        "specimen": [{"reference": "Specimen/blood"}, {"reference": "Specimen/swab"}],
        "conclusion": SECRET,
        "presentedForm": [{"data": SECRET}],
        "text": {"div": SECRET},
    },
    {"resourceType": "DocumentReference", "id": "d", "description": SECRET},
    {
        "resourceType": "Provenance",
        "id": "v",
        "target": [{"reference": "Observation/one"}, {"reference": "Observation/two"}],
        "recorded": "2026-11-21T00:00:00Z",
        "agent": [{"who": {"reference": "Organization/lab"}}],
        "signature": [{"data": SECRET}],
    },
)


def test_nothing_of_what_stays_behind_is_said() -> None:
    """A conclusion, a printed form and a signature with its content speak of every test."""
    part = permitted_part(RECORD, only(GLUCOSE))
    sent = json.dumps(part)
    assert SECRET not in sent
    assert "Observation/two" not in sent
    assert "1988-5" not in sent
    assert "Specimen/swab" not in sent


def test_the_report_says_that_it_is_not_whole() -> None:
    (report,) = [
        one
        for one in permitted_part(RECORD, only(GLUCOSE))
        if one["resourceType"] == "DiagnosticReport"
    ]
    assert report["result"] == [{"reference": "Observation/one"}]
    meta: Any = report["meta"]
    assert [tag["code"] for tag in meta["tag"]] == ["signed", "SUBSETTED"]
    assert [label["code"] for label in meta["security"]] == ["REDACTED"]


def test_what_may_all_go_goes_untouched() -> None:
    assert permitted_part(RECORD, lambda _: True) is RECORD


def test_when_no_result_may_go_nothing_does() -> None:
    """A report without results would still tell that there was a test."""
    assert permitted_part(RECORD, lambda _: False) == ()


def test_a_result_with_a_component_that_may_not_go_stays() -> None:
    panel = observation("panel", "urn:x|panel", component=[observation("c", CRP)])
    assert permitted_part((panel,), lambda codes: CRP not in codes) == ()
    assert partial.tests_of(panel) == {"urn:x|panel", CRP}


def test_a_tie_to_what_stays_is_cut() -> None:
    group = observation(
        "group",
        GLUCOSE,
        hasMember=[{"reference": "Observation/one"}, {"reference": "Observation/two"}],
    )
    part = permitted_part((group, *RECORD), only(GLUCOSE))
    assert part[0]["hasMember"] == [{"reference": "Observation/one"}]
