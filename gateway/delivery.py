"""The second half of the line: take what is due, send it, keep the answer, try again or give up.

The network of others is slow and breaks; it never holds up the line.  A delivery is tried with
growing waits; a destination's refusal is an answer, not an error; what cannot be sent after the
last try is `dead` and waits for a person.

Whether a delivery may leave is decided by the store in the transaction that claims it
(semantics, rule 9): what comes back from `store.delivery` may be sent, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from gateway.destinations.interface import Kind, kinds
from gateway.errors import TryLater
from gateway.model import Answer, Delivery, Destination, Problem
from gateway.receipts.issue import Receipts
from gateway.store import Held, Store, audit_entry
from gateway.store.values import WorkOrder


class Deliverer:
    """Works deliveries; one object per gateway, safe to use from several threads."""

    def __init__(
        self,
        *,
        store: Store,
        receipts: Receipts,
        clock: Callable[[], datetime],
        retry_first: timedelta,
        retry_longest: timedelta,
        attempts_max: int,
        lease: timedelta,
    ) -> None:
        self.store = store
        self.receipts = receipts
        self.clock = clock
        self.retry_first = retry_first
        self.retry_longest = retry_longest
        self.attempts_max = attempts_max
        self.lease = lease
        self.kinds: Mapping[str, Kind] = kinds()

    def work(self, order: WorkOrder) -> None:
        """Try one delivery once.  Raises LostLease when another worker has taken it over."""
        try:
            delivery = self.store.delivery(order)
        except Held:
            return
        destination = self.store.destination(delivery.destination)
        if destination is None or not delivery.resources:
            problem = Problem(code="DLV-301", detail={"destination": delivery.destination})
            self.store.delivery_failed(order, problem, None)
        else:
            self._send(order, delivery, destination)

    def _send(self, order: WorkOrder, delivery: Delivery, destination: Destination) -> None:
        kind = self.kinds[destination.kind]
        if (patience := kind.patience(destination.options)) >= self.lease:
            # A claim that ended while we still send would let a revocation pass us by.
            self.store.extend(order, patience + self.lease)
        try:
            answer = kind.send(delivery, destination.options)
        except TryLater as later:
            self.store.delivery_failed(order, later.problems[0], self._next_try(order))
        else:
            self._keep_answer(order, delivery, answer)

    def _keep_answer(self, order: WorkOrder, delivery: Delivery, answer: Answer) -> None:
        now = self.clock()
        audit = audit_entry(
            "delivery",
            f"delivery.{answer.state}",
            delivery.id,
            {"destination": delivery.destination, "document": delivery.document},
            now,
        )
        claims = {
            "submission": delivery.submission,
            "document": delivery.document,
            "delivery": delivery.id,
            "destination": delivery.destination,
            "state": str(answer.state),
            "reference": answer.reference,
            "answer_sha256": hashlib.sha256(answer.evidence).hexdigest(),
            "attempts": order.attempt,
            "partial": delivery.partial,
        }
        receipt = self.receipts.issue("delivered", claims, audit, now)
        self.store.delivered(order, answer, receipt, audit)

    def _next_try(self, order: WorkOrder) -> datetime | None:
        wait = retry_wait(order.attempt, self.retry_first, self.retry_longest, self.attempts_max)
        return None if wait is None else self.clock() + wait


def retry_wait(
    attempt: int, first: timedelta, longest: timedelta, attempts_max: int
) -> timedelta | None:
    """Return how long to wait after failed attempt number `attempt` (from 1).

    The wait doubles from `first` up to `longest`.  None means give up and hand the delivery
    to a person.

    >>> retry_wait(1, timedelta(seconds=30), timedelta(hours=6), 14)
    datetime.timedelta(seconds=30)
    >>> retry_wait(14, timedelta(seconds=30), timedelta(hours=6), 14) is None
    True
    """
    assert attempt >= 1, attempt
    if attempt >= attempts_max:
        return None
    # 2**40 doublings of anything exceed any cap; the bound keeps the number small.
    doublings: int = 1 << min(attempt - 1, 40)
    return longest if first > longest / doublings else first * doublings
