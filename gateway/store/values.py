"""The values that go into the store and come out of it.

The store speaks in these and in `gateway.model`; no row, connection or SQL leaves the room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.model import (
    Check,
    CodeUse,
    Decision,
    DeliveryState,
    Grant,
    Identifier,
    Json,
    Part,
    PatientMatch,
    PatientRecord,
    Placement,
    PlannedDelivery,
    Problem,
    Provision,
    Question,
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


@dataclass(frozen=True, kw_only=True)
class NewConsent:
    """A consent to be stored."""

    identifiers: tuple[Identifier, ...]
    """The patient's, canonical; they link it to the card."""

    provisions: tuple[Provision, ...]
    resource: Json
    """The FHIR Consent as it came."""

    organization: str
    """Who recorded it: the tenant that may see and revoke it."""

    actor: str
    rejected: bool = False
    """The patient refused: every provision closes."""

    id: str | None = None
    """Given when the same consent may be stored again by a repeat; else one is made."""


@dataclass(frozen=True, kw_only=True)
class StoredConsent:
    """A consent as its organisation sees it."""

    id: str
    organization: str
    state: str
    """`active`, `expired`, `rejected` or `revoked`."""

    grants: tuple[Grant, ...]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ConsentFilter:
    """Which consents to list."""

    organizations: tuple[str, ...] | None
    state: str | None = None
    recipient: str | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True)
class ConsentPage:
    items: tuple[StoredConsent, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """What a revocation did: from its commit on, nothing starts to leave on this consent."""

    held: int
    """Deliveries that waited and are held now."""

    in_flight: int
    """Deliveries whose claim committed before, and that had not ended when waiting did."""


@dataclass(frozen=True, kw_only=True)
class DeliveryView:
    id: str
    destination: str
    action: str
    """`record`, `correction` of what was sent before, or its `withdrawal`."""

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
    succeeded_by: str | None = None
    """The document that replaced it or took it back."""


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
    submission: str
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
    """Empty when valid; else one of the words that `log_checks` names."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One question with every document that asks it, or with the decision that settled it."""

    id: str
    """Made from organisation, cause and subject: the same however many documents ask."""

    organization: str
    cause: str
    place: str
    """Where the first of the documents asks it."""

    subject: Mapping[str, str]
    facts: Mapping[str, str]
    documents: tuple[tuple[str, str], ...]
    """(submission, document) that wait, oldest first."""

    waiting: int
    since: datetime | None
    decision: Decision | None = None
    """The decision in force."""

    decision_uses: int = 0
    """How many documents rest on it."""


@dataclass(frozen=True, kw_only=True)
class StandingDecision:
    """A decision in force, with whom it speaks for and how many documents rest on it."""

    decision: Decision
    repair: str
    organization: str
    uses: int


@dataclass(frozen=True, kw_only=True)
class PastDecision:
    """A decision on a question, whether it stands or was taken back."""

    decision: Decision
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class UndoneDecision:
    """What became of the documents that rested on a decision that was taken back."""

    opened: tuple[str, ...]
    """On the line again."""

    left: tuple[str, ...]
    """Somebody may hold them: open items for a person."""


@dataclass(frozen=True, kw_only=True)
class NewDecision:
    repair: str
    organization: str
    cause: str
    subject: Mapping[str, str]
    answer: Mapping[str, str]
    by: str
    valid_from: date | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReplayRun:
    """A replay of many submissions, worked step by step; may be stopped and resumed."""

    id: str
    actor: str
    state: str
    """`running`, `stopped` or `done`."""

    total: int
    started: int
    """How many were put on the line again: the cursor."""

    finished: int
    rate: float | None
    """Submissions a second; None: as fast as they go."""

    dry_run: bool
    created_at: datetime
    reason: str
    """What it repeats, in words: a cause, a decision, or `ids`."""


@dataclass(frozen=True, kw_only=True)
class ReplayItem:
    """One submission of a run: how it was before, and how after."""

    submission: str
    position: int
    state: str
    """`waiting`, `started` or `finished`."""

    before: Json | None
    after: Json | None


class LostLease(Exception):
    """The work order was claimed again meanwhile; whatever was being done is worthless."""


class Held(Exception):
    """The delivery was held instead of started: by now there is no basis to send it."""


class Moved(Exception):
    """The patient or a consent changed between *identify* and *store*: begin again there."""
