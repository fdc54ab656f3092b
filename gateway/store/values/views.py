"""What senders and operators are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model import DeliveryState, Problem, Receipt, SignatureReport, Status


@dataclass(frozen=True, kw_only=True)
class Outage:
    """An authority whose revocation list is missing while submissions wait for it."""

    issuer: str
    since: datetime
    until: datetime | None
    """None while it lasts."""

    waiting: int
    """Submissions that wait, when this was noticed."""


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
