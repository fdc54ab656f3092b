"""The job that renews evidence: what ages out soon gets a time stamp, one for many documents.

A batch is asked of the authority first and kept in one transaction, so that it is there whole
or, after a crash, done again.  Two processes that work the same batch are found out by the
count of stamps, and the later one starts over.

Source: RFC 4998, section 5.2; semantics of `Rules`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.evidence.ends import Asking, chain_of, end_of, keys_of
from gateway.evidence.preparing import Awaiting, Ended, Prepared, Preparer
from gateway.evidence.rules import Rules
from gateway.evidence.survey import surveyed
from gateway.model import CLOCK_TOLERANCE, Indication
from gateway.signatures import ber, evidence_records
from gateway.signatures.stamping import NotStamped
from gateway.signatures.timestamps import check_token_over
from gateway.store import Store, Unreadable
from gateway.store.values import NewRecord, Overtaken, ProofEnd, StoredRecord
from gateway.trust import Trust
from gateway.verification.evidence import Objects, grounds_of

log = structlog.get_logger("gateway.evidence")

SURVEY_MAX = 200
"""Submissions asked about in one step."""

STEP_SECONDS_MAX = 15.0
"""After so long a step goes on with what it has; the thread must show that it lives."""

RETRY_FIRST = timedelta(minutes=1)
RETRY_LONGEST = timedelta(hours=6)
"""Waits after failures of the authority double from the first to the longest."""

LISTS_AWAITED = timedelta(hours=6)
"""How long what lacks an authority's list or certificate is left alone."""

REST_MIN = timedelta(days=1)
"""A stamp is not renewed sooner, however soon its authority ends."""

UNREADABLE = (Unreadable, KeyError)
"""What is kept was damaged, or part of it is gone."""

Stamp = Callable[[str, bytes], bytes]
"""Gives a token over what has this digest: (digest's name, digest).  Raises NotStamped."""

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one step of renewal did."""

    stamped: tuple[str, ...] = ()
    awaiting: tuple[str, ...] = ()
    """Left alone for a while: an authority's list is not there, or it cannot be read."""

    ended: tuple[str, ...] = ()
    """Nothing is renewed any more."""

    again: bool = False
    """Another process was faster: the same once more."""

    @property
    def did(self) -> bool:
        """Whether there may be more to do."""
        return bool(self.stamped or self.awaiting or self.ended or self.again)


@dataclass(frozen=True)
class _Token:
    octets: bytes
    at: datetime
    grounds: Objects
    end: ProofEnd


@dataclass
class _Pace:
    """When the worker's job is done next."""

    next: datetime | None = None
    failures: int = 0
    after: str = field(default="")
    """The last submission that was asked about."""


