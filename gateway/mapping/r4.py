"""What a FHIR R4 bundle says of its patient and of itself: the places are the standard's.

Source: https://hl7.org/fhir/R4/diagnosticreport.html and servicerequest.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

from gateway.errors import NeedsOperator, Rejected
from gateway.fhir.nodes import JsonNode
from gateway.mapping import times
from gateway.mapping.build import scoped
from gateway.mapping.definition import Mapping
from gateway.mapping.work import organization_key
from gateway.model import (
    Document,
    Facts,
    Identifier,
    PatientClaim,
    PersonName,
    Problem,
    ReportClaim,
)

REPORT_VERSION = "urn:gateway:report-version"
"""Extension of a DiagnosticReport: its version in the laboratory."""

ANONYMOUS = "ANONYED"
"""Security label (HL7 v3 ObservationValue) of an anonymous test, on the report or its subject."""

VERSION_DIGITS_MAX = 6

_TYPES = {"TAX": "inn", "PPN": "passport"}
"""v2-0203 types that name a kind of identifier when the sender gives no system."""


def root_of(document: Document) -> JsonNode:
    """Return the bundle of a FHIR document."""
    root = document.root
    assert isinstance(root, JsonNode), document.format
    return root


def facts(mapping: Mapping, document: Document, warnings: list[Problem]) -> Facts:
    """Read who and what a bundle is about.  Raises Rejected, NeedsOperator."""
    root = root_of(document)
    report = root.each("DiagnosticReport")[0]
    performer = _identifiers(mapping, _performers(root, report), warnings)
    scope = organization_key(performer)
    claim = _report(mapping, root, report, performer, warnings)
    if _anonymous(root, report):
        nobody = PatientClaim(
            identifiers=(), name=None, birth_date=None, sex=None, place=report.place
        )
        return Facts(patient=nobody, report=replace(claim, anonymous=True))
    return Facts(patient=_patient(mapping, root, report, scope, warnings), report=claim)


def _anonymous(root: JsonNode, report: JsonNode) -> bool:
    """Say whether the sender labels the test anonymous: a name left out may be a mistake."""
    subject = subject_node(root, report)
    labels = [
        code.value
        for node in (report, *((subject,) if subject else ()))
        for code in node.each("meta/security/*/code")
    ]
    return ANONYMOUS in labels


def subject_node(root: JsonNode, report: JsonNode) -> JsonNode | None:
    """Return what the bundle says of the report's patient: a Patient, or the reference alone."""
    reference = report.select("subject/reference")
    found = report.resolve(reference) if isinstance(reference, str) else None
    if found is not None and found.select("resourceType") == "Patient":
        return found
    patients = root.each("Patient")
    if patients and not isinstance(reference, str):
        return patients[0]
    subject = report.each("subject")
    return subject[0] if subject else None


def _patient(
    mapping: Mapping, root: JsonNode, report: JsonNode, scope: str, warnings: list[Problem]
) -> PatientClaim:
    node = subject_node(root, report)
    if node is None:
        return PatientClaim(
            identifiers=(), name=None, birth_date=None, sex=None, place=report.place
        )
    identifiers = _identifiers(mapping, iter((node,)), warnings, mapping.check_digits, scope)
    return PatientClaim(
        identifiers=identifiers,
        name=_name(node),
        birth_date=_birth_date(node),
        sex=_text(node, "gender"),
        place=node.place,
    )


def _birth_date(node: JsonNode) -> date | None:
    """Return a date; a year or a month alone agrees with nothing and differs from nothing."""
    value = node.select("birthDate")
    if not isinstance(value, str) or len(value) < len("2026-01-01"):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise Rejected(Problem(code="MAP-114", place=f"{node.place}/birthDate")) from error


def _name(node: JsonNode) -> PersonName | None:
    names = node.each("name")
    if not names:
        return None
    uses = [name.select("use") for name in names]
    name = names[uses.index("official") if "official" in uses else 0]
    given = [part for item in name.each("given") if isinstance(part := item.value, str)]
    return PersonName(
        family=_text(name, "family") or "",
        given=given[0] if given else "",
        patronymic=" ".join(given[1:]),
    )


def _report(
    mapping: Mapping,
    root: JsonNode,
    report: JsonNode,
    performer: tuple[Identifier, ...],
    warnings: list[Problem],
) -> ReportClaim:
    orders = list(_followed(report, "basedOn", ("ServiceRequest",)))
    return ReportClaim(
        performer=performer,
        number=report_number(root, report),
        version=_version(report),
        status=_text(report, "status") or "",
        issued=_issued(mapping, report),
        order_number=next((n for order in orders if (n := order_number(order))), None),
        ordering=_identifiers(mapping, _ordering(orders), warnings),
        authors=_identifiers(mapping, _authors(root, report), warnings),
        signatories=tuple(_signatories(mapping, root, report)),
    )


def report_number(root: JsonNode, report: JsonNode) -> str:
    """Return the laboratory's number of a report, else what comes nearest to one.

    A report without any identifier is known by the bundle's, by its own id or by its fullUrl;
    the identifier of a batch is that of many reports.
    """
    around = "identifier/value" if root.select("type") != "batch" else "."
    for node, path in (
        (report, "identifier/*/value"),
        (root, around),
        (report, "id"),
    ):
        if number := _text(node, path):
            return number
    return report.full_url or report.place


