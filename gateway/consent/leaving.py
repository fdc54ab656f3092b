"""What of a document may leave to a recipient now, on the basis its delivery was planned on.

`store` asks this in the transaction that claims the delivery (semantics, rule 9).

Source: 323-ФЗ, article 13, parts 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.consent.decision import PATIENT_REQUEST, TREATMENT, decide, permits, refused
from gateway.consent.partial import permitted_part
from gateway.model import ConsentDecision, Grant, Json

PURPOSES = {"consent": TREATMENT, "patient-request": PATIENT_REQUEST}
"""Bases that a stored consent gives, and what it must be for."""

ASKED = (*PURPOSES, "care")
"""Bases the patient can take away; an order, a duty and a correction stand whatever is said."""

GONE = "CON-304"
NOTHING_LEFT = "CON-303"
WAITING = (GONE, NOTHING_LEFT)
"""Codes a delivery is held with until the patient says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """The answer for one delivery."""

    decision: ConsentDecision
    resources: tuple[Json, ...]
    """What may leave; empty when nothing may."""

    partial: bool = False

    @property
    def code(self) -> str:
        """Why nothing may leave."""
        return NOTHING_LEFT if self.decision.permitted else GONE


NONE = Permission(decision=ConsentDecision(permitted=False, basis="none"), resources=())
"""Nothing may leave, whatever anybody says."""


def ask(basis: str, recipient: str, grants: Sequence[Grant], at: datetime) -> ConsentDecision:
    """Return whether anything may leave to `recipient` on `basis` at `at`."""
    if basis in PURPOSES:
        found = decide(grants, recipient, PURPOSES[basis], at)
        return found if basis == "consent" or not found.permitted else _on(basis, found)
    version = max((grant.version for grant in grants), default=0)
    if basis == "care" and refused(grants, recipient, TREATMENT, at):
        return ConsentDecision(permitted=False, basis="none", version=version)
    return ConsentDecision(permitted=True, basis=basis, version=version)


def permission(
    basis: str,
    recipient: str,
    grants: Sequence[Grant],
    at: datetime,
    resources: tuple[Json, ...],
) -> Permission:
    """Return what of `resources` may leave to `recipient` on `basis` at `at`."""
    decision = ask(basis, recipient, grants, at)
    if not decision.permitted:
        return Permission(decision=decision, resources=())
    if not decision.partial:
        return Permission(decision=decision, resources=resources)
    purpose = PURPOSES[basis]
    part = permitted_part(resources, lambda tests: permits(grants, recipient, purpose, at, tests))
    return Permission(decision=decision, resources=part, partial=part != resources)


def _on(basis: str, found: ConsentDecision) -> ConsentDecision:
    return ConsentDecision(
        permitted=True,
        basis=basis,
        reference=found.reference,
        version=found.version,
        partial=found.partial,
    )
