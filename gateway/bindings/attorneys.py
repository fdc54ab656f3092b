"""Who signs for an organisation by power of attorney (машиночитаемая доверенность).

A person's certificate names no organisation any more: that its owner acts for one says the
power of attorney beside the document.  It counts where it is believed, its principal is the
custodian, it was in force, and it names the powers that the policy asks for.  A certificate
that names another organisation is that one's signature, and no power of attorney mends it.

Source: 63-ФЗ, articles 17.2 and 17.5; semantics, rule 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.bindings.comparing import (
    NAMED_MAX,
    agree,
    digits,
    masked,
    numbers,
    organisation_in,
)
from gateway.bindings.found import Found
from gateway.bindings.policy import DOCTOR, BindingPolicy
from gateway.model import (
    AttorneyFinding,
    Check,
    CheckStatus,
    Identifier,
    Party,
    Powers,
    Problem,
    SignatureFinding,
    Signer,
)

ABSENT, UNFIT, OUT_OF_TERM = "SIG-225", "SIG-226", "SIG-227"
UNBELIEVED, OPEN, UNREADABLE = "SIG-228", "SIG-229", "SIG-230"

_TIME_TELLS = {"EXPIRED", "OUT_OF_BOUNDS_NO_POE", "TRY_LATER"}
"""What time alone explains, or may yet mend, in the verdict on its signature: nothing is proven
against it."""


@dataclass(frozen=True, kw_only=True)
class Acting:
    """In which role a signer acts, and whether for the custodian."""

    finding: SignatureFinding
    role: str
    """As `Signer.role`, but `organisation` where a power of attorney makes it so."""

    bound: bool = False
    """Whether it is proven that the signer acts for the custodian."""

    powers: bool = False
    """Whether a power of attorney was weighed: it holds, or what is wrong with it is said."""

    principal: tuple[Identifier, ...] = ()
    """For whom the signer acts by power of attorney."""


def acting(
    finding: SignatureFinding,
    signer: Signer,
    attorneys: Sequence[AttorneyFinding],
    custodian: tuple[Identifier, ...],
    policy: BindingPolicy,
    found: Found,
) -> Acting:
    """Weigh the powers of attorney that name the signer; the one that fits best counts."""
    by_place = {one.place: one for one in attorneys}
    if not finding.powers or not _needs_powers(signer):
        return Acting(finding=finding, role=signer.role)
    weighed = []
    for powers in finding.powers:
        apart = Found(found.place)
        acts = _weighed(finding, signer, by_place[powers.place], powers, custodian, policy, apart)
        weighed.append((acts, apart))
    acts, best = min(
        weighed, key=lambda one: (len(one[1].problems), len(one[1].undecided), not one[0].bound)
    )
    found.take(best)
    return acts


def _weighed(
    finding: SignatureFinding,
    signer: Signer,
    attorney: AttorneyFinding,
    powers: Powers,
    custodian: tuple[Identifier, ...],
    policy: BindingPolicy,
    found: Found,
) -> Acting:
    """Weigh one power of attorney."""
    nothing = Acting(finding=finding, role=signer.role)
    principal: tuple[Identifier, ...] | None = None
    if _believed(attorney, found):
        principal = _principal(attorney, custodian, found)
        _in_force(attorney, finding, powers, found)
        if policy.powers:
            _powers(attorney, powers, policy, found)
    if found.problems or found.undecided:
        return Acting(finding=finding, role=signer.role, powers=True)
    if not principal or not policy.powers:
        # Powers for something else prove nothing, and nobody said which ones count.
        return nothing
    found.passed("signer_for_custodian", f"{attorney.place}, {numbers(principal)}")
    return Acting(finding=finding, role=signer.role, bound=True, powers=True, principal=principal)


def require_some(
    signers: Sequence[Acting],
    attorneys: Sequence[AttorneyFinding],
    policy: BindingPolicy,
    found: Found,
) -> None:
    """Find fault where people signed, nobody acts for the custodian, and powers are missing."""
    if any(one.bound or one.powers or one.finding.attorney for one in signers):
        return
    person = next((one for one in signers if _needs_powers(one.finding.signer)), None)
    if person is None or person.finding.signer is None:
        return
    unread = [one for one in attorneys if one.unread]
    for one in unread:
        found.failed(UNREADABLE, "attorney", one.unread, "EMCHD_1", one.place)
    if unread:
        return
    if attorneys:
        own = masked(digits(person.finding.signer.snils or ""))
        named = _people(one for attorney in attorneys for one in attorney.representatives)
        found.failed(UNFIT, "attorney_representative", own, named, attorneys[0].place)
    elif policy.powers:
        wanted = ", ".join(policy.powers)
        found.failed(ABSENT, "powers", "—", wanted, person.finding.place)


def _needs_powers(signer: Signer | None) -> bool:
    """Say whether a certificate is a person's and names no organisation."""
    return (
        signer is not None
        and signer.role == DOCTOR
        and not signer.ogrn
        and not signer.inn_organization
    )


