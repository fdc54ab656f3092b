"""Units and codes: many spellings, one meaning, and nothing guessed."""

from datetime import date

import pytest

from gateway.mapping import codes
from gateway.mapping.catalogue import Catalogue
from gateway.mapping.codes import FSLI, LOINC, Codes, LocalCode, LocalTable
from gateway.mapping.units import Unit, Units


@pytest.mark.parametrize(
    ("text", "ucum"),
    [
        ("ммоль/л", "mmol/L"),
        ("ММОЛЬ/Л", "mmol/L"),
        ("mmol/l", "mmol/L"),
        ("мкмоль/л", "umol/L"),
        ("мкмoль/л", "umol/L"),
        ("umol/L", "umol/L"),
        ("µmol/L", "umol/L"),
        ("10^9/л", "10*9/L"),
        ("10*9/л", "10*9/L"),
        ("×10⁹/л", "10*9/L"),
        ("x10^9/л", "10*9/L"),
        ("тыс/мкл", "10*9/L"),
        ("мм/ч.", "mm/h"),
        ("мл/мин/1,73 м²", "mL/min/{1.73_m2}"),
        ("%", "%"),
    ],
)
def test_spellings_of_a_unit_are_one_unit(catalogue: Catalogue, text: str, ucum: str) -> None:
    unit = catalogue.units.find(text)
    assert unit is not None
    assert unit.ucum == ucum


@pytest.mark.parametrize("text", ["попугаев", "ммоль", "", "Г/л", "G/L", "ммоль/лл"])
def test_an_unknown_or_double_unit_is_not_found(catalogue: Catalogue, text: str) -> None:
    """`Г/л` is giga per litre on one analyser and gram per litre on another."""
    assert catalogue.units.find(text) is None


def test_two_units_with_one_spelling_are_refused_when_loaded() -> None:
    with pytest.raises(ValueError, match="is both"):
        Units([Unit(ucum="mm", nsi=None, ru="мм"), Unit(ucum="mmol/L", nsi=None, ru="мM")])


def test_the_catalogue_has_at_least_sixty_tests_with_both_codes(catalogue: Catalogue) -> None:
    both = [t for t in catalogue.codes.tests() if t.fsli and t.loinc]
    assert len(both) >= 60


def test_every_unit_of_a_test_is_in_the_table_of_units(catalogue: Catalogue) -> None:
    for test in catalogue.codes.tests():
        for ucum in test.units:
            found = catalogue.units.find(ucum)
            assert found is not None, (test.name, ucum)
            assert found.ucum == ucum


def test_fsli_and_loinc_lead_to_one_test(catalogue: Catalogue) -> None:
    by_fsli = catalogue.codes.find(FSLI, "1003870")
    assert by_fsli is not None
    assert by_fsli == catalogue.codes.find("2.16.840.1.113883.6.1", "14749-6")
    assert [c["system"] for c in codes.codings(by_fsli)] == [FSLI, LOINC]


def _table(*rows: LocalCode) -> Codes:
    tests = (
        codes.Test(fsli="1", loinc=None, name="A"),
        codes.Test(fsli="2", loinc=None, name="B"),
    )
    return Codes(tests, {"lab": LocalTable(source="urn:lab", rows=rows)})


def test_a_local_code_means_what_it_meant_when_the_specimen_was_taken() -> None:
    """On 1 March code 4410 changes: a February specimen resent in March uses the old map."""
    march = date(2026, 3, 1)
    table = _table(
        LocalCode(code="4410", to="1", name="A", until=march),
        LocalCode(code="4410", to="2", name="B", valid_from=march),
    )
    february = table.local(["lab"], "urn:lab", "4410", date(2026, 2, 28))
    first = table.local(["lab"], "urn:lab", "4410", march)
    assert february is not None
    assert first is not None
    assert (february.name, first.name) == ("A", "B")
    assert table.local(["lab"], "urn:lab", "4410", None) is None


def test_another_laboratorys_code_is_not_ours() -> None:
    table = _table(LocalCode(code="GLU", to="1", name="A"))
    assert table.local(["lab"], "urn:other", "GLU", None) is None
    assert table.local([], "urn:lab", "GLU", None) is None
    assert table.local(["lab"], "urn:lab", "glu", None) is None


def test_a_local_code_that_leads_nowhere_is_refused_when_loaded() -> None:
    with pytest.raises(ValueError, match="no test"):
        _table(LocalCode(code="X", to="3", name="C"))
