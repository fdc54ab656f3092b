"""Who signed is read from the certificate, field by field."""

from __future__ import annotations

import hashlib

import pytest

from gateway.model import Signer
from gateway.sandbox import certificates as made
from gateway.sandbox.pki import Pki
from gateway.trust import read_signer
from tests.pki.build import ALGORITHMS, ALIVE, root

ROOT = root("УЦ, «Главный»")


def named(*pairs: tuple[str, str]) -> Signer:
    _, public = ALGORITHMS.generate("ecdsa")
    certificate = made.certify(made.name(*pairs), public, [], ALIVE, ALGORITHMS, issuer=ROOT)
    return read_signer(certificate.dump())


def test_a_doctors_certificate_names_doctor_and_laboratory(pki: Pki) -> None:
    der = pki.signer("gost256-doctor").chain()[0]
    signer = read_signer(der)
    assert signer.snils == "12345678156"
    assert signer.inn == "779900178170"
    assert signer.inn_organization == "7799000118"
    assert signer.ogrn == "1267700000116"
    assert signer.organization == "ООО «Лаборатория Полярис»"
    assert signer.common_name == "Соколова Марина Игоревна"
    assert signer.certificate_sha256 == hashlib.sha256(der).hexdigest()


def test_an_organisations_certificate_has_no_snils(pki: Pki) -> None:
    signer = read_signer(pki.signer("rsa-organisation").chain()[0])
    assert signer.snils is None
    assert (signer.inn, signer.ogrn) == ("7899000224", "1267800000225")


def test_an_old_organisation_carries_its_inn_padded() -> None:
    """Before ИННЮЛ: two zeros and ten digits in ИНН."""
    signer = named(("common_name", "ООО"), ("inn", "007799000118"))
    assert (signer.inn, signer.inn_organization) == ("7799000118", "7799000118")
    person = named(("common_name", "Иванов"), ("inn", "779900178170"))
    assert (person.inn, person.inn_organization) == ("779900178170", None)


def test_an_entrepreneur_has_ogrnip() -> None:
    assert named(("common_name", "ИП"), ("ogrnip", "304500116000157")).ogrn == "304500116000157"


def test_names_are_written_as_rfc_4514_says() -> None:
    signer = named(("organization_name", "A, B + C"), ("common_name", "#1 <x>"))
    assert signer.subject == r"CN=\#1 \<x\>,O=A\, B \+ C"
    assert signer.issuer == r"CN=УЦ\, «Главный»"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert named(("common_name", "A\x1b[31mB\nC")).common_name == "A[31mBC"


def test_noise_names_nobody(pki: Pki) -> None:
    der = pki.signer("gost256-doctor").chain()[0]
    for octets in (b"", b"noise", der[:-1], der + b"\0"):
        with pytest.raises(ValueError):
            read_signer(octets)
