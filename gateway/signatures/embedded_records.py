"""Evidence records that a CMS file carries among its unsigned attributes.

A record is over the file as it stood without it.  An internal one has the file's digest in its
first list, an external one that of the content as well.  Where there are several, the first in
time is over the file without any, each later one over the file with those before it; records
in one attribute stand beside each other and do not cover each other.

The file holds all its signatures, so a record proves of each of them when it existed, whichever
one it was added to.  A record with one wrong stamp is wrong altogether.

Source: RFC 4998, appendix A, sections 4.3 and 5.3; ETSI TS 119 122-3 (records beside each other,
DER instead of the existing coding).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedTimestamp, Indication
from gateway.signatures import cms_stripped, evidence_records
from gateway.signatures.cms_attributes import EVIDENCE_RECORDS, Attribute
from gateway.signatures.cms_file import SignedData
from gateway.signatures.cms_stripped import Place
from gateway.signatures.directory import Directory
from gateway.signatures.evidence_records import CHECK, NotARecord, Record
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    HASH_FAILURE,
    MALFORMED,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.timestamps import UNREAD, time_of

RECORDS_MAX = 4
"""Of one file.  It should have one; it is renewed within, and hardly ever gets another."""

_, EXTERNAL = EVIDENCE_RECORDS

Take = Callable[[int], None]
"""Takes a time stamp, and octets to be digested, from what a file may ask for."""

Stamped = tuple[CheckedTimestamp, bytes]
"""A stamp with its token."""


@dataclass(frozen=True, kw_only=True)
class _Carrier:
    """An attribute with its records, as far as they can be read."""

    place: Place
    attribute: Attribute
    records: tuple[Record | NotARecord, ...]
    since: datetime
    """The earliest time that one of its records bears."""


class EmbeddedRecords:
    """All evidence records of one CMS file."""

    def __init__(
        self,
        octets: bytes,
        signed: SignedData,
        content: bytes | None,
        algorithms: Algorithms,
        directory: Directory,
        take: Take,
    ) -> None:
        """`octets` are the file itself, opened as `signed`; `content` is None if elsewhere."""
        self.octets = octets
        self.signed = signed
        self.content = content
        self.algorithms = algorithms
        self.directory = directory
        self.take = take
        self._found: tuple[Stamped, ...] | Flaw | None = None

    def checked(self) -> tuple[Stamped, ...]:
        """Return every stamp of every record; one in the place of a record that does not hold.

        Raises the flaw of more records than anybody needs, and of attributes not readable.
        """
        if self._found is None:
            try:
                self._found = tuple(self._all())
            except Flaw as flaw:
                self._found = flaw
        if isinstance(self._found, Flaw):
            raise self._found
        return self._found

    def _all(self) -> Iterator[Stamped]:
        carriers = sorted(self._carriers(), key=lambda one: one.since)
        before: frozenset[str] = frozenset()
        for position, carrier in enumerate(carriers):
            found = [list(self._record(record, carriers[position:])) for record in carrier.records]
            for record in found:
                yield from _chained(record, before)
            before |= {one.sha256 for record in found for one, _ in record}

    def _carriers(self) -> list[_Carrier]:
        found = [
            (place, attribute)
            for place, octets in cms_stripped.attributes(self.octets)
            for attribute in _readable(octets)
            if attribute.kind in EVIDENCE_RECORDS
        ]
        if sum(len(attribute.values) for _, attribute in found) > RECORDS_MAX:
            raise failed("unsigned_attributes", FORMAT_FAILURE, "too many evidence records")
        return [_carrier(place, attribute) for place, attribute in found]

    # --- one record ----------------------------------------------------------------------

    def _record(self, record: Record | NotARecord, gone: Sequence[_Carrier]) -> Iterator[Stamped]:
        """Check a record over the file without `gone`, its own attribute the first of them."""
        if isinstance(record, NotARecord):
            yield _wrong(failed(CHECK, FORMAT_FAILURE, str(record)), UNREAD), b""
            return
        tokens = [stamp.token for stamp in record.stamps]
        times = [time_of(token) for token in tokens]
        try:
            roots = self._roots(record, gone)
            _in_order(times)
        except Flaw as flaw:
            if flaw.check.name != CHECK:
                raise
            yield _wrong(flaw, times[0]), tokens[0]
            return
        for token in tokens:
            self.take(len(token))
        then = [*map(self._at, times[1:]), self.algorithms]
        known = [one.dump() for one in self.signed.certificates]
        stamps = evidence_records.check_stamps(record, roots, then, known, self.directory)
        yield from zip(_together(stamps), tokens, strict=True)

    def _at(self, renewed: datetime) -> Algorithms:
        """Return what counted when a stamp was renewed; what is yet to come counts as today."""
        today = self.algorithms.moment
        return self.algorithms if today and renewed > today else self.algorithms.at(renewed)

    def _roots(self, record: Record, gone: Sequence[_Carrier]) -> tuple[bytes, ...]:
        """Return what the stamps should be over, in the coding that the record is over."""
        beside: tuple[bytes, ...] = ()
        if gone[0].attribute.kind == EXTERNAL:
            if self.content is None:
                raise undecided(CHECK, SIGNED_DATA_NOT_FOUND, "what it stamps is elsewhere")
            beside = (self.content,)
        there = cms_stripped.without(self.octets, [one.place for one in gone])
        try:
            return self._over((there, *beside), record)
        except Flaw as flaw:
            if flaw.sub_indication != HASH_FAILURE or (der := self._without_in_der(gone)) == there:
                raise
            return self._over((der, *beside), record)

    def _without_in_der(self, gone: Sequence[_Carrier]) -> bytes:
        written = {cms_stripped.attribute_in_der(one.attribute.octets) for one in gone}
        places = [
            place for place, octets in cms_stripped.attributes(self._in_der) if octets in written
        ]
        return cms_stripped.without(self._in_der, places)

    @cached_property
    def _in_der(self) -> bytes:
        """The file in DER, all records in it: it costs too much to be done for each of them."""
        return cms_stripped.in_der(self.octets)

    def _over(self, objects: Sequence[bytes], record: Record) -> tuple[bytes, ...]:
        self.take(len(record.chains) * sum(map(len, objects)))
        return evidence_records.roots(record, objects, (), self.algorithms, alone=False)


def _readable(octets: bytes) -> list[Attribute]:
    """Return the attribute; none where its signer will say that it cannot be read."""
    try:
        return [Attribute.of(octets)]
    except MALFORMED:
        return []


def _carrier(place: Place, attribute: Attribute) -> _Carrier:
    records = tuple(map(_read, attribute.values))
    times = [time_of(one.stamps[0].token) for one in records if isinstance(one, Record)]
    return _Carrier(
        place=place, attribute=attribute, records=records, since=min(times, default=UNREAD)
    )


def _read(octets: bytes) -> Record | NotARecord:
    try:
        return evidence_records.read(octets)
    except NotARecord as error:
        return error


def _chained(stamps: Sequence[Stamped], before: frozenset[str]) -> Iterator[Stamped]:
    """Yield the stamps of a record with what each covers: those before it, and `before`."""
    following = [*(one.sha256 for one, _ in stamps[1:]), ""]
    for (one, token), renewed_by in zip(stamps, following, strict=True):
        yield replace(one, covers=before, renewed_by=renewed_by), token
        before |= {one.sha256}


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


def _wrong(flaw: Flaw, at: datetime) -> CheckedTimestamp:
    """Return what stands for a record that proves nothing."""
    checks = Checks()
    checks.flawed(flaw)
    return CheckedTimestamp(
        kind="archive",
        at=at,
        certificate=None,
        other_certificates=(),
        checks=checks.made,
        indication=checks.indication,
        sub_indication=checks.sub_indication,
    )
