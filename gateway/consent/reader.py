"""A FHIR Consent, read into the sentences that decisions are made on.

What cannot be carried out exactly is refused and not guessed at: a condition the gateway does
not evaluate (a class, a label, a data period) would open or close more than the patient said.
A root rule holds for all results of its recipients unless it names tests; a nested rule is an
exception to it and stands after it, with the root's recipients, purposes and period unless it
has its own.

Source: HL7 FHIR R4, consent.html; HL7 v3 ActReason for purposes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from gateway.consent.decision import ANY, TREATMENT
from gateway.errors import Rejected
from gateway.fhir import structure
from gateway.fhir.search import date_range
from gateway.model import Identifier, Json, JsonValue, Problem, Provision

CODE = "CON-305"
PROVISIONS_MAX = 200
NOT_RECIPIENTS = frozenset({"CST", "AUT", "CONSENTER", "GRANTOR", "DPOWATT"})
"""Roles of an actor that give the consent or keep it."""

OPEN = frozenset({"OPTIN", "OPTINR"})
CLOSED = frozenset({"OPTOUT", "OPTOUTE"})
UNEVALUATED = ("action", "securityLabel", "class", "dataPeriod", "data")
SENDING = frozenset({"access", "use", "disclose"})
"""Actions that sending a result is part of; a rule about these alone is about sending."""

Normalise = Callable[[str, str, str], Identifier | Problem]
"""`patients.identifiers.normalise`: system, value, place."""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Organisations a consent may name, and how their identifiers are spelled."""

    ids: frozenset[str]
    by_identifier: Mapping[tuple[str, str], str]
    """(canonical system, value) → organisation id."""

    normalise: Normalise


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a Consent says."""

    resource: Json
    patient: tuple[Identifier, ...]
    """Identifiers it names its patient by; empty when only a reference does."""

    patient_reference: str
    provisions: tuple[Provision, ...]
    rejected: bool


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """The conditions in force at one place of the tree."""

    deny: bool
    recipients: tuple[str, ...]
    purposes: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime | None
    tests: tuple[str, ...] = ()


def read(resource: Json, directory: Directory, at: datetime) -> Reading:
    """Return what a FHIR Consent says; `at` is when it came.

    Raises Rejected: FMT-3xx for the structure, CON-305 for what cannot be carried out,
    PAT-101 for a broken identifier of the patient.
    """
    if resource.get("resourceType") != "Consent":
        raise _cannot("/resourceType", "?", "Consent")
    if problems := structure.problems(resource):
        raise Rejected(*problems)
    status = str(resource["status"])
    if status not in ("active", "rejected"):
        raise _cannot("/status", status, "active, rejected")
    patient = _object(resource.get("patient"))
    reference = str(patient.get("reference") or "")
    identifiers = tuple(_patient(resource, patient, reference, directory.normalise))
    if not identifiers and not reference:
        raise _cannot("/patient", "", "identifier")
    rejected = status == "rejected"
    provisions = tuple(_provisions(resource, directory, at, rejected))
    if not 0 < len(provisions) <= PROVISIONS_MAX:
        raise _cannot("/provision", str(len(provisions)), f"1–{PROVISIONS_MAX}")
    return Reading(
        resource=resource,
        patient=identifiers,
        patient_reference=reference,
        provisions=provisions,
        rejected=rejected,
    )


def named(resource: Json, normalise: Normalise) -> tuple[Identifier, ...]:
    """Return the identifiers a Consent names its patient by, whatever else it says.

    Raises Rejected (PAT-101) for a broken one.
    """
    patient = _object(resource.get("patient"))
    return tuple(_patient(resource, patient, str(patient.get("reference") or ""), normalise))


def _patient(
    resource: Json, patient: Json, reference: str, normalise: Normalise
) -> Iterator[Identifier]:
    listed = [(patient.get("identifier"), "/patient/identifier")]
    for place, contained in enumerate(_items(resource.get("contained"))):
        if contained.get("resourceType") == "Patient" and reference == f"#{contained.get('id')}":
            listed += [
                (one, f"/contained/{place}/identifier/{number}")
                for number, one in enumerate(_items(contained.get("identifier")))
            ]
    for one, where in listed:
        identifier = _object(one)
        if "value" in identifier:
            found = normalise(str(identifier.get("system", "")), str(identifier["value"]), where)
            if isinstance(found, Problem):
                raise Rejected(found)
            yield found


def _provisions(
    resource: Json, directory: Directory, at: datetime, rejected: bool
) -> Iterator[Provision]:
    root = _object(resource.get("provision"))
    nested = _items(root.get("provision"))
    deny = _base(resource, root, rejected, bool(nested))
    said = _range(resource.get("dateTime"))
    base = _Rule(
        deny=bool(deny),
        recipients=(),
        purposes=(),
        valid_from=said[0] if said else at,
        valid_to=None,
    )
    rule = _narrowed(base, root, "/provision", directory)
    if deny is not None:
        yield from _said(rule, "/provision")
    yield from _exceptions(rule, nested, "/provision", directory)


def _base(resource: Json, root: Json, rejected: bool, has_exceptions: bool) -> bool | None:
    """Return whether the root closes; None when only its exceptions speak.

    R4 leaves the root's type to the policy rule; many write it all the same.
    """
    if rejected:
        return True
    if root.get("type") is not None:
        return root["type"] == "deny"
    codes = {
        str(coding.get("code"))
        for coding in _items(_object(resource.get("policyRule")).get("coding"))
    }
    if codes & CLOSED:
        return True
    return False if codes & OPEN or not has_exceptions else None


def _exceptions(
    parent: _Rule, nested: list[Json], place: str, directory: Directory
) -> Iterator[Provision]:
    for number, one in enumerate(nested):
        where = f"{place}/provision/{number}"
        if one.get("type") not in ("permit", "deny"):
            raise _cannot(f"{where}/type", str(one.get("type") or ""), "permit, deny")
        rule = _narrowed(replace(parent, deny=one["type"] == "deny"), one, where, directory)
        yield from _said(rule, where)
        yield from _exceptions(rule, _items(one.get("provision")), where, directory)


def _narrowed(rule: _Rule, provision: Json, place: str, directory: Directory) -> _Rule:
    """Return the rule with the conditions of `provision` in place of the parent's."""
    for name in UNEVALUATED:
        if name in provision and not (name == "action" and _is_sending(provision[name])):
            raise _cannot(f"{place}/{name}", name, "actor, code, purpose, period")
    period = _object(provision.get("period"))
    start, end = _range(period.get("start")), _range(period.get("end"))
    ends = [one for one in (rule.valid_to, end[1] if end else None) if one is not None]
    return replace(
        rule,
        recipients=_recipients(provision, place, directory) or rule.recipients,
        purposes=tuple(str(one.get("code")) for one in _items(provision.get("purpose")))
        or rule.purposes,
        tests=_tests(provision, place) or rule.tests,
        valid_from=max(rule.valid_from, start[0])
        if start and place != "/provision"
        else start[0]
        if start
        else rule.valid_from,
        valid_to=min(ends, default=None),
    )


