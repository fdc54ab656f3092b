"""What an operator sees of a patient: enough to choose, too little to know."""

import pytest

from gateway.model import Json
from gateway.repair import masking

PERSON: Json = {
    "name": [{"family": "Иванов", "given": ["Иван", "Ильич"]}],
    "birthDate": "1984-05-17",
    "identifier": [{"system": "urn:oid:1.2.643.100.3", "value": "11223344595"}],
}


def test_a_name_keeps_its_ends_and_initials_a_date_its_century() -> None:
    assert masking.person(PERSON) == "И***ов И. И., 19**"


@pytest.mark.parametrize(
    ("family", "masked"), [("", ""), ("Ли", "Л***"), ("Цой", "Ц***"), ("Петров", "П***ов")]
)
def test_a_short_surname_shows_its_first_letter_only(family: str, masked: str) -> None:
    assert masking.surname(family) == masked


def test_a_number_shows_two_last_digits() -> None:
    assert masking.numbers(PERSON) == ["СНИЛС ***95"]


def test_a_card_that_says_nothing_shows_nothing() -> None:
    assert masking.person({}) == "***, ****"
    assert masking.numbers({"identifier": [{"system": "urn:other", "value": "77"}]}) == []
