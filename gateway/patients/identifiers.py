"""Identifiers of persons and organisations: many spellings come in, one goes out.

A system in the wild (`https://fhir.ru/id/enp`, `urn:oid:1.2.643.2.69.1.1.1.6.223`, …) becomes
one canonical URI, and a value loses its separators.  A check digit that fails is a finding
apart (`check`), because official examples carry bad ones: its weight is a setting.

Sources: ПФР rule for СНИЛС; ПОМС rule for ЕНП (Mod 10); ФНС rules for ИНН, ОГРН, ОГРНИП;
OIDs as certificates (63-ФЗ) and laboratory exchange (ОДЛИ) use them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.model import Identifier, Problem

SNILS = "urn:oid:1.2.643.100.3"
INN = "urn:oid:1.2.643.3.131.1.1"
"""ИНН of a person, 12 digits."""

INN_ORGANIZATION = "urn:oid:1.2.643.100.4"
"""ИННЮЛ, 10 digits."""

OGRN = "urn:oid:1.2.643.100.1"
OGRNIP = "urn:oid:1.2.643.100.5"
FRMO = "urn:oid:1.2.643.5.1.13.13.11.1461"
"""OID of an organisation in the federal register of medical organisations."""

ENP = "urn:oid:1.2.643.2.69.1.1.1.6.228"
OMS_OLD = "urn:oid:1.2.643.2.69.1.1.1.6.226"
OMS_TEMPORARY = "urn:oid:1.2.643.2.69.1.1.1.6.227"
DMS = "urn:oid:1.2.643.2.69.1.1.1.6.240"
PASSPORT = "urn:oid:1.2.643.2.69.1.1.1.6.14"
FOREIGN_PASSPORT = "urn:oid:1.2.643.2.69.1.1.1.6.9"
BIRTH_CERTIFICATE = "urn:oid:1.2.643.2.69.1.1.1.6.249"
MIS = "urn:oid:1.2.643.5.1.13.2.7.100.5"
"""Card number in a medical organisation: unique only together with that organisation."""

DOCUMENTS = (PASSPORT, FOREIGN_PASSPORT, BIRTH_CERTIFICATE)
WEIGHTS = ("error", "warning", "ignore")

_SNILS_CHECKED_ABOVE = 1_001_998
"""Numbers up to 001-001-998 were given out without a check number."""

_N3 = "1.2.643.2.69.1.1.1.6."
_SPELLINGS: dict[str, str] = {
    "snils": SNILS,
    "1.2.643.100.3": SNILS,
    _N3 + "223": SNILS,
    "1.2.643.3.9": SNILS,
    "1.2.643.5.1.pfr": SNILS,
    "inn": INN,
    "1.2.643.3.131.1.1": INN,
    "innul": INN_ORGANIZATION,
    "1.2.643.100.4": INN_ORGANIZATION,
    "ogrn": OGRN,
    "1.2.643.100.1": OGRN,
    "ogrnip": OGRNIP,
    "1.2.643.100.5": OGRNIP,
    "oid": FRMO,
    "frmo": FRMO,
    "1.2.643.5.1.13.13.11.1461": FRMO,
    "enp": ENP,
    "oms": ENP,
    _N3 + "228": ENP,
    "oms-old": OMS_OLD,
    _N3 + "226": OMS_OLD,
    "oms-temporary": OMS_TEMPORARY,
    _N3 + "227": OMS_TEMPORARY,
    "dms": DMS,
    _N3 + "240": DMS,
    "passport": PASSPORT,
    _N3 + "14": PASSPORT,
    "1.2.643.5.1.34": PASSPORT,
    "foreign-passport": FOREIGN_PASSPORT,
    _N3 + "9": FOREIGN_PASSPORT,
    "birth-certificate": BIRTH_CERTIFICATE,
    _N3 + "249": BIRTH_CERTIFICATE,
    "mis": MIS,
    "1.2.643.5.1.13.2.7.100.5": MIS,
}
_CANONICAL = frozenset(_SPELLINGS.values())
_WEB = re.compile(r"https?://(?:www\.)?fhir\.ru/(?:[\w.-]+/)*(?:systems|id)/([\w-]+)")
_TAX_WEB = re.compile(r"https?://(?:www\.)?nalog\.(?:gov\.)?ru/inn")
_SEPARATORS = re.compile(r"[\s\-‐‑‒–—−.:№]+")


def canonical_system(system: str) -> str | None:
    """Return the canonical URI of a system however it is spelled; None when it is not ours.

    >>> canonical_system("https://fhir.ru/core/systems/snils")
    'urn:oid:1.2.643.100.3'
    """
    if system in _CANONICAL:
        return system
    text = system.strip().rstrip("/").lower()
    if _TAX_WEB.fullmatch(text):
        return INN
    if web := _WEB.fullmatch(text):
        return _SPELLINGS.get(web[1])
    if text in ("urn:ru:frmo:oid", "urn:ru:frmo"):
        return FRMO
    for prefix in ("urn:oid:", "urn:uuid:", "urn:ru:id:"):
        text = text.removeprefix(prefix)
    return _SPELLINGS.get(text)


def normalise(system: str, value: str, place: str = "") -> Identifier | Problem:
    """Return the identifier in its one normal form, or PAT-101 when its shape is wrong.

    A system that is not in the table comes back as it is, its value trimmed: another
    organisation's numbers are not ours to judge.
    """
    canonical = canonical_system(system)
    value = value.strip()
    if canonical is None:
        if not value:
            return Problem(code="PAT-101", place=place, detail={"kind": "?"})
        return Identifier(system=system.strip(), value=value, place=place)
    canonical, value = _settle(canonical, value)
    if not _SHAPES[canonical].fullmatch(value):
        return Problem(code="PAT-101", place=place, detail={"kind": name(canonical)})
    return Identifier(system=canonical, value=value, place=place)


def check(identifier: Identifier, weight: str = "error") -> Problem | None:
    """Return PAT-101 when the check digit fails: an error or a warning as `weight` says."""
    assert weight in WEIGHTS, weight
    rule = _CHECKS.get(identifier.system)
    if rule is None or weight == "ignore" or rule(identifier.value):
        return None
    return Problem(
        code="PAT-101",
        place=identifier.place,
        detail={"kind": name(identifier.system)},
        warning=weight == "warning",
    )


def name(system: str) -> str:
    """Return what people call a canonical system; the URI itself for any other."""
    return _NAMES.get(system, system)


def _settle(system: str, raw: str) -> tuple[str, str]:
    """Bring a value to its normal form and correct the system its length contradicts."""
    if system in (FRMO, MIS, DMS):
        return system, raw.removeprefix("urn:oid:")
    if system in (BIRTH_CERTIFICATE, FOREIGN_PASSPORT):
        return system, _SEPARATORS.sub("", raw).upper()
    value = _SEPARATORS.sub("", raw)
    if system == INN and len(value) == 12 and value.startswith("00"):
        # Certificates of organisations carried ИННЮЛ padded to 12 digits in this field.
        value = value[2:]
    if system in (INN, INN_ORGANIZATION):
        return (INN_ORGANIZATION if len(value) == 10 else INN), value
    if system in (OGRN, OGRNIP):
        return (OGRNIP if len(value) == 15 else OGRN), value
    if system == ENP and len(value) == 9:
        return OMS_TEMPORARY, value
    return system, value


def _snils(value: str) -> bool:
    if int(value[:9]) <= _SNILS_CHECKED_ABOVE:
        return True
    total = sum(int(digit) * (9 - place) for place, digit in enumerate(value[:9]))
    return total % 101 % 100 == int(value[9:])


def _enp(value: str) -> bool:
    doubled = str(int(value[-2::-2]) * 2)
    total = sum(map(int, doubled)) + sum(map(int, value[-3::-2]))
    return (10 - total % 10) % 10 == int(value[-1])


def _weighted(value: str, weights: tuple[int, ...]) -> bool:
    total = sum(int(d) * w for d, w in zip(value, weights, strict=False))
    return total % 11 % 10 == int(value[len(weights)])


def _inn_person(value: str) -> bool:
    eleventh = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    return _weighted(value, eleventh) and _weighted(value, (3, *eleventh))


def _inn_organization(value: str) -> bool:
    return _weighted(value, (2, 4, 10, 3, 5, 9, 4, 6, 8))


def _ogrn(value: str) -> bool:
    return int(value[:12]) % 11 % 10 == int(value[12])


def _ogrnip(value: str) -> bool:
    return int(value[:14]) % 13 % 10 == int(value[14])


_CHECKS: dict[str, Callable[[str], bool]] = {
    SNILS: _snils,
    ENP: _enp,
    INN: _inn_person,
    INN_ORGANIZATION: _inn_organization,
    OGRN: _ogrn,
    OGRNIP: _ogrnip,
}
_SHAPES: dict[str, re.Pattern[str]] = {
    SNILS: re.compile(r"[0-9]{11}"),
    ENP: re.compile(r"[0-9]{16}"),
    INN: re.compile(r"[0-9]{12}"),
    INN_ORGANIZATION: re.compile(r"[0-9]{10}"),
    OGRN: re.compile(r"[0-9]{13}"),
    OGRNIP: re.compile(r"[0-9]{15}"),
    FRMO: re.compile(r"[0-2](\.(0|[1-9][0-9]*))+"),
    OMS_TEMPORARY: re.compile(r"[0-9]{9}"),
    OMS_OLD: re.compile(r"\S{1,32}"),
    DMS: re.compile(r"\S.{0,63}"),
    PASSPORT: re.compile(r"[0-9]{10}"),
    FOREIGN_PASSPORT: re.compile(r"[0-9A-ZА-ЯЁ]{3,32}"),
    BIRTH_CERTIFICATE: re.compile(r"[0-9A-ZА-ЯЁ]{3,32}"),
    MIS: re.compile(r"\S.{0,127}"),
}
_NAMES: dict[str, str] = {
    SNILS: "СНИЛС",
    ENP: "ЕНП",
    INN: "ИНН",
    INN_ORGANIZATION: "ИННЮЛ",
    OGRN: "ОГРН",
    OGRNIP: "ОГРНИП",
    FRMO: "OID",
    OMS_TEMPORARY: "ОМС (временный)",
    OMS_OLD: "ОМС (старый)",
    DMS: "ДМС",
    PASSPORT: "паспорт РФ",
    FOREIGN_PASSPORT: "паспорт иностранного гражданина",
    BIRTH_CERTIFICATE: "свидетельство о рождении",
    MIS: "номер карты",
}
