"""Whose signatures they are: signer, author, custodian and sender must belong together.

A perfect signature by a stranger proves what the stranger signed, not what the laboratory
found.  Each check has a name and is shown in the signature report.  What the document or the
certificate does not tell is `unknown` (INDETERMINATE): it is not passed, and nothing is
refused for it alone.

Source: semantics, rule 5; order 795 of the FSB for what a certificate tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.bindings import attorneys
from gateway.bindings.attorneys import Acting
from gateway.bindings.comparing import (
    NAMED_MAX,
    agree,
    certified,
    digits,
    identity,
    listed,
    masked,
    numbers,
    organisation_of,
)
from gateway.bindings.found import Found
from gateway.bindings.policy import (
    ASK,
    DOCTOR,
    MISMATCHES,
    ORGANISATION,
    REFUSE,
    ROLES,
    BindingPolicies,
    BindingPolicy,
    DocumentRule,
)
from gateway.errors import GatewayError, NeedsOperator, Rejected
from gateway.model import (
    AttorneyFinding,
    Check,
    CheckStatus,
    Claimed,
    Facts,
    Identifier,
    Problem,
    SignatureFinding,
    SignatureReport,
    Signer,
)
from gateway.patients.identifiers import SNILS

if TYPE_CHECKING:
    from gateway.store.values import Organization, Outcome

__all__ = [
    "ASK",
    "MISMATCHES",
    "REFUSE",
    "ROLES",
    "UNBOUND",
    "BindingPolicies",
    "BindingPolicy",
    "Bindings",
    "DocumentRule",
    "judge",
    "reported",
    "require_bound",
    "told",
]

MISMATCH, WRONG_ROLE, PRECISION = "SIG-210", "SIG-220", "SIG-221"
TOO_LOW, UNKNOWN_KIND = "SIG-223", "SIG-224"
_SETTLED = (CheckStatus.PASSED, CheckStatus.NOT_DONE)


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """What was found for one document."""

    checks: tuple[Check, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    undecided: tuple[Problem, ...] = ()
    """What the policy asks and nobody could look into: for a person."""


UNBOUND = Bindings()
"""Nothing was asked yet."""


def judge(
    facts: Facts, report: SignatureReport | None, sender: Organization, policy: BindingPolicy
) -> Bindings:
    """Return whether signers, author, custodian and sender belong together.

    Every signature in `report` has passed; None means the content came unsigned.
    """
    found = Found(place=facts.patient.place)
    custodian = _custodian(facts, sender, policy, found)
    findings = report.signatures if report else ()
    powers = report.attorneys if report else ()
    acting = []
    for finding in findings:
        acting.append(_signer(finding, facts, custodian, powers, policy, found))
        _demanded(finding, policy, found)
    if findings:
        attorneys.require_some(acting, powers, policy, found)
        _roles(acting, policy, found)
    return Bindings(
        checks=tuple(found.checks),
        problems=tuple(found.problems),
        warnings=tuple(_warnings(findings)),
        undecided=tuple(found.undecided),
    )


def require_bound(bindings: Bindings, policy: BindingPolicy) -> None:
    """Raise what a mismatch comes to: Rejected, or NeedsOperator where policy says so.

    What is demanded and unknown goes to a person, whatever the policy: it is not a mismatch.
    """
    if bindings.problems:
        kind: type[GatewayError] = NeedsOperator if policy.mismatch == ASK else Rejected
        raise kind(*bindings.problems)
    if bindings.undecided:
        raise NeedsOperator(*bindings.undecided)


def vouches(
    signer: Signer, facts: Facts, sender: Organization, sends_for: Sequence[Identifier]
) -> bool:
    """Say whether a signer may vouch for a consent that came with a document.

    They are its patient, who gives it; or its doctor or the sending organisation, who took it.
    """
    if signer.snils:
        people = (*facts.patient.identifiers, *facts.report.authors, *facts.report.signatories)
        known = {digits(one.value) for one in people if one.system == SNILS}
        return digits(signer.snils) in known
    own = organisation_of(signer)
    return any(agree(own, one) is True for one in (sender.identifiers, *zip(sends_for)))


def reported(
    report: SignatureReport | None,
    outcomes: Sequence[Outcome],
    before: Sequence[Check] = (),
    *,
    several: bool = False,
) -> SignatureReport | None:
    """Return the report with the bindings of every document in it.

    `before` are those found already, of these documents or of the others of `several`.
    """
    if report is None:
        return None
    again = tuple(f"{outcome.place}: " for outcome in outcomes)
    kept = tuple(check for check in before if not check.detail.startswith(again))
    checks = told(outcomes, several=several or len(outcomes) > 1 or bool(before))
    return replace(report, bindings=(*kept, *checks))


def told(outcomes: Sequence[Outcome], *, several: bool) -> tuple[Check, ...]:
    """Return the bindings of documents; of several, each with the document's place."""
    return tuple(
        replace(check, detail=f"{outcome.place}: {check.detail}") if several else check
        for outcome in outcomes
        for check in outcome.bindings
    )


# --- the checks ------------------------------------------------------------------------


def _custodian(
    facts: Facts, sender: Organization, policy: BindingPolicy, found: Found
) -> tuple[Identifier, ...]:
    """Check that the sender may send for the custodian; return all that is known of it."""
    name = "custodian_is_sender"
    named = facts.report.performer
    own = sender.identifiers
    if not named:
        found.unknown(name, "the document names no organisation by a number")
        return ()
    agreement = agree(named, own)
    if agreement is True:
        found.passed(name)
        # What the document leaves out of its custodian, our own directory knows.
        return (*named, *own)
    if any(agree(named, (other,)) is True for other in policy.sends_for):
        found.passed(name, "sent for another organisation")
        return named
    if agreement is None:
        found.unknown(name, "no number in common with the sender")
    else:
        place = next((one.place for one in named if one.place), "")
        found.failed(MISMATCH, name, numbers(named), numbers(own), place)
    return named


