"""Which destinations get a record, and on which basis each delivery may leave.

Rules are data (`[[routes]]` in gateway.toml).  A rule names a destination and the bases it
takes; which of them holds is found, never assumed: the order of the same clinic, the patient's
consent to that clinic or own request, care between medical organisations, a legal duty.  A
destination without a basis gets nothing, and the sender is told so (CON-301).

Source: semantics, rule 9; 323-ФЗ, article 13, parts 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.consent import leaving
from gateway.consent.decision import TREATMENT
from gateway.model import (
    ConsentDecision,
    Destination,
    Facts,
    Grant,
    Identifier,
    Json,
    PlannedDelivery,
    Problem,
)

PURPOSE = TREATMENT
"""Results go to clinics for treatment."""

NO_BASIS = "CON-301"

BASES = ("order", "consent", "patient-request", "care", "legal-duty")
"""Every basis there is, in the order they are tried: the narrowest first."""

BASES_USUAL = ("order", "consent")
STORE, ASK = "store", "ask"
CARERS = ("laboratory", "clinic")
"""Kinds of organisation between which care is a basis (323-ФЗ, article 13, part 4)."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One routing rule; an empty condition matches everything.

    Conditions are canonical identifiers, `system|value`.
    """

    to: str
    performer: str = ""
    ordering: str = ""
    bases: tuple[str, ...] = BASES_USUAL
    """Bases the destination takes."""

    without_basis: str = STORE
    """`store` keeps the document and says CON-301; `ask` leaves it to a person."""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A destination with the identifiers of the organisation behind it."""

    destination: Destination
    identifiers: tuple[Identifier, ...]
    kind: str = ""
    """Of its organisation: `laboratory`, `clinic` or `operator`."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question whether a document may go to a destination, with its answer."""

    destination: str
    recipient: str
    decision: ConsentDecision


@dataclass(frozen=True, kw_only=True)
class Plan:
    deliveries: tuple[PlannedDelivery, ...]
    problems: tuple[Problem, ...]
    """Warnings CON-301: a rule named the destination, but there is no basis to send."""

    asked: tuple[Asked, ...] = ()
    open: tuple[Problem, ...] = ()
    """CON-301 where the rule wants a person to decide."""


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
    asked: list[Asked] = []
    open_: list[Problem] = []
    by_name = {receiver.destination.name: receiver for receiver in receivers}
    applying = [route for route in routes if _applies(route, facts)]
    for name in dict.fromkeys(route.to for route in applying):
        receiver = by_name.get(name)
        if receiver is None:
            problems.append(Problem(code="DLV-301", detail={"destination": name}, warning=True))
            continue
        rules = [route for route in applying if route.to == name]
        decision = basis(facts, receiver, grants, at, _taken(rules))
        recipient = receiver.destination.organization
        asked.append(Asked(destination=name, recipient=recipient, decision=decision))
        if decision.permitted:
            deliveries.append(
                PlannedDelivery(destination=name, basis=decision.basis, consent=decision.reference)
            )
        elif any(route.without_basis == ASK for route in rules):
            open_.append(Problem(code="CON-301", detail={"destination": name}))
        else:
            problems.append(Problem(code="CON-301", detail={"destination": name}, warning=True))
    return Plan(
        deliveries=tuple(deliveries),
        problems=tuple(problems),
        asked=tuple(asked),
        open=tuple(open_),
    )


def narrowed(
    plan: Plan, grants: Sequence[Grant], resources: tuple[Json, ...], at: datetime
) -> Plan:
    """Return the plan without the deliveries a consent by test leaves nothing of (CON-303)."""
    partial = {one.destination: one.recipient for one in plan.asked if one.decision.partial}
    empty = {
        one.destination
        for one in plan.deliveries
        if one.destination in partial
        and not leaving.permission(
            one.basis, partial[one.destination], grants, at, resources
        ).resources
    }
    if not empty:
        return plan
    problems = tuple(
        Problem(code=leaving.NOTHING_LEFT, detail={"destination": name}, warning=True)
        for name in sorted(empty)
    )
    return replace(
        plan,
        deliveries=tuple(one for one in plan.deliveries if one.destination not in empty),
        problems=plan.problems + problems,
    )


def restricted(plan: Plan, grants: Sequence[Grant]) -> Plan:
    """Return the plan of a labelled record: a consent must name its tests (CON-308).

    A general consent to the card is no leave to see what its patient marked apart.
    """
    explicit = {one.id for one in grants if one.tests and not one.deny}
    kept = tuple(
        one for one in plan.deliveries if one.basis != "consent" or one.consent in explicit
    )
    problems = tuple(
        Problem(code="CON-308", detail={"destination": one.destination}, warning=True)
        for one in plan.deliveries
        if one not in kept
    )
    return replace(plan, deliveries=kept, problems=plan.problems + problems)


def bases(
    facts: Facts,
    routes: Sequence[Route],
    receivers: Sequence[Receiver],
    grants: Sequence[Grant],
    at: datetime,
) -> tuple[PlannedDelivery, ...]:
    """Return on which basis each destination may have a correction.

    It goes to whoever holds an older version, whether or not a rule sends them this one; but
    only on a basis that some rule to them takes, or a usual one where no rule names them now.
    """
    found = []
    for receiver in receivers:
        name = receiver.destination.name
        rules = [route for route in routes if route.to == name]
        decision = basis(facts, receiver, grants, at, _taken(rules) or BASES_USUAL)
        if decision.permitted:
            found.append(
                PlannedDelivery(destination=name, basis=decision.basis, consent=decision.reference)
            )
    return tuple(found)


def basis(
    facts: Facts,
    receiver: Receiver,
    grants: Sequence[Grant],
    at: datetime,
    taken: Sequence[str],
) -> ConsentDecision:
    """Return whether the document may go to `receiver`, and on which basis of those `taken`."""
    for one in BASES:
        if one in taken and _could_be(one, facts, receiver):
            decision = leaving.ask(one, receiver.destination.organization, grants, at)
            if decision.permitted:
                return decision
    version = max((grant.version for grant in grants), default=0)
    return ConsentDecision(permitted=False, basis="none", version=version)


def _taken(rules: Sequence[Route]) -> tuple[str, ...]:
    """Return the bases that any of `rules` takes."""
    return tuple(one for one in BASES if any(one in route.bases for route in rules))


def _could_be(basis: str, facts: Facts, receiver: Receiver) -> bool:
    """Return whether what the document and the directory say lets `basis` be asked about."""
    if basis == "order":
        return _same(facts.report.ordering, receiver.identifiers)
    return basis != "care" or receiver.kind in CARERS


def spoken(asked: Asked) -> dict[str, str]:
    """Return a question and its answer in the words of the audit log."""
    return {
        "destination": asked.destination,
        "basis": asked.decision.basis,
        "permitted": "yes" if asked.decision.permitted else "no",
        "consent": asked.decision.reference,
        "version": str(asked.decision.version),
    }


def _applies(route: Route, facts: Facts) -> bool:
    return _names(route.performer, facts.report.performer) and _names(
        route.ordering, facts.report.ordering
    )


def _names(condition: str, identifiers: Sequence[Identifier]) -> bool:
    return not condition or condition in {f"{i.system}|{i.value}" for i in identifiers}


def _same(left: Sequence[Identifier], right: Sequence[Identifier]) -> bool:
    keys = {(i.system, i.value) for i in left}
    return any((i.system, i.value) in keys for i in right)
