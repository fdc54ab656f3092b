"""The decision of an outside tool, joined with what the built-in verifier reads.

The tool decides whether a signature holds and its certificate may be believed.  The gateway
reads the document itself, so a pass counts only where both name the same signer and the same
signed octets; where the built-in verifier has proof of an alteration and the tool passes, the
two disagree, and a person must look.  A tool that does not answer is waited for.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from gateway.external_tool import Answer, Asked, Service, ToolFailed, ToolVerdict
from gateway.model import (
    Check,
    CheckStatus,
    Indication,
    Part,
    SignatureFinding,
    SignatureReport,
)
from gateway.verification.verifier import Verifier, by_policy, together

EXTERNAL_TOOL = "external_tool"
_WORD = {
    Indication.TOTAL_PASSED: CheckStatus.PASSED,
    Indication.TOTAL_FAILED: CheckStatus.FAILED,
    Indication.INDETERMINATE: CheckStatus.INDETERMINATE,
}


class ExternalVerifier(Verifier):
    """A verifier whose decisions an outside tool takes; safe to use from any thread."""

    def __init__(self, built_in: Verifier, service: Service) -> None:
        super().__init__(
            built_in.trust,
            built_in.algorithms,
            built_in.policy,
            built_in.accreditations,
            built_in.registry,
        )
        self.service = service

    def verify(
        self, document: Part, signatures: tuple[Part, ...], at: datetime, kept: bool = True
    ) -> SignatureReport:
        """Return the verdict as the tool gives it, on what the gateway reads."""
        found, more = self._findings(document, signatures, at, kept)
        if not found:
            return super().verify(document, signatures, at, kept)
        asked = Asked(document=document, signatures=signatures, at=at, kept=kept)
        try:
            answer = self.service.ask(asked)
        except ToolFailed as error:
            waiting = tuple(self._waiting(one, str(error)) for one in found)
            return SignatureReport(
                indication=Indication.INDETERMINATE, signatures=waiting, judge=self._judge
            )
        verdicts = {one.place: one for one in answer.verdicts}
        findings = tuple(self._decided(one, verdicts.pop(one.place, None), answer) for one in found)
        # The tool may have seen a signature that the gateway did not.
        indication = together(findings, self.policy, more or bool(verdicts))
        judge = replace(self._judge, engine=answer.tool, certified=self.service.certified)
        return SignatureReport(indication=indication, signatures=findings, judge=judge)

    def _waiting(self, finding: SignatureFinding, why: str) -> SignatureFinding:
        check = Check(name=EXTERNAL_TOOL, status=CheckStatus.INDETERMINATE, detail=why)
        if finding.indication is Indication.TOTAL_FAILED:
            return replace(finding, checks=(*finding.checks, check))
        return replace(
            finding,
            indication=Indication.INDETERMINATE,
            sub_indication="TRY_LATER",
            awaited_issuer=self.service.name,
            checks=(*finding.checks, check),
            qualification="UNKNOWN",
        )

    def _decided(
        self, finding: SignatureFinding, verdict: ToolVerdict | None, answer: Answer
    ) -> SignatureFinding:
        indication, sub_indication, detail = _joined(finding, verdict)
        status = _WORD[indication]
        check = Check(name=EXTERNAL_TOOL, status=status, detail=f"{answer.tool}: {detail}")
        passed = indication is Indication.TOTAL_PASSED
        decided = replace(
            finding,
            indication=indication,
            sub_indication=sub_indication,
            awaited_issuer=self.service.name if sub_indication == "TRY_LATER" else "",
            checks=(*finding.checks, check),
            qualification=finding.qualification if passed else "UNKNOWN",
            qualification_checks=tuple(map(self._tool_named, finding.qualification_checks)),
        )
        # What the gateway's policy asks is asked of the tool's verdict too.
        kept = tuple(one for one in decided.checks if one.name != "policy")
        return by_policy(replace(decided, checks=kept), self.policy)

    def _tool_named(self, check: Check) -> Check:
        if check.name != "tool_certified":
            return check
        name, certified = self.service.name, self.service.certified
        status = CheckStatus.PASSED if certified else CheckStatus.INDETERMINATE
        detail = name if certified else f"{name}: no confirmation of conformity"
        return replace(check, status=status, detail=detail)


def _joined(
    finding: SignatureFinding, verdict: ToolVerdict | None
) -> tuple[Indication, str | None, str]:
    """Return indication, sub-indication and why, of the tool's verdict on what we read."""
    unknown = Indication.INDETERMINATE
    if verdict is None:
        return unknown, "GENERIC", "does not know this signature"
    if verdict.indication is not Indication.TOTAL_PASSED:
        word = verdict.sub_indication or "GENERIC"
        return verdict.indication, word, word
    if finding.indication is Indication.TOTAL_FAILED:
        return unknown, "GENERIC", f"passes what fails here ({finding.sub_indication})"
    signer = finding.signer.certificate_sha256 if finding.signer else ""
    read = {hashlib.sha256(one.octets).hexdigest() for one in finding.covered}
    if signer != verdict.certificate_sha256 or not read or not read <= verdict.signed_content:
        return unknown, "GENERIC", "names another signer or other signed octets"
    return Indication.TOTAL_PASSED, None, "TOTAL_PASSED"
