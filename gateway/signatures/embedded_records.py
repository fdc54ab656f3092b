"""Evidence records that a CMS file carries among its unsigned attributes.

A record is over the file as it stood without it.  An internal one has the file's digest in its
first list, an external one that of the content as well.  Where there are several, the first in
time is over the file without any, each later one over the file with those before it; records
in one attribute stand beside each other and do not cover each other.

The file holds all its signatures, so a record proves of each of them when it existed, whichever
one it was added to.

Source: RFC 4998, appendix A, sections 4.3 and 5.3; ETSI TS 119 122-3 (records beside each other,
DER instead of the existing coding).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

from gateway.algorithms.interface import Algorithms
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
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.record_stamps import Bench, Roots, Stamped, chained, stamps_of
from gateway.signatures.timestamps import UNREAD, time_of

RECORDS_MAX = 4
"""Of one file.  It should have one; it is renewed within, and hardly ever gets another."""

_, EXTERNAL = EVIDENCE_RECORDS

Take = Callable[[int], None]
"""Takes a time stamp, and octets to be digested, from what a file may ask for."""


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
        self.content = content
        known = [one.dump() for one in signed.certificates]
        self.bench = Bench(algorithms=algorithms, known=known, directory=directory)
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
            roots = partial(self._roots, carriers[position:])
            found = [stamps_of(record, roots, self.bench) for record in carrier.records]
            for record in found:
                yield from chained(record, before)
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

    def _roots(self, gone: Sequence[_Carrier], record: Record) -> Roots:
        """Return what the stamps of a record should be over, in the coding that it is over.

        It found the file without `gone`, its own attribute the first of them.
        """
        for stamp in record.stamps:
            self.take(len(stamp.token))
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

    def _over(self, objects: Sequence[bytes], record: Record) -> Roots:
        self.take(len(record.chains) * sum(map(len, objects)))
        return evidence_records.roots(record, objects, (), self.bench.algorithms, alone=False)


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
