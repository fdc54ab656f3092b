"""A power of attorney: its own signature, its term, whom it names and what it allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.model import Attached, Check, Part, RegistryState, SignatureReport
from gateway.qualification.attorney import (
    NAMESPACE,
    OCTETS_MAX,
    Registry,
    nobody,
    read_attorney,
)
from gateway.sandbox.pki import MERIDIAN, POLARIS, Pki
from gateway.verification.policy import Policy
from gateway.verification.powers import with_powers
from tests.pki.build import NOW
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier
from tests.unit.signatures.made_xml import Ref, signed_xml

DOCTOR = POLARIS.snils
POWER = "PSYCH_MED_DOCS_SIGN"
ORGANISATION = f'ИННЮЛ="{POLARIS.inn_organization}" КПП="779901001" ОГРН="{POLARIS.ogrn}"'


def attorney(
    *,
    representative: str = DOCTOR,
    begins: str = "2026-01-01",
    ends: str = "2026-12-31",
    organisation: str = ORGANISATION,
    power: str = f'<МашПолн КодПолн="{POWER}" НаимПолн="Подписание медицинских документов"/>',
    kind: str = "Довер",
    terms: int = 1,
    head: str = "112-233-445 95",
) -> bytes:
    term = (
        f'<СвДов ВидДовер="1" ПрПередов="1" ВнНомДовер="17" НомДовер="4f1c2d3e"'
        f' ДатаВыдДовер="{begins}" СрокДейст="{ends}"/>'
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Доверенность xmlns="urn://x-artefacts/EMCHD_1" ВерсФорм="EMCHD_1" ИдФайл="ON_EMCHD_1">
<Документ><{kind}>{term * terms}
<СвДоверит ТипДоверит="1"><Доверит><РосОргДовер ЕИОФЛ="1">
<СвРосОрг НаимОрг="ООО" {organisation}/>
<ЛицоБезДов ПолнЮЛ="1"><СвФЛ СНИЛС="{head}"><СведФЛ/></СвФЛ></ЛицоБезДов>
</РосОргДовер></Доверит></СвДоверит>
<СвУпПред ТипПред="1"><Пред><СведФизЛ СНИЛС="{representative}"><СведФЛ/></СведФизЛ></Пред>
</СвУпПред>
<СвПолн ТипПолн="0">{power}</СвПолн>
</{kind}></Документ></Доверенность>""".encode()


def powers(
    pki: Pki,
    octets: bytes,
    *,
    by: str = "gost256-organisation",
    at: datetime = NOW,
    wanted: str = "",
    over: bytes | None = None,
    registry: Registry = nobody,
    inside: bool = False,
    policy: Policy | None = None,
) -> dict[str, str]:
    """Return the checks of powers beside a doctor's signature, by name.

    The power of attorney is signed `by` one of the sandbox, or has its signature `inside`.
    """
    report = verifier(pki).verify(document(BUNDLE), beside(signed(pki)), NOW)
    report = moved(report, at)
    own = () if inside else beside(signed(pki, by, octets=over or octets))
    part = Part(name="attorney", media_type="application/xml", body=octets)
    attached = Attached(attorney=part, signatures=own)
    judge = verifier(pki, registry)
    judge.policy = policy or judge.policy
    found = with_powers(report, (attached,), judge, NOW, kept=False, wanted=wanted)
    checks: tuple[Check, ...] = found.signatures[0].qualification_checks
    return {c.name: c.status.value for c in checks if c.name.startswith("attorney")}


def moved(report: SignatureReport, at: datetime) -> SignatureReport:
    first = report.signatures[0]
    return replace(report, signatures=(replace(first, times=replace(first.times, best=at)),))


def test_a_good_power_of_attorney_gives_its_powers(pki: Pki) -> None:
    found = powers(pki, attorney(), wanted=POWER)
    assert found.pop("attorney_revocation") == "INDETERMINATE"
    assert set(found.values()) == {"PASSED"}


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"representative": MERIDIAN.snils}, "attorney_representative"),
        ({"ends": "2026-11-20"}, "attorney_term"),
        ({"begins": "2026-11-22"}, "attorney_term"),
        ({"organisation": f'ОГРН="{MERIDIAN.ogrn}"'}, "attorney_principal"),
        ({"power": '<МашПолн КодПолн="OTHER"/>'}, "attorney_powers"),
    ],
)
def test_one_thing_wrong_is_one_check_failed(pki: Pki, changed: dict[str, str], check: str) -> None:
    found = powers(pki, attorney(**changed), wanted=POWER)  # type: ignore[arg-type]
    assert [name for name, status in found.items() if status == "FAILED"] == [check]


