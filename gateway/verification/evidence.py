"""What a verdict rests on, gathered so that it can be given again without anybody's help."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from gateway.algorithms.interface import Algorithms
from gateway.algorithms.policy import AlgorithmPolicy
from gateway.qualification import Accreditation
from gateway.trust import Trust, TrustFinding
from gateway.verification.policy import Policy

CERTIFICATE, ANCHOR, CRL, OCSP = "certificate", "anchor", "crl", "ocsp"
ACCREDITATION, RULES = "accreditation", "policy"

Objects = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, kw_only=True)
class KeptAccreditation:
    """What a list of accredited authorities said when the verdict was given."""

    state: str
    source: str = ""
    snapshot_date: date | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """By which rules a verdict was given, whole."""

    policy: Policy
    algorithms: AlgorithmPolicy


def rules_object(rules: Rules) -> tuple[str, bytes]:
    """Return rules as an object of evidence; the same rules give the same octets."""
    return RULES, msgspec.json.encode(rules, order="deterministic")


def kept_rules(objects: Objects) -> Rules | None:
    """Return the rules among objects of evidence; None where none were kept."""
    written = next((blob for kind, blob in objects if kind == RULES), None)
    return None if written is None else msgspec.json.decode(written, type=Rules)


def grounds_of(trust: TrustFinding) -> Objects:
    """Return the evidence of one judgement, with the anchor it ended at named by its digest.

    A chain of one certificate that did not pass has no anchor.
    """
    if len(trust.chain) == 1 and trust.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND":
        return trust.evidence
    return (*trust.evidence, *((ANCHOR, hashlib.sha256(der).digest()) for der in trust.chain[-1:]))


def trust_of(objects: Objects, algorithms: Algorithms) -> Trust:
    """Return a trust in what was trusted then: the anchors named, and what else is there."""
    anchors = {blob for kind, blob in objects if kind == ANCHOR}
    certificates = of_kind(objects, CERTIFICATE)
    return Trust(
        [der for der in certificates if hashlib.sha256(der).digest() in anchors],
        [der for der in certificates if hashlib.sha256(der).digest() not in anchors],
        of_kind(objects, CRL),
        of_kind(objects, OCSP),
        algorithms=algorithms,
    )


def of_kind(objects: Objects, wanted: str) -> list[bytes]:
    """Return the objects of one kind."""
    return [blob for kind, blob in objects if kind == wanted]


def gathered(*evidence: Objects) -> Objects:
    """Return all objects, each once, in order of first use."""
    return tuple(dict.fromkeys(one for objects in evidence for one in objects))


def accreditation_object(
    found: Accreditation, issuer: bytes, issued_at: datetime
) -> tuple[str, bytes]:
    """Return what was said of an issuer on a day as an object of evidence."""
    said = {
        "issuer_sha256": hashlib.sha256(issuer).hexdigest(),
        "at": issued_at.isoformat(),
        "state": found.state,
        "source": found.source,
        "snapshot_date": found.snapshot_date.isoformat() if found.snapshot_date else None,
    }
    return ACCREDITATION, json.dumps(said, sort_keys=True).encode()


def kept_accreditations(objects: Objects) -> dict[tuple[str, str], KeptAccreditation]:
    """Return what was said, by the issuer's digest and the day."""
    found = {}
    for kind, blob in objects:
        if kind == ACCREDITATION:
            said = json.loads(blob)
            day = said["snapshot_date"]
            found[said["issuer_sha256"], said["at"]] = KeptAccreditation(
                state=said["state"],
                source=said["source"],
                snapshot_date=date.fromisoformat(day) if day else None,
            )
    return found
