"""A signature report as `gateway verify`, `POST /v1/verify` and `…/signatures` show it.

The names of the members are part of the contract (section 2, `verify`).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from gateway.model import (
    AttorneyFinding,
    Check,
    Covered,
    Indication,
    Json,
    JsonValue,
    Party,
    RecordFinding,
    SignatureFinding,
    SignatureReport,
    Signer,
    TimestampFinding,
)
from gateway.signature_report.revocation import RevocationUsed, revocations_used


def to_json(report: SignatureReport) -> Json:
    """Return the report as JSON."""
    judge = report.judge
    return {
        "indication": report.indication.value,
        "signatures": [_finding(finding) for finding in report.signatures],
        "attorneys": [_attorney(one) for one in report.attorneys],
        "bindings": [_check(check) for check in report.bindings],
        "engine": judge.engine,
        "engine_certified": judge.certified,
        "policy": {"id": judge.policy, "sha256": judge.policy_sha256},
    }


def record_json(record: RecordFinding) -> Json:
    """Return the verdict on an evidence record as JSON."""
    stamps = zip(record.stamps, record.digests, strict=True)
    return {
        "indication": record.indication.value,
        "sub_indication": record.sub_indication,
        "proven": _moment(record.proven),
        "timestamps": [{**_timestamp(one), "digest": digest} for one, digest in stamps],
        "checks": [_check(check) for check in record.checks],
    }


def _finding(finding: SignatureFinding) -> Json:
    return {
        "indication": finding.indication.value,
        "sub_indication": finding.sub_indication,
        "format": finding.format,
        "level": finding.level,
        "place": finding.place,
        "signer": _signer(finding.signer),
        "claimed_signer": finding.claimed_signer,
        "signed_content": [_covered(covered) for covered in finding.covered],
        "qualification": finding.qualification,
        "qualification_checks": [_check(check) for check in finding.qualification_checks],
        "attorney": finding.attorney or None,
        "times": {
            "claimed": _moment(finding.times.claimed),
            "best": _moment(finding.times.best),
            "validation": _moment(finding.times.validation),
        },
        "checks": [_check(check) for check in finding.checks],
        "hints": list(finding.hints),
        "timestamps": [_timestamp(one) for one in finding.timestamps],
        "counter_signatures": [_finding(one) for one in finding.counter_signatures],
        "revocation": [_revocation(one) for one in revocations_used(finding.evidence)],
    }


def _attorney(one: AttorneyFinding) -> Json:
    return {
        "place": one.place,
        "sha256": one.sha256,
        "problem": one.unread or None,
        "number": one.number or None,
        "issued": one.issued.isoformat() if one.issued else None,
        "expires": one.expires.isoformat() if one.expires else None,
        "principals": [_party(party) for party in one.principals],
        "signed_by": [_party(party) for party in one.signed_by],
        "representatives": [_party(party) for party in one.representatives],
        "powers": list(one.powers),
        "powers_in_words": one.in_words,
        "indication": one.indication.value,
        "sub_indication": one.sub_indication,
        "checks": [_check(check) for check in one.checks],
        "signatures": [_finding(finding) for finding in one.signatures],
        "registry": {
            "state": one.registry.state,
            "source": one.registry.source or None,
            "revoked_at": _moment(one.registry.revoked_at),
        },
    }


def _party(party: Party) -> Json:
    return {"snils": party.snils, "inn": party.inn, "ogrn": party.ogrn}


def _check(check: Check) -> Json:
    return {"name": check.name, "status": check.status.value, "detail": check.detail}


def _signer(signer: Signer | None) -> JsonValue:
    if signer is None:
        return None
    return {
        "subject": signer.subject,
        "role": signer.role,
        "common_name": signer.common_name,
        "snils": signer.snils,
        "inn": signer.inn,
        "ogrn": signer.ogrn,
        "organization": signer.organization,
        "serial": signer.serial,
        "issuer": signer.issuer,
        "certificate_sha256": signer.certificate_sha256,
    }


def _covered(covered: Covered) -> Json:
    return {
        "sha256": hashlib.sha256(covered.octets).hexdigest(),
        "size": len(covered.octets),
        "scope": covered.scope,
        "covers_enclosing": covered.covers_enclosing,
        "reference": covered.reference,
        "media_type": covered.media_type,
        "canonicalised": bool(covered.received),
    }


def _timestamp(one: TimestampFinding) -> Json:
    return {
        "kind": one.kind,
        "at": _moment(one.at),
        "indication": one.indication.value,
        "sub_indication": one.sub_indication,
        "believed": one.indication is Indication.TOTAL_PASSED,
        "authority": one.authority.subject if one.authority else None,
        "checks": [_check(check) for check in one.checks],
    }


def _revocation(one: RevocationUsed) -> Json:
    return {
        "certificate_sha256": one.certificate_sha256,
        "source": one.source,
        "sha256": one.sha256,
        "this_update": _moment(one.this_update),
        "next_update": _moment(one.next_update),
        "status": one.status,
        "revoked_at": _moment(one.revoked_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
