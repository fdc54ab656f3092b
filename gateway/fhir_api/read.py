"""`GET /fhir/{Type}/{id}`: one current resource.

Source: FHIR R4, http.html#read and #versioning.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from flask import Response, request

from gateway.fhir_api.ground import reader, see
from gateway.fhir_api.outcome import answer
from gateway.model import Json


def read(type: str, id: str) -> Response:
    """Answer with a resource, or 304 when the client has this version already."""
    who = reader()
    resource, _ = see(who, "fhir.read", type, id)
    headers = version_headers(resource)
    etag = headers.get("ETag")
    if etag and etag in [
        one.strip() for one in request.headers.get("If-None-Match", "").split(",")
    ]:
        return Response(status=304, headers=headers)
    return answer(resource, headers=headers)


def version_headers(resource: Json) -> dict[str, str]:
    """Return ETag and Last-Modified as far as the resource's meta tells them."""
    meta = resource.get("meta")
    headers: dict[str, str] = {}
    if isinstance(meta, dict):
        version, updated = meta.get("versionId"), meta.get("lastUpdated")
        if isinstance(version, str):
            headers["ETag"] = f'W/"{version}"'
        if isinstance(updated, str):
            moment = datetime.fromisoformat(updated).astimezone(UTC)
            headers["Last-Modified"] = format_datetime(moment, usegmt=True)
    return headers
