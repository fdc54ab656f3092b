"""How stored values look as JSON under /v1: names of the contract, times in UTC, no patient."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from gateway.door.problems import finding
from gateway.model import DeliveryState, Ledger, Receipt, Status
from gateway.store.values import (
    DeliveryView,
    DocumentView,
    Event,
    OpenItem,
    Page,
    ReceiptRow,
    SubmissionView,
)

LABELS = {
    "ru": {
        Status.RECEIVED: "В обработке",
        Status.PROCESSING: "В обработке",
        Status.NEEDS_INFO: "Требуется уточнение",
        Status.ACCEPTED: "Принято",
        Status.REJECTED: "Отклонено",
        Status.REPLACED: "Заменено",
        Status.WITHDRAWN: "Отозвано",
    },
    "en": {
        Status.RECEIVED: "In progress",
        Status.PROCESSING: "In progress",
        Status.NEEDS_INFO: "Needs clarification",
        Status.ACCEPTED: "Accepted",
        Status.REJECTED: "Rejected",
        Status.REPLACED: "Replaced",
        Status.WITHDRAWN: "Withdrawn",
    },
}


def instant(at: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC with milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def location(submission: str) -> str:
    return f"/v1/submissions/{submission}"


def submission(view: SubmissionView, language: str) -> dict[str, Any]:
    """Return a submission as its sender sees it."""
    problems = [finding(one, language) for one in view.problems]
    # The sender asks "why": what stands on the documents is said at the top as well.
    for one in view.documents:
        problems += [{**finding(p, language), "document": one.id} for p in one.problems]
    return {
        "id": view.id,
        "status": str(view.status),
        "status_label": LABELS[language][view.status],
        "organization": view.organization,
        "media_type": view.media_type,
        "size": view.size,
        "sha256": view.sha256,
        "streebog256": view.streebog256,
        "received_at": instant(view.kept_at),
        "receipt": view.receipt,
        "documents": [document(one, language) for one in view.documents],
        "counts": dict(Counter(str(one.status) for one in view.documents)),
        "action_required": any(
            delivery.state is DeliveryState.REFUSED
            for one in view.documents
            for delivery in one.deliveries
        ),
        "problems": problems,
        "next_try": instant(view.next_try),
        "links": {
            name: f"{location(view.id)}/{name}"
            for name in ("events", "receipts", "signatures", "ledger")
        },
    }


def document(view: DocumentView, language: str) -> dict[str, Any]:
    return {
        "id": view.id,
        "status": str(view.status),
        "status_label": LABELS[language][view.status],
        "place": view.place,
        "problems": [finding(one, language) for one in view.problems],
        "receipt": view.receipt,
        "duplicate_of": view.duplicate_of,
        "succeeded_by": view.succeeded_by,
        "deliveries": [delivery(one, language) for one in view.deliveries],
    }


def delivery(view: DeliveryView, language: str) -> dict[str, Any]:
    return {
        "id": view.id,
        "destination": view.destination,
        "action": view.action,
        "state": str(view.state),
        "attempts": view.attempts,
        "next_try": instant(view.next_try),
        "problem": finding(view.problem, language) if view.problem else None,
        "reference": view.reference,
    }


def page(found: Page, language: str) -> dict[str, Any]:
    return {
        "items": [submission(view, language) for view in found.items],
        "next_cursor": found.next_cursor,
    }


def event(one: Event) -> dict[str, Any]:
    duration = None
    if one.duration is not None:
        duration = round(one.duration.total_seconds() * 1000, 3)
    return {
        "at": instant(one.at),
        "name": one.name,
        "document": one.document,
        "duration_ms": duration,
        "detail": dict(one.detail),
    }


def receipt(one: Receipt) -> dict[str, Any]:
    return {
        "number": one.number,
        "kind": one.kind,
        "issued_at": instant(one.issued_at),
        "jws": one.jws,
    }


def receipt_row(row: ReceiptRow, submission_id: str) -> dict[str, Any]:
    here = f"{location(submission_id)}/receipts/{row.receipt.kind}"
    return {
        **receipt(row.receipt),
        "document": row.document,
        "delivery": row.delivery,
        "audit_entry": row.audit,
        "proof": f"{here}/proof?number={row.receipt.number}",
    }


def item(one: OpenItem, language: str) -> dict[str, Any]:
    """Return an open item; the note is for those who may see it, like the item."""
    return {
        "id": one.id,
        "kind": one.kind,
        "organization": one.organization,
        "submission": one.submission,
        "document": one.document,
        "destination": one.destination,
        "delivery": one.delivery,
        "problem": finding(one.problem, language),
        "created_at": instant(one.created_at),
        "closed_at": instant(one.closed_at),
        "closed_by": one.closed_by,
        "note": one.note or None,
    }


LEDGER = ("mapped", "carried", "dropped")


def ledger(one: Ledger) -> dict[str, Any]:
    return {
        "mapped": [{"source": source, "target": target} for source, target in one.mapped],
        "carried": [{"source": source, "reason": reason} for source, reason in one.carried],
        "dropped": [{"source": source, "reason": reason} for source, reason in one.dropped],
    }
