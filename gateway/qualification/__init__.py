"""Whether a signature is a qualified one under 63-ФЗ, article 11: apart from its verdict.

Each condition is a check of its own with its evidence.  A condition nobody could look into
is INDETERMINATE, and then the qualification is UNKNOWN: unknown is never taken for yes.

Source: 63-ФЗ, article 11 (recognition of a qualified signature), article 17 (qualified
certificate); order 795 of the FSB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol

from gateway.model import Check, CheckStatus, Indication, Signer
from gateway.qualification.marks import IDENTIFICATION_KINDS, Marks, marks_of

QES, ADES_QC, ADES, UNKNOWN = "QES", "AdES-QC", "AdES", "UNKNOWN"
"""Qualified signature (УКЭП); advanced by a qualified certificate; advanced (УНЭП); unknown."""

QUALIFICATIONS = (QES, ADES_QC, ADES)
ACCREDITED, NOT_ACCREDITED = "accredited", "not"

IDENTIFICATION_ASKED_SINCE = datetime(2021, 9, 1, tzinfo=UTC)
"""Order 31 of the FSB, point 2: certificates before it do not name the way."""

_SIGNING = {"digital_signature", "non_repudiation"}
_ASIDE = frozenset({"tool_certified", "powers"})
"""Conditions of recognising a document, not of what kind its signature is."""

_OF_CERTIFICATE = frozenset({"qualified_policies", "issuer_accredited"})
"""Without these the certificate is not a qualified one at all."""


class Accreditation(Protocol):
    """What the list of accredited authorities says of one authority on one day."""

    @property
    def state(self) -> str:
        """`accredited`, `not` or `unknown`."""

    @property
    def source(self) -> str:
        """Which list said so: `ru`, `eu-LT`; empty where there was none."""

    @property
    def snapshot_date(self) -> date | None:
        """Of which day that list is."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What computed the signature's mathematics."""

    name: str
    certified: bool
    """Whether it is of confirmed conformity (63-ФЗ, article 11, part 3)."""


@dataclass(frozen=True, kw_only=True)
class Qualification:
    """The kind of a signature, with every condition it rests on."""

    word: str
    checks: tuple[Check, ...]


def qualify(
    certificate: bytes | None,
    *,
    indication: Indication,
    signer: Signer | None,
    signed_at: datetime,
    accreditation: Accreditation | None,
    tool: Tool,
) -> Qualification:
    """Return the kind of a signature whose verdict is `indication`.

    `signed_at` is the best time known, `accreditation` what was said of the issuer on the
    day it issued the certificate; None where nobody could say.
    """
    marks = marks_of(certificate) if certificate else None
    if marks is None:
        check = _check("certificate_read", CheckStatus.INDETERMINATE, "no certificate to read")
        return Qualification(word=UNKNOWN, checks=(check,))
    checks = (
        _valid(indication),
        *_of_certificate(marks, signed_at),
        _identified(signer),
        _accredited(accreditation),
        _powers(signer),
        _check(
            "tool_certified",
            CheckStatus.PASSED if tool.certified else CheckStatus.INDETERMINATE,
            tool.name if tool.certified else f"{tool.name}: no confirmation of conformity",
        ),
    )
    return Qualification(word=_word(checks), checks=checks)


def _word(checks: tuple[Check, ...]) -> str:
    status = {check.name: check.status for check in checks if check.name not in _ASIDE}
    if status.pop("signature_valid") is not CheckStatus.PASSED:
        return UNKNOWN
    if CheckStatus.FAILED in (status[name] for name in _OF_CERTIFICATE):
        return ADES
    if CheckStatus.INDETERMINATE in status.values():
        return UNKNOWN
    return ADES_QC if CheckStatus.FAILED in status.values() else QES


def _valid(indication: Indication) -> Check:
    status = {
        Indication.TOTAL_PASSED: CheckStatus.PASSED,
        Indication.TOTAL_FAILED: CheckStatus.FAILED,
    }.get(indication, CheckStatus.INDETERMINATE)
    return _check("signature_valid", status, indication.value)


