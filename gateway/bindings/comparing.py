"""Comparing numbers: of an organisation in a document, in a certificate, in a power of attorney."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.bindings.policy import ORGANISATION
from gateway.model import Identifier, Party, Signer
from gateway.patients.identifiers import FRMO, INN_ORGANIZATION, OGRN, OGRNIP, SNILS

NAMED_MAX = 4
"""Numbers that one problem names."""

OGRN_DIGITS, INN_DIGITS = 13, 10
"""Of an organisation; an entrepreneur's ОГРНИП has 15, a person's ИНН 12."""

_ORGANISATION_SYSTEMS = (OGRN, OGRNIP, INN_ORGANIZATION)
_SHORT = {OGRN: "ОГРН", OGRNIP: "ОГРНИП", INN_ORGANIZATION: "ИНН", FRMO: "OID"}


def agree(one: Sequence[Identifier], other: Sequence[Identifier]) -> bool | None:
    """Return whether two sets of numbers mean the same; None when nothing can be compared.

    Registration numbers decide where both have them: every one of `one` must be known to
    `other`, or a document could name its victim beside its sender.
    """
    for systems in ((OGRN, OGRNIP, INN_ORGANIZATION, SNILS), (FRMO,)):
        verdicts = []
        for system in systems:
            left = {item.value for item in one if item.system == system}
            right = {item.value for item in other if item.system == system}
            if left and right:
                verdicts.append(left <= right)
        if verdicts:
            return all(verdicts)
    return None


def organisation_of(signer: Signer) -> tuple[Identifier, ...]:
    """Return the organisation's numbers in a certificate."""
    found = []
    if signer.ogrn:
        number = digits(signer.ogrn)
        found.append(
            Identifier(system=OGRN if len(number) == OGRN_DIGITS else OGRNIP, value=number)
        )
    if signer.inn_organization:
        number = digits(signer.inn_organization)
        found.append(Identifier(system=INN_ORGANIZATION, value=number))
    return tuple(found)


def organisation_in(party: Party) -> tuple[Identifier, ...]:
    """Return the organisation's numbers in a power of attorney; empty for a person."""
    found = []
    if party.ogrn and len(party.ogrn) == OGRN_DIGITS:
        found.append(Identifier(system=OGRN, value=party.ogrn))
    if party.inn and len(party.inn) == INN_DIGITS:
        found.append(Identifier(system=INN_ORGANIZATION, value=party.inn))
    return tuple(found)


def identity(signer: Signer) -> str:
    number = signer.snils or signer.ogrn or signer.inn_organization
    return digits(number) if number else signer.certificate_sha256


def certified(signer: Signer) -> str:
    return numbers(organisation_of(signer)) if signer.role == ORGANISATION else signer.role


def numbers(identifiers: Sequence[Identifier]) -> str:
    """Return an organisation's numbers for people: they are public.

    >>> numbers([Identifier(system=OGRN, value="1267700000116")])
    'ОГРН 1267700000116'
    """
    registered = [one for one in identifiers if one.system in _ORGANISATION_SYSTEMS]
    shown = registered or [one for one in identifiers if one.system == FRMO]
    texts = dict.fromkeys(f"{_SHORT[one.system]} {one.value}" for one in shown)
    return ", ".join(list(texts)[:NAMED_MAX]) or "—"


def masked(snils: str) -> str:
    return f"СНИЛС ***{snils[-2:]}"


def digits(written: str) -> str:
    return "".join(filter(str.isdigit, written))


def listed(roles: Sequence[str]) -> str:
    return ", ".join(role or "unknown" for role in roles) or "—"
