"""The card keeps what it knew and takes what is new."""

from datetime import date

from gateway.fhir import structure
from gateway.model import Identifier, Json, PatientClaim, PersonName
from gateway.patients import identifiers as ids
from gateway.patients.card import card

NUMBER = "00000000-0000-4000-8000-000000000001"
SNILS = Identifier(system=ids.SNILS, value="11223344595")
ENP = Identifier(system=ids.ENP, value="2657020837000348")


def claim(*identifiers: Identifier, family: str = "Образцова") -> PatientClaim:
    return PatientClaim(
        identifiers=identifiers,
        name=PersonName(family=family, given="Анна", patronymic="Петровна"),
        birth_date=date(1984, 5, 17),
        sex="female",
        place="/p",
    )


def test_a_first_document_makes_a_valid_patient() -> None:
    made = card(None, claim(SNILS), NUMBER)
    assert structure.problems(made, "") == ()
    assert made["id"] == NUMBER
    assert made["identifier"] == [{"system": SNILS.system, "value": SNILS.value}]
    assert made["name"] == [
        {"use": "official", "family": "Образцова", "given": ["Анна", "Петровна"]}
    ]


def test_identifiers_are_united_and_never_doubled() -> None:
    made = card(card(None, claim(SNILS), NUMBER), claim(SNILS, ENP), NUMBER)
    assert made["identifier"] == [
        {"system": SNILS.system, "value": SNILS.value},
        {"system": ENP.system, "value": ENP.value},
    ]


def test_a_name_that_changed_stays_as_an_old_one() -> None:
    made = card(card(None, claim(SNILS), NUMBER), claim(SNILS, family="Новая"), NUMBER)
    names = made["name"]
    assert isinstance(names, list)
    assert [(n["use"], n["family"]) for n in names if isinstance(n, dict)] == [
        ("official", "Новая"),
        ("old", "Образцова"),
    ]


def test_the_same_name_again_is_one_name() -> None:
    once = card(None, claim(SNILS), NUMBER)
    assert card(once, claim(SNILS), NUMBER) == once


def test_further_elements_of_the_sent_patient_are_taken_and_old_ones_stay() -> None:
    existing: Json = {**card(None, claim(SNILS), NUMBER), "address": [{"text": "А"}]}
    sent: Json = {
        "resourceType": "Patient",
        "id": NUMBER,
        "telecom": [{"system": "phone", "value": "1"}],
    }
    made = card(existing, claim(SNILS), NUMBER, sent)
    assert made["address"] == [{"text": "А"}]
    assert made["telecom"] == [{"system": "phone", "value": "1"}]


def test_a_document_that_does_not_say_keeps_what_the_card_knows() -> None:
    silent = PatientClaim(identifiers=(SNILS,), name=None, birth_date=None, sex=None, place="/p")
    once = card(None, claim(SNILS), NUMBER)
    assert card(once, silent, NUMBER) == once
