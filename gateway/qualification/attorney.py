"""Машиночитаемая доверенность: who may act for whom, until when, in what.

The unified format EMCHD_1 of the tax service is read (`urn://x-artefacts/EMCHD_1`).  A power
of attorney is worth what its own signature is worth, so the verdict on that is handed in.
Anybody may write that he heads an organisation, so a signature is the principal's only under a
certificate that names the principal itself.  Whether it was called back says only the registry
of the tax service; where nobody can ask it, that stays unknown.

Source: 63-ФЗ, articles 17.1 to 17.5; the tax service's format ON_EMCHD, version EMCHD_1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import chain

from lxml import etree

from gateway.errors import Rejected
from gateway.model import (
    Check,
    CheckStatus,
    Covered,
    Indication,
    Party,
    RegistryState,
    SignatureReport,
    Signer,
)
from gateway.xml.parser import parse

NAMESPACE = "urn://x-artefacts/EMCHD_1"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
OCTETS_MAX = 1024 * 1024
LISTED_MAX = 64
"""Representatives, heads and powers read of each kind."""

MOSCOW = timezone(timedelta(hours=3))
"""The format has days without an offset; its registry keeps them by Moscow time."""

TEXT_CHARACTERS_MAX = 64


JOINT = "2"
"""Of ПрСовмПолн (powers) and ПолнЮЛ (heads); 1 is each by himself."""

INN_DIGITS, OGRNIP_DIGITS = 12, 15
"""Of a person and an entrepreneur; an organisation's ИНН has 10, its ОГРН 13."""

Registry = Callable[[str], RegistryState]
"""Says what the registry knows of the power of attorney with this number."""


class NotAnAttorney(ValueError):
    """The octets are no power of attorney we can read; the message says why."""


def nobody(number: str) -> RegistryState:
    """Stand in for a registry that cannot be asked: everything is unknown."""
    return RegistryState()


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who gave a power of attorney."""

    party: Party
    is_organisation: bool
    heads: tuple[Party, ...] = ()
    """Who acts for it without a power of attorney."""

    jointly: tuple[tuple[Party, ...], ...] = ()
    """Its heads one by one, each by all who stand for it, where none acts without the others."""


@dataclass(frozen=True, kw_only=True)
class PowerOfAttorney:
    """What a power of attorney says; whether it may be believed is not said here."""

    number: str
    issued: date
    expires: date
    """The last day it holds."""

    principals: tuple[Principal, ...]
    representatives: tuple[Party, ...]
    codes: tuple[str, ...]
    """Powers by the state's classifier, those without limits."""

    in_words: bool
    """Whether there are powers written for people alone, or limits to those with a code."""

    joint: bool
    """Whether none of its representatives acts without the others."""

    passed_on: bool
    """Whether it passes on powers of another one (передоверие)."""


def read_attorney(octets: bytes) -> PowerOfAttorney:
    """Return the power of attorney in an XML file.  Raises NotAnAttorney for anything else."""
    if len(octets) > OCTETS_MAX:
        raise NotAnAttorney("longer than any power of attorney")
    try:
        root = parse(octets)
    except Rejected as error:
        raise NotAnAttorney("not well-formed XML") from error
    if root.tag != _name("Доверенность"):
        raise NotAnAttorney("not a power of attorney of the format EMCHD_1")
    # A signature leaves itself out of what it signs, so anybody may write into it.
    etree.strip_elements(root, SIGNATURE, with_tail=False)
    passed_on = root.find(f".//{_name('Передов')}") is not None
    terms = list(_terms(root))
    if not terms or (len(terms) > 1 and not passed_on):
        raise NotAnAttorney("not one power of attorney with a term")
    powers = list(root.iter(_name("МашПолн")))[:LISTED_MAX]
    limited = [power for power in powers if power.find(_name("ОгрСвПолн")) is not None]
    representatives = list(root.iter(_name("СвУпПред")))
    return PowerOfAttorney(
        number=terms[0][0],
        # What is passed on holds no longer than what it was passed on from.
        issued=max(begins for _, begins, _ in terms),
        expires=min(ends for _, _, ends in terms),
        principals=tuple(_principals(root)),
        representatives=tuple(_parties(root, "СвУпПред")),
        codes=tuple(_short(one.get("КодПолн", "")) for one in powers if one not in limited),
        in_words=bool(limited) or root.find(f".//{_name('ТекстПолн')}") is not None,
        joint=len(representatives) > 1
        and any(one.get("ПрСовмПолн") == JOINT for one in root.iter(_name("СвПолн"))),
        passed_on=passed_on,
    )


