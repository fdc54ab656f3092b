"""What a signature report means for a document: pass, refuse, wait or ask a person.

Source: ETSI EN 319 102-1 for the words; semantics, rule 4, for the moment of judgement: the
trusted time in the signature, else the moment of keep.  Unknown is never taken as passed
(63-ФЗ, article 11).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gateway.errors import GatewayError, NeedsOperator, Rejected, TryLater
from gateway.model import (
    CLOCK_TOLERANCE,
    Assurance,
    CheckStatus,
    Indication,
    Problem,
    SignatureFinding,
    SignatureReport,
)

FALSE_TIMESTAMP, AWAITED = "SIG-222", "SIG-207"

_CODES: dict[str | None, tuple[str, type[GatewayError]]] = {
    "HASH_FAILURE": ("SIG-202", Rejected),
    "SIG_CRYPTO_FAILURE": ("SIG-203", Rejected),
    "EXPIRED": ("SIG-204", NeedsOperator),
    "OUT_OF_BOUNDS_NO_POE": ("SIG-204", NeedsOperator),
    "REVOKED": ("SIG-205", Rejected),
    "NO_CERTIFICATE_CHAIN_FOUND": ("SIG-206", Rejected),
    "NO_SIGNING_CERTIFICATE_FOUND": ("SIG-209", Rejected),
    "TRY_LATER": ("SIG-207", TryLater),
    "NOT_YET_VALID": ("SIG-208", Rejected),
    "FORMAT_FAILURE": ("SIG-209", Rejected),
    "SIG_CONSTRAINTS_FAILURE": ("SIG-209", Rejected),
    "CRYPTO_CONSTRAINTS_FAILURE": ("SIG-212", Rejected),
    "CHAIN_CONSTRAINTS_FAILURE": ("SIG-213", Rejected),
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": ("SIG-213", Rejected),
    "SIGNED_DATA_NOT_FOUND": ("SIG-215", Rejected),
    "TIMESTAMP_ORDER_FAILURE": (FALSE_TIMESTAMP, Rejected),
}


def require_passed(report: SignatureReport, kept_at: datetime) -> None:
    """Return if every signature passed; otherwise raise who must act, with a problem each.

    Raises Rejected, NeedsOperator or TryLater (SIG-2xx).  A refusal outranks a question to a
    person, and that outranks waiting: no waiting changes what is already wrong.
    """
    if not report.signatures:
        raise Rejected(Problem(code="SIG-201"))
    failures: dict[type[GatewayError], list[Problem]] = {}
    for finding in report.signatures:
        if _over_another(finding):
            failures.setdefault(Rejected, []).append(_problem("SIG-219", finding))
        elif finding.indication is not Indication.TOTAL_PASSED:
            code, kind = _CODES.get(finding.sub_indication, ("SIG-216", NeedsOperator))
            if code == "SIG-209" and _falsely_stamped(finding):
                code = FALSE_TIMESTAMP
            failures.setdefault(kind, []).append(_problem(code, finding))
        elif finding.times.claimed and finding.times.claimed > kept_at + CLOCK_TOLERANCE:
            minutes = str(int(CLOCK_TOLERANCE.total_seconds() // 60))
            late = Problem(code="SIG-211", place=finding.place, detail={"minutes": minutes})
            failures.setdefault(NeedsOperator, []).append(late)
    awaited = [_problem(AWAITED, one) for one in _awaited(report)]
    if awaited:
        failures.setdefault(TryLater, []).extend(awaited)
    for kind in (Rejected, NeedsOperator, TryLater):
        if kind in failures:
            raise kind(*failures[kind])


def assurance_of(report: SignatureReport) -> Assurance:
    """Return how sure signed content is: qualified when every signature on it is."""
    kinds = {finding.qualification for finding in report.signatures}
    return Assurance.SIGNED_QUALIFIED if kinds == {"QES"} else Assurance.SIGNED


def _awaited(report: SignatureReport) -> Iterator[SignatureFinding]:
    """Yield the signatures of powers of attorney in use that nobody can judge yet."""
    used = {finding.attorney for finding in report.signatures}
    for attorney in report.attorneys:
        if attorney.place in used:
            yield from (one for one in attorney.signatures if one.sub_indication == "TRY_LATER")


def _over_another(finding: SignatureFinding) -> bool:
    """Say whether a signature's value holds over something else than what carries it."""
    status = {check.name: check.status for check in finding.checks}
    elsewhere = status.get("covers_enclosing", CheckStatus.PASSED) is not CheckStatus.PASSED
    return elsewhere and status.get("signature_value") is CheckStatus.PASSED


def _falsely_stamped(finding: SignatureFinding) -> bool:
    """Say whether all that is wrong is a time-stamp of something else, or a broken one."""
    failed = {check.name for check in finding.checks if check.status is CheckStatus.FAILED}
    return failed == {"timestamp"}


def _problem(code: str, finding: SignatureFinding) -> Problem:
    bad = [c for c in finding.checks if c.status not in (CheckStatus.PASSED, CheckStatus.NOT_DONE)]
    return Problem(
        code=code,
        place=finding.place,
        detail={
            "format": finding.format,
            "issuer": finding.awaited_issuer or (finding.signer.issuer if finding.signer else "—"),
            "at": finding.times.validation.isoformat(timespec="seconds"),
            "check": f"{bad[0].name}: {bad[0].detail}" if bad else finding.sub_indication or "—",
        },
    )
