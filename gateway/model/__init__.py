"""The values that travel along the line, one frozen dataclass per arrow.

Standard library only: every room may import this module, and it imports none of them.
Words are those of the standards: ETSI EN 319 102-1 for signatures, HL7 FHIR R4 for content.
Times are aware and in UTC; measured values are `Decimal`; FHIR resources are plain dicts
as `gateway.fhir.text` reads them.
"""

from gateway.model.arrivals import Part, Submission
from gateway.model.deliveries import Answer, Delivery, Destination, PlannedDelivery, Receipt
from gateway.model.documents import (
    ConsentDecision,
    Document,
    Facts,
    Grant,
    MatchKind,
    Node,
    PatientClaim,
    PatientMatch,
    PersonName,
    Provision,
    ReportClaim,
    Unreadable,
)
from gateway.model.questions import CodeUse, Decision, Question
from gateway.model.records import Ledger, PatientRecord, Placement, PlacementKind
from gateway.model.signatures import (
    CLOCK_TOLERANCE,
    Check,
    CheckedSignature,
    CheckedTimestamp,
    Claimed,
    Covered,
    Judge,
    RecordFinding,
    SignatureFinding,
    SignatureReport,
    SignedContent,
    Signer,
    Times,
    TimestampFinding,
)
from gateway.model.words import (
    Assurance,
    CheckStatus,
    DeliveryState,
    Identifier,
    Indication,
    Json,
    JsonValue,
    Problem,
    Status,
)

__all__ = [
    "CLOCK_TOLERANCE",
    "Answer",
    "Assurance",
    "Check",
    "CheckStatus",
    "CheckedSignature",
    "CheckedTimestamp",
    "Claimed",
    "CodeUse",
    "ConsentDecision",
    "Covered",
    "Decision",
    "Delivery",
    "DeliveryState",
    "Destination",
    "Document",
    "Facts",
    "Grant",
    "Identifier",
    "Indication",
    "Json",
    "JsonValue",
    "Judge",
    "Ledger",
    "MatchKind",
    "Node",
    "Part",
    "PatientClaim",
    "PatientMatch",
    "PatientRecord",
    "PersonName",
    "Placement",
    "PlacementKind",
    "PlannedDelivery",
    "Problem",
    "Provision",
    "Question",
    "Receipt",
    "RecordFinding",
    "ReportClaim",
    "SignatureFinding",
    "SignatureReport",
    "SignedContent",
    "Signer",
    "Status",
    "Submission",
    "Times",
    "TimestampFinding",
    "Unreadable",
]
