"""Where a document goes: by rules, and only where something lets it go (semantics, rule 9)."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.model import Destination, Facts, Identifier, PatientClaim, ReportClaim
from gateway.routing import ASK, Receiver, Route, bases, plan

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OURS = Identifier(system="urn:oid:1.2.643.100.1", value="1267700000116")
CLINIC = Identifier(system="urn:oid:1.2.643.100.1", value="1267800000225")
RECEIVER = Receiver(
    destination=Destination(name="clinic", kind="fhir_rest", organization="org", options={}),
    identifiers=(CLINIC,),
    kind="clinic",
)


def ordered_by(*ordering: Identifier) -> Facts:
    return Facts(
        patient=PatientClaim(identifiers=(), name=None, birth_date=None, sex=None, place="/p"),
        report=ReportClaim(
            performer=(OURS,),
            number="77-104",
            version=1,
            status="final",
            issued=NOW,
            order_number=None,
            ordering=ordering,
        ),
    )


def test_the_clinic_that_ordered_gets_the_report() -> None:
    found = plan(ordered_by(CLINIC), [Route(to="clinic")], [RECEIVER], (), NOW)
    assert [(one.destination, one.basis) for one in found.deliveries] == [("clinic", "order")]
    assert found.problems == ()


def test_without_order_and_consent_nothing_goes_and_the_sender_is_told() -> None:
    found = plan(ordered_by(), [Route(to="clinic")], [RECEIVER], (), NOW)
    assert found.deliveries == ()
    assert [(one.code, one.warning) for one in found.problems] == [("CON-301", True)]


def test_a_rule_may_leave_a_missing_basis_to_a_person() -> None:
    rules = [Route(to="clinic", without_basis=ASK)]
    found = plan(ordered_by(), rules, [RECEIVER], (), NOW)
    assert [one.code for one in found.open] == ["CON-301"]


def test_a_rule_to_nobody_is_said_and_stops_no_other() -> None:
    """A renamed destination must not take the others with it."""
    rules = [Route(to="renamed"), Route(to="clinic")]
    found = plan(ordered_by(CLINIC), rules, [RECEIVER], (), NOW)
    assert [one.destination for one in found.deliveries] == ["clinic"]
    assert [(one.code, one.detail["destination"]) for one in found.problems] == [
        ("DLV-301", "renamed")
    ]


def test_a_correction_leaves_only_on_a_basis_that_some_rule_takes() -> None:
    """Whatever else the rules ask for: who holds the original is to hear of it."""
    elsewhere = f"{OURS.system}|{OURS.value}"
    rules = [Route(to="clinic", bases=("care",), ordering=elsewhere)]
    found = bases(ordered_by(CLINIC), rules, [RECEIVER], (), NOW)
    assert [(one.destination, one.basis) for one in found] == [("clinic", "care")]
    rules = [Route(to="clinic", bases=("consent",), ordering=elsewhere)]
    assert bases(ordered_by(CLINIC), rules, [RECEIVER], (), NOW) == ()


def test_a_correction_to_whom_no_rule_names_any_more_leaves_on_a_usual_basis() -> None:
    found = bases(ordered_by(CLINIC), [Route(to="another")], [RECEIVER], (), NOW)
    assert [(one.destination, one.basis) for one in found] == [("clinic", "order")]
    assert bases(ordered_by(), [], [RECEIVER], (), NOW) == ()