def test_nobody_asks_of_it_who_must_sign_a_document(pki: Pki) -> None:
    """A document by a doctor and an organisation may come with a power the organisation gave."""
    both = Policy(roles=("doctor", "organisation"), signatures_min=2)
    assert powers(pki, attorney(), policy=both)["attorney_signature"] == "PASSED"
    level = Policy(levels=("T",))
    assert powers(pki, attorney(), policy=level)["attorney_signature"] == "INDETERMINATE"


def test_its_own_broken_signature_spoils_it(pki: Pki) -> None:
    found = powers(pki, attorney(), over=attorney(ends="2030-01-01"))
    assert found["attorney_signature"] == "FAILED"


def test_what_stands_in_its_signature_gives_nobody_powers(pki: Pki) -> None:
    """A signature leaves itself out of what it signs: anybody may put an Object there."""
    given = attorney(representative=MERIDIAN.snils, power='<МашПолн КодПолн="OTHER"/>')
    more = (
        f'<А xmlns="{NAMESPACE}"><СвУпПред><СведФизЛ СНИЛС="{DOCTOR}"/></СвУпПред>'
        f'<СвПолн><МашПолн КодПолн="{POWER}"/></СвПолн></А>'
    )
    for objects in ("", f"<ds:Object>{more}</ds:Object>"):
        text = given.decode().partition("?>")[2]
        octets = signed_xml(pki, text, Ref(), objects=objects, signer="ecdsa-organisation")
        found = powers(pki, octets, inside=True, wanted=POWER)
        assert found["attorney_signature"] == "PASSED"
        refused = {name for name, status in found.items() if status == "FAILED"}
        assert refused == {"attorney_representative", "attorney_powers"}


def test_a_strangers_signature_on_it_is_undecided(pki: Pki) -> None:
    assert powers(pki, attorney(), by="stranger")["attorney_signature"] == "INDETERMINATE"


def test_the_representative_cannot_give_it_to_himself(pki: Pki) -> None:
    """A person's certificate names the organisation too, and is not the organisation."""
    assert powers(pki, attorney(), by="gost256-doctor")["attorney_principal"] == "FAILED"


def test_the_head_gives_it_under_a_certificate_of_the_organisation(pki: Pki) -> None:
    """The doctor's certificate of the tests names the laboratory, as a head's does."""
    by_head = attorney(head=DOCTOR, representative=MERIDIAN.snils)
    assert powers(pki, by_head, by="gost256-doctor")["attorney_principal"] == "PASSED"


@pytest.mark.parametrize("by", ["gost256-person", "gost512-doctor"])
def test_nobody_makes_himself_the_head_of_an_organisation(pki: Pki, by: str) -> None:
    """The file may name anybody as head; the certificate must name the principal."""
    own = {"gost256-person": POLARIS.snils, "gost512-doctor": MERIDIAN.snils}
    assert powers(pki, attorney(head=own[by]), by=by)["attorney_principal"] == "FAILED"


def test_a_managing_company_is_not_the_principal(pki: Pki) -> None:
    """Who manages an organisation says its register, not the power of attorney."""
    company = f'<СвРосОрг ОГРН="{MERIDIAN.ogrn}"/><СвФЛ '
    managed = attorney().replace("<СвФЛ ".encode(), company.encode(), 1)
    assert powers(pki, managed)["attorney_principal"] == "PASSED"
    assert powers(pki, managed, by="gost512-organisation")["attorney_principal"] == "FAILED"


def test_a_person_gives_it_under_a_certificate_of_his_own(pki: Pki) -> None:
    given = attorney().replace("<СвРосОрг ".encode(), f'<ФЛДовер СНИЛС="{DOCTOR}"/><А '.encode())
    assert powers(pki, given, by="gost256-person")["attorney_principal"] == "PASSED"
    assert powers(pki, given, by="gost512-person")["attorney_principal"] == "FAILED"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (RegistryState(), "INDETERMINATE"),
        (RegistryState(state="VALID", source="ФНС"), "PASSED"),
        (RegistryState(state="REVOKED", source="ФНС"), "FAILED"),
        (RegistryState(state="REVOKED", revoked_at=NOW), "FAILED"),
        (RegistryState(state="REVOKED", revoked_at=NOW + timedelta(seconds=1)), "PASSED"),
    ],
)
def test_the_registry_is_believed_where_it_is_asked(
    pki: Pki, state: RegistryState, status: str
) -> None:
    """Called back later, it still held when the document was signed."""

    def registry(number: str) -> RegistryState:
        assert number == "4f1c2d3e"
        return state

    assert powers(pki, attorney(), registry=registry)["attorney_revocation"] == status


