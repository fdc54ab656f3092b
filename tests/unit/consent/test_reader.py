"""A FHIR Consent is carried out exactly as it says, or refused with the place that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.consent import reader
from gateway.consent.reader import Directory, Reading
from gateway.errors import Rejected
from gateway.model import Identifier
from gateway.patients import identifiers

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
OGRN = "urn:oid:1.2.643.100.1"
DIRECTORY = Directory(
    ids=frozenset({"clinic", "other"}),
    by_identifier={(OGRN, "1267700000336"): "clinic"},
    normalise=identifiers.normalise,
)
GLUCOSE = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}


def actor(recipient: str = "clinic", role: str = "IRCP") -> Any:
    reference = {"reference": f"Organization/{recipient}"}
    return {"role": {"coding": [{"code": role}]}, "reference": reference}


def consent(provision: Any = None, **changes: Any) -> Any:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy", "system": "urn:x"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"identifier": {"system": "snils", "value": "112-233-445 95"}},
        "dateTime": "2026-11-20T09:00:00Z",
        "policyRule": {"text": "323"},
        "provision": {"type": "permit", "actor": [actor()]} if provision is None else provision,
        **changes,
    }


def read(*args: Any, **changes: Any) -> Reading:
    return reader.read(consent(*args, **changes), DIRECTORY, NOW)


def test_the_plainest_consent_permits_one_clinic_everything() -> None:
    found = read()
    assert found.patient[0] == Identifier(
        system="urn:oid:1.2.643.100.3", value="11223344595", place="/patient/identifier"
    )
    (said,) = found.provisions
    assert (said.recipient, said.purpose, said.deny, said.tests) == ("clinic", "TREAT", False, ())
    assert said.valid_from == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert said.valid_to is None


def test_an_exception_stands_after_its_rule_with_its_recipients() -> None:
    rule = {"type": "permit", "actor": [actor()]}
    exception = {"type": "deny", "code": [GLUCOSE]}
    said = read({**rule, "provision": [exception]}).provisions
    assert [(one.deny, one.recipient, one.tests) for one in said] == [
        (False, "clinic", ()),
        (True, "clinic", ("http://loinc.org|2345-7",)),
    ]


@pytest.mark.parametrize(("code", "deny"), [("OPTIN", False), ("OPTOUT", True)])
def test_a_root_without_a_type_takes_the_policys(code: str, deny: bool) -> None:
    """R4 does not allow a type at the root; the policy rule says which way it goes."""
    policy = {"coding": [{"code": code, "system": "urn:x"}]}
    (said,) = read({"actor": [actor()]}, policyRule=policy).provisions
    assert said.deny is deny


def test_a_root_without_a_word_leaves_it_to_its_exceptions() -> None:
    root = {"actor": [actor()], "provision": [{"type": "permit", "code": [GLUCOSE]}]}
    (said,) = read(root).provisions
    assert (said.deny, said.tests) == (False, ("http://loinc.org|2345-7",))


def test_a_rejected_consent_closes_for_everybody_it_does_not_name() -> None:
    found = read({"period": {"end": "2030"}}, status="rejected")
    assert found.rejected
    assert [(one.recipient, one.purpose, one.deny) for one in found.provisions] == [
        ("*", "*", True)
    ]


def test_the_last_day_is_part_of_the_period() -> None:
    provision = {"type": "permit", "actor": [actor()], "period": {"end": "2026-12-31"}}
    (said,) = read(provision).provisions
    assert said.valid_to == datetime(2027, 1, 1, tzinfo=UTC)


def test_an_exception_does_not_outlive_its_rule() -> None:
    root = {
        "type": "deny",
        "period": {"end": "2026-12-31"},
        "actor": [actor()],
        "provision": [{"type": "permit", "period": {"end": "2030-01-01"}}],
    }
    assert {one.valid_to for one in read(root).provisions} == {datetime(2027, 1, 1, tzinfo=UTC)}


def test_an_organization_is_known_by_its_number_however_it_is_spelled() -> None:
    named = {"identifier": {"system": "https://fhir.ru/systems/ogrn", "value": "1267700000336"}}
    (said,) = read({"type": "permit", "actor": [{**actor(), "reference": named}]}).provisions
    assert said.recipient == "clinic"


def test_who_keeps_the_consent_is_no_recipient() -> None:
    said = read({"type": "permit", "actor": [actor("other", "CST"), actor()]}).provisions
    assert [one.recipient for one in said] == ["clinic"]


@pytest.mark.parametrize(
    ("provision", "place"),
    [
        ({"type": "permit"}, "/provision/actor"),
        ({"type": "permit", "actor": [actor("stranger")]}, "/provision/actor/0/reference"),
        (
            {"type": "permit", "actor": [actor()], "provision": [{"code": [GLUCOSE]}]},
            "/provision/provision/0/type",
        ),
        (
            {"type": "permit", "actor": [actor()], "dataPeriod": {"end": "2020"}},
            "/provision/dataPeriod",
        ),
        (
            {"type": "permit", "actor": [actor()], "code": [{"text": "glucose"}]},
            "/provision/code/0",
        ),
        (
            {"type": "permit", "actor": [actor()], "action": [{"coding": [{"code": "correct"}]}]},
            "/provision/action",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_refused_at_its_place(provision: Any, place: str) -> None:
    with pytest.raises(Rejected) as refusal:
        read(provision)
    (problem,) = refusal.value.problems
    assert (problem.code, problem.place) == ("CON-305", place)


def test_an_action_that_is_sending_is_carried_out() -> None:
    provision = {
        "type": "permit",
        "actor": [actor()],
        "action": [{"coding": [{"code": "disclose"}]}],
    }
    assert len(read(provision).provisions) == 1


@pytest.mark.parametrize("status", ["draft", "proposed", "inactive", "entered-in-error"])
def test_only_what_a_patient_said_is_stored(status: str) -> None:
    with pytest.raises(Rejected, match="CON-305"):
        read(status=status)


def test_a_consent_of_nobody_is_refused() -> None:
    with pytest.raises(Rejected, match="CON-305"):
        read(patient={"display": "X"})


def test_a_contained_patient_names_itself() -> None:
    person = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": "snils", "value": "11223344595"}],
    }
    found = read(contained=[person], patient={"reference": "#p"})
    assert found.patient[0].place == "/contained/0/identifier/0"


def test_broken_structure_is_refused_as_fhir() -> None:
    with pytest.raises(Rejected, match="FMT-3"):
        read(status="banana")
