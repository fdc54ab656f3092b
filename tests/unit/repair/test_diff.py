"""What a replay changed is said by path, precision included, and never by value."""

from decimal import Decimal

from gateway.model import Json
from gateway.repair.diff import changes

OLD: Json = {"resourceType": "Observation", "id": "o", "valueQuantity": {"value": Decimal("5.0")}}
NEW: Json = {"resourceType": "Observation", "id": "o", "valueQuantity": {"value": Decimal("5.00")}}


def test_what_came_and_went_is_named() -> None:
    found = changes({"Observation/o": OLD}, {"Patient/p": {"resourceType": "Patient"}})
    said = {(one["resource"], one["change"]) for one in found}
    assert said == {("Observation/o", "removed"), ("Patient/p", "added")}


def test_a_digit_of_precision_is_a_change() -> None:
    (found,) = changes({"Observation/o": OLD}, {"Observation/o": NEW})
    assert (found["change"], found["paths"]) == ("changed", ["/valueQuantity/value"])


def test_our_own_version_and_time_are_none() -> None:
    stored = {**OLD, "meta": {"versionId": "3", "lastUpdated": "2026-11-21T00:00:00Z"}}
    assert changes({"Observation/o": {**OLD, "meta": {}}}, {"Observation/o": stored}) == []


def test_a_longer_list_is_a_change_at_its_new_place() -> None:
    left: Json = {"note": [{"text": "a"}]}
    right: Json = {"note": [{"text": "a"}, {"text": "b"}]}
    (found,) = changes({"X/1": left}, {"X/1": right})
    assert found["paths"] == ["/note/1"]