class Renewal:
    """Renews the evidence of one home; a step may be repeated, stopped and started again."""

    def __init__(
        self,
        store: Store,
        trust: Trust,
        algorithms: Algorithms,
        stamp: Stamp,
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        self.store = store
        self.trust = trust
        self.algorithms = algorithms
        self.stamp = stamp
        self.rules = rules
        self.clock = clock
        self._preparer = Preparer(store, trust, algorithms, rules)
        self._pace = _Pace()

    def step(self) -> None:
        """Do a bounded piece when it is time: for a thread that calls this every so often."""
        pace, now = self._pace, self.clock()
        if pace.next is not None and now < pace.next:
            return
        # Whatever goes wrong here, a full disk too, asks the authority no more often than this.
        wait = min(RETRY_FIRST * (1 << min(pace.failures, 20)), RETRY_LONGEST)
        pace.next, pace.failures = now + wait, pace.failures + 1
        try:
            batch = None if self.survey() else self.renew()
        except (NotStamped, Unsupported) as error:
            log.warning("evidence.not_stamped", error=str(error), count=pace.failures)
            return
        pace.next, pace.failures = None, 0
        if batch is None:
            return
        if batch.stamped:
            log.info("evidence.stamped", count=len(batch.stamped))
        if not batch.did:
            pace.next, pace.after = now + self.rules.every, ""

    def survey(self, progress: Progress | None = None) -> int:
        """Ask of some submissions how long their proof lasts; return how many, 0 at the end."""
        ids = self.store.evidence.unseen(self._pace.after, SURVEY_MAX)
        ends, deadline = [], time.monotonic() + STEP_SECONDS_MAX
        for id in ids:
            self._pace.after = id
            try:
                ends.append((id, surveyed(self.store, self.algorithms, id)))
            except UNREADABLE as error:
                # Not this one; the others are looked at all the same.
                log.error("evidence.unreadable", submission=id, error=type(error).__name__)
            if progress is not None:
                progress(id)
            if time.monotonic() > deadline:
                break
        if ends:
            self.store.evidence.seen(ends)
        return len(ids)

    def renew(self, *, unstamped: bool = False, progress: Progress | None = None) -> Batch:
        """Renew a batch of what is due; with `unstamped` also what has no stamp yet.

        Raises NotStamped when the authority gives no token that could be believed, and
        Unsupported for a digest that nobody here computes; nothing is kept then.
        """
        now = self.clock()
        due = self.store.evidence.due(
            now, now + self.rules.before, self.rules.batch, unstamped=unstamped
        )
        ready: list[Prepared] = []
        awaiting, ended = list[str](), list[str]()
        deadline = time.monotonic() + STEP_SECONDS_MAX
        for row in due:
            try:
                ready.append(self._preparer.prepared(row, now))
            except Awaiting:
                awaiting.append(row.submission)
            except UNREADABLE as error:
                log.error(
                    "evidence.unreadable", submission=row.submission, error=type(error).__name__
                )
                awaiting.append(row.submission)
            except Ended as state:
                self.store.evidence.end(row, str(state))
                ended.append(row.submission)
            if progress is not None:
                progress(row.submission)
            if time.monotonic() > deadline:
                break
        if awaiting:
            self.store.evidence.put_off(awaiting, now + LISTS_AWAITED)
        stamped = list[str]()
        try:
            for digest in dict.fromkeys(one.digest for one in ready):
                some = [one for one in ready if one.digest == digest]
                self._stamped(digest, some, now)
                stamped += [one.row.submission for one in some]
        except Overtaken:
            return Batch(
                stamped=tuple(stamped), awaiting=tuple(awaiting), ended=tuple(ended), again=True
            )
        return Batch(stamped=tuple(stamped), awaiting=tuple(awaiting), ended=tuple(ended))

    def _stamped(self, digest: str, some: Sequence[Prepared], now: datetime) -> None:
        """Put submissions under one time stamp and keep it with each of them."""

        def compute(octets: bytes) -> bytes:
            return self.algorithms.digest(digest, octets)

        root, ways = evidence_records.planted([one.leaf for one in some], compute)
        token = self._token(digest, root, now)
        newest = max((one.newest for one in some if one.newest), default=token.at)
        if token.at < newest:
            raise NotStamped("the stamp is older than one it renews")
        new = []
        for one, way in zip(some, ways, strict=True):
            record = evidence_records.stamped(one.leaf, way, digest, token.octets)
            new.append(
                NewRecord(
                    submission=one.row.submission,
                    stamps_before=one.row.stamps,
                    stamps=one.row.stamps + 1,
                    stamped_at=token.at,
                    end=token.end,
                    stored=StoredRecord(
                        record=evidence_records.write(record),
                        material=(*one.material, token.grounds),
                    ),
                    tokens=tuple(stamp.token for stamp in record.stamps),
                )
            )
        self.store.evidence.keep(new)

    def _token(self, digest: str, root: bytes, now: datetime) -> _Token:
        """Return a token over a root that may be believed today.  Raises NotStamped."""
        octets = ber.der(self.stamp(digest, root))
        asking = Asking(self.algorithms)
        checked = check_token_over(octets, digest, root, "archive", asking.at(now))
        if checked.indication is not Indication.TOTAL_PASSED or checked.certificate is None:
            raise NotStamped(f"the token does not hold: {checked.sub_indication}")
        if abs(checked.at - now) > CLOCK_TOLERANCE:
            raise NotStamped("the authority's clock and ours differ")
        if asking.at(now).refused(digest):
            raise NotStamped(f"the policy of algorithms refuses {digest}")
        found = self.trust.judge(
            checked.certificate, checked.other_certificates, now, purpose="timestamping"
        )
        if found.status is not Indication.TOTAL_PASSED:
            raise NotStamped(f"the authority is not believed: {found.sub_indication}")
        path = chain_of(found.chain)
        asked = asking.asked | keys_of(path)
        end = end_of(path[: max(1, len(path) - 1)], asked, self.algorithms.policy, now)
        rest = (end.at - checked.at) / 2 if end.at else REST_MIN
        return _Token(
            octets=octets,
            at=checked.at,
            grounds=grounds_of(found),
            end=ProofEnd(
                state="stamped",
                ends_at=end.at,
                ends_by=end.by,
                # Where every stamp ends soon, stamping without a pause would gain nothing.
                not_before=checked.at + max(REST_MIN, rest),
            ),
        )
