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
from gateway.patients.identifiers import FRMO, INN_ORGANIZATION, OGRN, OGRNIP, SNILS
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

NAMED_MAX = 4
"""Numbers that one problem names."""

_ORGANISATION_SYSTEMS = (OGRN, OGRNIP, INN_ORGANIZATION)
_SHORT = {OGRN: "ОГРН", OGRNIP: "ОГРНИП", INN_ORGANIZATION: "ИНН", FRMO: "OID"}


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
    found = _Found(place=facts.patient.place)
    custodian = _custodian(facts, sender, policy, found)
    findings = report.signatures if report else ()
    for finding in findings:
        _signer(finding, facts, custodian, found)
        _demanded(finding, policy, found)
    if findings:
        _roles(findings, policy, found)
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
        known = {_digits(one.value) for one in people if one.system == SNILS}
        return _digits(signer.snils) in known
    own = _organisation_of(signer)
    return any(_agree(own, one) is True for one in (sender.identifiers, *zip(sends_for)))


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


class _Found:
    """Checks and problems as they are made."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.checks: list[Check] = []
        self.problems: list[Problem] = []
        self.undecided: list[Problem] = []

    def passed(self, name: str, detail: str = "") -> None:
        self.checks.append(Check(name=name, status=CheckStatus.PASSED, detail=detail))

    def unknown(self, name: str, detail: str) -> None:
        status = CheckStatus.INDETERMINATE
        self.checks.append(Check(name=name, status=status, detail=f"unknown: {detail}"))

    def failed(self, code: str, name: str, found: str, expected: str, place: str = "") -> None:
        detail = f"{found}; expected {expected}"
        self.checks.append(Check(name=name, status=CheckStatus.FAILED, detail=detail))
        told = {"check": name, "found": found, "expected": expected}
        self.problems.append(Problem(code=code, place=place, detail=told))


def _custodian(
    facts: Facts, sender: Organization, policy: BindingPolicy, found: _Found
) -> tuple[Identifier, ...]:
    """Check that the sender may send for the custodian; return all that is known of it."""
    name = "custodian_is_sender"
    named = facts.report.performer
    own = sender.identifiers
    if not named:
        found.unknown(name, "the document names no organisation by a number")
        return ()
    agreement = _agree(named, own)
    if agreement is True:
        found.passed(name)
        # What the document leaves out of its custodian, our own directory knows.
        return (*named, *own)
    if any(_agree(named, (other,)) is True for other in policy.sends_for):
        found.passed(name, "sent for another organisation")
        return named
    if agreement is None:
        found.unknown(name, "no number in common with the sender")
    else:
        place = next((one.place for one in named if one.place), "")
        found.failed(MISMATCH, name, _numbers(named), _numbers(own), place)
    return named


def _signer(
    finding: SignatureFinding, facts: Facts, custodian: tuple[Identifier, ...], found: _Found
) -> None:
    """Check one signature's certificate against what the document says."""
    signer = finding.signer
    if signer is None:
        return
    if signer.role == DOCTOR:
        _author(signer, facts, found, finding.place)
    own = _organisation_of(signer)
    name = "signer_for_custodian"
    agreement = _agree(own, custodian)
    if agreement is True:
        found.passed(name, _numbers(own))
    elif agreement is None:
        said = "certificate" if not own else "document"
        found.unknown(name, f"the {said} names no organisation to compare")
    else:
        found.failed(MISMATCH, name, _numbers(own), _numbers(custodian), finding.place)
    if finding.claimed is not None:
        _claimed(finding.claimed, signer, found, finding.place)


def _demanded(finding: SignatureFinding, policy: BindingPolicy, found: _Found) -> None:
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