def order_number(order: JsonNode) -> str | None:
    """Return the number of an order: the placer's identifier, else any, else the requisition."""
    identifiers = order.each("identifier")
    for identifier in identifiers:
        if identifier.select("type/coding/*/code") == "PLAC":
            return _text(identifier, "value")
    if identifiers:
        return _text(identifiers[0], "value")
    return _text(order, "requisition/value")


def _version(report: JsonNode) -> int | None:
    for extension in report.each("extension"):
        if extension.select("url") == REPORT_VERSION:
            for kind in ("valueString", "valueInteger", "valuePositiveInt"):
                text = str(extension.select(kind) or "")
                if text.isascii() and text.isdigit() and len(text) <= VERSION_DIGITS_MAX:
                    return int(text)
    return None


def _issued(mapping: Mapping, report: JsonNode) -> datetime | date | None:
    for path in ("issued", "effectiveDateTime"):
        if text := _text(report, path):
            if len(text) < 10:
                continue
            try:
                return times.instant(text, mapping.zone)
            except times.NoZone as error:
                place = f"{report.place}/{path}"
                raise NeedsOperator(Problem(code="MAP-113", place=place)) from error
            except times.NotATime as error:
                place = f"{report.place}/{path}"
                raise Rejected(Problem(code="MAP-114", place=place)) from error
    return None


def _performers(root: JsonNode, report: JsonNode) -> Iterator[JsonNode]:
    """Yield the performing organisation: of the report, else of the document around it."""
    for path in ("performer", "resultsInterpreter"):
        yield from _organizations(report, path)
    for composition in root.each("Composition"):
        yield from _organizations(composition, "custodian")
    for header in root.each("MessageHeader"):
        yield from _organizations(header, "sender")
        yield from _organizations(header, "responsible")
    for observation in root.each("Observation"):
        yield from _organizations(observation, "performer")


def _organizations(node: JsonNode, path: str) -> Iterator[JsonNode]:
    yield from _followed(node, path, ("Organization",))
    for role in _followed(node, path, ("PractitionerRole",)):
        yield from _followed(role, "organization", ("Organization",))


def _ordering(orders: list[JsonNode]) -> Iterator[JsonNode]:
    for order in orders:
        if order.select("resourceType") == "ServiceRequest":
            yield from _organizations(order, "requester")
            yield from _followed(order, "identifier/*/assigner", ("Organization",))


def _signatories(mapping: Mapping, root: JsonNode, report: JsonNode) -> Iterator[Identifier]:
    """Yield the identifiers of every author; what is wrong with them was said of the first."""
    for node in _authors(root, report):
        yield from _identifiers(mapping, iter((node,)), [])


def _authors(root: JsonNode, report: JsonNode) -> Iterator[JsonNode]:
    places = [(report, "performer"), (report, "resultsInterpreter")]
    for composition in root.each("Composition"):
        places += [(composition, "attester/*/party"), (composition, "author")]
    for node, path in places:
        yield from _followed(node, path, ("Practitioner",))
        for role in _followed(node, path, ("PractitionerRole",)):
            yield from _followed(role, "practitioner", ("Practitioner",))


def _followed(node: JsonNode, path: str, types: tuple[str, ...]) -> Iterator[JsonNode]:
    """Yield what the references at `path` point to; a reference by identifier is its own node."""
    for reference in node.each(path):
        literal = reference.select("reference")
        target = node.resolve(literal) if isinstance(literal, str) else None
        if target is not None:
            if target.select("resourceType") in types:
                yield target
        elif reference.select("type") in (None, *types) and reference.each("identifier"):
            yield reference


def _identifiers(
    mapping: Mapping,
    nodes: Iterator[JsonNode],
    warnings: list[Problem],
    weight: str = "warning",
    scope: str = "",
) -> tuple[Identifier, ...]:
    """Return the canonical identifiers of the first of `nodes` that has any.

    For the patient (`scope` given) every identifier counts: one of a system that is not known
    to everybody is a card number of the performing organisation.
    """
    for node in nodes:
        found = [
            identifier
            for item in node.each("identifier")
            if (identifier := _identifier(mapping, item, warnings, weight, scope)) is not None
        ]
        if found:
            return tuple(found)
    return ()


def _identifier(
    mapping: Mapping, item: JsonNode, warnings: list[Problem], weight: str, scope: str
) -> Identifier | None:
    value, system = _text(item, "value"), identifier_system(item)
    if value is None or not system:
        return None
    place = f"{item.place}/value"
    read = mapping.identifiers.normalise(system, value, place)
    if isinstance(read, Problem):
        if weight == "error":
            raise Rejected(read)
        warnings.append(Problem(code=read.code, place=place, detail=read.detail, warning=True))
        return None
    problem = mapping.identifiers.check(read, weight)
    if problem is not None:
        if not problem.warning:
            raise Rejected(problem)
        warnings.append(problem)
    if mapping.identifiers.canonical_system(system) is None and scope:
        card = f"{read.system}|{read.value}"
        read = Identifier(system=mapping.identifiers.MIS, value=card, place=place)
    return scoped(mapping, read, scope)


def identifier_system(item: JsonNode) -> str:
    """Return the system of an Identifier; without one, what its type says (v2-0203)."""
    system = _text(item, "system")
    if system:
        return system
    code, value = item.select("type/coding/*/code"), _text(item, "value") or ""
    if code == "SB":
        return "enp" if sum(map(str.isdigit, value)) == 16 else "snils"
    return _TYPES.get(str(code), "")


def _text(node: JsonNode, path: str) -> str | None:
    value = node.select(path)
    return value.strip() or None if isinstance(value, str) else None
