"""Labels of confidentiality: a restricted report restricts everything that tells of it.

Source: HL7 v3 Confidentiality; FHIR R4, security-labels.html.
"""

from __future__ import annotations

from gateway.mapping.work import Work
from gateway.model import Json, JsonValue

SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
RESTRICTED = ("R", "V")
PUBLIC = ("Patient", "Organization", "Practitioner", "PractitionerRole", "Location", "Device")
"""Types that tell nothing of what was tested."""


def label_of(resource: Json) -> str | None:
    """Return the strictest restriction a resource carries; None when it carries none."""
    meta = resource.get("meta")
    security = meta.get("security") if isinstance(meta, dict) else None
    codes = [
        str(one.get("code"))
        for one in (security if isinstance(security, list) else [])
        if isinstance(one, dict) and one.get("system") == SYSTEM
    ]
    return max((code for code in codes if code in RESTRICTED), default=None)


def spread(work: Work) -> None:
    """Give every telling resource of the document the strictest restriction of any."""
    strictest = max((one for one in map(label_of, work.resources) if one), default=None)
    if strictest is None:
        return
    for resource in work.resources:
        if resource["resourceType"] in PUBLIC:
            continue
        meta = resource.setdefault("meta", {})
        assert isinstance(meta, dict)
        security = meta.get("security")
        others: list[JsonValue] = [
            one
            for one in (security if isinstance(security, list) else [])
            if not (isinstance(one, dict) and one.get("system") == SYSTEM)
        ]
        meta["security"] = [*others, {"system": SYSTEM, "code": strictest}]
