"""Whose card it is: one test case per row of the table, and the days of the semantics."""

from dataclasses import dataclass
from datetime import date

import pytest

from gateway.model import Identifier, Json, MatchKind, PatientClaim, PersonName
from gateway.patients import identifiers as ids
from gateway.patients import matching

SNILS = Identifier(system=ids.SNILS, value="11223344595")
OTHER_SNILS = Identifier(system=ids.SNILS, value="08765430300")
ENP = Identifier(system=ids.ENP, value="2657020837000348")
PASSPORT = Identifier(system=ids.PASSPORT, value="4510123456")
BIRTH = Identifier(system=ids.BIRTH_CERTIFICATE, value="VМЮ123456")
MIS = Identifier(system=ids.MIS, value="1027700132195/77")


@dataclass(frozen=True)
class Card:
    patient: str
    resource: Json | None


def resource(**changes: object) -> Json:
    base: Json = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": SNILS.system, "value": SNILS.value}],
        "name": [{"family": "Образцова", "given": ["Анна", "Петровна"]}],
        "birthDate": "1984-05-17",
        "gender": "female",
    }
    base.update(changes)  # type: ignore[arg-type]
    return {key: value for key, value in base.items() if value is not None}


KNOWN = resource()


def claim(
    *identifiers: Identifier,
    family: str = "Образцова",
    given: str = "Анна",
    born: date | None = date(1984, 5, 17),
    sex: str | None = "female",
) -> PatientClaim:
    return PatientClaim(
        identifiers=identifiers,
        name=PersonName(family=family, given=given),
        birth_date=born,
        sex=sex,
        place="/p",
    )


def decide(
    told: PatientClaim,
    held: dict[Identifier, Json | None] | None = None,
    *,
    patients: dict[Identifier, str] | None = None,
    anonymous: bool = False,
    at: date | None = None,
) -> matching.Decision:
    held = held or {}
    patients = patients or {}

    def cards(identifier: Identifier) -> tuple[Card, ...]:
        return (
            (Card(patients.get(identifier, "p1"), held[identifier]),) if identifier in held else ()
        )

    return matching.decide(told, cards, new_patient=lambda: "fresh", anonymous=anonymous, at=at)


NEWBORN = claim(SNILS, family="Образцов", given="Мальчик", born=date(2026, 11, 1), sex="male")
ROWS = {
    "anonymous testing opens no card": (
        decide(claim(SNILS), {SNILS: KNOWN}, anonymous=True),
        "anonymous",
        None,
        None,
    ),
    "identifiers that lead to different cards are undecided": (
        decide(claim(SNILS, ENP), {SNILS: KNOWN, ENP: KNOWN}, patients={ENP: "p2"}),
        "undecided",
        "PAT-105",
        None,
    ),
    "a mother's number on her newborn is undecided": (
        decide(NEWBORN, {SNILS: KNOWN}),
        "undecided",
        "PAT-106",
        None,
    ),
    "a card that carries another СНИЛС is undecided": (
        decide(claim(OTHER_SNILS, ENP), {ENP: KNOWN}),
        "undecided",
        "PAT-105",
        None,
    ),
    "another birth date is undecided": (
        decide(claim(SNILS, born=date(1984, 5, 18)), {SNILS: KNOWN}),
        "undecided",
        "PAT-103",
        None,
    ),
    "another sex is undecided": (
        decide(claim(SNILS, sex="male"), {SNILS: KNOWN}),
        "undecided",
        "PAT-103",
        None,
    ),
    "another surname and another given name are undecided": (
        decide(claim(SNILS, family="Другая", given="Ольга"), {SNILS: KNOWN}),
        "undecided",
        "PAT-103",
        None,
    ),
    "a birth date that is not said needs the same name": (
        decide(claim(SNILS, family="Другая", born=None), {SNILS: KNOWN}),
        "undecided",
        "PAT-103",
        None,
    ),
    "a birth date that is not said needs the same given name": (
        decide(claim(SNILS, given="Ольга", born=None), {SNILS: KNOWN}),
        "undecided",
        "PAT-103",
        None,
    ),
    "a new surname with the same given name and date is the same patient": (
        decide(claim(SNILS, family="Новая"), {SNILS: KNOWN}),
        "matched",
        "PAT-107",
        "p1",
    ),
    "a name in another script is the same patient": (
        decide(claim(PASSPORT, family="Obraztsova", given="Anna"), {PASSPORT: KNOWN}),
        "matched",
        None,
        "p1",
    ),
    "another given name under one СНИЛС, date and sex is the same patient": (
        decide(claim(SNILS, given="Ольга"), {SNILS: KNOWN}),
        "matched",
        "PAT-107",
        "p1",
    ),
    "another given name under a weaker number is undecided": (
        decide(claim(ENP, given="Ольга"), {ENP: KNOWN}),
        "undecided",
        "PAT-103",
        None,
    ),
    "number, birth date and sex that agree are the same patient": (
        decide(claim(SNILS), {SNILS: KNOWN}),
        "matched",
        None,
        "p1",
    ),
    "an unknown number opens a card": (decide(claim(SNILS)), "new", None, "fresh"),
    "a newborn or foreigner opens a provisional card with date and sex": (
        decide(claim(BIRTH)),
        "provisional",
        None,
        "fresh",
    ),
    "demographics alone never match": (decide(claim()), "undecided", "PAT-104", None),
}


