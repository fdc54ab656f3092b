"""Judges one certificate at one moment against fixed material.

The path is validated as RFC 5280 says, and revocation is *required*: each certificate below
the anchor needs a list or an OCSP answer that covers the moment, whether or not it names a
place to get one.  `hard-fail` would let through a certificate that names none.

The moment is a proof of existence, so a certificate that had expired or been revoked by then
is a failure, and whatever happened later leaves the verdict alone (EN 319 102-1, 5.2.6).
Source: ETSI EN 319 102-1 v1.3.1, clauses 5.1.3 and 5.2.6; RFC 5280, section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from asn1crypto import x509
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator._state import ValProcState
from pyhanko_certvalidator.errors import (
    CRLValidationError,
    PathBuildingError,
    PathValidationError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    REQUIRE_REVINFO,
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    FreshnessReqType,
    PKIXValidationParams,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.util import ConsList
from pyhanko_certvalidator.validate import async_validate_path

from gateway.algorithms.interface import Algorithms
from gateway.algorithms.policy import permissive
from gateway.model import Check, CheckStatus, Indication
from gateway.trust.explain import (
    RANK,
    Verdict,
    explain,
    name_awaited,
    no_chain,
    validity_of,
    verdict_of,
)
from gateway.trust.fitness import Purpose, fitness
from gateway.trust.hook import Bench, SignatureChecker, at_work
from gateway.trust.material import Material
from gateway.trust.policy import ANY_POLICY, PathPolicy
from gateway.trust.revocation import (
    Revocations,
    holds_left_out,
    later,
    may_name,
    silent_responders,
    speaking_of,
    usable,
)
from gateway.trust.signer import short_name

PATHS_MAX = 16
"""Paths tried for one certificate; a real PKI has one or two."""

TIME_TOLERANCE = timedelta(0)
"""The moment is our own clock's; it needs no allowance."""

SignedBy = Callable[[x509.Certificate, x509.Certificate], bool]
"""Says whether the key of the second certificate signed the first."""

_Answer = TypeVar("_Answer")

Weighed = Literal["fresh", "hindsight", "ended"]
"""Which lists and answers are looked at: those of the moment, also later ones, of any age."""

