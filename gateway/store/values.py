"""The values that go into the store and come out of it.

The store speaks in these and in `gateway.model`; no row, connection or SQL leaves the room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.model import (
    DeliveryState,
    Identifier,
    Json,
    Part,
    PatientMatch,
    PatientRecord,
    PlannedDelivery,
    Problem,
    Receipt,
    ReportClaim,
    SignatureReport,
    Status,
)


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """Who did what to what.  Append-only; sealed and numbered later (semantics, rule 16)."""

    id: str
    at: datetime
    actor: str
    """Client id, `line`, `delivery`, `operator:NAME` or `system`."""

    action: str
    """`submission.keep`, `document.store`, `delivery.send`, `fhir.read`, …"""

    subject: str
    """Id of what it is about; never a patient's identifier."""

    detail: Mapping[str, str] = field(default_factory=dict)
    leaf: str = ""
    """SHA-256 (hex) of 0x00 and the canonical entry: its leaf in the Merkle tree."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A submission at the door, ready to be kept: everything is computed before the write."""

    id: str
    organization: str
    client: str
    media_type: str
    """Of the whole request: `multipart/form-data` or the document's own."""

    parts: tuple[Part, ...]
    content_digest: str
    """SHA-256 (hex) over media type and the ordered parts' names and bytes."""

    idempotency_key: str | None
    kept_at: datetime
    receipt: Receipt
    audit: AuditEntry
    streebog256: str | None = None
    """Of the document, hex; None where it would be slow to compute."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of an arrival."""

    submission: str
    receipt: Receipt
    """The original receipt when the content was known."""

    known: bool
    status: Status


@dataclass(frozen=True, kw_only=True)
class WorkOrder:
    """A claim on one piece of work, valid while its lease lasts and its token is the last."""

    id: int
    kind: str
    """`submission` or `delivery`."""

    subject: str
    attempt: int
    """Number of this attempt, from 1."""

    token: int
    """Fencing token: a claim that came later makes it worthless."""

    created_at: datetime
    kept_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the line found for one document, to be settled in one transaction.

    `record` is None unless `status` is ACCEPTED.
    """

    document: str
    """Document id, made from the submission's id and the ordinal: stable over repeats."""

    ordinal: int
    place: str
    status: Status
    problems: tuple[Problem, ...]
    report: ReportClaim | None
    match: PatientMatch | None
    identifiers: tuple[Identifier, ...]
    """The patient's identifiers to link to the card, canonical."""

    record: PatientRecord | None
    deliveries: tuple[PlannedDelivery, ...]
    receipt: Receipt
    """`registered` or `refused` (for needs_info: none is issued; see `has_receipt`)."""

    has_receipt: bool
    audit: AuditEntry
    timings: tuple[tuple[str, timedelta], ...] = ()
    """How long each step of the line took, for the timeline."""
    consent_version: int | None = None
    """Version of the patient's consents the deliveries were planned at; None: not re-checked."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the store knows of a patient, for matching."""

    patient: str
    resource: Json | None
    """The current Patient resource; None when the number was linked but no card exists yet."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A stored consent, as decisions need it."""

    id: str
    patient: str
    recipient: str
    """Organisation id the patient's data may go to."""

    purpose: str
    state: str
    """`active`, `expired`, `rejected` or `revoked`."""

    valid_from: datetime
    valid_to: datetime | None
    version: int


@dataclass(frozen=True, kw_only=True)
class DeliveryView:
    id: str
    destination: str
    state: DeliveryState
    attempts: int
    next_try: datetime | None
    problem: Problem | None
    reference: str


@dataclass(frozen=True, kw_only=True)
class DocumentView:
    id: str
    ordinal: int
    status: Status
    place: str
    problems: tuple[Problem, ...]
    receipt: str | None
    """Number of the document's receipt."""

    duplicate_of: str | None
    deliveries: tuple[DeliveryView, ...]


@dataclass(frozen=True, kw_only=True)
class SubmissionView:
    id: str
    organization: str
    client: str
    status: Status
    media_type: str
    size: int
    sha256: str
    streebog256: str | None
    kept_at: datetime
    receipt: str
    documents: tuple[DocumentView, ...]
    problems: tuple[Problem, ...]
    """Problems of the submission as a whole: why it waits, or why nothing could be read."""

    next_try: datetime | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One point of the timeline."""

    at: datetime
    name: str
    document: str | None
    duration: timedelta | None
    detail: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ReceiptRow:
    receipt: Receipt
    document: str | None
    delivery: str | None
    audit: str
    """Id of the audit entry the receipt promises to be sealed."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which submissions to list."""

    organizations: tuple[str, ...] | None
    """None: every organisation (operators on the local home)."""

    status: Status | None = None
    cause: str | None = None
    sender: str | None = None
    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True)
class Page:
    items: tuple[SubmissionView, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Organization:
    id: str
    name: str
    kind: str
    """`laboratory`, `clinic` or `operator`."""

    identifiers: tuple[Identifier, ...]
    """ОГРН, OID (ФРМО) and ИНН, canonical."""

    allow_unsigned: bool = False


@dataclass(frozen=True, kw_only=True)
class Client:
    id: str
    name: str
    organization: str
    role: str
    """`laboratory`, `clinic` or `operator`."""

    secret_hash: str | None
    """Argon2id, PHC string."""

    jwks: Json | None = None
    disabled: bool = False


@dataclass(frozen=True, kw_only=True)
class StoredSignatures:
    """The verification result of a submission, kept with its evidence."""

    submission: str
    report: SignatureReport


@dataclass(frozen=True, kw_only=True)
class AuditHead:
    """A signed statement of the log's size and Merkle root (RFC 6962, section 3.5)."""

    size: int
    root: str
    """Hex."""

    at: datetime
    jws: str


@dataclass(frozen=True, kw_only=True)
class AuditVerdict:
    valid: bool
    entries: int
    """How many entries were recomputed."""

    first_bad: str | None
    """Id of the first entry that is not what was sealed."""

    reason: str
    """Empty when valid; else `entry`, `missing`, `unlogged`, `tree`, `head` or `truncated`."""


class LostLease(Exception):
    """The work order was claimed again meanwhile; whatever was being done is worthless."""


class Moved(Exception):
    """The patient or a consent changed between *identify* and *store*: begin again there."""
