"""What is kept about a document itself: where the original is, and where all of it came from.

DocumentReference names the original by digest and size (its bytes stay in the vault);
Provenance says who answers for the resources, with the signatures and our assurance.

Source: FHIR R4 DocumentReference, Provenance, Signature; ASTM E1762 for signature types.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime

from gateway.mapping.work import Work
from gateway.model import Json, JsonValue, SignatureFinding, Signer

DIGEST = "urn:gateway:sha256"
SUBMISSION = "urn:gateway:submission"
MAPPING = "urn:gateway:mapping"
_SNILS = "urn:oid:1.2.643.100.3"
_OGRN = "urn:oid:1.2.643.100.1"
_AUTHORSHIP: Json = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.1",
    "display": "Author's Signature",
}
_BESIDE = re.compile(r"signature\[(\d{1,4})\]")
"""Place of a signature that came beside the document; forms report them in an order of theirs."""

_FORMATS = {
    "CMS": "application/pkcs7-signature",
    "CAdES": "application/pkcs7-signature",
    "XMLDSig": "application/signature+xml",
    "XAdES": "application/signature+xml",
    "JWS": "application/jose",
    "JAdES": "application/jose",
}


def document_reference(work: Work) -> Json:
    """Return the resource that names the original."""
    original = work.context.original
    reference: Json = {
        "resourceType": "DocumentReference",
        "id": work.new_id("DocumentReference", f"original\x1f{work.context.document}"),
        "identifier": [
            {"system": DIGEST, "value": original.sha256},
            {"system": SUBMISSION, "value": work.context.submission},
        ],
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
        "subject": work.patient_reference(),
        "date": instant(work.context.kept_at),
        "content": [
            {"attachment": {"contentType": original.media_type, "size": original.size}},
        ],
    }
    reports = _references(work, "DiagnosticReport")
    if reports:
        reference["context"] = {"related": reports}
    return reference


def provenance(work: Work, original: Json) -> Json:
    """Return where the resources of the document in hand came from."""
    context = work.context
    made: Json = {
        "resourceType": "Provenance",
        "id": work.new_id("Provenance", f"mapped\x1f{context.document}"),
        "target": [_reference_to(resource) for resource in work.resources],
        "recorded": instant(context.kept_at),
        "policy": [f"{MAPPING}:{work.mapping.title}"],
        "agent": _agents(work),
        "entity": [{"role": "source", "what": _reference_to(original)}],
    }
    signatures = [_signature(work, finding) for finding in context.signatures]
    if signatures:
        made["signature"] = list(signatures)
    return made


def instant(moment: datetime) -> str:
    """Return a FHIR instant in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _agents(work: Work) -> list[JsonValue]:
    """Return the doctor who answers for the report and the organisation that sent it."""
    agents: list[JsonValue] = []
    for resource_type, role in (("Practitioner", "author"), ("Organization", "custodian")):
        who = _of_claim(work, resource_type)
        if who is not None:
            agents.append({"type": _participant(role), "who": who})
    if not agents:
        who = {
            "identifier": {"system": "urn:gateway:organization", "value": work.context.organization}
        }
        agents.append({"type": _participant("custodian"), "who": who})
    return agents


def _participant(role: str) -> Json:
    system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    return {"coding": [{"system": system, "code": role}]}


def _of_claim(work: Work, resource_type: str) -> Json | None:
    """Return the reference to the author, or the performer, as the facts name them."""
    report = work.facts.report
    claimed = report.authors if resource_type == "Practitioner" else report.performer
    for identifier in claimed:
        if found := _with_identifier(work, resource_type, identifier.system, identifier.value):
            return found
        return {"identifier": {"system": identifier.system, "value": identifier.value}}
    return None


def _with_identifier(work: Work, resource_type: str, system: str, value: str) -> Json | None:
    for resource in work.resources:
        if resource["resourceType"] != resource_type:
            continue
        entries = resource.get("identifier")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and (entry.get("system"), entry.get("value")) == (
                system,
                value,
            ):
                return _reference_to(resource)
    return None


def _signature(work: Work, finding: SignatureFinding) -> Json:
    when = finding.times.claimed or finding.times.best or finding.times.validation
    signature: Json = {
        "type": [_AUTHORSHIP],
        "when": instant(when),
        "who": _signer(work, finding.signer),
        "targetFormat": work.context.original.media_type,
        "sigFormat": _FORMATS.get(finding.format, "application/octet-stream"),
    }
    # An embedded signature has no bytes of its own: it is in the original, which is the entity.
    beside = _BESIDE.match(finding.place)
    parts = work.context.signature_parts
    if beside and int(beside[1]) < len(parts):
        signature["data"] = base64.b64encode(parts[int(beside[1])].body).decode("ascii")
    return signature


def _signer(work: Work, signer: Signer | None) -> Json:
    if signer is None:
        return {"display": "не определён"}
    for resource_type, system, value in (
        ("Practitioner", _SNILS, signer.snils),
        ("Organization", _OGRN, signer.ogrn),
    ):
        if value is None:
            continue
        found = _with_identifier(work, resource_type, system, value)
        if found is not None:
            return found
        return {"type": resource_type, "identifier": {"system": system, "value": value}}
    return {"display": signer.common_name or signer.subject or "не определён"}


def _references(work: Work, resource_type: str) -> list[JsonValue]:
    return [_reference_to(r) for r in work.resources if r["resourceType"] == resource_type]


def _reference_to(resource: Json) -> Json:
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}
