"""`GET /fhir/Patient/{id}/$everything`: the whole card a clinic has ground to see.

Source: FHIR R4, patient-operation-everything.html.
"""

from __future__ import annotations

from flask import Response

from gateway.door import context
from gateway.fhir_api.bundles import base, searchset
from gateway.fhir_api.ground import reader, see, visible
from gateway.fhir_api.outcome import answer


def everything(id: str) -> Response:
    """Answer with every current resource of a patient, the Patient first."""
    who = reader()
    _, patient = see(who, "fhir.everything", "Patient", id)
    resources = [one for one in context.gateway().store.everything(patient) if visible(who, one)]
    in_order = sorted(resources, key=lambda one: one["resourceType"] != "Patient")
    return answer(searchset(in_order, f"{base()}/Patient/{id}/$everything"))
