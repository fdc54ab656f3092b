"""Whose signature it is: named checks, and unknown that is never passed (semantics, rule 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.bindings import (
    BindingPolicies,
    BindingPolicy,
    Bindings,
    DocumentRule,
    judge,
    reported,
    require_bound,
)
from gateway.errors import NeedsOperator, Rejected
from gateway.model import (
    CheckStatus,
    Claimed,
    Covered,
    Facts,
    Identifier,
    Indication,
    PatientClaim,
    ReportClaim,
    SignatureFinding,
    SignatureReport,
    Signer,
    Times,
)
from gateway.patients.identifiers import FRMO, INN_ORGANIZATION, OGRN, SNILS
from gateway.settings import BadSettings, Settings
from gateway.store.values import Organization

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OURS, THEIRS = "1267700000116", "1267800000225"
DOCTOR = Signer(subject="doctor", snils="12345678156", ogrn=OURS, certificate_sha256="a")
FREE_DOCTOR = Signer(subject="doctor", snils="123-456-781 56", certificate_sha256="b")
HOUSE = Signer(subject="house", ogrn=OURS, inn_organization="7799000118", certificate_sha256="c")
STRANGER = Signer(subject="stranger", snils="12345679158", ogrn=THEIRS, certificate_sha256="d")
STRANGE_HOUSE = Signer(subject="strange", ogrn=THEIRS, certificate_sha256="e")


def number(system: str, value: str) -> Identifier:
    return Identifier(system=system, value=value)


def facts(
    *performer: Identifier, authors: tuple[str, ...] = (), signatories: tuple[str, ...] = ()
) -> Facts:
    return Facts(
        patient=PatientClaim(identifiers=(), name=None, birth_date=None, sex=None, place="/p"),
        report=ReportClaim(
            performer=performer,
            number="77-104",
            version=1,
            status="final",
            issued=NOW,
            order_number=None,
            ordering=(),
            authors=tuple(number(SNILS, one) for one in authors),
            signatories=tuple(number(SNILS, one) for one in signatories),
        ),
    )


def laboratory(*identifiers: Identifier) -> Organization:
    return Organization(id="polaris", name="", kind="laboratory", identifiers=identifiers)


FACTS = facts(number(OGRN, OURS), authors=("12345678156",))
SENDER = laboratory(number(OGRN, OURS), number(FRMO, "1.2.3"))


def report(*signers: Signer, claimed: Claimed | None = None, hint: str = "") -> SignatureReport:
    received = b"{}" if hint else b""
    return SignatureReport(
        indication=Indication.TOTAL_PASSED,
        signatures=tuple(
            SignatureFinding(
                indication=Indication.TOTAL_PASSED,
                sub_indication=None,
                format="CAdES",
                level="BES",
                signer=signer,
                covered=(
                    Covered(octets=b"{}", scope="FULL", covers_enclosing=True, received=received),
                ),
                qualification="UNKNOWN",
                times=Times(claimed=None, best=None, validation=NOW),
                checks=(),
                hints=(hint,) if hint else (),
                place=f"signature[{position}]",
                claimed=claimed,
            )
            for position, signer in enumerate(signers)
        ),
    )


def statuses(found: Bindings) -> dict[str, str]:
    return {check.name: check.status.value for check in found.checks}


def codes(found: Bindings) -> list[str]:
    return [problem.code for problem in found.problems]


def asked(
    *signers: Signer,
    of: Facts = FACTS,
    sender: Organization = SENDER,
    policy: BindingPolicy | None = None,
    claimed: Claimed | None = None,
) -> Bindings:
    return judge(of, report(*signers, claimed=claimed), sender, policy or BindingPolicy())


def test_doctor_and_organisation_of_the_custodian_pass_every_check() -> None:
    found = asked(DOCTOR, HOUSE)
    assert set(statuses(found).values()) == {"PASSED"}
    assert set(statuses(found)) == {
        "custodian_is_sender",
        "signer_is_author",
        "signer_for_custodian",
        "roles",
    }
    require_bound(found, BindingPolicy())


def test_a_strangers_perfect_signature_is_refused_naming_both_organisations() -> None:
    found = asked(STRANGER, STRANGE_HOUSE)
    assert set(codes(found)) == {"SIG-210"}
    told = [p.detail for p in found.problems if p.detail["check"] == "signer_for_custodian"]
    assert len(told) == 2
    assert all((THEIRS in one["found"], OURS in one["expected"]) == (True, True) for one in told)
    with pytest.raises(Rejected):
        require_bound(found, BindingPolicy())


def test_a_mismatch_asks_a_person_where_policy_says_so() -> None:
    policy = BindingPolicy(mismatch="needs_info")
    with pytest.raises(NeedsOperator):
        require_bound(asked(STRANGER, policy=policy), policy)


def test_another_doctor_of_the_same_house_is_not_the_author() -> None:
    """The nearest neighbour of the good one; a person's number is shown by its end alone."""
    colleague = Signer(subject="x", snils="12345679158", ogrn=OURS)
    found = asked(colleague)
    assert codes(found) == ["SIG-210"]
    assert dict(found.problems[0].detail) == {
        "check": "signer_is_author",
        "found": "СНИЛС ***58",
        "expected": "СНИЛС ***56",
    }


