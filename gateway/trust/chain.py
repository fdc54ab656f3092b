"""Judges one certificate at one moment against fixed material.

The path is validated as RFC 5280 says, and revocation is *required*: each certificate below
the anchor needs a list or an OCSP answer that covers the moment, whether or not it names a
place to get one.  `hard-fail` would let through a certificate that names none.

The moment is a proof of existence, so a certificate that had expired or been revoked by then
is a failure, and whatever happened later leaves the verdict alone (EN 319 102-1, 5.2.6).
Source: ETSI EN 319 102-1 v1.3.1, clauses 5.1.3 and 5.2.6; RFC 5280, section 6.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asn1crypto import x509
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    InsufficientRevinfoError,
    NotYetValidError,
    PathBuildingError,
    PathValidationError,
    RevokedError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    REQUIRE_REVINFO,
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    PKIXValidationParams,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.validate import async_validate_path

from gateway.algorithms.interface import Algorithms
from gateway.model import Check, CheckStatus, Indication
from gateway.trust.fitness import Purpose, fitness
from gateway.trust.hook import Bench, SignatureChecker, at_work
from gateway.trust.material import Material, signed_by
from gateway.trust.policy import ANY_POLICY, PathPolicy
from gateway.trust.signer import short_name

PATHS_MAX = 16
"""Paths tried for one certificate; a real PKI has one or two."""

TIME_TOLERANCE = timedelta(0)
"""The moment is our own clock's; it needs no allowance."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the path says; Trust adds the evidence and the signer."""

    indication: Indication
    sub_indication: str | None
    checks: tuple[Check, ...]
    path: tuple[x509.Certificate, ...] = ()
    """From the signing certificate to the anchor, as far as it was found."""

    awaited_issuer: str = ""


_RANK = (
    None,
    "REVOKED",
    "REVOKED_CA_NO_POE",
    "EXPIRED",
    "NOT_YET_VALID",
    "TRY_LATER",
    "CRYPTO_CONSTRAINTS_FAILURE",
    "CHAIN_CONSTRAINTS_FAILURE",
    "OUT_OF_BOUNDS_NO_POE",
    "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    "NO_CERTIFICATE_CHAIN_FOUND",
)
"""Which verdict counts when several paths lead to anchors: the first of these."""

_FAILED = {"REVOKED", "EXPIRED", "NOT_YET_VALID"}


def judge_path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    at: datetime,
    material: Material,
    algorithms: Algorithms,
    purpose: Purpose,
    policy: PathPolicy,
) -> Verdict:
    """Return the verdict on a certificate used for `purpose` at moment `at`.

    `others` are certificates the message brought; they help to find a path, never to trust it.
    """
    fit = fitness(leaf, purpose)
    helpful = _genuine(others, material, algorithms)
    verdicts = []
    # A list issued after the moment still says what was revoked before it, but one issued
    # after the certificate's end may have dropped it, so it is taken only when none covers
    # the moment and the certificate was still alive.
    for retroactive in (False, True):
        if retroactive and not _lists_after(leaf, at, material):
            break
        verdicts = _judge_paths(leaf, helpful, at, material, algorithms, policy, retroactive)
        if not verdicts or verdicts[0].sub_indication != "TRY_LATER":
            break
    best = verdicts[0]
    checks = (*best.checks, *(check for check, _ in fit))
    if best.indication is Indication.TOTAL_PASSED:
        for check, word in fit:
            if check.status is not CheckStatus.PASSED:
                return _verdict(word, checks, best.path)
    return _verdict(best.sub_indication, checks, best.path, best.awaited_issuer)


def _judge_paths(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    at: datetime,
    material: Material,
    algorithms: Algorithms,
    policy: PathPolicy,
    retroactive: bool,
) -> list[Verdict]:
    """Return a verdict per path, the one that counts first; at least one."""
    bench = Bench(algorithms, weak=policy.weak_algorithms)
    found = []
    with at_work(bench):
        context = _context(others, at, material, policy, retroactive)
        for path in _at_once(_paths(context, leaf)):
            found.append(_judge_one(context, path, at, bench, material, policy))
    if not found:
        found.append(_verdict("NO_CERTIFICATE_CHAIN_FOUND", (_no_chain(leaf.issuer),), (leaf,)))
    return sorted(found, key=lambda verdict: _RANK.index(verdict.sub_indication))


def _context(
    others: Sequence[x509.Certificate],
    at: datetime,
    material: Material,
    policy: PathPolicy,
    retroactive: bool,
) -> ValidationContext:
    trusted = SimpleTrustManager.build(trust_roots=list(material.anchors))
    return ValidationContext(
        trust_manager=trusted,
        other_certs=[*material.intermediates, *others],
        moment=at,
        crls=list(material.crls),
        ocsps=list(material.ocsps),
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=retroactive),
        time_tolerance=TIME_TOLERANCE,
        signature_validator=SignatureChecker(),
        algorithm_usage_policy=AcceptAllAlgorithms() if policy.weak_algorithms else None,
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
    context: ValidationContext,
    path: ValidationPath,
    at: datetime,
    bench: Bench,
    material: Material,
    policy: PathPolicy,
) -> Verdict:
    certificates = tuple(reversed(list(path.iter_certs(include_root=True))))
    leaf = certificates[0]
    chain = Check(
        name="certificate_chain",
        status=CheckStatus.PASSED,
        detail=" → ".join(short_name(c.subject) for c in certificates[1:]),
    )
    validity = _validity(leaf, at)
    if validity.status is CheckStatus.FAILED:
        word = "NOT_YET_VALID" if at < leaf.not_valid_before else "EXPIRED"
        # The rest of the path could only make it worse.
        return _verdict(word, (chain, validity), certificates)
    try:
        _at_once(async_validate_path(context, path, _parameters(policy)))
    except PathValidationError as error:
        word, check = _explain(error, certificates, bench)
        if check.name == "certificate_chain":
            return _verdict(word, (check, validity), certificates)
        awaited = ""
        if word == "TRY_LATER":
            awaited = _awaited(error, certificates, at, material)
            check = replace(check, detail=f"{check.detail} of: {awaited}")
        return _verdict(word, (chain, validity, check), certificates, awaited)
    revocation = Check(
        name="revocation",
        status=CheckStatus.PASSED,
        detail="not revoked at the moment of judgement" if len(certificates) > 1 else "an anchor",
    )
    return _verdict(None, (chain, validity, revocation), certificates)