@pytest.mark.parametrize("row", matching.table(), ids=lambda row: row.name)
def test_every_row_of_the_table_decides_its_case(row: matching.Row) -> None:
    decision, kind, code, patient = ROWS[row.name]
    assert decision.row.name == row.name
    assert decision.match.kind == kind
    assert decision.match.patient == patient
    assert [p.code for p in decision.match.problems] == ([code] if code else [])


def test_a_number_linked_before_its_card_keeps_its_patient() -> None:
    """The link is written before the card: a crash between them must not open a second card."""
    found = decide(claim(SNILS), {SNILS: None}).match
    assert (found.kind, found.patient) == (MatchKind.NEW, "p1")


def test_a_name_change_is_a_warning_that_stops_nothing() -> None:
    found = decide(claim(SNILS, family="Новая"), {SNILS: KNOWN}).match
    assert found.problems[0].warning


def test_an_old_name_on_the_card_still_matches() -> None:
    """Results ordered before the marriage arrive after it."""
    held = resource(
        name=[
            {"family": "Новая", "given": ["Анна"]},
            {"use": "old", "family": "Образцова", "given": ["Анна"]},
        ]
    )
    found = decide(claim(SNILS), {SNILS: held}).match
    assert (found.kind, found.problems) == (MatchKind.MATCHED, ())


@pytest.mark.parametrize("family", ["ОБРАЗЦОВА", "Образцова ", "О."])
def test_case_spaces_and_initials_do_not_make_another_surname(family: str) -> None:
    assert decide(claim(SNILS, family=family), {SNILS: KNOWN}).match.problems == ()


def test_yo_and_ye_are_one_letter() -> None:
    held = resource(name=[{"family": "Королёва", "given": ["Алёна"]}])
    found = decide(claim(SNILS, family="Королева", given="Алена"), {SNILS: held}).match
    assert found.problems == ()


def test_an_adult_of_the_same_number_is_not_taken_for_a_newborn() -> None:
    """The neighbour of PAT-106: another birth date, but no infant at the day of the report."""
    adult = claim(SNILS, born=date(2000, 1, 1))
    found = decide(adult, {SNILS: KNOWN}, at=date(2026, 11, 20)).match
    assert found.problems[0].code == "PAT-103"


def test_a_card_without_a_snils_takes_one_through_its_policy() -> None:
    """A provisional card is confirmed when the СНИЛС comes, under the same patient number."""
    held = resource(identifier=[{"system": ENP.system, "value": ENP.value}])
    found = decide(claim(SNILS, ENP), {ENP: held}).match
    assert (found.kind, found.patient) == (MatchKind.MATCHED, "p1")


def test_a_card_number_alone_needs_date_and_sex() -> None:
    assert decide(claim(MIS)).match.kind == MatchKind.PROVISIONAL
    assert decide(claim(MIS, sex=None)).match.problems[0].code == "PAT-104"


def test_problems_hold_no_values_of_the_patient() -> None:
    for decision, *_ in ROWS.values():
        for problem in decision.match.problems:
            assert set(problem.detail) <= {"cards"}
