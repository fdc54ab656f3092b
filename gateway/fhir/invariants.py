"""The invariants of R4 that our types carry, by hand, under the keys of the specification.

Most are conditions on what is present; they are written as JSON Schema and checked together
with the structure (`schemas`).  The rest compare values and are functions (`CHECKS`).
dom-6 (a narrative should be there) is a best practice, not a rule, and is left out; so is
ele-1, which `gateway.fhir.schema` has.  Bundle rules are in `gateway.fhir.bundle`, those of
contained resources and references in `gateway.fhir.structure`.

Source: https://hl7.org/fhir/R4, the Constraints section of each type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.fhir.narrative import broken_rules
from gateway.model import Json, JsonValue

Schema = dict[str, Any]
Check = Callable[[Json], Iterator[str]]
"""Yields the key of each invariant that the value breaks."""

UCUM = "http://unitsofmeasure.org"


def _has(*names: str) -> Schema:
    """One of `names` is there, a primitive perhaps only by its extension."""
    return {"anyOf": [{"required": [twin]} for name in names for twin in (name, "_" + name)]}


def _no(*names: str) -> Schema:
    return {"not": _has(*names)}


def _if(condition: Schema, consequence: Schema) -> Schema:
    return {"anyOf": [{"not": condition}, consequence]}


def _is(name: str, *values: str) -> Schema:
    return {"required": [name], "properties": {name: {"enum": list(values)}}}


def _all(*schemas: Schema) -> Schema:
    return {"allOf": list(schemas)}


def _one(*schemas: Schema) -> Schema:
    return {"oneOf": list(schemas)}


def _items(name: str, schema: Schema) -> Schema:
    return {"properties": {name: {"items": schema}}}


def _choice(stem: str, kinds: str) -> list[str]:
    return [stem + kind for kind in kinds.split()]


_OBSERVATION_VALUES = _choice(
    "value",
    "Quantity CodeableConcept String Boolean Integer Range Ratio SampledData Time DateTime Period",
)
_ABATEMENTS = _choice("abatement", "DateTime Age Period Range String")
_CODE_WITH_VALUE = _if(_has("value"), _has("code"))
_SYSTEM_UCUM = _if(_has("system"), _is("system", UCUM))
_POSITIVE = {"properties": {"value": {"exclusiveMinimum": 0}}}
_QTY_3 = ("qty-3", _if(_has("code"), _has("system")))


def _coded(name: str, system: str, *codes: str) -> Schema:
    """A coding of `system` with one of `codes` stands in CodeableConcept `name`."""
    coding = _all(_is("system", system), _is("code", *codes))
    return {
        "required": [name],
        "properties": {
            name: {"required": ["coding"], "properties": {"coding": {"contains": coding}}}
        },
    }


_STATUS = "http://terminology.hl7.org/CodeSystem/condition-"
_CONDITION_WRONG = _coded("verificationStatus", _STATUS + "ver-status", "entered-in-error")
_CONDITION_OVER = _coded(
    "clinicalStatus", _STATUS + "clinical", "resolved", "remission", "inactive"
)

_SCHEMAS: dict[str, tuple[tuple[str, Schema], ...]] = {
    "Age": (
        ("age-1", _all(_CODE_WITH_VALUE, _SYSTEM_UCUM, _POSITIVE)),
        _QTY_3,
    ),
    "Attachment": (("att-1", _if(_has("data"), _has("contentType"))),),
    "AuditEvent.entity": (("sev-1", {"not": _all(_has("name"), _has("query"))}),),
    "CapabilityStatement": (
        ("cpb-1", _has("rest", "messaging", "document")),
        ("cpb-2", _has("description", "software", "implementation")),
        (
            "cpb-3",
            _if(_is("kind", "capability", "requirements"), _items("messaging", _no("endpoint"))),
        ),
        ("cpb-14", _if(_is("kind", "instance"), _has("implementation"))),
        (
            "cpb-15",
            _if(_is("kind", "capability"), _all(_no("implementation"), _has("software"))),
        ),
        ("cpb-16", _if(_is("kind", "requirements"), _no("implementation", "software"))),
    ),
    "Composition.section": (
        ("cmp-1", _has("text", "entry", "section")),
        ("cmp-2", _if(_has("emptyReason"), _no("entry"))),
    ),
    "Condition": (
        ("con-4", _if(_has(*_ABATEMENTS), _CONDITION_OVER)),
        ("con-5", _if(_CONDITION_WRONG, _no("clinicalStatus"))),
    ),
    "Condition.evidence": (("con-2", _has("code", "detail")),),
    "Condition.stage": (("con-1", _has("summary", "assessment")),),
    "Consent": (
        ("ppc-1", _has("policy", "policyRule")),
        # The published expressions name the placeholder system 'something' and so never fire.
        *(
            (key, _if(_coded("scope", "something", code), _has("patient")))
            for key, code in (
                ("ppc-2", "patient-privacy"),
                ("ppc-3", "research"),
                ("ppc-4", "adr"),
                ("ppc-5", "treatment"),
            )
        ),
    ),
    "ContactPoint": (("cpt-2", _if(_has("value"), _has("system"))),),
    "Count": (
        ("cnt-3", _all(_CODE_WITH_VALUE, _SYSTEM_UCUM, _if(_has("code"), _is("code", "1")))),
        _QTY_3,
    ),
    "DataRequirement.codeFilter": (("drq-1", _one(_has("path"), _has("searchParam"))),),
    "DataRequirement.dateFilter": (("drq-2", _one(_has("path"), _has("searchParam"))),),
    "Distance": (("dis-1", _all(_CODE_WITH_VALUE, _SYSTEM_UCUM)), _QTY_3),
    "Duration": (
        ("drt-1", _if(_has("code"), _all(_is("system", UCUM), _has("value")))),
        _QTY_3,
    ),
    "Expression": (("exp-1", _has("expression", "reference")),),
    "Immunization.education": (("imm-1", _has("documentType", "reference")),),
    "Observation": (("obs-6", _if(_has("dataAbsentReason"), _no(*_OBSERVATION_VALUES))),),
    "Observation.referenceRange": (("obs-3", _has("low", "high", "text")),),
    "Organization": (
        ("org-1", _has("identifier", "name")),
        ("org-2", _items("address", {"not": _is("use", "home")})),
        ("org-3", _items("telecom", {"not": _is("use", "home")})),
    ),
    "Patient.contact": (("pat-1", _has("name", "telecom", "address", "organization")),),
    "Quantity": (_QTY_3,),
    "SimpleQuantity": (_QTY_3,),
    "Ratio": (
        (
            "rat-1",
            _all(
                _if(_has("numerator"), _has("denominator")),
                _if(_has("denominator"), _has("numerator")),
                _has("numerator", "extension"),
            ),
        ),
    ),
    "ServiceRequest": (("prr-1", _if(_has("orderDetail"), _has("code"))),),
    "Timing.repeat": (
        ("tim-1", _if(_has("duration"), _has("durationUnit"))),
        ("tim-2", _if(_has("period"), _has("periodUnit"))),
        ("tim-4", {"properties": {"duration": {"minimum": 0}}}),
        ("tim-5", {"properties": {"period": {"minimum": 0}}}),
        ("tim-6", _if(_has("periodMax"), _has("period"))),
        ("tim-7", _if(_has("durationMax"), _has("duration"))),
        ("tim-8", _if(_has("countMax"), _has("count"))),
        (
            "tim-9",
            _if(
                _has("offset"),
                _all(_has("when"), _items("when", {"not": {"enum": ["C", "CM", "CD", "CV"]}})),
            ),
        ),
        ("tim-10", {"not": _all(_has("timeOfDay"), _has("when"))}),
    ),
    "TriggerDefinition": (
        (
            "trd-1",
            {
                "not": _all(
                    _has("data"),
                    {
                        "anyOf": [
                            _has(n) for n in _choice("timing", "Timing Reference Date DateTime")
                        ]
                    },
                )
            },
        ),
        ("trd-2", _if(_has("condition"), _has("data"))),
    ),
}


def schemas(type_name: str) -> tuple[tuple[str, Schema], ...]:
    """Return the invariants of a type that are conditions on presence: (key, JSON Schema)."""
    return _SCHEMAS.get(type_name, ())


# --- invariants that compare values ----------------------------------------------------


def _period(node: Json) -> Iterator[str]:
    if later(node.get("start"), node.get("end")):
        yield "per-1"


def _range(node: Json) -> Iterator[str]:
    low, high = node.get("low"), node.get("high")
    if not isinstance(low, dict) or not isinstance(high, dict):
        return
    if any(low.get(name) != high.get(name) for name in ("system", "code", "unit")):
        return  # 1 g and 500 mg: not comparable without a unit table, and FHIRPath agrees
    least, most = low.get("value"), high.get("value")
    if isinstance(least, int | Decimal) and isinstance(most, int | Decimal) and least > most:
        yield "rng-2"


def _narrative(node: Json) -> Iterator[str]:
    markup = node.get("div")
    if isinstance(markup, str):
        yield from broken_rules(markup)


def _extension(node: Json) -> Iterator[str]:
    if ("extension" in node) == any(name.startswith(("value", "_value")) for name in node):
        yield "ext-1"


def _count(node: Json) -> Iterator[str]:
    if isinstance(node.get("value"), Decimal):
        yield "cnt-3"


def _observation(node: Json) -> Iterator[str]:
    components = node.get("component")
    if not components or not any(name in node for name in _OBSERVATION_VALUES):
        return
    own = _codings(node.get("code"))
    assert isinstance(components, list)
    if any(own & _codings(item.get("code")) for item in components if isinstance(item, dict)):
        yield "obs-7"


def _task(node: Json) -> Iterator[str]:
    if later(node.get("authoredOn"), node.get("lastModified")):
        yield "inv-1"


def _parameter(node: Json) -> Iterator[str]:
    given = [name for name in node if name in ("part", "resource") or name.startswith("value")]
    if len(given) != 1 and not any(name.startswith("_value") for name in node):
        yield "inv-1"


def _capability(node: Json) -> Iterator[str]:
    if _doubled(node.get("document"), "profile", "mode"):
        yield "cpb-7"


def _capability_rest(node: Json) -> Iterator[str]:
    if _doubled(node.get("resource"), "type"):
        yield "cpb-9"


def _capability_resource(node: Json) -> Iterator[str]:
    if _doubled(node.get("searchParam"), "name"):
        yield "cpb-12"


CHECKS: dict[str, Check] = {
    "CapabilityStatement": _capability,
    "CapabilityStatement.rest": _capability_rest,
    "CapabilityStatement.rest.resource": _capability_resource,
    "Count": _count,
    "Extension": _extension,
    "Narrative": _narrative,
    "Observation": _observation,
    "Parameters.parameter": _parameter,
    "Period": _period,
    "Range": _range,
    "Task": _task,
}


def later(first: JsonValue, second: JsonValue) -> bool:
    """Say whether date or dateTime `first` certainly lies after `second`.

    Values of different precision decide nothing, as in FHIRPath.
    """
    if not isinstance(first, str) or not isinstance(second, str):
        return False
    if "T" in first and "T" in second:
        return _instant(first) > _instant(second)
    return len(first) == len(second) and first > second


def _instant(text: str) -> datetime:
    # A leap second (:60) is no time to `datetime`; the second before it orders the same.
    head, rest = text[:17], text[17:].replace("60", "59", 1) if text[17:19] == "60" else text[17:]
    whole, point, fraction = rest.partition(".")
    if point:
        digits = len(fraction) - len(fraction.lstrip("0123456789"))
        rest = f"{whole}.{fraction[: min(digits, 6)].ljust(6, '0')}{fraction[digits:]}"
    return datetime.fromisoformat(head + rest)


def _codings(concept: JsonValue) -> set[tuple[JsonValue, JsonValue]]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return {
        (coding.get("system"), coding.get("code"))
        for coding in (codings if isinstance(codings, list) else ())
        if isinstance(coding, dict) and coding.get("code")
    }


def _doubled(items: JsonValue, *names: str) -> bool:
    keys = [
        tuple(str(item.get(name)) for name in names)
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict)
    ]
    return len(keys) != len(set(keys))
