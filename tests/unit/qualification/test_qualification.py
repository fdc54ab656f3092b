"""Qualified or not: every condition of 63-ФЗ, article 11, and unknown that stays unknown."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from asn1crypto import x509

from gateway.model import CheckStatus, Indication
from gateway.qualification import (
    ADES,
    ADES_QC,
    IDENTIFICATION_ASKED_SINCE,
    QES,
    UNKNOWN,
    Qualification,
    Tool,
    qualify,
)
from gateway.qualification.marks import marks_of
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Period
from gateway.sandbox.pki import Pki
from gateway.trust import read_signer
from tests.pki.build import ALGORITHMS, ALIVE, DAY, NOW, issue, root

TODAY = NOW.date()
CERTIFIED = Tool(name="certified-tool", certified=True)
BUILT_IN = Tool(name="gost-engine", certified=False)


@dataclass(frozen=True)
class Said:
    state: str
    source: str = "ru"
    snapshot_date: date | None = TODAY


ACCREDITED, NOT_ACCREDITED, NOBODY_KNOWS = Said("accredited"), Said("not"), Said("unknown")


def qualified(
    certificate: bytes,
    accreditation: Said | None = ACCREDITED,
    indication: Indication = Indication.TOTAL_PASSED,
    at: datetime = NOW,
    tool: Tool = BUILT_IN,
) -> Qualification:
    return qualify(
        certificate,
        indication=indication,
        signer=read_signer(certificate),
        signed_at=at,
        accreditation=accreditation,
        tool=tool,
    )


def doctor(pki: Pki, name: str = "gost256-doctor") -> bytes:
    return pki.signer(name).chain()[0]


def status(found: Qualification, name: str) -> CheckStatus:
    return next(check.status for check in found.checks if check.name == name)


def certificate(
    change: Callable[[list[x509.Extension]], Sequence[x509.Extension]],
    names: tuple[tuple[str, str], ...] = (("common_name", "X"), ("snils", "12345678156")),
    period: Period = ALIVE,
) -> bytes:
    """Return a qualified certificate with its extensions changed."""
    extensions = change(made.signing_extensions(period, "test"))
    authority = root()
    issued = issue(authority, "X", extensions)
    key = issued.certificate["tbs_certificate"]["subject_public_key_info"].dump()
    again = made.certify(made.name(*names), key, extensions, period, ALGORITHMS, issuer=authority)
    return bytes(again.dump())


def without(oid: str) -> Callable[[list[x509.Extension]], Sequence[x509.Extension]]:
    return lambda all_: [one for one in all_ if one["extn_id"].dotted != oid]


@pytest.mark.parametrize("name", ["gost256-doctor", "gost512-organisation"])
def test_all_conditions_met_is_a_qualified_signature(pki: Pki, name: str) -> None:
    found = qualified(doctor(pki, name), tool=CERTIFIED)
    assert found.word == QES, found.checks
    assert all(check.status is CheckStatus.PASSED for check in found.checks)


def test_the_marks_are_read_from_the_certificate(pki: Pki) -> None:
    marks = marks_of(doctor(pki))
    assert marks is not None
    assert marks.security_classes == ("КС1", "КС2")
    assert (marks.family, marks.identification, marks.issuer_tool) == ("gost256", 0, True)
    assert marks.subject_tool


@pytest.mark.parametrize("said", [NOBODY_KNOWS, None])
def test_an_authority_nobody_lists_leaves_it_unknown(pki: Pki, said: Said | None) -> None:
    found = qualified(doctor(pki), said)
    assert found.word == UNKNOWN
    assert status(found, "issuer_accredited") is CheckStatus.INDETERMINATE


def test_an_authority_without_accreditation_makes_it_advanced(pki: Pki) -> None:
    assert qualified(doctor(pki), NOT_ACCREDITED).word == ADES


@pytest.mark.parametrize("indication", [Indication.INDETERMINATE, Indication.TOTAL_FAILED])
def test_what_did_not_pass_is_not_qualified(pki: Pki, indication: Indication) -> None:
    assert qualified(doctor(pki), indication=indication).word == UNKNOWN


def test_a_certificate_without_the_classes_is_not_a_qualified_one() -> None:
    der = certificate(without("2.5.29.32"))
    assert qualified(der).word == ADES
    assert qualified(der, NOBODY_KNOWS).word == ADES, "the authority does not matter any more"


@pytest.mark.parametrize(
    ("oid", "name"),
    [
        ("1.2.643.100.111", "subject_sign_tool"),
        ("1.2.643.100.112", "issuer_sign_tool"),
        ("1.2.643.100.114", "identification_kind"),
        ("2.5.29.15", "key_usage"),
    ],
)
def test_one_condition_missing_is_an_advanced_signature_by_a_qualified_certificate(
    oid: str, name: str
) -> None:
    assert qualified(certificate(lambda all_: all_)).word == QES
    found = qualified(certificate(without(oid)))
    assert found.word == ADES_QC
    assert status(found, name) is CheckStatus.FAILED


def test_the_keys_own_term_is_shorter_than_the_certificates(pki: Pki) -> None:
    der = certificate(lambda all_: all_)
    marks = marks_of(der)
    assert marks is not None
    assert marks.key_until is not None
    assert qualified(der, at=marks.key_until).word == QES
    late = qualified(der, at=marks.key_until + timedelta(seconds=1))
    assert (late.word, status(late, "private_key_period")) == (ADES_QC, CheckStatus.FAILED)


def test_a_limit_written_in_words_is_for_a_person_to_read() -> None:
    notice = {
        "policy_identifier": "1.2.643.100.113.1",
        "policy_qualifiers": [
            {
                "policy_qualifier_id": "user_notice",
                "qualifier": {
                    "explicit_text": x509.DisplayText(
                        name="utf8_string", value="Только для отчётности"
                    )
                },
            }
        ],
    }
    change = without("2.5.29.32")
    der = certificate(
        lambda all_: [*change(all_), made.extension("certificate_policies", [notice])]
    )
    found = qualified(der)
    assert found.word == UNKNOWN
    assert status(found, "usage_limits") is CheckStatus.INDETERMINATE


def test_an_owner_without_a_number_is_not_identified() -> None:
    der = certificate(lambda all_: all_, (("common_name", "Somebody"),))
    found = qualified(der)
    assert (found.word, status(found, "signer_identified")) == (ADES_QC, CheckStatus.FAILED)


def test_certificates_of_before_the_order_need_not_say_how_they_identified() -> None:
    before, after = IDENTIFICATION_ASKED_SINCE - DAY, IDENTIFICATION_ASKED_SINCE
    words = []
    for begins in (before, after):
        period = Period(begins=begins, ends=begins + 400 * DAY)
        der = certificate(without("1.2.643.100.114"), period=period)
        words.append(qualified(der, at=begins + DAY).word)
    assert words == [QES, ADES_QC]


def test_an_uncertified_tool_is_said_and_changes_no_kind(pki: Pki) -> None:
    """Who checked decides on recognition before the law, not on what was signed."""
    own, certified = qualified(doctor(pki)), qualified(doctor(pki), tool=CERTIFIED)
    assert own.word == certified.word == QES
    assert status(own, "tool_certified") is CheckStatus.INDETERMINATE
    assert status(certified, "tool_certified") is CheckStatus.PASSED


@pytest.mark.parametrize("broken", [b"", b"0\x03\x02\x01\x01", bytes(64)])
def test_what_is_no_certificate_is_unknown(broken: bytes) -> None:
    found = qualify(
        broken,
        indication=Indication.TOTAL_PASSED,
        signer=None,
        signed_at=NOW,
        accreditation=ACCREDITED,
        tool=CERTIFIED,
    )
    assert found.word == UNKNOWN


def test_no_changed_byte_of_a_certificate_breaks_the_answer(pki: Pki) -> None:
    """Times without an offset, numbers without end, texts that are none: UNKNOWN, never raised."""
    chance, whole = random.Random(20261121), doctor(pki)
    for _ in range(1500):
        octets = bytearray(whole)
        for _ in range(chance.choice((1, 2, 4))):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        found = qualify(
            bytes(octets),
            indication=Indication.TOTAL_PASSED,
            signer=None,
            signed_at=NOW,
            accreditation=ACCREDITED,
            tool=BUILT_IN,
        )
        assert found.word != QES, "nobody is named without a signer"


def test_a_time_without_an_offset_makes_a_certificate_unreadable() -> None:
    der = certificate(lambda all_: all_)
    marks = marks_of(der)
    assert marks is not None
    assert marks.key_until is not None
    written = marks.key_until.strftime("%Y%m%d%H%M%SZ").encode()
    assert written in der
    assert marks_of(der.replace(written, written[:-1] + b"0")) is None
