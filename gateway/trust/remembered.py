"""Verdicts remembered until the first thing they rest on ends."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from typing import Any

from gateway.algorithms.policy import AlgorithmPolicy
from gateway.trust.explain import Verdict, covers
from gateway.trust.finding import TrustFinding
from gateway.trust.material import Material
from gateway.trust.policy import PathPolicy
from gateway.trust.revocation import answers_about, may_list

INSTANT = timedelta(microseconds=1)
VERDICTS_MAX = 4096
"""Verdicts remembered; the least recently used goes first."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The moments a verdict holds for, both ends included."""

    since: datetime
    until: datetime


class Verdicts:
    """Findings by what they depend on.  Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[TrustFinding, Span]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, key: bytes, at: datetime) -> TrustFinding | None:
        """Return the finding that holds at a moment, if there is one."""
        with self._lock:
            found = self._found.get(key)
            if found is None or not found[1].since <= at <= found[1].until:
                return None
            self._found.move_to_end(key)
            return found[0]

    def remember(self, key: bytes, finding: TrustFinding, span: Span) -> None:
        """Keep a finding for its span."""
        with self._lock:
            self._found[key] = (finding, span)
            while len(self._found) > VERDICTS_MAX:
                self._found.popitem(last=False)


def span_of(
    verdict: Verdict,
    at: datetime,
    material: Material,
    policy: PathPolicy,
    algorithms: AlgorithmPolicy,
) -> Span | None:
    """Return the span of moments a verdict holds for; None when only for this one.

    It ends with the first list or certificate to end.  A path with an entry on any list is
    not remembered: the entry's date would have to be weighed again.  Nor is one that an OCSP
    answer or another authority's list speaks of: which of them decided is not known here.
    """
    if verdict.sub_indication not in (None, "REVOKED"):
        return None
    path = verdict.path
    if answers_about(material, path) or any(map(_indirect, material.crls)):
        return None
    lists = [one for one in material.crls if any(covers(one, below, at) for below in path[:-1])]
    issuers = {one.issuer.hashable for one in lists}
    if any(below.issuer.hashable not in issuers for below in path[:-1]):
        return None  # a later list decided
    if verdict.sub_indication is None and _listed(verdict, material):
        return None
    since = [certificate.not_valid_before for certificate in path]
    until = [certificate.not_valid_after for certificate in path]
    for one in lists:
        begins = one["tbs_cert_list"]["this_update"].native
        since.append(begins)
        until.append(one["tbs_cert_list"]["next_update"].native)
        if policy.revocation_age_max is not None:
            until.append(begins + policy.revocation_age_max)
    if verdict.sub_indication == "REVOKED":
        since.append(at)
    # On some day an algorithm may end, or begin.
    for day in _days(algorithms):
        (since if day <= at else until).append(day if day <= at else day - INSTANT)
    # A list that begins later may say more.
    for one in material.crls:
        begins = one["tbs_cert_list"]["this_update"].native
        if begins > at and one.issuer.hashable in issuers:
            until.append(begins)
    return Span(since=max(since), until=min(until))


def _days(algorithms: AlgorithmPolicy) -> list[datetime]:
    """Return the moments at which a policy changes its mind."""
    rules = [*algorithms.digests.values(), *chain.from_iterable(algorithms.keys.values())]
    days = {day for rule in rules for day in (rule.since, rule.until) if day is not None}
    return [datetime.combine(day, time(), UTC) for day in days]


def _indirect(one: Any) -> bool:
    point = one.issuing_distribution_point_value
    return point is not None and bool(point["indirect_crl"].native)


def _listed(verdict: Verdict, material: Material) -> bool:
    """Return whether any list may have an entry for a certificate of the path."""
    return any(
        one.issuer == below.issuer and may_list(one, below.serial_number)
        for below in verdict.path[:-1]
        for one in material.crls
    )
