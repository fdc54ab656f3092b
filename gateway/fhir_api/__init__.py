"""The FHIR R4 face: one interaction one file, errors as OperationOutcome.

Without a token nothing is answered, and a laboratory reads nothing here (semantics, rule 8).
"""

from __future__ import annotations

from flask import Blueprint

from gateway.fhir_api import everything, intake, metadata, read, search_patient

blueprint = Blueprint("fhir", __name__, url_prefix="/fhir")

blueprint.add_url_rule("/metadata", view_func=metadata.metadata)
blueprint.add_url_rule("", view_func=intake.bundle, methods=["POST"])
blueprint.add_url_rule("/$process-message", view_func=intake.process_message, methods=["POST"])
blueprint.add_url_rule("/Patient", view_func=search_patient.by_get)
blueprint.add_url_rule("/Patient/_search", view_func=search_patient.by_post, methods=["POST"])
blueprint.add_url_rule("/Patient/<fhir_id:id>/$everything", view_func=everything.everything)
blueprint.add_url_rule("/<fhir_type:type>/<fhir_id:id>", view_func=read.read)
