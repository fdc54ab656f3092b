"""The likeliest answer stands first; noise suggests nothing."""

from gateway.mapping.catalogue import Catalogue
from gateway.mapping.suggest import tests_like as like
from gateway.mapping.suggest import units_like


def test_a_name_in_other_words_finds_its_test(catalogue: Catalogue) -> None:
    tests = catalogue.codes.tests()
    assert like(tests, "Ферритин (сыворотка)")[0].name == "Ферритин"
    assert like(tests, "ГЛЮКОЗА", "mmol/L")[0].key == "1003870"


def test_a_unit_decides_between_two_alike(catalogue: Catalogue) -> None:
    first = like(catalogue.codes.tests(), "Креатинин", "umol/L")[0]
    assert "umol/L" in first.units


def test_noise_suggests_nothing(catalogue: Catalogue) -> None:
    assert like(catalogue.codes.tests(), "%%%") == ()
    assert like(catalogue.codes.tests(), "") == ()
    assert units_like(catalogue.units.all, "", ()) == ()


def test_what_the_test_comes_in_is_suggested_first(catalogue: Catalogue) -> None:
    assert units_like(catalogue.units.all, "ммоль/литр", ("mmol/L",))[0] == "mmol/L"