def test_its_last_day_counts_by_moscow_time(pki: Pki) -> None:
    ends = attorney(ends="2026-11-21")
    last = datetime.fromisoformat("2026-11-21T20:59:59+00:00")
    assert powers(pki, ends, at=last)["attorney_term"] == "PASSED"
    assert powers(pki, ends, at=last + timedelta(seconds=1))["attorney_term"] == "FAILED"


def test_powers_in_words_are_for_a_person_to_read(pki: Pki) -> None:
    words = attorney(power="<ТекстПолн>Подписывать всё</ТекстПолн>")
    assert powers(pki, words)["attorney_powers"] == "INDETERMINATE"


def test_a_power_with_limits_is_for_a_person_to_read(pki: Pki) -> None:
    """Whether a limit is kept (a term, a sum, a kind of document) no code of ours knows."""
    limit = '<ОгрСвПолн ИдОгр="1" КодОгр="1" НаимОгр="Сумма"/>'
    limited = f'<МашПолн КодПолн="{POWER}">{limit}</МашПолн>'
    for power in (limited, limited + '<МашПолн КодПолн="OTHER"/>'):
        found = powers(pki, attorney(power=power), wanted=POWER)
        assert found["attorney_powers"] == "INDETERMINATE"
    free = limited + f'<МашПолн КодПолн="{POWER}"/>'
    assert powers(pki, attorney(power=free), wanted=POWER)["attorney_powers"] == "PASSED"


@pytest.mark.parametrize(
    ("mark", "several", "status"),
    [("2", True, "INDETERMINATE"), ("1", True, "PASSED"), ("2", False, "PASSED")],
)
def test_powers_of_several_together_are_nobodys_alone(
    pki: Pki, mark: str, several: bool, status: str
) -> None:
    given = attorney().replace("<СвПолн ".encode(), f'<СвПолн ПрСовмПолн="{mark}" '.encode())
    if several:
        other = f'<СвУпПред><Пред><СведФизЛ СНИЛС="{MERIDIAN.snils}"/></Пред></СвУпПред><СвПолн '
        given = given.replace("<СвПолн ".encode(), other.encode())
    assert powers(pki, given, wanted=POWER)["attorney_powers"] == status


@pytest.mark.parametrize(
    ("mark", "by", "status"),
    [
        ("1", "gost256-doctor", "PASSED"),
        ("2", "gost256-doctor", "FAILED"),
        ("2", "gost256-organisation", "PASSED"),
    ],
)
def test_one_of_two_heads_who_act_together_is_not_the_organisation(
    pki: Pki, mark: str, by: str, status: str
) -> None:
    """The doctor's certificate of the tests names the laboratory, as a head's does."""
    body = f'<ЛицоБезДов ПолнЮЛ="{mark}"><СвФЛ СНИЛС="{MERIDIAN.snils}"/></ЛицоБезДов>'
    given = attorney(head=DOCTOR, representative=MERIDIAN.snils)
    given = given.replace('<ЛицоБезДов ПолнЮЛ="1">'.encode(), f"{body}<ЛицоБезДов>".encode())
    assert powers(pki, given, by=by)["attorney_principal"] == status


def test_powers_passed_on_need_the_first_power(pki: Pki) -> None:
    passed_on = powers(pki, attorney(kind="Передов", terms=2))
    assert passed_on["attorney_chain"] == "INDETERMINATE"
    assert passed_on["attorney_term"] == "PASSED"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<a/>",
        b"not xml",
        attorney(terms=0),
        attorney(terms=2),
        attorney(ends="31.12.2026"),
        attorney().replace(b"EMCHD_1", b"EMCHD_9"),
        b" " * (OCTETS_MAX + 1),
        b'<!DOCTYPE x [<!ENTITY a "b">]><x/>',
    ],
)
def test_what_is_no_power_of_attorney_is_said(pki: Pki, broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_attorney(broken)
    assert powers(pki, broken or b" ") == {"attorney": "FAILED"}
