"""What the line puts in and gets back: arrivals, claims, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.model import (
    Check,
    CodeUse,
    Identifier,
    Json,
    Part,
    PatientMatch,
    PatientRecord,
    Placement,
    PlannedDelivery,
    Problem,
    Question,
    Receipt,
    ReportClaim,
    Status,
)
from gateway.store.values.consenting import NewConsent


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

    bindings: tuple[Check, ...] = ()
    """Whose signatures they are, as the line found it."""

    placement: Placement | None = None
    """Where it stands in its series; None for what is not placed."""

    clinical: str = ""
    """Keyed token of its clinical content (`Store.clinical_token`)."""

    corrects: tuple[PlannedDelivery, ...] = ()
    """On which basis each destination may have it, should that hold an older version."""
    questions: tuple[Question, ...] = ()
    """What a person is asked, when the document waits for one."""
    uses: tuple[CodeUse, ...] = ()
    """Local codes used in a way not known yet, to be known from now on."""
    decisions: tuple[str, ...] = ()
    """Ids of the decisions of persons the outcome rests on."""
    considered: tuple[str, ...] = ()
    """Ids of the decisions that stood when it was examined."""
    chosen: str | None = None
    """Id of the decision that chose the card."""
    consents: tuple[NewConsent, ...] = ()
    """Consents that came with the document, stored with it."""
    asked: tuple[AuditEntry, ...] = ()
    """Every question about consent, with its answer."""
    piece: bytes = b""
    """Its own piece of an original that holds several documents."""


@dataclass(frozen=True, kw_only=True)
class KnownVersion:
    """A settled document of a report's series, as placing the next one needs it."""

    document: str
    submission: str
    patient: str | None
    version: int | None
    status: str
    """FHIR DiagnosticReport.status it came with."""

    issued: datetime | date | None
    digest: str
    """Keyed token of its clinical content."""

    current: bool
    state: str
    """`accepted`, `replaced` or `withdrawn`."""


@dataclass(frozen=True, kw_only=True)
class OpenItem:
    """Something only a person can bring to an end: a withdrawal a destination did not take."""

    id: str
    kind: str
    """`withdrawal-unsupported`, `withdrawal-refused`, `withdrawal-undelivered`, or
    `decision-undone` where a person took back what a document rests on."""

    organization: str
    """Organisation of the sender of what was to be taken back."""

    submission: str
    document: str
    """The document that takes back."""

    destination: str
    delivery: str | None
    problem: Problem
    created_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the store knows of a patient, for matching."""

    patient: str
    resource: Json | None
    """The current Patient resource; None when the number was linked but no card exists yet."""


class LostLease(Exception):
    """The work order was claimed again meanwhile; whatever was being done is worthless."""


class Held(Exception):
    """The delivery was held instead of started: by now there is no basis to send it."""


class Moved(Exception):
    """A patient, consent or decision changed between *identify* and *store*: begin again there."""
