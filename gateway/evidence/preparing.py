"""Looks at one submission whose proof ages out: can it be renewed now, and by which leaf."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.algorithms.interface import Algorithms
from gateway.evidence.rules import Rules
from gateway.evidence.survey import CLOSED, passed
from gateway.model import (
    CheckedTimestamp,
    Indication,
    Part,
    SignatureFinding,
    Submission,
    TimestampFinding,
)
from gateway.signatures import evidence_records
from gateway.signatures.evidence_records import Leaf
from gateway.signatures.hash_trees import Digest
from gateway.store import KeyDestroyed, Store
from gateway.store.values import ProofRow, StoredRecord
from gateway.trust import Trust, TrustFinding
from gateway.verification import KeptRecord, Verifier, every, judge_record, last_by, verified
from gateway.verification.evidence import Objects, gathered, grounds_of

LATE = "late"
URGENT = timedelta(days=1)
"""So long before its end a proof is renewed even where today's lists are missing: they may
come later, the stamp may not."""

LACKING = ("TRY_LATER", "NO_CERTIFICATE_CHAIN_FOUND", "NO_SIGNING_CERTIFICATE_FOUND")
"""Doubts that the files of another day may settle: a list, or an authority's certificate, is not
in the trust folders now.  They end no proof; what they end stays ended."""


class Awaiting(Exception):
    """It cannot be judged now, for want of an authority's files; there is time to wait."""


class Ended(Exception):
    """Nothing is to be renewed; the argument is the state the submission takes."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A submission ready for its next stamp."""

    row: ProofRow
    digest: str
    leaf: Leaf
    material: tuple[Objects, ...]
    """As `StoredRecord.material`, less the last."""

    newest: datetime | None
    """Of its stamps so far; the next may not be older."""


class Preparer:
    """Prepares submissions by today's trust and policy of algorithms."""

    def __init__(self, store: Store, trust: Trust, algorithms: Algorithms, rules: Rules) -> None:
        self.store = store
        self.trust = trust
        self.algorithms = algorithms
        self.rules = rules
        self.verifier = Verifier(trust, algorithms)

    def prepared(self, row: ProofRow, now: datetime) -> Prepared:
        """Return a submission with what its next stamp covers.  Raises Awaiting and Ended."""
        try:
            kept = self.store.submission(row.submission)
            stored = self.store.evidence.record(row.submission)
        except KeyDestroyed:
            raise Ended(CLOSED) from None
        if not kept.parts:
            raise Ended(CLOSED)
        urgent = row.end.ends_at is not None and row.end.ends_at <= now + URGENT
        if stored is not None:
            found = self._renewed(row, kept, stored, now, urgent)
            if found is not None:
                return found
        return self._begun(row, kept, now, urgent)

    def _renewed(
        self, row: ProofRow, kept: Submission, stored: StoredRecord, now: datetime, urgent: bool
    ) -> Prepared | None:
        """Return the renewal of a record; None for one that proves nothing any more."""
        judge = _Remembering(self.trust)
        bodies = tuple(part.body for part in kept.parts)
        held = KeptRecord(record=stored.record, parts=bodies, material=stored.material)
        proof = judge_record(held, self.algorithms, now, judge)
        if proof is None:
            raise Awaiting  # our clock is behind the stamp's
        doubts = [one for one in proof.stamps if one.indication is not Indication.TOTAL_PASSED]
        waiting = doubts == list(proof.stamps[-1:]) and _is_lacking(*doubts)
        if waiting and not urgent:
            raise Awaiting
        if judge.found is None or not (waiting or proof.indication is Indication.TOTAL_PASSED):
            return None
        record = evidence_records.read(stored.record)
        grounds = gathered(grounds_of(judge.found), stored.material[-1] if waiting else ())
        digest = record.stamps[-1].digest
        objects = [blob for _, blob in grounds]
        if self._ages(digest, now) and not self._ages(self.rules.digest, now):
            digest = self.rules.digest
            compute = self._digest(digest)
            leaf = evidence_records.tree_renewed(record, held.objects(), objects, compute)
        else:
            leaf = evidence_records.stamp_renewed(record, objects, self._digest(digest))
        return Prepared(
            row=row,
            digest=digest,
            leaf=leaf,
            material=(*stored.material[:-1], grounds),
            newest=proof.stamps[-1].at,
        )

    def _begun(self, row: ProofRow, kept: Submission, now: datetime, urgent: bool) -> Prepared:
        """Return a first stamp over a submission and all that its verdict rests on, now too."""
        stored = self.store.signatures(row.submission)
        if stored is None:
            raise Ended(CLOSED)
        today = verified(self.verifier, kept, now)
        good = {finding.place for finding in passed(stored.report)}
        findings = [one for one in today.signatures if one.place in good]
        lacking = [one for one in findings if one.indication is not Indication.TOTAL_PASSED]
        if not _is_lacking(*lacking) or not findings:
            raise Ended(LATE)
        if lacking and not urgent:
            raise Awaiting
        both = (*every(stored.report), *every(today))
        group = gathered(*(finding.evidence for finding in both))
        objects = (*_bodies(kept.parts), *(blob for _, blob in group))
        leaf = evidence_records.first_leaf(objects, self._digest(self.rules.digest))
        return Prepared(
            row=row, digest=self.rules.digest, leaf=leaf, material=(group,), newest=None
        )

    def _ages(self, digest: str, now: datetime) -> bool:
        """Say whether a digest is refused within the time in which proofs are renewed."""
        until = now + self.rules.before
        day = self.algorithms.policy.foreseen(digest, 0)
        return self.algorithms.at(until).refused(digest) is not None or (
            day is not None and day <= until.date()
        )

    def _digest(self, name: str) -> Digest:
        return lambda octets: self.algorithms.digest(name, octets)


class _Remembering:
    """Judges the last stamp of a record and keeps what was found."""

    def __init__(self, trust: Trust) -> None:
        self._judge = last_by(trust)
        self.found: TrustFinding | None = None

    def __call__(self, checked: CheckedTimestamp, at: datetime, kept: Objects) -> TrustFinding:
        self.found = self._judge(checked, at, kept)
        return self.found


def _is_lacking(*doubts: SignatureFinding | TimestampFinding) -> bool:
    """Say whether nothing but what may be there another day keeps these from passing."""
    return all(one.sub_indication in LACKING for one in doubts)


def _bodies(parts: tuple[Part, ...]) -> tuple[bytes, ...]:
    return tuple(part.body for part in parts)
