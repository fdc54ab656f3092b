"""The values that go into the store and come out of it.

The store speaks in these and in `gateway.model`; no row, connection or SQL leaves the room.
"""

from gateway.store.values.consenting import (
    ConsentFilter,
    ConsentPage,
    NewConsent,
    Revocation,
    StoredConsent,
)
from gateway.store.values.directory import Client, Organization
from gateway.store.values.line import (
    Arrival,
    AuditEntry,
    Card,
    Held,
    Kept,
    KnownVersion,
    LostLease,
    Moved,
    OpenItem,
    Outcome,
    WorkOrder,
)
from gateway.store.values.repairing import (
    NewDecision,
    PastDecision,
    Repair,
    ReplayItem,
    ReplayRun,
    StandingDecision,
    UndoneDecision,
)
from gateway.store.values.views import (
    AuditHead,
    AuditVerdict,
    DeliveryView,
    DocumentView,
    Event,
    Filter,
    Outage,
    Page,
    ReceiptRow,
    StoredSignatures,
    SubmissionView,
)

__all__ = [
    "Arrival",
    "AuditEntry",
    "AuditHead",
    "AuditVerdict",
    "Card",
    "Client",
    "ConsentFilter",
    "ConsentPage",
    "DeliveryView",
    "DocumentView",
    "Event",
    "Filter",
    "Held",
    "Kept",
    "KnownVersion",
    "LostLease",
    "Moved",
    "NewConsent",
    "NewDecision",
    "OpenItem",
    "Organization",
    "Outage",
    "Outcome",
    "Page",
    "PastDecision",
    "ReceiptRow",
    "Repair",
    "ReplayItem",
    "ReplayRun",
    "Revocation",
    "StandingDecision",
    "StoredConsent",
    "StoredSignatures",
    "SubmissionView",
    "UndoneDecision",
    "WorkOrder",
]
