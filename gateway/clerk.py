"""What the line says for the record: receipts to the sender, entries in the audit log.

A receipt names the submission, its digest, the outcome and the problems' codes and places;
never a patient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import structlog

from gateway.errors import GatewayError, Rejected
from gateway.model import Problem, Receipt, Status, Submission
from gateway.receipts.issue import Receipts
from gateway.store import Store, audit_entry
from gateway.store.values import AuditEntry

log = structlog.get_logger("gateway.line")


class Clerk:
    """Writes what the line decides."""

    def __init__(self, receipts: Receipts, clock: Callable[[], datetime]) -> None:
        self.receipts = receipts
        self.clock = clock

    def receipt(
        self,
        submission: Submission,
        document: str | None,
        status: Status,
        problems: tuple[Problem, ...],
        audit: AuditEntry,
        duplicate_of: str | None = None,
    ) -> Receipt:
        """Return the receipt of a decision: `registered` when it was taken, else `refused`."""
        kind = "registered" if judged(status) is Status.ACCEPTED else "refused"
        body = submission.document.body
        claims = {
            "submission": submission.id,
            "document": document,
            "organization": submission.organization,
            "status": str(status),
            "sha256": hashlib.sha256(body).hexdigest(),
            "received_at": submission.kept_at.isoformat(),
            "problems": [{"code": p.code, "place": p.place} for p in problems],
        }
        if duplicate_of is not None:
            claims["duplicate_of"] = duplicate_of
        return self.receipts.issue(kind, claims, audit, self.clock())

    def audit(self, action: str, subject: str, problems: tuple[Problem, ...]) -> AuditEntry:
        """Return the audit entry of a decision."""
        detail = {"codes": ",".join(p.code for p in problems)} if problems else {}
        return audit_entry("line", action, subject, detail, self.clock())


def tell_outages(store: Store) -> None:
    """Log each authority that began or ceased to be waited for, once each.

    The log holds no names; the subject is a digest of the authority's, which the audit log has.
    """
    for one in store.note_outages():
        subject = hashlib.sha256(one.issuer.encode()).hexdigest()[:16]
        if one.until is None:
            log.warning("authority.waited_for", kind="crl", subject=subject, count=one.waiting)
        else:
            began = one.since.isoformat(timespec="seconds")
            log.warning("authority.recovered", kind="crl", subject=subject, at=began)


def judged(status: Status) -> Status:
    """Return the line's verdict: what came late is history, and was taken all the same."""
    return Status.ACCEPTED if status in (Status.REPLACED, Status.WITHDRAWN) else status


def status_of(error: GatewayError) -> Status:
    """Return what an error makes of a document: the sender acts, or a person."""
    return Status.REJECTED if isinstance(error, Rejected) else Status.NEEDS_INFO
