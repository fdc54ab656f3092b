"""Identifiers: many spellings come in, one goes out; check digits are findings."""

import pytest

from gateway.model import Identifier, Problem
from gateway.patients import identifiers as ids


@pytest.mark.parametrize(
    "system",
    [
        "urn:oid:1.2.643.100.3",
        "1.2.643.100.3",
        "http://fhir.ru/core/systems/snils",
        "https://fhir.ru/core/systems/snils/",
        "https://fhir.ru/ig/core/systems/snils",
        "urn:oid:1.2.643.2.69.1.1.1.6.223",
        "urn:oid:1.2.643.3.9",
        "urn:uuid:1.2.643.5.1.pfr",
        "snils",
    ],
)
@pytest.mark.parametrize(
    "value", ["112-233-445 95", "11223344595", " 112 233 445 95 ", "112–233–445 95"]
)
def test_every_spelling_of_snils_becomes_one(system: str, value: str) -> None:
    """A patient must be found whichever spelling the sender uses."""
    assert ids.normalise(system, value) == Identifier(system=ids.SNILS, value="11223344595")


@pytest.mark.parametrize(
    ("system", "value", "expected"),
    [
        ("https://fhir.ru/id/enp", "2657 0208 3700 0348", (ids.ENP, "2657020837000348")),
        ("http://fhir.ru/ig/RuCore/systems/OMS", "2657020837000348", (ids.ENP, "2657020837000348")),
        ("urn:oid:1.2.643.2.69.1.1.1.6.228", "2657020837000348", (ids.ENP, "2657020837000348")),
        ("oms", "123456789", (ids.OMS_TEMPORARY, "123456789")),
        ("https://www.nalog.gov.ru/inn", "500100732259", (ids.INN, "500100732259")),
        ("https://fhir.ru/id/inn", "7707083893", (ids.INN_ORGANIZATION, "7707083893")),
        ("urn:oid:1.2.643.3.131.1.1", "007707083893", (ids.INN_ORGANIZATION, "7707083893")),
        ("urn:ru:id:ogrn", "1027700132195", (ids.OGRN, "1027700132195")),
        ("ogrn", "304500116000157", (ids.OGRNIP, "304500116000157")),
        (
            "urn:ru:frmo:oid",
            "urn:oid:1.2.643.5.1.13.13.12.2.77.1",
            (ids.FRMO, "1.2.643.5.1.13.13.12.2.77.1"),
        ),
        ("passport", "45 10 № 123456", (ids.PASSPORT, "4510123456")),
        ("urn:oid:1.2.643.2.69.1.1.1.6.14", "4510:123456", (ids.PASSPORT, "4510123456")),
        ("birth-certificate", "V-МЮ 123456", (ids.BIRTH_CERTIFICATE, "VМЮ123456")),
    ],
)
def test_other_identifiers_become_canonical(
    system: str, value: str, expected: tuple[str, str]
) -> None:
    found = ids.normalise(system, value, "/here")
    assert found == Identifier(system=expected[0], value=expected[1], place="/here")


@pytest.mark.parametrize(
    ("system", "value"),
    [
        ("snils", "112-233-445 9"),
        ("snils", "112-233-445 9X"),
        ("enp", "265702083700034"),
        ("ogrn", "102770013219"),
        ("inn", "77070838931"),
        ("passport", "451012345"),
        ("oid", "1.02.3"),
        ("urn:example", "  "),
    ],
)
def test_a_wrong_shape_is_named_by_place_and_kind_only(system: str, value: str) -> None:
    """The nearest refused neighbours: one digit short, a letter in it."""
    found = ids.normalise(system, value, "/here")
    assert isinstance(found, Problem)
    assert (found.code, found.place) == ("PAT-101", "/here")
    assert value.strip() not in str(found.detail) or not value.strip()


def test_a_system_that_is_not_ours_stays_as_it_is() -> None:
    assert ids.normalise("urn:example:cards", " A-77 ") == Identifier(
        system="urn:example:cards", value="A-77"
    )


VALID = [
    ("snils", "112-233-445 95"),
    ("snils", "087-654-303 00"),
    ("snils", "123-456-789 64"),
    ("snils", "138-772-039 88"),
    ("snils", "001-001-998 00"),
    ("enp", "2657020837000348"),
    ("enp", "1234567890123452"),
    ("inn", "7707083893"),
    ("inn", "7830002293"),
    ("inn", "500100732259"),
    ("inn", "123456789047"),
    ("ogrn", "1027700132195"),
    ("ogrn", "1027739054420"),
    ("ogrnip", "304500116000157"),
]
INVALID = [
    ("snils", "254-636-254 26"),
    ("snils", "123-456-789 01"),
    ("snils", "165-253-446 26"),
    ("snils", "112-233-445 94"),
    ("enp", "1234567890123456"),
    ("enp", "9876543211234567"),
    ("inn", "7707083894"),
    ("inn", "500100732258"),
    ("inn", "500100732269"),
    ("ogrn", "1027700132196"),
    ("ogrnip", "304500116000158"),
]


@pytest.mark.parametrize(("system", "value"), VALID)
def test_published_valid_numbers_pass_their_check(system: str, value: str) -> None:
    found = ids.normalise(system, value)
    assert isinstance(found, Identifier)
    assert ids.check(found) is None


@pytest.mark.parametrize(("system", "value"), INVALID)
def test_published_invalid_numbers_fail_their_check(system: str, value: str) -> None:
    found = ids.normalise(system, value)
    assert isinstance(found, Identifier)
    problem = ids.check(found)
    assert problem is not None
    assert problem.code == "PAT-101"
    assert not problem.warning


def test_the_weight_of_a_failed_check_is_a_setting() -> None:
    """Official examples carry bad check digits: a site may choose to be warned only."""
    found = ids.normalise("snils", "123-456-789 01")
    assert isinstance(found, Identifier)
    warned = ids.check(found, "warning")
    assert warned is not None
    assert warned.warning
    assert ids.check(found, "ignore") is None
