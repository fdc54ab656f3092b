"""`GET /fhir/metadata`: what this server can do, no more than it can.

Source: FHIR R4 (4.0.1), capabilitystatement.html.
"""

from __future__ import annotations

from flask import Response

from gateway import __version__
from gateway.fhir_api.bundles import base
from gateway.fhir_api.ground import reader
from gateway.fhir_api.outcome import MEDIA_TYPE, answer
from gateway.model import Json, JsonValue

DATE = "2026-11-21"
"""When this statement last changed."""

TYPES = (
    "DiagnosticReport",
    "DocumentReference",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "ServiceRequest",
    "Specimen",
)
_EVERYTHING = "http://hl7.org/fhir/OperationDefinition/Patient-everything"
_PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def metadata() -> Response:
    reader()
    return answer(capability_statement(base()))


def capability_statement(url: str) -> Json:
    """Return the CapabilityStatement of the server at `url`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE, "json"],
        "software": {"name": "fhir-gateway", "version": __version__},
        "implementation": {"description": "Health-information exchange gateway", "url": url},
        "rest": [
            {
                "mode": "server",
                "security": {
                    "service": [{"coding": [{"system": _SERVICES, "code": "SMART-on-FHIR"}]}],
                    "description": "OAuth 2.0: see /.well-known/smart-configuration.",
                },
                "resource": [_resource(name) for name in TYPES],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [{"name": "process-message", "definition": _PROCESS_MESSAGE}],
            }
        ],
    }


def _resource(name: str) -> JsonValue:
    found: Json = {
        "type": name,
        "interaction": [{"code": "read"}],
        "versioning": "versioned",
    }
    if name == "Patient":
        found["interaction"] = [{"code": "read"}, {"code": "search-type"}]
        found["searchParam"] = [
            {
                "name": "identifier",
                "type": "token",
                "definition": "http://hl7.org/fhir/SearchParameter/Patient-identifier",
            }
        ]
        found["operation"] = [{"name": "everything", "definition": _EVERYTHING}]
    return found
