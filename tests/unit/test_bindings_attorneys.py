"""Who signs for an organisation by power of attorney, and what is asked of it by policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bindings import BindingPolicy, judge
from gateway.model import (
    AttorneyFinding,
    Check,
    CheckStatus,
    Claimed,
    Indication,
    Party,
    Powers,
    SignatureReport,
)
from gateway.patients.identifiers import OGRN
from gateway.settings import BadSettings, Settings
from tests.unit.test_bindings import (
    FACTS,
    FREE_DOCTOR,
    OURS,
    SENDER,
    THEIRS,
    codes,
    facts,
    number,
    report,
    statuses,
)

POWERS = BindingPolicy(powers=("SIGN",))
PERSON = replace(FREE_DOCTOR, snils="12345678156")


def by_power(
    *,
    revocation: CheckStatus = CheckStatus.INDETERMINATE,
    powers: tuple[str, ...] = ("SIGN",),
    alone: CheckStatus = CheckStatus.PASSED,
) -> SignatureReport:
    """Return a person's signature under a power of attorney of the laboratory."""
    good = report(PERSON)
    checks = ("attorney_signature", "attorney_principal", "attorney_chain")
    attorney = AttorneyFinding(
        place="attorney[0]",
        sha256="0",
        number="17",
        principals=(Party(ogrn=OURS),),
        signed_by=(Party(ogrn=OURS),),
        representatives=(Party(snils=PERSON.snils),),
        powers=powers,
        indication=Indication.TOTAL_PASSED,
        checks=tuple(Check(name=name, status=CheckStatus.PASSED) for name in checks),
    )
    called_back = Check(name="attorney_revocation", status=revocation, detail="called back")
    usable = Check(name="attorney_powers", status=alone, detail="together")
    given = Powers(place=attorney.place, checks=(called_back, usable))
    signature = replace(good.signatures[0], attorney=attorney.place, powers=(given,))
    return replace(good, signatures=(signature,), attorneys=(attorney,))


def test_a_power_of_attorney_that_was_called_back_is_refused() -> None:
    """That nobody could be asked is shown, and refuses nothing."""
    assert codes(judge(FACTS, by_power(), SENDER, POWERS)) == []
    found = judge(FACTS, by_power(revocation=CheckStatus.FAILED), SENDER, POWERS)
    assert codes(found) == ["SIG-227"]


def test_every_power_that_is_asked_for_must_be_there() -> None:
    both = BindingPolicy(powers=("SIGN", "SEND"))
    assert codes(judge(FACTS, by_power(), SENDER, both)) == ["SIG-226"]
    assert codes(judge(FACTS, by_power(powers=("SEND", "SIGN")), SENDER, both)) == []


def test_powers_of_several_together_are_for_a_person() -> None:
    together = by_power(alone=CheckStatus.INDETERMINATE)
    found = judge(FACTS, together, SENDER, POWERS)
    assert codes(found) == []
    assert [problem.code for problem in found.undecided] == ["SIG-229"]


def test_powers_in_words_keep_no_document_where_no_power_is_asked_for() -> None:
    """Nothing rests on them there, so there is nothing for a person to read."""
    in_words = by_power(powers=(), alone=CheckStatus.INDETERMINATE)
    found = judge(FACTS, in_words, SENDER, BindingPolicy())
    assert (codes(found), found.undecided) == ([], ())
    called_back = by_power(powers=(), revocation=CheckStatus.FAILED)
    assert codes(judge(FACTS, called_back, SENDER, BindingPolicy())) == ["SIG-227"]


def test_one_that_cannot_be_judged_yet_is_for_a_person_whatever_else_was_sent() -> None:
    """A list of its principal's authority is missing, and another organisation's came beside."""
    good = by_power()
    (signature,), (ours,) = good.signatures, good.attorneys
    theirs = replace(ours, place="attorney[1]", signed_by=(Party(ogrn=THEIRS),))
    own = replace(signature, indication=Indication.INDETERMINATE, sub_indication="TRY_LATER")
    check = replace(ours.checks[0], status=CheckStatus.INDETERMINATE, detail="TRY_LATER")
    ours = replace(ours, signatures=(own,), checks=(check, *ours.checks[1:]))
    powers = (replace(signature.powers[0], place="attorney[1]"), *signature.powers)
    signature = replace(signature, powers=powers, attorney="attorney[1]")
    both = replace(good, signatures=(signature,), attorneys=(ours, theirs))
    found = judge(FACTS, both, SENDER, POWERS)
    assert codes(found) == []
    assert [(one.code, one.place) for one in found.undecided] == [("SIG-229", "attorney[0]")]


def test_a_power_of_attorney_proves_nothing_where_no_power_is_asked_for() -> None:
    """One for fetching parcels would do as well."""
    found = judge(FACTS, by_power(), SENDER, BindingPolicy())
    assert statuses(found)["signer_for_custodian"] == "INDETERMINATE"
    others = facts(number(OGRN, OURS), authors=("99999999999",))
    assert codes(judge(others, by_power(), SENDER, BindingPolicy())) == ["SIG-210"]


def test_a_document_without_a_custodian_leaves_the_principal_unknown() -> None:
    found = judge(facts(), by_power(), SENDER, POWERS)
    assert codes(found) == []
    assert statuses(found)["signer_for_custodian"] == "INDETERMINATE"


def test_who_signs_by_power_of_attorney_may_be_named_as_the_organisation() -> None:
    """`Signature.who` of the message is the custodian then, though a person's key signed."""

    def claiming(ogrn: str) -> SignatureReport:
        own = by_power()
        claimed = Claimed(role="organisation", identifiers=(number(OGRN, ogrn),))
        return replace(own, signatures=(replace(own.signatures[0], claimed=claimed),))

    other = facts(number(OGRN, OURS), authors=("99999999999",))
    assert codes(judge(other, claiming(OURS), SENDER, POWERS)) == []
    assert codes(judge(other, claiming(THEIRS), SENDER, POWERS)) == ["SIG-210"]


def test_powers_are_asked_for_by_sender_and_by_kind_of_document(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[signatures]\npowers = ["A"]\n[signatures.organizations.polaris]\npowers = ["B"]\n'
        '[[signatures.documents]]\nkind = "lab_xml"\nsender = "polaris"\npowers = ["C", "D"]\n',
        "utf-8",
    )
    policies = Settings.load(tmp_path, {}).signatures
    assert policies.of("meridian", "lab_xml").powers == ("A",)
    assert policies.of("polaris", "fhir_json").powers == ("B",)
    assert policies.of("polaris", "lab_xml").powers == ("C", "D")
    file.write_text('[signatures]\npowers = ["two words"]\n', "utf-8")
    with pytest.raises(BadSettings, match="powers"):
        Settings.load(tmp_path, {})