def judged(attorney: PowerOfAttorney, own: SignatureReport) -> tuple[Check, ...]:
    """Return what may be believed of `attorney`, whoever acts under it.

    `own` is the verdict on its own signatures.
    """
    return (_own_signature(own), _by_principal(attorney, own), _passed_on(attorney))


def powers_of(
    attorney: PowerOfAttorney,
    signer: Signer | None,
    signed_at: datetime,
    registry: RegistryState,
    wanted: str = "",
) -> tuple[Check, ...]:
    """Return whether `attorney` gives `signer` powers at the moment of signing.

    `wanted` is the code of the power that is asked for; empty asks for none in particular.
    """
    return (
        _term(attorney, signed_at),
        _representative(attorney, signer),
        _power(attorney, wanted),
        _revocation(registry, signed_at),
    )


def names(attorney: PowerOfAttorney, signer: Signer | None) -> bool:
    """Say whether a signer is a representative by `attorney`."""
    if signer is None:
        return False
    mine = (_person(signer), _organisation(signer))
    return any(_same(one, other) for one in mine for other in attorney.representatives)


def signed_by(attorney: PowerOfAttorney, own: SignatureReport) -> tuple[Party, ...]:
    """Return those of the principals who signed it under certificates that name them."""
    signers = [one.signer for one in own.signatures if one.signer is not None]
    return tuple(one.party for one in attorney.principals if _signed(one, signers))


def _own_signature(own: SignatureReport) -> Check:
    name = "attorney_signature"
    if own.indication is not Indication.TOTAL_PASSED:
        proven_bad = own.indication is Indication.TOTAL_FAILED
        status = CheckStatus.FAILED if proven_bad else CheckStatus.INDETERMINATE
        words = [one.sub_indication for one in own.signatures if one.sub_indication]
        return _check(name, status, ", ".join(words) or "not signed")
    whole = all(any(map(_whole, one.covered)) for one in own.signatures)
    return _met(name, whole, "TOTAL_PASSED" if whole else "covers a part of it")


def _whole(covered: Covered) -> bool:
    return covered.scope == "FULL" and covered.covers_enclosing is not False


def _by_principal(attorney: PowerOfAttorney, own: SignatureReport) -> Check:
    """Check that the principal, or who acts for it by law, signed."""
    signed = bool(signed_by(attorney, own))
    return _met("attorney_principal", signed, "" if signed else "signed by somebody else")


def _signed(principal: Principal, signers: Sequence[Signer]) -> bool:
    """Say whether a principal signed: by its seal or a head, by all who act jointly."""
    own = [signer for signer in signers if _is_by(principal, signer)]
    people = [_person(signer) for signer in own if signer.snils]
    if len(people) < len(own):
        return True
    return bool(own) and all(
        any(_same(person, one) for person in people for one in head) for head in principal.jointly
    )


def _is_by(principal: Principal, signer: Signer) -> bool:
    """Say whether a certificate is the principal's: its seal, its head's, or the person's own."""
    person = _person(signer)
    if not principal.is_organisation:
        return _same(person, principal.party)
    if not _same(_organisation(signer), principal.party):
        return False
    return not signer.snils or any(_same(person, head) for head in principal.heads)


def _term(attorney: PowerOfAttorney, signed_at: datetime) -> Check:
    day = signed_at.astimezone(MOSCOW).date()
    inside = attorney.issued <= day <= attorney.expires
    return _met("attorney_term", inside, f"{attorney.issued} to {attorney.expires}")


def _representative(attorney: PowerOfAttorney, signer: Signer | None) -> Check:
    named = names(attorney, signer)
    return _met("attorney_representative", named, "" if named else "names somebody else")


def _power(attorney: PowerOfAttorney, wanted: str) -> Check:
    name, told = "attorney_powers", ", ".join(attorney.codes)
    if attorney.joint:
        detail = "together with the other representatives alone"
        return _check(name, CheckStatus.INDETERMINATE, detail)
    has = wanted in attorney.codes if wanted else bool(attorney.codes)
    if not has and (attorney.in_words or not attorney.codes):
        detail = "written in words or with limits" if attorney.in_words else "none named"
        return _check(name, CheckStatus.INDETERMINATE, detail)
    return _met(name, has, told)


def _passed_on(attorney: PowerOfAttorney) -> Check:
    if not attorney.passed_on:
        return _check("attorney_chain", CheckStatus.PASSED, "given by the principal")
    detail = "passes on another's powers, which is not attached"
    return _check("attorney_chain", CheckStatus.INDETERMINATE, detail)


