"""Verification: every signature in or beside a document, its mathematics and its certificate.

The forms check the mathematics, trust judges certificates, the qualification is asked apart;
here they become one finding each, and one verdict on all.  Nothing here raises for a bad
signature: a check returns its finding and the line decides.

Source: ETSI EN 319 102-1, clauses 5.3 to 5.6.
"""

from gateway.signature_report.as_json import to_json
from gateway.verification.again import (
    Difference,
    differences,
    judged_again,
    judged_by_record,
)
from gateway.verification.content import HEAD_BYTES, INSIDE, covers_whole, signed_octets
from gateway.verification.external import ExternalVerifier
from gateway.verification.policy import LEVELS, Policy
from gateway.verification.powers import every, verified, with_powers
from gateway.verification.records import KeptRecord, judge_record, last_by
from gateway.verification.verifier import SIGNATURES_MAX, Verifier

__all__ = [
    "HEAD_BYTES",
    "INSIDE",
    "LEVELS",
    "SIGNATURES_MAX",
    "Difference",
    "ExternalVerifier",
    "KeptRecord",
    "Policy",
    "Verifier",
    "covers_whole",
    "differences",
    "every",
    "judge_record",
    "judged_again",
    "judged_by_record",
    "last_by",
    "signed_octets",
    "to_json",
    "verified",
    "with_powers",
]
