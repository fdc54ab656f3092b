"""The stamps of an evidence record that a signature carries, as archive time stamps.

A record with one wrong stamp is wrong altogether: somebody put it together, and nobody should
rest on the part that holds.

Source: RFC 4998, section 5.3; RFC 6283, section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedTimestamp, Indication
from gateway.signatures import evidence_records
from gateway.signatures.directory import Directory
from gateway.signatures.evidence_records import CHECK, NotARecord, Record
from gateway.signatures.findings import FORMAT_FAILURE, HASH_FAILURE, Flaw, failed
from gateway.signatures.timestamps import UNREAD, time_of, unproven

Roots = tuple[bytes, ...]
"""What each stamp's token should be over."""

Stamped = tuple[CheckedTimestamp, bytes]
"""A stamp with its token."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the stamps of a signature's records are checked with."""

    algorithms: Algorithms
    known: Sequence[bytes]
    """Certificates among which an authority's may be, DER."""

    directory: Directory


def stamps_of(
    record: Record | NotARecord, roots: Callable[[Record], Roots], bench: Bench
) -> list[Stamped]:
    """Return every stamp of a record; one in the place of a record that proves nothing.

    `roots` raises the flaw, named CHECK, of a record over something else.
    """
    if isinstance(record, NotARecord):
        return [(unproven("archive", failed(CHECK, FORMAT_FAILURE, str(record))), b"")]
    tokens = [stamp.token for stamp in record.stamps]
    times = [time_of(token) for token in tokens]
    try:
        tops = roots(record)
        _in_order(times)
    except Flaw as flaw:
        if flaw.check.name != CHECK:
            raise
        return [(unproven("archive", flaw, times[0]), tokens[0])]
    then = [*(_at(time, bench.algorithms) for time in times[1:]), bench.algorithms]
    stamps = evidence_records.check_stamps(record, tops, then, bench.known, bench.directory)
    return list(zip(_together(stamps), tokens, strict=True))


def chained(stamps: Sequence[Stamped], before: frozenset[str]) -> Iterator[Stamped]:
    """Yield the stamps of a record with what each covers: those before it, and `before`."""
    following = [*(one.sha256 for one, _ in stamps[1:]), ""]
    for (one, token), renewed_by in zip(stamps, following, strict=True):
        yield replace(one, covers=before, renewed_by=renewed_by), token
        before |= {one.sha256}


def _at(renewed: datetime, today: Algorithms) -> Algorithms:
    """Return what counted when a stamp was renewed; what is yet to come counts as today."""
    return today if today.moment and renewed > today.moment else today.at(renewed)


def _in_order(times: Sequence[datetime]) -> None:
    if UNREAD in times:
        raise failed(CHECK, FORMAT_FAILURE, "a token that cannot be read")
    if sorted(times) != list(times):
        late = "a time stamp is older than the one it renews"
        raise failed(CHECK, "TIMESTAMP_ORDER_FAILURE", late)


def _together(stamps: Sequence[CheckedTimestamp]) -> list[CheckedTimestamp]:
    """Return the stamps of a record; where one is wrong, none of them proves anything."""
    for number, bad in enumerate(stamps):
        if bad.indication is Indication.TOTAL_FAILED:
            reason = bad.sub_indication or HASH_FAILURE
            flaw = failed(CHECK, reason, f"time stamp {number + 1}: {reason}")
            return [
                replace(
                    one,
                    checks=(*one.checks, flaw.check),
                    indication=Indication.TOTAL_FAILED,
                    sub_indication=reason,
                )
                for one in stamps
            ]
    return list(stamps)
