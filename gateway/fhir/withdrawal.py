"""What a resource becomes when its laboratory takes it back: marked, and without its values.

Source: FHIR R4, status `entered-in-error` of Observation, DiagnosticReport, DocumentReference,
Composition, Media, ImagingStudy and Procedure.
"""

from __future__ import annotations

from gateway.model import Json

ENTERED_IN_ERROR = "entered-in-error"

_COMMON = ("resourceType", "id", "meta", "identifier", "subject")
KEPT: dict[str, tuple[str, ...]] = {
    "Observation": (*_COMMON, "category", "code", "effectiveDateTime", "effectivePeriod"),
    "DiagnosticReport": (
        *_COMMON,
        *("extension", "category", "code", "effectiveDateTime", "effectivePeriod", "issued"),
        *("performer", "result"),
    ),
    "DocumentReference": (*_COMMON, "type", "date"),
    "Composition": (*_COMMON, "type", "date", "author"),
    "Media": _COMMON,
    "ImagingStudy": (*_COMMON, "started"),
    "Procedure": (*_COMMON, "code", "performedDateTime", "performedPeriod"),
}
"""What still says which result was meant; nothing that says what it was."""

_NEEDED: dict[str, Json] = {
    "DocumentReference": {"content": [{"attachment": {"title": ENTERED_IN_ERROR}}]},
    "Composition": {"title": ENTERED_IN_ERROR},
    "Media": {"content": {"title": ENTERED_IN_ERROR}},
}
"""Elements that R4 wants and whose own content would tell what was withdrawn."""


def withdrawn(resource: Json) -> Json | None:
    """Return the withdrawn form of a resource; None for one that states no result."""
    kept = KEPT.get(str(resource["resourceType"]))
    if kept is None:
        return None
    made: Json = {name: resource[name] for name in kept if name in resource}
    return made | {"status": ENTERED_IN_ERROR} | _NEEDED.get(str(resource["resourceType"]), {})
