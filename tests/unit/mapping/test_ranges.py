"""Reference ranges: limits where the text gives them, the text always."""

from decimal import Decimal

import pytest

from gateway.mapping import ranges


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3,5–5,1", "3.5", "5.1"),
        ("3.50-5.10", "3.50", "5.10"),
        ("до 5,0", None, "5.0"),
        ("<0,5", None, "0.5"),
        (">= 90", "90", None),
        ("более 60", "60", None),
        ("от 3 до 5", "3", "5"),
    ],
)
def test_limits_are_read_with_their_digits(text: str, low: str | None, high: str | None) -> None:
    read = ranges.read(text, None)
    assert (read.low, read.high) == (low and Decimal(low), high and Decimal(high))
    assert str(read.low or "") == (low or "")
    assert read.text == text


@pytest.mark.parametrize(
    "text",
    ["отрицательно", "см. комментарий", "1,000–2,000", "до полуночи", "5,1–3,5", "", "до <5"],
)
def test_a_range_that_is_not_understood_is_text_alone(text: str) -> None:
    assert ranges.read(text, "female") == ranges.ReferenceRange(text=text)


@pytest.mark.parametrize(
    ("sex", "low"), [("male", "130"), ("female", "120"), ("unknown", None), (None, None)]
)
def test_the_part_for_the_patients_sex_is_chosen(sex: str | None, low: str | None) -> None:
    """Judging a woman by a man's range is a wrong flag; by no range is none."""
    text = "муж. 130–160; жен. 120–140"
    read = ranges.read(text, sex)
    assert read.low == (low and Decimal(low))
    assert read.text == text


def test_a_range_of_one_sex_says_nothing_of_the_other() -> None:
    assert ranges.read("муж. 130–160", "female").low is None


def test_several_parts_without_a_sex_are_not_chosen_from() -> None:
    assert ranges.read("18–40 лет 1–2; 41–60 лет 2–3", "male").low is None
