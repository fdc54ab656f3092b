"""Joins the forms' mathematics with the verdict on certificates: one finding each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial

from gateway import qualification
from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.model import (
    CLOCK_TOLERANCE,
    Check,
    CheckedSignature,
    CheckStatus,
    Indication,
    Judge,
    Part,
    SignatureFinding,
    SignatureReport,
    Signer,
    Times,
)
from gateway.qualification import Accreditation, Qualification, Tool
from gateway.qualification.attorney import Registry, nobody
from gateway.qualification.marks import marks_of
from gateway.signatures.directory import Directory
from gateway.signatures.interface import forms
from gateway.trust import Trust, TrustFinding
from gateway.verification.content import INSIDE, signed_octets
from gateway.verification.evidence import (
    CERTIFICATE,
    Objects,
    Rules,
    accreditation_object,
    gathered,
    grounds_of,
    rules_object,
)
from gateway.verification.moments import Moments, level_of, moments_of
from gateway.verification.naming import claim_against, named
from gateway.verification.policy import Policy, asked_for_more, engine_of

SIGNATURES_MAX = 32
COUNTER_SIGNATURES_MAX = 8
"""Of one signature."""

COUNTER_DEPTH_MAX = 2
"""A counter-signature may be counter-signed; deeper ones are not looked at."""

Accreditations = Callable[[bytes, datetime], Accreditation]
"""What the list of accredited authorities says of an issuer (DER) on a day."""

_BY_TIME = ("EXPIRED", "REVOKED", "REVOKED_CA_NO_POE", "OUT_OF_BOUNDS_NO_POE")
"""Verdicts that an earlier time would have changed."""

_WEAK = "CRYPTO_CONSTRAINTS_FAILURE"


class Verifier:
    """Verifies documents; safe to use from any number of threads."""

    def __init__(
        self,
        trust: Trust,
        algorithms: Algorithms,
        policy: Policy | None = None,
        accreditations: Accreditations | None = None,
        registry: Registry = nobody,
    ) -> None:
        """`accreditations` stands in for what the trusted lists say, `registry` for the
        registry of powers of attorney, which nobody can ask from here."""
        self.trust = trust
        self.algorithms = algorithms
        self.policy = policy or Policy()
        self.accreditations = accreditations or trust.accreditation
        self.registry = registry
        self._forms = forms()
        self._directory = Directory(trust.certificates)
        rules = Rules(policy=self.policy, algorithms=algorithms.policy)
        self._rules: Objects = (rules_object(rules),)
        engine, certified = engine_of(algorithms)
        self._judge = Judge(
            engine=engine,
            certified=certified,
            policy=self.policy.name,
            policy_sha256=self.policy.sha256(algorithms.policy),
        )

    def verify(
        self,
        document: Part,
        signatures: tuple[Part, ...],
        at: datetime,
        kept: bool = True,
    ) -> SignatureReport:
        """Return the verdict on every signature in `document` and in `signatures`.

        `at` is the moment to judge at where no time-stamp proves an earlier one; `kept` says
        that it is the moment of keep, which our log proves.  A document without any
        signature is INDETERMINATE with no findings.
        """
        findings, more = self._findings(document, signatures, at, kept)
        indication = together(findings, self.policy, more)
        return SignatureReport(indication=indication, signatures=findings, judge=self._judge)

    def for_attorneys(self) -> Verifier:
        """Return the verifier of powers of attorney.

        Who must have signed, and how many, is asked of documents: a principal signs alone.
        """
        other = copy(self)
        other.policy = replace(self.policy, roles=(), signatures_min=0)
        return other

    def signed_octets(self, report: SignatureReport, document: Part) -> tuple[bytes, str]:
        """As the function of this name."""
        return signed_octets(report, document)

    def judge(
        self, checked: CheckedSignature, at: datetime, kept: bool = True, depth: int = 0
    ) -> SignatureFinding:
        """Join the mathematics of one signature with the verdict on its certificate."""
        moments = moments_of(checked, at, partial(self._authority, checked))
        proven = moments.proven
        best = min(filter(None, (proven, at if kept else None)), default=None)
        judged = self._certified(checked, moments, at, best or at)
        level = level_of(checked, moments, judged.evidence)
        found, accredited = self._qualified(checked, judged, best or at)
        counter = self._counter_signatures(checked, at, kept, depth)
        lent = (self._lent(one.certificate) for one in checked.timestamps)
        brought = (judged.evidence, moments.evidence, *lent, accredited)
        evidence = gathered(*brought, *(one.evidence for one in counter), self._rules)
        finding = SignatureFinding(
            indication=judged.indication,
            sub_indication=judged.sub_indication,
            format=checked.format,
            level=level,
            signer=judged.signer,
            covered=checked.covered,
            qualification=found.word,
            qualification_checks=found.checks,
            times=Times(claimed=checked.claimed_at, best=best, validation=at),
            checks=judged.checks,
            hints=(*checked.hints, *_remarks(checked, proven)),
            place=checked.place,
            evidence=evidence,
            awaited_issuer=judged.awaited_issuer,
            claimed=checked.claimed,
            claimed_signer=claim_against(checked.claimed, judged.signer),
            timestamps=moments.timestamps,
            counter_signatures=tuple(replace(one, evidence=()) for one in counter),
        )
        return by_policy(finding, self.policy)

    # --- the parts of a document ---------------------------------------------------------

    def _findings(
        self, document: Part, signatures: tuple[Part, ...], at: datetime, kept: bool
    ) -> tuple[tuple[SignatureFinding, ...], bool]:
        """Return the verdicts on the signatures, and whether there are more than are judged."""
        assert at.tzinfo is not None, "Times are aware."
        checked_at = cache(partial(self._all, document, signatures))
        checked = checked_at(at)
        some = enumerate(checked[:SIGNATURES_MAX])
        judged = (self._in_its_time(one, number, checked_at, at, kept) for number, one in some)
        return tuple(judged), len(checked) > SIGNATURES_MAX

    def _all(
        self, document: Part, signatures: tuple[Part, ...], at: datetime
    ) -> list[CheckedSignature]:
        """Check the mathematics of every signature, under the policy of algorithms as of `at`."""
        algorithms = self.algorithms.at(at)
        checked = self._checked(document, signatures, algorithms)
        checked.extend(_unclaimed(signatures, checked))
        checked.extend(self._within(document, checked, algorithms))
        return checked

    def _in_its_time(
        self,
        checked: CheckedSignature,
        number: int,
        checked_at: Callable[[datetime], list[CheckedSignature]],
        at: datetime,
        kept: bool,
    ) -> SignatureFinding:
        """Judge a signature; one that is too weak by now, as of the time it is proven for.

        Its time-stamps stay as they were found now: an old algorithm proves no time by itself
        (EN 319 102-1, clause 5.6.2.3: the proof must not rest on what aged).
        """
        finding = self.judge(checked, at, kept)
        best = finding.times.best
        if finding.sub_indication != _WEAK or best is None or best >= at:
            return finding
        again = checked_at(best)[number]
        return self.judge(replace(again, timestamps=checked.timestamps), at, kept)

    def _checked(
        self, document: Part, signatures: tuple[Part, ...], algorithms: Algorithms
    ) -> list[CheckedSignature]:
        return [
            one
            for form in self._forms.values()
            for one in form.check(document, signatures, algorithms, directory=self._directory)
        ]

    def _within(
        self, document: Part, checked: Sequence[CheckedSignature], algorithms: Algorithms
    ) -> Iterator[CheckedSignature]:
        """Check the signatures inside the content that `document`, a CMS file, carries.

        Signing a signed document anew does not mend what is broken in it.  Every layer adds
        a finding, so SIGNATURES_MAX bounds the layers.
        """
        prefix, layers = "document", 0
        while (octets := _enclosed(checked)) is not None and layers <= SIGNATURES_MAX:
            prefix, layers = prefix + INSIDE, layers + 1
            checked = self._checked(
                Part(name="document", media_type="", body=octets), (), algorithms
            )
            for one in checked:
                yield replace(one, place=prefix + one.place.removeprefix("document"))

    # --- one signature -------------------------------------------------------------------

    def _authority(
        self, checked: CheckedSignature, certificate: bytes, others: Sequence[bytes], at: datetime
    ) -> TrustFinding:
        """Judge a time-stamping authority, with all that came with the signature."""
        return self.trust.judge(
            certificate,
            (*others, *checked.other_certificates),
            at,
            revocations=checked.revocations,
            purpose="timestamping",
        )

    def _certified(
        self, checked: CheckedSignature, moments: Moments, at: datetime, best: datetime
    ) -> _Judged:
        """Judge the signer's certificate at the best time."""
        indication, sub_indication = checked.indication, checked.sub_indication
        checks = (*checked.checks, *moments.checks)
        if indication is Indication.TOTAL_FAILED or checked.certificate is None:
            # What is broken needs no path; the signer is named as the file claims.
            return _Judged(
                indication=indication,
                sub_indication=sub_indication,
                checks=checks,
                signer=named(checked.certificate),
                evidence=self._lent(checked.certificate),
            )
        trust = self.trust.judge(
            checked.certificate, checked.other_certificates, best, revocations=checked.revocations
        )
        awaited = trust.awaited_issuer
        if indication is Indication.TOTAL_PASSED:
            indication, sub_indication = trust.status, trust.sub_indication
            if sub_indication in _BY_TIME and moments.awaited_issuer and best == at:
                # The authority of a time-stamp may yet prove an earlier moment.
                indication, sub_indication = Indication.INDETERMINATE, "TRY_LATER"
                awaited = moments.awaited_issuer
            elif indication is Indication.TOTAL_PASSED and moments.sub_indication:
                indication, sub_indication = Indication.INDETERMINATE, moments.sub_indication
        return _Judged(
            indication=indication,
            sub_indication=sub_indication,
            checks=(*checks, *trust.checks),
            signer=trust.signer,
            chain=trust.chain,
            evidence=grounds_of(trust),
            awaited_issuer=awaited,
        )

    def _lent(self, certificate: bytes | None) -> Objects:
        """Return a certificate that the signature may have named and we had, as evidence."""
        if certificate is None or certificate not in self.trust.certificates():
            return ()
        return ((CERTIFICATE, certificate),)

    def _qualified(
        self, checked: CheckedSignature, judged: _Judged, signed_at: datetime
    ) -> tuple[Qualification, Objects]:
        """Return the kind of a signature, and what the list of authorities said for it."""
        marks = marks_of(checked.certificate) if checked.certificate else None
        accreditation: Accreditation | None = None
        evidence: Objects = ()
        # The lists are asked of a certificate that claims to be a qualified one.
        if marks and marks.security_classes and len(judged.chain) > 1:
            issuer = judged.chain[1]
            accreditation = self.accreditations(issuer, marks.issued_at)
            evidence = (accreditation_object(accreditation, issuer, marks.issued_at),)
        found = qualification.qualify(
            checked.certificate,
            indication=judged.indication,
            signer=judged.signer,
            signed_at=signed_at,
            accreditation=accreditation,
            tool=self._tool(marks.family if marks else ""),
        )
        return found, evidence

    def _tool(self, family: str) -> Tool:
        try:
            provider = self.algorithms.provider(family)
        except Unsupported:
            return Tool(name="—", certified=False)
        return Tool(name=provider.NAME, certified=provider.CERTIFIED)

    def _counter_signatures(
        self, checked: CheckedSignature, at: datetime, kept: bool, depth: int
    ) -> tuple[SignatureFinding, ...]:
        """Judge the signatures over this one's value; they neither mend nor break it."""
        if depth == COUNTER_DEPTH_MAX:
            return ()
        some = checked.counter_signatures[:COUNTER_SIGNATURES_MAX]
        return tuple(self.judge(one, at, kept, depth + 1) for one in some)


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """A signature with the verdict on its certificate, before policy and qualification."""

    indication: Indication
    sub_indication: str | None
    checks: tuple[Check, ...]
    signer: Signer | None
    chain: tuple[bytes, ...] = ()
    evidence: Objects = ()
    awaited_issuer: str = ""


