"""Building FHIR from another format by the rows of a mapping file.

First every node gets its id, so that rows may refer to resources made later; then the rows
are worked.  One rule makes one resource for every node it names.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from gateway.errors import NeedsOperator, Rejected
from gateway.mapping import times
from gateway.mapping.definition import FactsRule, IdentifierRule, Mapping, Rule
from gateway.mapping.transforms import TRANSFORMS, option, words
from gateway.mapping.work import Work, put
from gateway.model import (
    Document,
    Facts,
    Identifier,
    Json,
    Node,
    PatientClaim,
    PersonName,
    Problem,
    ReportClaim,
)


def facts(mapping: Mapping, document: Document, warnings: list[Problem]) -> Facts:
    """Read who and what a document is about.  Raises Rejected, NeedsOperator."""
    rule = mapping.facts
    assert rule is not None
    root = document.root
    patient = root.each(rule.patient)
    performer = read_identifiers(mapping, root, rule.performer, warnings)
    report = _report(mapping, rule, root, performer, warnings)
    if not patient:
        # The format's schema allows it only where the test is said to be anonymous.
        nobody = PatientClaim(
            identifiers=(), name=None, birth_date=None, sex=None, place=root.place
        )
        return Facts(patient=nobody, report=replace(report, anonymous=True))
    return Facts(patient=_patient(mapping, rule, patient[0], performer, warnings), report=report)


def resources(work: Work) -> None:
    """Make the resources of the document in hand."""
    made = [
        (rule, node, _announce(work, rule, node, position))
        for rule in work.mapping.rules
        for position, node in enumerate(work.document.root.each(rule.each))
    ]
    for rule, node, id_ in made:
        work.resources.append(_resource(work, rule, node, id_))


def read_identifiers(
    mapping: Mapping,
    root: Node,
    rule: IdentifierRule,
    warnings: list[Problem],
    weight: str = "warning",
    scope: str = "",
) -> tuple[Identifier, ...]:
    """Return the identifiers a rule names, canonical.

    Raises Rejected when one has not the shape of its kind, or when its check digit fails and
    `weight` is `error`.  A card number is bound to `scope`, the organisation that gave it.
    """
    found: list[Identifier] = []
    problems: list[Problem] = []
    for node in root.each(rule.each):
        system, _ = option(node, rule.system)
        for text, place in words(node, rule.value):
            read = mapping.identifiers.normalise(system, text, place)
            if isinstance(read, Problem):
                problems.append(read)
                continue
            problem = mapping.identifiers.check(read, weight)
            if problem is not None:
                (warnings if problem.warning else problems).append(problem)
            found.append(scoped(mapping, read, scope))
    if problems:
        raise Rejected(*problems)
    return tuple(found)


def scoped(mapping: Mapping, identifier: Identifier, scope: str) -> Identifier:
    """Bind a card number to the organisation that gave it: elsewhere it is another's."""
    if identifier.system != mapping.identifiers.MIS or not scope:
        return identifier
    return Identifier(
        system=identifier.system, value=f"{scope}/{identifier.value}", place=identifier.place
    )


def _patient(
    mapping: Mapping,
    rule: FactsRule,
    node: Node,
    performer: tuple[Identifier, ...],
    warnings: list[Problem],
) -> PatientClaim:
    scope = performer[0].value if performer else ""
    weight = mapping.check_digits
    identifiers = read_identifiers(
        mapping, node, rule.patient_identifiers, warnings, weight=weight, scope=scope
    )
    family = _word(node, rule.family)
    return PatientClaim(
        identifiers=identifiers,
        name=PersonName(
            family=family or "",
            given=_word(node, rule.given) or "",
            patronymic=_word(node, rule.patronymic) or "",
        ),
        birth_date=_birth_date(node, rule.birth_date),
        sex=_word(node, rule.sex),
        place=node.place,
    )


def _report(
    mapping: Mapping,
    rule: FactsRule,
    root: Node,
    performer: tuple[Identifier, ...],
    warnings: list[Problem],
) -> ReportClaim:
    report = root.each(rule.report)[0]
    version = _word(report, rule.version)
    return ReportClaim(
        performer=performer,
        number=_word(report, rule.number) or "",
        version=int(version) if version else None,
        status=_word(report, rule.status) or "",
        issued=_moment(mapping, report, rule.issued),
        order_number=_word(root, rule.order_number),
        ordering=read_identifiers(mapping, root, rule.ordering, warnings),
        authors=read_identifiers(mapping, root, rule.authors, warnings),
    )


def _word(node: Node, path: str) -> str | None:
    text = node.select(path)
    return text.strip() or None if isinstance(text, str) else None


def _birth_date(node: Node, path: str) -> date | None:
    found = words(node, path)
    if not found:
        return None
    text, place = found[0]
    try:
        return date.fromisoformat(times.written(text, None)[:10])
    except (times.NotATime, times.NoZone) as error:
        raise Rejected(Problem(code="MAP-114", place=place)) from error


def _moment(mapping: Mapping, node: Node, path: str) -> datetime | date | None:
    found = words(node, path)
    if not found:
        return None
    text, place = found[0]
    try:
        return times.instant(text, mapping.zone)
    except times.NoZone as error:
        raise NeedsOperator(Problem(code="MAP-113", place=place)) from error
    except times.NotATime as error:
        raise Rejected(Problem(code="MAP-114", place=place)) from error


def _announce(work: Work, rule: Rule, node: Node, position: int) -> str:
    """Give the node's resource its id, and its label to refer to it by."""
    if rule.type == "Patient":
        id_ = work.context.patient or work.new_id("Patient", "anonymous")
    else:
        key = [text for path in rule.key for text, _ in words(node, path)]
        id_ = work.new_id(rule.type, "\x1f".join((work.scope(rule.scope), *key)))
    label = str(node.select(rule.label) or "") if rule.label else str(position)
    work.references[(rule.name, label)] = (f"{rule.type}/{id_}", node)
    if rule.label:
        work.mapped.extend((place, f"{rule.type}/{id_}#id") for _, place in words(node, rule.label))
    return id_


def _resource(work: Work, rule: Rule, node: Node, id_: str) -> Json:
    resource: Json = {"resourceType": rule.type, "id": id_}
    for row in rule.rows:
        for made in TRANSFORMS[row.how](work, row, node):
            put(resource, made.to, made.value)
            here = f"{rule.type}/{id_}#{made.to}"
            work.mapped.extend((place, here) for place in made.places)
    return resource