def test_a_legal_authenticator_may_sign_beside_the_first_author() -> None:
    found = asked(
        DOCTOR, of=facts(number(OGRN, OURS), authors=("1",), signatories=("1", "12345678156"))
    )
    assert codes(found) == []
    assert statuses(found)["signer_is_author"] == "PASSED"


def test_what_nobody_tells_is_unknown_and_not_passed() -> None:
    found = asked(FREE_DOCTOR, of=facts())
    assert statuses(found) == {
        "custodian_is_sender": "INDETERMINATE",
        "signer_is_author": "INDETERMINATE",
        "signer_for_custodian": "INDETERMINATE",
        "roles": "PASSED",
    }
    assert all(
        check.detail.startswith("unknown: ")
        for check in found.checks
        if check.status is CheckStatus.INDETERMINATE
    )
    assert codes(found) == []


def test_the_directory_completes_a_custodian_named_by_its_oid_alone() -> None:
    of = facts(number(FRMO, "1.2.3"), authors=("12345678156",))
    assert codes(asked(HOUSE, of=of)) == []
    assert codes(asked(STRANGE_HOUSE, of=of)) == ["SIG-210"]


def test_an_organisation_is_known_by_either_of_its_numbers_but_not_by_one_of_two() -> None:
    of = facts(number(INN_ORGANIZATION, "7799000118"))
    sender = laboratory(number(INN_ORGANIZATION, "7799000118"))
    assert codes(asked(HOUSE, of=of, sender=sender)) == []
    both = facts(number(OGRN, OURS), number(INN_ORGANIZATION, "7899000224"))
    assert codes(asked(HOUSE, of=both, sender=SENDER)) == ["SIG-210"]


def test_a_client_sends_only_for_its_own_organisation() -> None:
    of = facts(number(OGRN, THEIRS), authors=("12345679158",))
    found = asked(STRANGER, of=of)
    assert codes(found) == ["SIG-210"]
    assert found.problems[0].detail["check"] == "custodian_is_sender"
    assert found.problems[0].detail["found"] == f"ОГРН {THEIRS}"
    allowed = BindingPolicy(sends_for=(number(OGRN, THEIRS),))
    assert codes(asked(STRANGER, of=of, policy=allowed)) == []


def test_a_victim_named_beside_the_sender_is_no_sender() -> None:
    of = facts(number(OGRN, OURS), number(OGRN, THEIRS))
    assert "SIG-210" in codes(asked(STRANGER, of=of))


def test_a_document_without_signatures_is_asked_for_its_custodian_alone() -> None:
    found = judge(facts(number(OGRN, THEIRS)), None, SENDER, BindingPolicy())
    assert codes(found) == ["SIG-210"]
    assert statuses(judge(FACTS, None, SENDER, BindingPolicy())) == {
        "custodian_is_sender": "PASSED"
    }


def test_the_doctors_signature_sent_again_is_not_the_organisations() -> None:
    assert codes(asked(DOCTOR, DOCTOR)) == ["SIG-220"]
    assert codes(asked(DOCTOR, FREE_DOCTOR)) == ["SIG-220"]  # one number, spelt in two ways
    again = Signer(subject="renewed", snils="12345678156", ogrn=OURS, certificate_sha256="z")
    assert codes(asked(DOCTOR, again)) == ["SIG-220"]
    assert codes(asked(HOUSE, HOUSE)) == ["SIG-220"]
    assert codes(asked(DOCTOR, HOUSE)) == []


def test_who_must_sign_must_have_signed() -> None:
    policy = BindingPolicy(required=("doctor", "organisation"))
    assert codes(asked(DOCTOR, policy=policy)) == ["SIG-220"]
    assert codes(asked(HOUSE, policy=policy)) == ["SIG-220"]
    assert codes(asked(HOUSE, DOCTOR, policy=policy)) == []


def test_a_doctors_signature_claimed_as_the_organisations_is_refused() -> None:
    claimed = Claimed(role="organisation", identifiers=(number(OGRN, OURS),))
    assert codes(asked(DOCTOR, claimed=claimed)) == ["SIG-220"]
    assert codes(asked(HOUSE, claimed=claimed)) == []


def test_a_claim_of_another_signer_of_the_same_role_is_refused() -> None:
    right = Claimed(role="doctor", identifiers=(number(SNILS, "123-456-781 56"),))
    wrong = Claimed(role="doctor", identifiers=(number(SNILS, "12345679158"),))
    silent = Claimed(role="doctor")
    assert statuses(asked(DOCTOR, claimed=right))["claimed_signer"] == "PASSED"
    assert codes(asked(DOCTOR, claimed=wrong)) == ["SIG-210"]
    assert statuses(asked(DOCTOR, claimed=silent))["claimed_signer"] == "INDETERMINATE"