def _revocation(registry: RegistryState, signed_at: datetime) -> Check:
    """Check that it was not called back before the signature."""
    name = "attorney_revocation"
    since = registry.revoked_at
    if registry.state == "VALID" or (since and signed_at < since):
        return _check(name, CheckStatus.PASSED, registry.source)
    if registry.state == "REVOKED":
        return _check(name, CheckStatus.FAILED, f"called back {since}" if since else "called back")
    return _check(name, CheckStatus.INDETERMINATE, "unknown: the registry was not asked")


# --- reading ---------------------------------------------------------------------------


def _terms(root: etree._Element) -> Iterator[tuple[str, date, date]]:
    """Yield number, first and last day of every power of attorney in the file."""
    for element in root.iter():
        begins, ends = element.get("ДатаВыдДовер"), element.get("СрокДейст")
        if begins is None or ends is None:
            continue
        try:
            days = date.fromisoformat(begins), date.fromisoformat(ends)
        except ValueError as error:
            raise NotAnAttorney("a term that is no dates") from error
        yield _short(element.get("НомДовер", "")), *days


def _principals(root: etree._Element) -> Iterator[Principal]:
    for block in list(root.iter(_name("СвДоверит")))[:LISTED_MAX]:
        bodies = list(block.iter(_name("ЛицоБезДов")))[:LISTED_MAX]
        heads = tuple(tuple(_parties_in(body)) for body in bodies)
        together = any(body.get("ПолнЮЛ") == JOINT for body in bodies)
        for kind in ("СвРосОрг", "ИПДовер", "ФЛДовер"):
            for element in list(block.iter(_name(kind)))[:LISTED_MAX]:
                # A managing company stands below as who acts; it is not the principal.
                if next(element.iterancestors(_name("ЛицоБезДов")), None) is None:
                    organisation = kind == "СвРосОрг"
                    yield Principal(
                        party=_numbers(element),
                        is_organisation=organisation,
                        heads=tuple(chain(*heads)) if organisation else (),
                        jointly=heads if organisation and together else (),
                    )


def _parties(root: etree._Element, block: str) -> Iterator[Party]:
    """Yield the people and organisations in every `block`, each with its own numbers."""
    for found in list(root.iter(_name(block)))[:LISTED_MAX]:
        yield from _parties_in(found)


def _parties_in(block: etree._Element) -> Iterator[Party]:
    for element in block.iter():
        party = _numbers(element)
        if party != Party():
            yield party


def _numbers(element: etree._Element) -> Party:
    def number(*names: str) -> str | None:
        return next((_digits(element.get(name, "")) for name in names if element.get(name)), None)

    return Party(snils=number("СНИЛС"), inn=number("ИННФЛ", "ИННЮЛ"), ogrn=number("ОГРН", "ОГРНИП"))


def _person(signer: Signer) -> Party:
    """Return the person in a certificate; an entrepreneur's ОГРНИП is a person's too."""
    inn = _digits(signer.inn or "")
    ogrn = _digits(signer.ogrn or "")
    return Party(
        snils=_digits(signer.snils or "") or None,
        inn=inn if len(inn) == INN_DIGITS else None,
        ogrn=ogrn if len(ogrn) == OGRNIP_DIGITS else None,
    )


def _organisation(signer: Signer) -> Party:
    """Return the organisation in a certificate."""
    inn = signer.inn_organization or (None if signer.snils else signer.inn)
    ogrn = _digits(signer.ogrn or "")
    return Party(
        inn=_digits(inn or "") or None, ogrn=ogrn if ogrn and len(ogrn) != OGRNIP_DIGITS else None
    )


def _same(one: Party, other: Party) -> bool:
    """Say whether two parties are one: some number agrees and none differs."""
    pairs = ((one.snils, other.snils), (one.inn, other.inn), (one.ogrn, other.ogrn))
    both = [(left, right) for left, right in pairs if left and right]
    return bool(both) and all(left == right for left, right in both)


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _digits(written: str) -> str:
    return "".join(filter(str.isdecimal, written))


def _short(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:TEXT_CHARACTERS_MAX]


def _met(name: str, met: bool, detail: str) -> Check:
    return _check(name, CheckStatus.PASSED if met else CheckStatus.FAILED, detail)


def _check(name: str, status: CheckStatus, detail: str) -> Check:
    return Check(name=name, status=status, detail=detail)
