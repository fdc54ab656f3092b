"""What a kept submission's evidence record proves at a moment, by the home's own material."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.model import RecordFinding, Submission
from gateway.store import Store
from gateway.trust import Trust
from gateway.verification import KeptRecord, judge_record, last_by


@dataclass(frozen=True, kw_only=True)
class Proof:
    """An evidence record and the verdict on it."""

    kept: KeptRecord
    finding: RecordFinding | None
    """None at a moment before its first stamp."""


def proof_of(
    store: Store, trust: Trust, algorithms: Algorithms, submission: Submission, at: datetime
) -> Proof | None:
    """Return what a submission's record proves at a moment; None without a record.

    `trust` judges the last stamp alone, and should ask nobody.  Raises KeyDestroyed.
    """
    stored = store.evidence.record(submission.id)
    if stored is None:
        return None
    bodies = tuple(part.body for part in submission.parts)
    kept = KeptRecord(record=stored.record, parts=bodies, material=stored.material)
    return Proof(kept=kept, finding=judge_record(kept, algorithms, at, last_by(trust)))