def signed_as(level: str, qualification: str) -> SignatureReport:
    whole = report(DOCTOR)
    one = replace(whole.signatures[0], level=level, qualification=qualification)
    return replace(whole, signatures=(one,))


def test_a_level_below_what_is_demanded_is_refused() -> None:
    policy = BindingPolicy(levels=("T", "LT", "LTA"))
    low = judge(FACTS, signed_as("BES", "QES"), SENDER, policy)
    assert codes(low) == ["SIG-223"]
    assert low.problems[0].detail == {"check": "level", "found": "BES", "expected": "T, LT, LTA"}
    assert codes(judge(FACTS, signed_as("T", "QES"), SENDER, policy)) == []


def test_a_kind_below_what_is_demanded_is_refused_and_an_unknown_one_is_asked_about() -> None:
    """Unknown is not below: the list of accredited authorities may be missing."""
    policy = BindingPolicy(qualifications=("QES",))
    require_bound(judge(FACTS, signed_as("BES", "QES"), SENDER, policy), policy)
    with pytest.raises(Rejected) as refused:
        require_bound(judge(FACTS, signed_as("BES", "AdES"), SENDER, policy), policy)
    assert [one.code for one in refused.value.problems] == ["SIG-223"]
    with pytest.raises(NeedsOperator) as asked_about:
        require_bound(judge(FACTS, signed_as("BES", "UNKNOWN"), SENDER, policy), policy)
    assert [one.code for one in asked_about.value.problems] == ["SIG-224"]


def test_a_rule_asks_more_of_one_kind_of_document_or_of_one_sender() -> None:
    own = BindingPolicy(required=("doctor",), sends_for=(number(OGRN, THEIRS),))
    policies = BindingPolicies(
        organizations={"polaris": own},
        documents=(
            DocumentRule(kind="lab_xml", sender="polaris", levels=("T",)),
            DocumentRule(kind="lab_xml", required=()),
            DocumentRule(sender="sirius", qualifications=("QES",)),
        ),
    )
    assert policies.of("polaris", "lab_xml") == replace(own, levels=("T",))
    assert policies.of("polaris", "fhir_json") == own
    assert policies.of("meridian", "lab_xml") == BindingPolicy()
    assert policies.of("sirius", "fhir_json") == BindingPolicy(qualifications=("QES",))
    assert policies.of("sirius") == BindingPolicy()


def test_precision_that_rests_on_the_received_text_is_a_warning() -> None:
    found = judge(FACTS, report(DOCTOR, hint="precision_not_signed: 3"), SENDER, BindingPolicy())
    assert [(p.code, p.warning, p.detail["count"]) for p in found.warnings] == [
        ("SIG-221", True, "3")
    ]
    assert asked(DOCTOR).warnings == ()


def test_nothing_is_reported_for_content_without_a_report() -> None:
    assert reported(None, ()) is None


def test_settings_give_rules_for_kinds_of_documents(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        """
        [signatures]
        levels = ["BES", "B", "T"]
        [[signatures.documents]]
        kind = "lab_xml"
        sender = "polaris"
        required = ["doctor", "organisation"]
        qualifications = ["QES"]
        """
    )
    policies = Settings.load(tmp_path, {}).signatures
    whole = BindingPolicy(levels=("BES", "B", "T"))
    assert policies.of("polaris", "fhir_json") == whole
    assert policies.of("polaris", "lab_xml") == replace(
        whole, required=("doctor", "organisation"), qualifications=("QES",)
    )


def test_settings_give_each_organisation_its_policy(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        f"""
        [signatures]
        required = ["doctor"]
        [signatures.organizations.polaris]
        mismatch = "needs_info"
        sends_for = ["{OGRN}|{THEIRS}"]
        """
    )
    policies = Settings.load(tmp_path, {}).signatures
    assert policies.of("meridian") == BindingPolicy(required=("doctor",))
    assert policies.of("polaris") == BindingPolicy(
        mismatch="needs_info", required=("doctor",), sends_for=(number(OGRN, THEIRS),)
    )
    assert BindingPolicies().of("anyone") == BindingPolicy()


@pytest.mark.parametrize(
    "line",
    [
        'mismatch = "accept"',
        'required = ["nurse"]',
        'sends_for = ["1267700000116"]',
        'levels = ["Z"]',
        'qualifications = ["UNKNOWN"]',
        "documents = [{ kind = 1 }]",
        'documents = [{ mismatch = "refuse" }]',
    ],
)
def test_settings_refuse_a_policy_there_is_not(tmp_path: Path, line: str) -> None:
    (tmp_path / "gateway.toml").write_text(f"[signatures]\n{line}\n")
    with pytest.raises(BadSettings, match="signatures"):
        Settings.load(tmp_path, {})
