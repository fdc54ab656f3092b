"""What the patient said last about this recipient and purpose is what holds."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.consent.decision import decide, permits, refused
from gateway.consent.leaving import ask
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


def test_a_consent_by_test_permits_in_part() -> None:
    decision = decide([grant(1, tests=("l|1",))], "clinic-a", "care", NOW)
    assert (decision.permitted, decision.partial) == (True, True)


@pytest.mark.parametrize(
    ("said", "first", "second"),
    [
        ([grant(1, tests=("l|1",))], True, False),
        ([grant(1), grant(2, deny=True, tests=("l|1",))], False, True),
        ([grant(1, deny=True), grant(2, tests=("l|1",))], True, False),
        ([grant(1, deny=True, tests=("l|1",)), grant(2)], True, True),
        ([grant(1, tests=("l|1",)), grant(2, deny=True)], False, False),
        ([grant(1), grant(1, ordinal=1, deny=True, tests=("l|2",))], True, False),
        ([grant(1, tests=("l|1",)), grant(2, deny=True, tests=("alias|1",))], False, False),
    ],
)
def test_the_last_word_about_a_test_prevails(said: list[Grant], first: bool, second: bool) -> None:
    """A test has several codes: a word about any of them is a word about it."""
    asked = [frozenset({"l|1", "alias|1"}), frozenset({"l|2"})]
    answers = [permits(said, "clinic-a", "care", NOW, tests) for tests in asked]
    assert answers == [first, second]
    assert decide(said, "clinic-a", "care", NOW).permitted or not any(answers)


def test_a_refusal_to_everybody_closes_each() -> None:
    said = [grant(1), grant(2, recipient="*", purpose="*", deny=True)]
    assert not decide(said, "clinic-a", "care", NOW).permitted
    assert refused(said, "clinic-a", "care", NOW)
    assert not refused([], "clinic-a", "care", NOW), "silence is no refusal"


def test_care_is_closed_by_a_refusal_and_by_nothing_else() -> None:
    assert ask("care", "clinic-a", [], NOW).permitted
    no = [grant(1, purpose="TREAT", deny=True)]
    assert not ask("care", "clinic-a", no, NOW).permitted
    assert ask("order", "clinic-a", no, NOW).permitted
    assert ask("legal-duty", "clinic-a", no, NOW).permitted


def test_a_patients_own_request_is_a_consent_for_that() -> None:
    asked = [grant(1, purpose="PATRQT")]
    assert ask("patient-request", "clinic-a", asked, NOW).basis == "patient-request"
    assert not ask("consent", "clinic-a", asked, NOW).permitted
