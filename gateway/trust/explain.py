"""What a judged path comes to: the verdict in ETSI's words, and the checks behind it.

Source: ETSI EN 319 102-1 v1.3.1, tables 5 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import x509
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    InsufficientRevinfoError,
    NotYetValidError,
    PathValidationError,
    RevokedError,
)

from gateway.model import Check, CheckStatus, Indication
from gateway.trust.hook import Bench
from gateway.trust.material import Material
from gateway.trust.signer import short_name


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the path says; Trust adds the evidence and the signer."""

    indication: Indication
    sub_indication: str | None
    checks: tuple[Check, ...]
    path: tuple[x509.Certificate, ...] = ()
    """From the signing certificate to the anchor, as far as it was found."""

    awaited_issuer: str = ""


RANK = (
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


def explain(
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
        check = Check(name="crypto_policy", status=status, detail=bench.unsupported or detail)
        return "CRYPTO_CONSTRAINTS_FAILURE", check
    failed = Check(name="certificate_chain", status=CheckStatus.FAILED, detail=detail)
    if isinstance(error, ExpiredError | NotYetValidError):
        return "OUT_OF_BOUNDS_NO_POE", failed
    if any(c["tbs_certificate"].dump() in bench.broken for c in certificates):
        return "NO_CERTIFICATE_CHAIN_FOUND", failed
    return "CERTIFICATE_CHAIN_GENERAL_FAILURE", failed


def name_awaited(
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


def validity_of(leaf: x509.Certificate, at: datetime) -> Check:
    inside = leaf.not_valid_before <= at <= leaf.not_valid_after
    return Check(
        name="validity_period",
        status=CheckStatus.PASSED if inside else CheckStatus.FAILED,
        detail=f"{leaf.not_valid_before.isoformat()} to {leaf.not_valid_after.isoformat()}",
    )


def no_chain(issuer: x509.Name) -> Check:
    return Check(
        name="certificate_chain",
        status=CheckStatus.INDETERMINATE,
        detail=f"no path to a trusted authority; issued by: {short_name(issuer)}",
    )


def verdict_of(
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
