"""`POST /fhir` and `POST /fhir/$process-message`: the same intake in FHIR's words.

A Bundle is kept, not executed: the answer is 202 with where to follow it, as for any
submission (FHIR R4, async.html and messaging.html).
"""

from __future__ import annotations

from flask import Response

from gateway.access import SUBMIT
from gateway.door import context
from gateway.fhir_api.outcome import MEDIA_TYPE, answer
from gateway.model import Json

BUNDLE_TYPES = (MEDIA_TYPE, "application/json")


def bundle() -> Response:
    """Keep a transaction, batch, message, document or collection Bundle."""
    return _keep()


def process_message() -> Response:
    """Keep a message Bundle; its consequences are followed, not waited for."""
    return _keep()


def _keep() -> Response:
    who = context.principal(SUBMIT)
    posted = context.posted(only=BUNDLE_TYPES)
    kept = context.gateway().line.keep(
        who, posted.media_type, posted.parts, idempotency_key=posted.idempotency_key
    )
    place = f"/v1/submissions/{kept.submission}"
    receipt = f"{place}/receipts/{kept.receipt.kind}"
    outcome: Json = {
        "resourceType": "OperationOutcome",
        "id": context.trace_id(),
        "issue": [
            {
                "severity": "information",
                "code": "informational",
                "details": {"text": kept.receipt.number},
                "diagnostics": receipt,
            }
        ],
    }
    headers = {
        "Content-Location": place,
        "Link": f'<{receipt}>; rel="describedby"; type="application/jose"',
    }
    return answer(outcome, 200 if kept.known else 202, headers)
