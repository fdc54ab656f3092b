"""Evidence records in an XAdES signature: XMLERS, and those of ASN.1 in base64.

A record is over the group of what an archive time stamp covers: what the references give, the
parts of the signature, and the unsigned properties before its own.  The digest of the group,
one for all, stands in the first list.  Where an XML record renews a stamp it covers the stamp's
element, and a later chain the sequence of those before it, in canonical form.

Source: RFC 6283, sections 2.1 (structure), 3.2 and 4.2 (generation and renewal); ETSI TS 119
132-3, clause 5 (what a record in a signature is over); RFC 4998.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.signatures import evidence_records, findings
from gateway.signatures import xml_names as names
from gateway.signatures.evidence_records import (
    CHECK,
    HASHES_MAX,
    LISTS_MAX,
    STAMPS_MAX,
    NotARecord,
    Record,
    Stamp,
)
from gateway.signatures.findings import (
    HASH_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.hash_trees import Digest, Lists, root_of
from gateway.signatures.record_stamps import Roots
from gateway.signatures.timestamps import TOKEN_BYTES_MAX
from gateway.signatures.xml_structure import decode, local
from gateway.xml import c14n

ERS = "{urn:ietf:params:xml:ns:ers}"
ASN1 = "ASN1EvidenceRecord"

Group = Callable[[str], Sequence[bytes]]
"""The objects of the group by the name of their digest: octets whose digest is the group's."""

Canonical = Callable[[etree._Element, str, Sequence[etree._Element]], bytes]
"""Returns the canonical form of an element by a method, less some elements in it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One record of a property, and how to tell what its stamps should be over."""

    record: Record | NotARecord
    roots: Callable[[Record], Roots]


@dataclass(frozen=True)
class _Chain:
    element: etree._Element
    digest: str
    method: str
    stamps: list[etree._Element]


def read(
    holder: etree._Element, group: Group, algorithms: Algorithms, canonical: Canonical
) -> list[Found]:
    """Return the records of a SealingEvidenceRecords property, in their order.  Never raises."""
    found = []
    over_group: Callable[[Record], Roots] = partial(
        evidence_records.roots, objects=group, materials=(), algorithms=algorithms, alone=False
    )
    for element in holder.iterchildren("*"):
        try:
            if local(element) == ASN1:
                record = evidence_records.read(decode(element))
                roots = over_group
            else:
                sequence, chains = _opened(element)
                record = Record(chains=tuple(map(_stamps, chains)))
                roots = _Xml(sequence, chains, group, algorithms, canonical).roots
        except NotARecord as error:
            found.append(Found(record=error, roots=_none))
        except Flaw as flaw:
            found.append(Found(record=NotARecord(flaw.check.detail), roots=_none))
        else:
            found.append(Found(record=record, roots=roots))
    return found


def _none(record: Record) -> Roots:
    raise AssertionError("Nothing is over what could not be read.")


@dataclass(frozen=True)
class _Xml:
    sequence: etree._Element
    chains: Sequence[_Chain]
    group: Group
    algorithms: Algorithms
    canonical: Canonical

    def roots(self, record: Record) -> Roots:
        """Return what each stamp's token should be over.

        Raises the flaw of the first stamp that covers something else (sections 3.3 and 4.3).
        """
        found: list[bytes] = []
        for number, chain in enumerate(self.chains):
            digest = self._digest(chain.digest)
            for place, stamp in enumerate(record.chains[number]):
                covered = self._covered(number, place, digest)
                lists = stamp.lists or (covered,)
                if not set(lists[0]) >= set(covered) or (not stamp.lists and len(covered) > 1):
                    detail = f"time stamp {len(found) + 1} covers something else"
                    raise failed(CHECK, HASH_FAILURE, detail)
                found.append(root_of(lists, digest))
        return tuple(found)

    def _covered(self, number: int, place: int, digest: Digest) -> tuple[bytes, ...]:
        chain = self.chains[number]
        if place:
            (before,) = _named(chain.stamps[place - 1], "TimeStamp")
            return (digest(self._written(before, chain.method)),)
        group = tuple(map(digest, self.group(chain.digest)))
        if not number:
            return group
        later = [one.element for one in self.chains[number:]]
        return (*group, digest(self._written(self.sequence, chain.method, later)))

    def _written(
        self, element: etree._Element, method: str, less: Sequence[etree._Element] = ()
    ) -> bytes:
        if method not in c14n.METHODS:
            shown = findings.shown(method, names.KNOWN)
            raise undecided(CHECK, SIG_CONSTRAINTS_FAILURE, f"{shown} unsupported")
        return self.canonical(element, method, less)

    def _digest(self, name: str) -> Digest:
        return lambda octets: findings.digest(self.algorithms, name, octets, CHECK)