_WEIGHING = {
    "fresh": CertRevTrustPolicy(REQUIRE_REVINFO),
    "hindsight": CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
    "ended": CertRevTrustPolicy(
        REQUIRE_REVINFO,
        freshness=timedelta(days=36_500),
        freshness_req_type=FreshnessReqType.MAX_DIFF_REVOCATION_VALIDATION,
    ),
}
_REVOKED = ("REVOKED", "REVOKED_CA_NO_POE")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One certificate at one moment, and under what it is judged."""

    leaf: x509.Certificate
    others: Sequence[x509.Certificate]
    """`genuine` ones of those that the message brought: they help to find a path."""

    at: datetime
    purpose: Purpose
    policy: PathPolicy
    algorithms: Algorithms


def judge_path(question: Question, material: Material) -> Verdict:
    """Return the verdict on a certificate used for a purpose at a moment."""
    if question.policy.weak_algorithms:
        weak = question.algorithms.under(permissive())
        question = replace(question, algorithms=weak)
    fit = fitness(question.leaf, question.purpose, question.algorithms.at(question.at))
    best = _judge_in_time(question, material)
    checks = (*best.checks, *(check for check, _ in fit))
    if best.indication is Indication.TOTAL_PASSED:
        for check, word in fit:
            if check.status is not CheckStatus.PASSED:
                return verdict_of(word, checks, best.path)
    return verdict_of(best.sub_indication, checks, best.path, best.awaited_issuer)


def genuine(
    others: Sequence[x509.Certificate], material: Material, signed_by: SignedBy
) -> list[x509.Certificate]:
    """Return the authorities among `others` that really hang below our material.

    A stranger can bring dozens of CA certificates that sign each other under one name, and
    the number of paths through them grows without bound; none of them survives this.
    """
    known = [*material.anchors, *material.intermediates]
    waiting = [c for c in others if _helps(c)]
    accepted: list[x509.Certificate] = []
    moved = True
    while moved:
        moved = False
        for certificate in list(waiting):
            issuers = (c for c in (*known, *accepted) if c.subject == certificate.issuer)
            if any(signed_by(certificate, issuer) for issuer in issuers):
                accepted.append(certificate)
                waiting.remove(certificate)
                moved = True
    return accepted


def _judge_in_time(question: Question, material: Material) -> Verdict:
    """Weigh lists and answers by when they came out (EN 319 102-1, clause 5.6.2).

    One that came out after the moment still says what had been revoked by then, whatever
    those of the moment say.  In a certificate's favour it counts only when none covers the
    moment, and only while the certificate lived.  One that has ended says nothing in its
    favour any more, and its entries stand: revocation is for ever, but for a hold.
    """
    fresh = usable(material, question.at, question.policy)
    if later(fresh, question.at):
        hindsight = _judge_paths(question, fresh, "hindsight")
        if hindsight.sub_indication in _REVOKED:
            return hindsight
    verdict = _judge_paths(question, fresh)
    speaking = speaking_of(fresh, question.leaf)
    if verdict.sub_indication == "TRY_LATER" and later(speaking, question.at):
        verdict = _judge_paths(question, speaking, "hindsight")
    if verdict.sub_indication == "TRY_LATER" and may_name(material, verdict.path):
        ended = _judge_paths(question, material, "ended")
        if ended.sub_indication in _REVOKED:
            return ended
    return verdict


def _judge_paths(question: Question, material: Material, weighed: Weighed = "fresh") -> Verdict:
    """Return the verdict of the path that counts first."""
    bench = Bench(question.algorithms.at(question.at), weak=question.policy.weak_algorithms)
    with at_work(bench), holds_left_out(weighed == "ended"):
        context = _context(question, material, weighed)
        found = [
            _judge_one(question, context, path, bench, material)
            for path in _at_once(_paths(context, question.leaf))
        ]
    if not found:
        issuer = question.leaf.issuer
        return verdict_of("NO_CERTIFICATE_CHAIN_FOUND", (no_chain(issuer),), (question.leaf,))
    return min(found, key=lambda verdict: RANK.index(verdict.sub_indication))


def _context(question: Question, material: Material, weighed: Weighed) -> ValidationContext:
    registry = CertificateRegistry.build([*material.intermediates, *question.others])
    policy = question.policy
    believed = []
    if policy.silent_responders:
        believed = silent_responders(material, question.leaf, question.at)
    return ValidationContext(
        trust_manager=SimpleTrustManager.build(trust_roots=list(material.anchors)),
        certificate_registry=registry,
        revinfo_manager=Revocations(registry, material, believed),
        moment=question.at,
        allow_fetching=False,
        revinfo_policy=_WEIGHING[weighed],
        time_tolerance=TIME_TOLERANCE,
        signature_validator=SignatureChecker(),
        # Ours is asked where signatures are verified, so that lists and answers have it too.
        algorithm_usage_policy=AcceptAllAlgorithms(),
    )


def _parameters(policy: PathPolicy) -> PKIXValidationParams:
    # The library calls anyPolicy by a name, all others by their numbers.
    named = {"any_policy" if oid == ANY_POLICY else oid for oid in policy.policies}
    return PKIXValidationParams(
        user_initial_policy_set=frozenset(named),
        initial_explicit_policy=policy.explicit_policy,
        initial_policy_mapping_inhibit=policy.policy_mapping_inhibited,
        initial_any_policy_inhibit=policy.any_policy_inhibited,
    )


async def _paths(context: ValidationContext, leaf: x509.Certificate) -> list[ValidationPath]:
    paths: list[ValidationPath] = []
    lazily = context.path_builder.async_build_paths_lazy(leaf)
    try:
        async for path in lazily:
            paths.append(path)
            if len(paths) == PATHS_MAX:
                break
    except PathBuildingError:
        pass
    return paths


def _judge_one(
    question: Question,
    context: ValidationContext,
    path: ValidationPath,
    bench: Bench,
    material: Material,
) -> Verdict:
    certificates = tuple(reversed(list(path.iter_certs(include_root=True))))
    leaf, at = certificates[0], question.at
    chain = Check(
        name="certificate_chain",
        status=CheckStatus.PASSED,
        detail=" → ".join(short_name(c.subject) for c in certificates[1:]),
    )
    validity = validity_of(leaf, at)
    if validity.status is CheckStatus.FAILED:
        word = "NOT_YET_VALID" if at < leaf.not_valid_before else "EXPIRED"
        # The rest of the path could only make it worse.
        return verdict_of(word, (chain, validity), certificates)
    try:
        _at_once(async_validate_path(context, path, _parameters(question.policy)))
        if material.ocsps:
            _at_once(_seek_in_lists(context, path))
    except PathValidationError as error:
        word, check = explain(error, certificates, bench)
        if check.name == "certificate_chain":
            return verdict_of(word, (check, validity), certificates)
        awaited = ""
        if word == "TRY_LATER":
            awaited = name_awaited(error, certificates, at, material)
            check = replace(check, detail=f"{check.detail} of: {awaited}")
        return verdict_of(word, (chain, validity, check), certificates, awaited)
    revocation = Check(
        name="revocation",
        status=CheckStatus.PASSED,
        detail="not revoked at the moment of judgement" if len(certificates) > 1 else "an anchor",
    )
    return verdict_of(None, (chain, validity, revocation), certificates)


async def _seek_in_lists(context: ValidationContext, path: ValidationPath) -> None:
    """Look for the certificates of a good path in every list.

    The library asks no list once an OCSP answer is good, and an older answer that a message
    brought would outdo our newer list.  Raises RevokedError.
    """
    for index in range(1, path.pkix_len + 1):
        state = ValProcState(cert_path_stack=ConsList.sing(path), init_index=index)
        with suppress(CRLValidationError):
            await verify_crl(path[index], path, context, proc_state=state)


def _helps(certificate: x509.Certificate) -> bool:
    """Return whether a certificate can stand in a path, or sign lists in another's stead."""
    usage = certificate.key_usage_value
    signs_lists = usage is not None and "crl_sign" in usage.native
    return (certificate.ca or signs_lists) and not certificate.self_issued


def _at_once(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine that has nothing to wait for: no fetching, so no event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    raise AssertionError("The path validator waited for something.")
