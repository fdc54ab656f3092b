"""May this clinic see this patient: asked for every resource, and every answer leaves a trace.

Without ground a resource is no more there than one that never was: same reads, same trace,
same answer.
"""

from __future__ import annotations

from gateway.access import FHIR_READ, Principal
from gateway.door import context
from gateway.errors import Rejected
from gateway.fhir_api.outcome import json_wanted
from gateway.mapping.labels import label_of
from gateway.model import Json, Problem
from gateway.store import audit_entry

NOBODY = "00000000-0000-0000-0000-000000000000"


def reader() -> Principal:
    """Return the clinic that asks.  Raises Refused (401, 403, 429) or Rejected (406)."""
    who = context.principal(FHIR_READ)
    json_wanted()
    return who


def see(who: Principal, action: str, type: str, id: str) -> tuple[Json, str]:
    """Return a resource and its patient's number, if `who` has ground to see it.

    The read is written to the audit log before anything is returned.  Raises Rejected
    (SYS-404) when there is no such resource or no ground.
    """
    store = context.gateway().store
    owner = store.owner(type, id)
    permitted = store.has_ground(owner or NOBODY, who.organization)
    # Opened only with ground: the time a refusal takes does not tell what is here.
    found = store.resource(type, id) if owner and permitted else None
    if found is not None and not visible(who, found[0]):
        found = None
    # An id that is not ours may be anything, even a policy number: it is not written down.
    trace(who, action, f"{type}/{id}" if owner else type, found is not None)
    if found is None:
        raise Rejected(Problem(code="SYS-404"))
    return found


def visible(who: Principal, resource: Json) -> bool:
    """Say whether a reader with ground to the card sees this of it: labelled, on its own ground."""
    if label_of(resource) is None:
        return True
    type, id = str(resource["resourceType"]), str(resource["id"])
    return context.gateway().store.own_ground(type, id, who.organization)


def trace(who: Principal, action: str, subject: str, permitted: bool, total: int = 1) -> None:
    """Write a read, or the refusal of one, to the audit log."""
    gateway = context.gateway()
    detail = {
        "organization": who.organization,
        "permitted": "yes" if permitted else "no",
        "total": str(total if permitted else 0),
        "trace": context.trace_id(),
    }
    gateway.store.record_read(audit_entry(who.client, action, subject, detail, gateway.clock()))