def _signer(
    finding: SignatureFinding,
    facts: Facts,
    custodian: tuple[Identifier, ...],
    powers: Sequence[AttorneyFinding],
    policy: BindingPolicy,
    found: Found,
) -> Acting:
    """Check one signature's certificate against what the document says; return who acts."""
    signer = finding.signer
    if signer is None:
        return Acting(finding=finding, role="")
    own = organisation_of(signer)
    agreement = agree(own, custodian)
    acting = Acting(finding=finding, role=signer.role, bound=agreement is True)
    name = "signer_for_custodian"
    if agreement is True:
        found.passed(name, numbers(own))
    elif agreement is False:
        found.failed(MISMATCH, name, numbers(own), numbers(custodian), finding.place)
    else:
        acting = attorneys.acting(finding, signer, powers, custodian, policy, found)
        if not acting.powers:
            said = "certificate" if not own else "document"
            found.unknown(name, f"the {said} names no organisation to compare")
    if signer.role == DOCTOR:
        acting = _author(acting, signer, facts, found)
    if finding.claimed is not None:
        _claimed(finding.claimed, signer, acting, found)
    return acting


def _demanded(finding: SignatureFinding, policy: BindingPolicy, found: Found) -> None:
    """Check the level and the kind of one signature where the policy demands them."""
    if policy.levels:
        level = finding.level or "—"
        if finding.level in policy.levels:
            found.passed("level", level)
        else:
            expected = ", ".join(policy.levels)
            found.failed(TOO_LOW, "level", level, expected, finding.place)
    if not policy.qualifications:
        return
    name, kind, expected = "qualification", finding.qualification, ", ".join(policy.qualifications)
    if kind in policy.qualifications:
        found.passed(name, kind)
    elif kind == "UNKNOWN":
        found.unknown(name, f"expected {expected}")
        open_ = [c.name for c in finding.qualification_checks if c.status not in _SETTLED]
        detail = {"expected": expected, "open": ", ".join(open_) or "—"}
        found.undecided.append(Problem(code=UNKNOWN_KIND, place=finding.place, detail=detail))
    else:
        found.failed(TOO_LOW, name, kind, expected, finding.place)


def _author(acting: Acting, signer: Signer, facts: Facts, found: Found) -> Acting:
    """Check that a person who signs answers for the report, or acts for the organisation."""
    name = "signer_is_author"
    answering = {
        digits(one.value)
        for one in (*facts.report.authors, *facts.report.signatories)
        if one.system == SNILS
    }
    own = digits(signer.snils or "")
    if not answering:
        found.unknown(name, "the document names nobody by СНИЛС")
    elif own in answering:
        found.passed(name)
    elif acting.powers:
        # Who signs by power of attorney stands in the place of the organisation's seal; what
        # is wrong with the powers has been said.
        return replace(acting, role=ORGANISATION)
    else:
        # A person's number is shown by its last digits: enough to tell two apart.
        expected = ", ".join(masked(one) for one in sorted(answering)[:NAMED_MAX])
        found.failed(MISMATCH, name, masked(own), expected, acting.finding.place)
    return acting


def _claimed(claimed: Claimed, signer: Signer, acting: Acting, found: Found) -> None:
    """Check whom the message names as signer; an unsigned claim can only do harm."""
    name, place = "claimed_signer", acting.finding.place
    if claimed.role and acting.role and claimed.role != acting.role:
        found.failed(WRONG_ROLE, name, acting.role, claimed.role, place)
        return
    known = [*organisation_of(signer), *acting.principal]
    if signer.snils:
        known.append(Identifier(system=SNILS, value=digits(signer.snils)))
    said = tuple(replace(one, value=digits(one.value)) for one in claimed.identifiers)
    agreement = agree(said, tuple(known))
    if agreement is True:
        found.passed(name)
    elif agreement is None:
        found.unknown(name, "Signature.who has no number to compare")
    else:
        found.failed(MISMATCH, name, certified(signer), "Signature.who", place)


def _roles(acting: Sequence[Acting], policy: BindingPolicy, found: Found) -> None:
    """Check that doctor and organisation are two, and that who must sign has signed."""
    name = "roles"
    signed = [(one.finding.signer, one.role) for one in acting if one.finding.signer is not None]
    roles = [role for _, role in signed]
    missing = [role for role in policy.required if role not in roles]
    if missing:
        found.failed(WRONG_ROLE, name, listed(roles), listed(policy.required))
        return
    people = [identity(signer) for signer, _ in signed]
    twice = len(set(people)) < len(people)
    if twice and len(set(roles)) == 1 and roles[0]:
        # The second signature of one signer stands where the other role's should.
        place = acting[-1].finding.place
        found.failed(WRONG_ROLE, name, listed(roles), listed(ROLES), place)
    elif not all(roles):
        found.unknown(name, "a certificate names neither person nor organisation by a number")
    else:
        found.passed(name, listed(roles))


def _warnings(findings: Sequence[SignatureFinding]) -> Iterator[Problem]:
    """Yield that precision rests on the received text alone (semantics, rule 15)."""
    whole = [c for f in findings for c in f.covered if c.covers_enclosing]
    if not whole or not all(covered.received for covered in whole):
        return
    for finding in findings:
        for hint in finding.hints:
            head, _, count = hint.partition(": ")
            if head == "precision_not_signed":
                detail = {"count": count}
                yield Problem(code=PRECISION, place=finding.place, detail=detail, warning=True)
                return
