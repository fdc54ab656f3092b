"""Which destinations get a record, and on which basis each delivery may leave.

Rules are data (`[[routes]]` in gateway.toml).  A rule names a destination; the basis is found,
never assumed: the order of the same clinic, else the patient's consent to that clinic.  A
destination without a basis gets nothing, and the sender is told so (CON-301).

Source: semantics, rule 9; 323-ФЗ, article 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.consent.decision import decide
from gateway.model import (
    ConsentDecision,
    Destination,
    Facts,
    Grant,
    Identifier,
    PlannedDelivery,
    Problem,
)

PURPOSE = "TREAT"
"""HL7 v3 PurposeOfUse: results go to clinics for treatment."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One routing rule; an empty condition matches everything.

    Conditions are canonical identifiers, `system|value`.
    """

    to: str
    performer: str = ""
    ordering: str = ""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A destination with the identifiers of the organisation behind it."""

    destination: Destination
    identifiers: tuple[Identifier, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    deliveries: tuple[PlannedDelivery, ...]
    problems: tuple[Problem, ...]
    """Warnings CON-301: a rule named the destination, but there is no basis to send."""


def plan(
    facts: Facts,
    routes: Sequence[Route],
    receivers: Sequence[Receiver],
    grants: Sequence[Grant],
    at: datetime,
) -> Plan:
    """Return the deliveries of one document and the destinations left out, in rule order."""
    deliveries: list[PlannedDelivery] = []
    problems: list[Problem] = []
    by_name = {receiver.destination.name: receiver for receiver in receivers}
    for name in dict.fromkeys(route.to for route in routes if _applies(route, facts)):
        receiver = by_name.get(name)
        if receiver is None:
            problems.append(Problem(code="DLV-301", detail={"destination": name}, warning=True))
            continue
        decision = basis(facts, receiver, grants, at)
        if decision.permitted:
            deliveries.append(
                PlannedDelivery(destination=name, basis=decision.basis, consent=decision.reference)
            )
        else:
            problems.append(Problem(code="CON-301", detail={"destination": name}, warning=True))
    return Plan(deliveries=tuple(deliveries), problems=tuple(problems))


def basis(
    facts: Facts, receiver: Receiver, grants: Sequence[Grant], at: datetime
) -> ConsentDecision:
    """Return whether the document may go to `receiver`, and why."""
    if _same(facts.report.ordering, receiver.identifiers):
        return ConsentDecision(permitted=True, basis="order")
    return decide(grants, receiver.destination.organization, PURPOSE, at)


def _applies(route: Route, facts: Facts) -> bool:
    return _names(route.performer, facts.report.performer) and _names(
        route.ordering, facts.report.ordering
    )


def _names(condition: str, identifiers: Sequence[Identifier]) -> bool:
    return not condition or condition in {f"{i.system}|{i.value}" for i in identifiers}


def _same(left: Sequence[Identifier], right: Sequence[Identifier]) -> bool:
    keys = {(i.system, i.value) for i in left}
    return any((i.system, i.value) in keys for i in right)