def _author(signer: Signer, facts: Facts, found: _Found, place: str) -> None:
    name = "signer_is_author"
    answering = {
        _digits(one.value)
        for one in (*facts.report.authors, *facts.report.signatories)
        if one.system == SNILS
    }
    own = _digits(signer.snils or "")
    if not answering:
        found.unknown(name, "the document names nobody by СНИЛС")
    elif own in answering:
        found.passed(name)
    else:
        # A person's number is shown by its last digits: enough to tell two apart.
        expected = ", ".join(_masked(one) for one in sorted(answering)[:NAMED_MAX])
        found.failed(MISMATCH, name, _masked(own), expected, place)


def _claimed(claimed: Claimed, signer: Signer, found: _Found, place: str) -> None:
    """Check whom the message names as signer; an unsigned claim can only do harm."""
    name = "claimed_signer"
    if claimed.role and signer.role and claimed.role != signer.role:
        found.failed(WRONG_ROLE, name, signer.role, claimed.role, place)
        return
    certified = list(_organisation_of(signer))
    if signer.snils:
        certified.append(Identifier(system=SNILS, value=_digits(signer.snils)))
    said = tuple(replace(one, value=_digits(one.value)) for one in claimed.identifiers)
    agreement = _agree(said, tuple(certified))
    if agreement is True:
        found.passed(name)
    elif agreement is None:
        found.unknown(name, "Signature.who has no number to compare")
    else:
        found.failed(MISMATCH, name, _certified(signer), "Signature.who", place)


def _roles(findings: Sequence[SignatureFinding], policy: BindingPolicy, found: _Found) -> None:
    """Check that doctor and organisation are two, and that who must sign has signed."""
    name = "roles"
    signers = [finding.signer for finding in findings if finding.signer is not None]
    roles = [signer.role for signer in signers]
    missing = [role for role in policy.required if role not in roles]
    if missing:
        found.failed(WRONG_ROLE, name, _listed(roles), _listed(policy.required))
        return
    people = [_identity(signer) for signer in signers]
    twice = len(set(people)) < len(people)
    if twice and len(set(roles)) == 1 and roles[0]:
        # The second signature of one signer stands where the other role's should.
        found.failed(WRONG_ROLE, name, _listed(roles), _listed(ROLES), findings[-1].place)
    elif not all(roles):
        found.unknown(name, "a certificate names neither person nor organisation by a number")
    else:
        found.passed(name, _listed(roles))


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


# --- comparing -------------------------------------------------------------------------


def _agree(one: Sequence[Identifier], other: Sequence[Identifier]) -> bool | None:
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


def _organisation_of(signer: Signer) -> tuple[Identifier, ...]:
    """Return the organisation's numbers in a certificate."""
    found = []
    if signer.ogrn:
        number = _digits(signer.ogrn)
        found.append(Identifier(system=OGRN if len(number) == 13 else OGRNIP, value=number))
    if signer.inn_organization:
        number = _digits(signer.inn_organization)
        found.append(Identifier(system=INN_ORGANIZATION, value=number))
    return tuple(found)


def _identity(signer: Signer) -> str:
    number = signer.snils or signer.ogrn or signer.inn_organization
    return _digits(number) if number else signer.certificate_sha256


def _certified(signer: Signer) -> str:
    return _numbers(_organisation_of(signer)) if signer.role == ORGANISATION else signer.role


def _numbers(identifiers: Sequence[Identifier]) -> str:
    """Return an organisation's numbers for people: they are public.

    >>> _numbers([Identifier(system=OGRN, value="1267700000116")])
    'ОГРН 1267700000116'
    """
    registered = [one for one in identifiers if one.system in _ORGANISATION_SYSTEMS]
    shown = registered or [one for one in identifiers if one.system == FRMO]
    texts = dict.fromkeys(f"{_SHORT[one.system]} {one.value}" for one in shown)
    return ", ".join(list(texts)[:NAMED_MAX]) or "—"


def _masked(snils: str) -> str:
    return f"СНИЛС ***{snils[-2:]}"


def _digits(written: str) -> str:
    return "".join(filter(str.isdigit, written))


def _listed(roles: Sequence[str]) -> str:
    return ", ".join(role or "unknown" for role in roles) or "—"