# --- reading -----------------------------------------------------------------------------


def _opened(record: etree._Element) -> tuple[etree._Element, list[_Chain]]:
    if record.tag != f"{ERS}EvidenceRecord" or record.get("Version") != "1.0":
        raise NotARecord("not an evidence record")
    if _named(record, "EncryptionInformation"):
        raise NotARecord("of encrypted objects")
    sequences = _named(record, "ArchiveTimeStampSequence")
    if len(sequences) != 1:
        raise NotARecord("not an evidence record")
    chains = [_chain(one) for one in _ordered(sequences[0], "ArchiveTimeStampChain")]
    if not chains or not all(chain.stamps for chain in chains):
        raise NotARecord("without a time stamp")
    if sum(len(chain.stamps) for chain in chains) > STAMPS_MAX:
        raise NotARecord(f"more than {STAMPS_MAX} time stamps")
    return sequences[0], chains


def _chain(element: etree._Element) -> _Chain:
    digests, methods = _named(element, "DigestMethod"), _named(element, "CanonicalizationMethod")
    if len(digests) != 1 or len(methods) != 1:
        raise NotARecord("not an evidence record")
    uri = digests[0].get("Algorithm") or ""
    return _Chain(
        element=element,
        digest=names.DIGESTS.get(uri) or findings.shown(uri, names.KNOWN),
        method=methods[0].get("Algorithm") or "",
        stamps=_ordered(element, "ArchiveTimeStamp"),
    )


def _stamps(chain: _Chain) -> tuple[Stamp, ...]:
    return tuple(_stamp(one, chain.digest) for one in chain.stamps)


def _stamp(element: etree._Element, digest: str) -> Stamp:
    times = _named(element, "TimeStamp")
    tokens = [token for time in times for token in _named(time, "TimeStampToken")]
    if len(times) != 1 or len(tokens) != 1 or tokens[0].get("Type") != "RFC3161":
        raise NotARecord("a token that cannot be read")
    octets = decode(tokens[0])
    if len(octets) > TOKEN_BYTES_MAX:
        raise NotARecord("a token larger than any")
    return Stamp(digest=digest, lists=_tree(element), token=octets)


def _tree(stamp: etree._Element) -> Lists:
    """Return the hash tree of a stamp; empty where it has none."""
    trees = _named(stamp, "HashTree")
    if not trees:
        return ()
    levels = [_named(one, "DigestValue") for one in _ordered(trees[0], "Sequence")]
    if len(levels) > LISTS_MAX or sum(map(len, levels)) > HASHES_MAX:
        raise NotARecord("a hash tree larger than any")
    if len(trees) > 1 or not levels or not all(levels):
        raise NotARecord("an empty list in a hash tree")
    return tuple(tuple(map(decode, level)) for level in levels)


def _named(parent: etree._Element, name: str) -> list[etree._Element]:
    return list(parent.iterchildren(f"{ERS}{name}"))


def _ordered(parent: etree._Element, name: str) -> list[etree._Element]:
    """Return children in the order of their numbers, which are 1, 2, 3, … (section 2.1)."""
    found = _named(parent, name)
    by_number = {one.get("Order"): one for one in found}
    wanted = [str(number) for number in range(1, len(found) + 1)]
    if set(by_number) != set(wanted):
        raise NotARecord("not an evidence record")
    return [by_number[number] for number in wanted]