def _believed(attorney: AttorneyFinding, found: Found) -> bool:
    """Check that the principal signed it and that the gateway can follow it."""
    checks = {check.name: check for check in attorney.checks}
    chain, own = checks["attorney_chain"], checks["attorney_signature"]
    if chain.status is not CheckStatus.PASSED:
        found.failed(UNREADABLE, chain.name, chain.detail, "given by the principal", attorney.place)
        return False
    wrong = {one.sub_indication for one in attorney.signatures if one.sub_indication}
    if wrong and wrong <= _TIME_TELLS:
        _open(own, attorney, found)
        return False
    for check, expected in ((own, "TOTAL_PASSED"), (checks["attorney_principal"], "principal")):
        if check.status is not CheckStatus.PASSED:
            found.failed(UNBELIEVED, check.name, check.detail, expected, attorney.place)
            return False
    return True


def _principal(
    attorney: AttorneyFinding, custodian: tuple[Identifier, ...], found: Found
) -> tuple[Identifier, ...] | None:
    """Check that the custodian is among those who gave it; return it, None where unknown."""
    givers = [organisation_in(one) for one in attorney.signed_by]
    agreements = [(one, agree(one, custodian)) for one in givers]
    for one, agreement in agreements:
        if agreement is True:
            return one
    unknown = any(one and agreement is None for one, agreement in agreements)
    if custodian and not unknown:
        named = numbers([number for one in givers for number in one])
        found.failed(UNFIT, "attorney_principal", named, numbers(custodian), attorney.place)
    return None


def _in_force(
    attorney: AttorneyFinding, finding: SignatureFinding, powers: Powers, found: Found
) -> None:
    """Check its term, and that it was not called back, at the moment of the signature."""
    moment = finding.times.best or finding.times.validation
    for check in powers.checks:
        failed = check.status is CheckStatus.FAILED
        if failed and check.name in ("attorney_term", "attorney_revocation"):
            at = moment.isoformat(timespec="seconds")
            found.failed(OUT_OF_TERM, check.name, at, check.detail, attorney.place)


def _powers(attorney: AttorneyFinding, powers: Powers, policy: BindingPolicy, found: Found) -> None:
    """Check that it names every power that is asked for, and that one person may use them."""
    missing = [code for code in policy.powers if code not in attorney.powers]
    if not missing:
        for check in powers.checks:
            if check.name == "attorney_powers" and check.status is CheckStatus.INDETERMINATE:
                _open(check, attorney, found)
        return
    if attorney.in_words:
        detail = "powers written in words or with limits: " + ", ".join(missing)
        status = CheckStatus.INDETERMINATE
        _open(Check(name="attorney_powers", status=status, detail=detail), attorney, found)
        return
    named = ", ".join(attorney.powers[:NAMED_MAX]) or "—"
    found.failed(UNFIT, "attorney_powers", named, ", ".join(missing), attorney.place)


def _open(check: Check, attorney: AttorneyFinding, found: Found) -> None:
    found.unknown(check.name, check.detail)
    detail = {"check": check.name, "found": check.detail or "—"}
    found.undecided.append(Problem(code=OPEN, place=attorney.place, detail=detail))


def _people(parties: Iterable[Party]) -> str:
    """Return people by the last digits of their numbers: enough to tell two apart."""
    shown = [masked(one.snils) for one in parties if one.snils]
    return ", ".join(shown[:NAMED_MAX]) or "—"