def _said(rule: _Rule, place: str) -> Iterator[Provision]:
    if not rule.recipients and not rule.deny:
        raise _cannot(f"{place}/actor", "", "actor.reference")
    for recipient in rule.recipients or (ANY,):
        for purpose in rule.purposes or ((ANY,) if rule.deny else (TREATMENT,)):
            yield Provision(
                recipient=recipient,
                purpose=purpose,
                deny=rule.deny,
                tests=rule.tests,
                valid_from=rule.valid_from,
                valid_to=rule.valid_to,
            )


def _recipients(provision: Json, place: str, directory: Directory) -> tuple[str, ...]:
    found = []
    for number, actor in enumerate(_items(provision.get("actor"))):
        roles = {str(one.get("code")) for one in _items(_object(actor.get("role")).get("coding"))}
        if roles & NOT_RECIPIENTS:
            continue
        where = f"{place}/actor/{number}/reference"
        found.append(_organization(_object(actor.get("reference")), where, directory))
    return tuple(dict.fromkeys(found))


def _organization(reference: Json, place: str, directory: Directory) -> str:
    kind, _, id = str(reference.get("reference") or "").rpartition("/")
    if kind == "Organization" and id in directory.ids:
        return id
    identifier = _object(reference.get("identifier"))
    if "value" in identifier:
        found = directory.normalise(
            str(identifier.get("system", "")), str(identifier["value"]), place
        )
        if isinstance(found, Identifier):
            known = directory.by_identifier.get((found.system, found.value))
            if known is not None:
                return known
    # What was found is the sender's text and is not said back.
    raise _cannot(place, "?", "Organization")


def _tests(provision: Json, place: str) -> tuple[str, ...]:
    found = []
    for number, concept in enumerate(_items(provision.get("code"))):
        codings = _items(concept.get("coding"))
        codes = [
            f"{one['system']}|{one['code']}" for one in codings if {"system", "code"} <= {*one}
        ]
        if not codes:
            raise _cannot(f"{place}/code/{number}", "text", "coding.system, coding.code")
        found += codes
    return tuple(dict.fromkeys(found))


def _is_sending(actions: JsonValue) -> bool:
    codes = {
        str(coding.get("code")) for one in _items(actions) for coding in _items(one.get("coding"))
    }
    return bool(codes) and codes <= SENDING


def _range(value: JsonValue) -> tuple[datetime, datetime] | None:
    return date_range(value) if isinstance(value, str) else None


def _object(value: JsonValue) -> Json:
    return value if isinstance(value, dict) else {}


def _items(value: JsonValue) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []


def _cannot(place: str, found: str, expected: str) -> Rejected:
    return Rejected(Problem(code=CODE, place=place, detail={"found": found, "expected": expected}))
