"""What the patient said last about this recipient and purpose is what holds."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.consent.decision import decide
from gateway.model import Grant

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def grant(version: int = 1, **changes: object) -> Grant:
    words: dict[str, object] = {
        "id": f"consent-{version}",
        "patient": "p",
        "recipient": "clinic-a",
        "purpose": "care",
        "state": "active",
        "valid_from": NOW - DAY,
        "valid_to": NOW + DAY,
        "version": version,
    }
    return Grant(**{**words, **changes})  # type: ignore[arg-type]


def test_an_active_consent_permits_and_is_named() -> None:
    decision = decide([grant(3)], "clinic-a", "care", NOW)
    assert (decision.permitted, decision.basis) == (True, "consent")
    assert (decision.reference, decision.version) == ("consent-3", 3)


def test_nobody_asked_means_no() -> None:
    decision = decide([], "clinic-a", "care", NOW)
    assert (decision.permitted, decision.basis, decision.version) == (False, "none", 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "clinic-b"},
        {"purpose": "research"},
        {"state": "revoked"},
        {"state": "expired"},
        {"state": "rejected"},
        {"valid_from": NOW + timedelta(microseconds=1)},
        {"valid_to": NOW},
    ],
)
def test_the_nearest_other_consent_does_not_permit(changes: dict[str, object]) -> None:
    """One word, one state or one microsecond off is another consent."""
    decision = decide([grant(2, **changes)], "clinic-a", "care", NOW)
    assert not decision.permitted
    assert decision.version == 2


@pytest.mark.parametrize("changes", [{"valid_from": NOW}, {"valid_to": None}])
def test_the_bounds_of_time_hold(changes: dict[str, object]) -> None:
    assert decide([grant(**changes)], "clinic-a", "care", NOW).permitted


def test_a_later_refusal_closes_and_a_later_consent_opens_again() -> None:
    """Order is that of the patient's statements, not of the list."""
    said = [grant(2, state="rejected"), grant(1)]
    assert not decide(said, "clinic-a", "care", NOW).permitted
    assert decide([grant(3), *said], "clinic-a", "care", NOW).reference == "consent-3"


def test_revoking_the_later_consent_leaves_the_earlier_one() -> None:
    said = [grant(1), grant(2, state="revoked")]
    decision = decide(said, "clinic-a", "care", NOW)
    assert (decision.reference, decision.version) == ("consent-1", 2)


def test_a_refusal_that_ended_no_longer_closes() -> None:
    said = [grant(1), grant(2, state="rejected", valid_to=NOW)]
    assert decide(said, "clinic-a", "care", NOW).permitted
