"""A power of attorney attached to a document: whose signature it gives powers, and which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gateway.model import Check, CheckStatus, Part, SignatureFinding, SignatureReport
from gateway.qualification.attorney import powers_by, read_attorney
from gateway.verification.verifier import Verifier


def with_powers(
    report: SignatureReport,
    attorney: Part,
    signatures: tuple[Part, ...],
    verifier: Verifier,
    at: datetime,
    wanted: str = "",
) -> SignatureReport:
    """Return the report with the powers that `attorney` gives beside each signature it names.

    `signatures` are beside the power of attorney, judged as any others at `at`; `wanted` is
    the code of the power that is asked for.  A file that is no power of attorney is said so.
    """
    try:
        read = read_attorney(attorney.body)
    except ValueError as error:
        check = Check(name="attorney", status=CheckStatus.FAILED, detail=str(error))
        return _beside(report, lambda finding: (check,))
    own = verifier.verify(replace(attorney, name="document"), signatures, at, kept=False)

    def powers(finding: SignatureFinding) -> tuple[Check, ...]:
        signed_at = finding.times.best or finding.times.validation
        return powers_by(read, own, finding.signer, signed_at, wanted)

    return _beside(report, powers)


def _beside(
    report: SignatureReport, powers: Callable[[SignatureFinding], tuple[Check, ...]]
) -> SignatureReport:
    """Put the checks of powers in the place of the certificate's own word on them."""
    findings = []
    for finding in report.signatures:
        others = tuple(one for one in finding.qualification_checks if one.name != "powers")
        findings.append(replace(finding, qualification_checks=(*others, *powers(finding))))
    return replace(report, signatures=tuple(findings))