def _explain(
    error: PathValidationError, certificates: tuple[x509.Certificate, ...], bench: Bench
) -> tuple[str, Check]:
    """Return the sub-indication of a failed path, and the check that failed."""
    own = error.is_ee_cert and not error.is_side_validation
    if isinstance(error, RevokedError):
        word = "REVOKED" if own else "REVOKED_CA_NO_POE"
        moment = error.revocation_dt.isoformat()
        detail = f"revoked at {moment}, {error.reason.native}"
        return word, Check(name="revocation", status=CheckStatus.FAILED, detail=detail)
    if isinstance(error, InsufficientRevinfoError):
        detail = "no current revocation list or OCSP answer"
        check = Check(name="revocation", status=CheckStatus.INDETERMINATE, detail=detail)
        return "TRY_LATER", check
    # Later sentences of the library may quote names out of the certificate.
    detail = error.failure_msg.partition(". ")[0]
    if isinstance(error, DisallowedAlgorithmError) or bench.unsupported:
        status = CheckStatus.INDETERMINATE
        detail = f"unsupported: {bench.unsupported}" if bench.unsupported else detail
        check = Check(name="crypto_policy", status=status, detail=detail)
        return "CRYPTO_CONSTRAINTS_FAILURE", check
    failed = Check(name="certificate_chain", status=CheckStatus.FAILED, detail=detail)
    if isinstance(error, ExpiredError | NotYetValidError):
        return "OUT_OF_BOUNDS_NO_POE", failed
    if any(c["tbs_certificate"].dump() in bench.broken for c in certificates):
        return "NO_CERTIFICATE_CHAIN_FOUND", failed
    return "CERTIFICATE_CHAIN_GENERAL_FAILURE", failed


def _awaited(
    error: PathValidationError,
    certificates: tuple[x509.Certificate, ...],
    at: datetime,
    material: Material,
) -> str:
    """Return the name of the CA whose list would have decided."""
    below_anchor = certificates[:-1]
    if error.is_ee_cert and not error.is_side_validation:
        return short_name(below_anchor[0].issuer)
    for certificate in reversed(below_anchor):
        if not any(covers(one, certificate, at) for one in material.crls):
            return short_name(certificate.issuer)
    return short_name(below_anchor[-1].issuer)


def covers(crl: Any, certificate: x509.Certificate, at: datetime) -> bool:
    """Return whether a list of the certificate's issuer is in force at a moment."""
    times = crl["tbs_cert_list"]
    ends = times["next_update"].native
    return bool(
        crl.issuer == certificate.issuer
        and times["this_update"].native <= at
        and ends is not None
        and at <= ends
    )


def _lists_after(leaf: x509.Certificate, at: datetime, material: Material) -> bool:
    """Return whether any list came out after the moment while the certificate lived."""
    times = [crl["tbs_cert_list"]["this_update"].native for crl in material.crls]
    times += [
        single["this_update"].native
        for response in material.ocsps
        for single in response.response_data["responses"]
    ]
    return any(at < time <= leaf.not_valid_after for time in times)


def _genuine(
    others: Sequence[x509.Certificate], material: Material, algorithms: Algorithms
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
            if any(signed_by(certificate, issuer, algorithms) for issuer in issuers):
                accepted.append(certificate)
                waiting.remove(certificate)
                moved = True
    return accepted


def _helps(certificate: x509.Certificate) -> bool:
    """Return whether a certificate can stand in a path, or sign lists in another's stead."""
    usage = certificate.key_usage_value
    signs_lists = usage is not None and "crl_sign" in usage.native
    return (certificate.ca or signs_lists) and not certificate.self_issued


def _validity(leaf: x509.Certificate, at: datetime) -> Check:
    inside = leaf.not_valid_before <= at <= leaf.not_valid_after
    return Check(
        name="validity_period",
        status=CheckStatus.PASSED if inside else CheckStatus.FAILED,
        detail=f"{leaf.not_valid_before.isoformat()} to {leaf.not_valid_after.isoformat()}",
    )


def _no_chain(issuer: x509.Name) -> Check:
    return Check(
        name="certificate_chain",
        status=CheckStatus.INDETERMINATE,
        detail=f"no path to a trusted authority; issued by: {short_name(issuer)}",
    )


def _verdict(
    word: str | None,
    checks: tuple[Check, ...],
    path: tuple[x509.Certificate, ...],
    awaited: str = "",
) -> Verdict:
    if word is None:
        indication = Indication.TOTAL_PASSED
    elif word in _FAILED:
        indication = Indication.TOTAL_FAILED
    else:
        indication = Indication.INDETERMINATE
    return Verdict(
        indication=indication,
        sub_indication=word,
        checks=checks,
        path=path,
        awaited_issuer=awaited,
    )


def _at_once(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine that has nothing to wait for: no fetching, so no event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    raise AssertionError("The path validator waited for something.")