def _of_certificate(marks: Marks, signed_at: datetime) -> Iterator[Check]:
    """Yield the conditions that the certificate itself meets or does not."""
    classes = ", ".join(marks.security_classes)
    yield _met("qualified_policies", bool(classes), classes or "no class of the owner's tool")
    yield _met("subject_sign_tool", bool(marks.subject_tool), marks.subject_tool or "not named")
    papers = "named" if marks.issuer_tool else "not named"
    yield _met("issuer_sign_tool", marks.issuer_tool, papers)
    if marks.identification is None and marks.issued_at < IDENTIFICATION_ASKED_SINCE:
        yield _check("identification_kind", CheckStatus.NOT_DONE, "not asked at its time of issue")
    else:
        known = marks.identification in IDENTIFICATION_KINDS
        said = "not named" if marks.identification is None else str(marks.identification)
        yield _met("identification_kind", known, said)
    usage = marks.key_usage
    signs = usage is not None and bool(usage & _SIGNING)
    yield _met("key_usage", signs, ", ".join(sorted(usage)) if usage else "not limited")
    if marks.limited_in_words:
        words = "a limit of use is written in words"
        yield _check("usage_limits", CheckStatus.INDETERMINATE, words)
    else:
        yield _check("usage_limits", CheckStatus.PASSED, "none stated")
    yield _key_term(marks, signed_at)


def _key_term(marks: Marks, signed_at: datetime) -> Check:
    """Check that the private key was used in its own term, shorter than the certificate's."""
    if marks.key_from is None and marks.key_until is None:
        return _check("private_key_period", CheckStatus.NOT_DONE, "not stated")
    inside = (marks.key_from is None or marks.key_from <= signed_at) and (
        marks.key_until is None or signed_at <= marks.key_until
    )
    ends = marks.key_until.isoformat() if marks.key_until else "—"
    return _met("private_key_period", inside, f"until {ends}")


def _identified(signer: Signer | None) -> Check:
    """Check that the owner is named by numbers of the state (63-ФЗ, article 17, part 2)."""
    named = []
    if signer is not None:
        numbers = (("СНИЛС", signer.snils), ("ИНН", signer.inn), ("ОГРН", signer.ogrn))
        named = [name for name, number in numbers if number]
    found = {"СНИЛС", "ОГРН"} & set(named)
    return _met("signer_identified", bool(found), ", ".join(named) or "no СНИЛС, no ОГРН")


def _accredited(found: Accreditation | None) -> Check:
    """Check that the issuer was accredited on the day it issued the certificate."""
    name = "issuer_accredited"
    if found is None or not found.source:
        return _check(name, CheckStatus.INDETERMINATE, "no list of accredited authorities")
    status = {ACCREDITED: CheckStatus.PASSED, NOT_ACCREDITED: CheckStatus.FAILED}
    said = {ACCREDITED: "on the day of issue", NOT_ACCREDITED: "not on the day of issue"}
    return _check(
        name,
        status.get(found.state, CheckStatus.INDETERMINATE),
        f"{said.get(found.state, 'unknown')}, list {found.source} of {found.snapshot_date}",
    )


def _powers(signer: Signer | None) -> Check:
    """Say whether the certificate alone shows for whom its owner acts (article 17.1)."""
    if signer is not None and (signer.ogrn or signer.inn_organization):
        return _check("powers", CheckStatus.PASSED, "the organisation is in the certificate")
    detail = "no organisation in the certificate and no power of attorney attached"
    return _check("powers", CheckStatus.NOT_DONE, detail)


def _met(name: str, met: bool, detail: str) -> Check:
    return _check(name, CheckStatus.PASSED if met else CheckStatus.FAILED, detail)


def _check(name: str, status: CheckStatus, detail: str) -> Check:
    return Check(name=name, status=status, detail=detail)