def _remarks(checked: CheckedSignature, proven: datetime | None) -> Iterator[str]:
    """Yield that a signature claims a later time than one at which it existed already."""
    claimed = checked.claimed_at
    if claimed and proven and claimed - proven > CLOCK_TOLERANCE:
        yield "claimed_after_proven"


def by_policy(finding: SignatureFinding, policy: Policy) -> SignatureFinding:
    """Return the finding less its pass where the policy asks for more."""
    found = tuple(
        Check(name="policy", status=CheckStatus.INDETERMINATE, detail=detail)
        for detail in asked_for_more(finding, policy)
    )
    if not found:
        return finding
    finding = replace(finding, checks=finding.checks + found)
    if finding.indication is not Indication.TOTAL_PASSED:
        return finding
    unmet = "SIG_CONSTRAINTS_FAILURE"
    return replace(finding, indication=Indication.INDETERMINATE, sub_indication=unmet)


def together(findings: Sequence[SignatureFinding], policy: Policy, more: bool) -> Indication:
    """Return the verdict on all signatures: a failure outweighs, a doubt keeps from passing.

    `more` says that there are others, which nobody judged.
    """
    indications = {finding.indication for finding in findings}
    if Indication.TOTAL_FAILED in indications:
        return Indication.TOTAL_FAILED
    signers = [finding.signer for finding in findings if finding.signer]
    # Whoever signs twice, or whose signature is sent twice, is one signer.
    several = len({signer.certificate_sha256 for signer in signers}) >= policy.signatures_min
    enough = several and {signer.role for signer in signers} >= set(policy.roles)
    if indications == {Indication.TOTAL_PASSED} and enough and not more:
        return Indication.TOTAL_PASSED
    return Indication.INDETERMINATE


def _unclaimed(
    signatures: tuple[Part, ...], checked: Sequence[CheckedSignature]
) -> list[CheckedSignature]:
    """Return a failure for each part sent as a signature that no form took for one."""
    claimed = {one.place.partition("]")[0] for one in checked}
    check = Check(name="format", status=CheckStatus.FAILED, detail="no known signature form")
    return [
        CheckedSignature(
            format="",
            level="",
            certificate=None,
            other_certificates=(),
            covered=(),
            claimed_at=None,
            checks=(check,),
            indication=Indication.TOTAL_FAILED,
            sub_indication="FORMAT_FAILURE",
            place=f"signature[{position}]",
        )
        for position in range(len(signatures))
        if f"signature[{position}" not in claimed
    ]


def _enclosed(checked: Sequence[CheckedSignature]) -> bytes | None:
    """Return the content of the document that was checked if it is a CMS file."""
    for one in checked:
        if one.place.startswith("document") and one.format in ("CMS", "CAdES"):
            return next((covered.octets for covered in one.covered), None)
    return None
