"""The grammar of values: what prints equals what was read, or it is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping import values
from gateway.mapping.values import (
    Absent,
    Ambiguous,
    Free,
    NotPrintable,
    Number,
    Quantity,
    Span,
    Titre,
    Word,
)


@pytest.mark.parametrize(
    ("text", "comparator", "number"),
    [
        ("5,10", "", "5.10"),
        ("5.00", "", "5.00"),
        ("0.40", "", "0.40"),
        ("1000", "", "1000"),
        ("1.015", "", "1.015"),
        ("0,125", "", "0.125"),
        ("-3,5", "", "-3.5"),
        ("<0,01", "<", "0.01"),
        (">1000", ">", "1000"),
        ("≤ 5", "<=", "5"),
        ("≥90", ">=", "90"),
        ("<=0,25", "<=", "0.25"),
    ],
)
def test_numbers_keep_every_digit(text: str, comparator: str, number: str) -> None:
    read = values.read(text)
    assert isinstance(read, Quantity)
    assert (read.comparator, str(read.number.value)) == (comparator, number)
    assert values.show(read) == text


def test_a_titre_is_a_ratio() -> None:
    read = values.read("1:160")
    assert isinstance(read, Titre)
    assert (read.numerator.value, read.denominator.value) == (1, 160)


@pytest.mark.parametrize("text", ["5-7", "5–7", "5 - 7", "5-7 в п/зр", "0,5…1,5"])
def test_two_numbers_with_a_dash_are_a_span(text: str) -> None:
    assert isinstance(values.read(text), Span)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("отрицательно", "NEG"),
        ("Отриц.", "NEG"),
        ("не обнаружено", "ND"),
        ("НЕ  ОБНАРУЖЕНО", "ND"),
        ("нe oбнаружeно", "ND"),
        ("следы", "trace"),
        ("3+", "3+"),
        ("+++", "3+"),
    ],
)
def test_words_are_coded_and_keep_their_text(text: str, code: str) -> None:
    """Look-alike letters and case do not count for look-up; the text stays as written."""
    read = values.read(text)
    assert isinstance(read, Word)
    assert (read.code, read.text) == (code, text)


@pytest.mark.parametrize("text", ["гемолиз", "Сгусток", "недостаточно материала"])
def test_reasons_for_no_value_are_told_from_values(text: str) -> None:
    assert isinstance(values.read(text), Absent)


@pytest.mark.parametrize("text", ["12.5*", "7-5", "5+", "1::160", "рост дрожжевых грибов", "10^6"])
def test_what_is_no_word_of_the_grammar_stays_text(text: str) -> None:
    assert values.read(text) == Free(text=text)


@pytest.mark.parametrize(
    "text", ["1,000", "12,345", "1.000,5", "1,000.5", "1.000.000", "<1,000", "<1.000,5"]
)
def test_a_mark_that_may_be_thousands_is_never_guessed(text: str) -> None:
    with pytest.raises(Ambiguous):
        values.read(text)


def test_the_senders_profile_settles_the_mark() -> None:
    read = values.read("1,015", ",")
    assert isinstance(read, Quantity)
    assert read.number == Number(value=Decimal("1.015"), mark=",")
    with pytest.raises(Ambiguous):
        values.read("1.015", ",")


@pytest.mark.parametrize("text", ["007", "00", "01,5", "1" * 41])
def test_a_number_that_would_lose_a_digit_is_refused(text: str) -> None:
    with pytest.raises(NotPrintable):
        values.read(text)


_DIGITS = st.text("0123456789", min_size=1, max_size=8)
_NUMBERS = st.builds(
    lambda sign, whole, mark, rest: sign + whole + (mark + rest if rest else ""),
    st.sampled_from(["", "-"]),
    _DIGITS,
    st.sampled_from([",", "."]),
    st.one_of(st.just(""), _DIGITS),
)
_GRAMMAR = st.one_of(
    _NUMBERS,
    st.builds(str.__add__, st.sampled_from(["<", ">", "≤ ", ">= ", "<="]), _NUMBERS),
    st.builds("{}:{}".format, _DIGITS, _NUMBERS),
    st.builds("{}{}{}".format, _NUMBERS, st.sampled_from(["-", " – ", ".."]), _NUMBERS),
    st.builds("{}-{} в п/зр".format, _NUMBERS, _NUMBERS),
    st.sampled_from(["1+", "++", "следы", "Не обнаружено", "гемолиз"]),
    st.text(max_size=20),
    st.text("0123456789.,<>=≤≥:+-– *^x", max_size=12),
)


@given(text=_GRAMMAR, mark=st.sampled_from([None, ",", "."]))
def test_what_prints_is_what_was_read_or_it_is_refused(text: str, mark: str | None) -> None:
    """Precision is evidence: no text comes through changed."""
    try:
        read = values.read(text, mark)
    except (Ambiguous, NotPrintable):
        return
    assert values.show(read) == text.strip()


@given(text=_NUMBERS)
def test_a_number_that_is_read_equals_its_digits(text: str) -> None:
    """The neighbour of printing: the number itself is the one the digits say."""
    try:
        read = values.read(text)
    except (Ambiguous, NotPrintable):
        return
    assert isinstance(read, Quantity)
    assert format(read.number.value, "f") == text.replace(",", ".")
