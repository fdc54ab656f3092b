"""Evidence records: proof that some octets existed, renewed before it ages.

A record is a sequence of chains of archive time stamps.  The first covers a group of objects;
each later one of a chain covers the one before it, and each later chain covers the objects
again, by a digest that has not aged, together with all chains before it.

Beside what a renewed stamp covers in its first list, its second may have what the verdict on
the stamp before rests on (certificates, lists, answers), so that it too existed by then.

Whether anybody believes the authorities is not said here, and no time is judged.

Source: RFC 4998, sections 3.1, 4.1, 4.3, 5.1 and 5.3, appendix A.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from asn1crypto import algos, cms, core

from gateway.algorithms.asn1 import MALFORMED
from gateway.algorithms.interface import Algorithms
from gateway.model import Check, CheckedTimestamp, CheckStatus, Indication
from gateway.signatures import ber, findings
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.findings import CRYPTO_CONSTRAINTS_FAILURE, HASH_FAILURE, failed
from gateway.signatures.hash_trees import Digest, Lists, grown, node_of, root_of
from gateway.signatures.timestamps import TOKEN_BYTES_MAX, check_token_over

DIGESTS = ("sha256", "sha512", "streebog256", "streebog512")
"""What a record is made with; one that came from elsewhere may have any digest we know."""

RECORD_BYTES_MAX = 16 << 20
STAMPS_MAX = 100
"""A stamp lives for years: no record has as many."""

LISTS_MAX = 64
"""A tree of two children a node over more leaves than there are."""

HASHES_MAX = 10_000
"""In all lists of one stamp."""

CHECK = "evidence_record"


class _Anything(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Any


class _AnySet(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class _Partial(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class _Reduced(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Partial


class _ArchiveTimeStamp(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012 (asn1crypto's way to declare a structure)
        ("digest_algorithm", algos.DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", _AnySet, {"implicit": 1, "optional": True}),
        ("reduced", _Reduced, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class _Chain(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _ArchiveTimeStamp


class _Chains(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Chain


class _Digests(core.SequenceOf):  # type: ignore[misc]
    _child_spec = algos.DigestAlgorithm


class _EvidenceRecord(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("digest_algorithms", _Digests),
        ("crypto_infos", _Anything, {"implicit": 0, "optional": True}),
        ("encryption_info", _Anything, {"implicit": 1, "optional": True}),
        ("sequence", _Chains),
    ]


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """One archive time stamp."""

    digest: str
    """Of its tree and of the token's imprint."""

    lists: Lists
    """Its reduced hash tree; empty when the token is over the one object itself."""

    token: bytes
    """TimeStampToken (ContentInfo)."""

    octets: bytes = b""
    """As it stands in the record that was read; empty in one being made."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """An evidence record, opened."""

    chains: tuple[tuple[Stamp, ...], ...]

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        """All stamps in the order of their times."""
        return tuple(stamp for chain in self.chains for stamp in chain)

    def first(self, count: int) -> Record:
        """Return the record as it was with its first `count` stamps."""
        kept, chains = count, []
        for chain in self.chains:
            if kept > 0:
                chains.append(chain[:kept])
            kept -= len(chain)
        return Record(chains=tuple(chains))


class NotARecord(ValueError):
    """The octets are no evidence record that we read; the message says what is wrong."""


def read(octets: bytes) -> Record:
    """Return an evidence record; its stamps are kept as they are coded.  Raises NotARecord."""
    if len(octets) > RECORD_BYTES_MAX:
        raise NotARecord("larger than any record")
    try:
        ber.walk(octets)
        parsed = _EvidenceRecord.load(octets, strict=True)
        if parsed["version"].native != 1:
            raise NotARecord("unknown version")
        if not isinstance(parsed["encryption_info"], core.Void):
            # The octets that were encrypted are not at hand, and nobody here encrypts so.
            raise NotARecord("of encrypted objects")
        if sum(len(chain) for chain in parsed["sequence"]) > STAMPS_MAX:
            raise NotARecord(f"more than {STAMPS_MAX} time stamps")
        # Sliced, not written anew: renewed stamps cover what stands here, DER or not.
        coded = ber.elements(ber.contents(ber.elements(ber.contents(octets))[-1]))
        chains = tuple(
            tuple(map(_read_stamp, chain, ber.elements(ber.contents(written))))
            for chain, written in zip(parsed["sequence"], coded, strict=True)
        )
    except NotARecord:
        raise
    except MALFORMED as error:
        raise NotARecord("not an evidence record") from error
    if not chains or not all(chains):
        raise NotARecord("without a time stamp")
    for chain in chains:
        if len({stamp.digest for stamp in chain}) > 1:
            raise NotARecord("several digests in one chain")  # section 5.1
    return Record(chains=chains)


def write(record: Record) -> bytes:
    """Return a record as DER."""
    names = dict.fromkeys(stamp.digest for stamp in record.stamps)
    digests = _Digests([{"algorithm": name} for name in names])
    return _listed([core.Integer(1).dump(), digests.dump(), _sequence(record)])


# --- making ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """What one record puts into a tree: the record so far, and what its next stamp covers."""

    before: Record | None
    new_chain: bool
    lists: Lists


def first_leaf(objects: Sequence[bytes], digest: Digest) -> Leaf:
    """Return the leaf of a new record over a group of objects (section 4.2)."""
    return Leaf(before=None, new_chain=True, lists=(_hashes(objects, digest),))


def stamp_renewed(record: Record, material: Sequence[bytes], digest: Digest) -> Leaf:
    """Return the leaf that renews the last stamp of a record, by the digest of its chain.

    `material` is what the verdict on that stamp rests on (section 5.2, time-stamp renewal).
    """
    lists = (_hashes([record.stamps[-1].token], digest),)
    return Leaf(before=record, new_chain=False, lists=(*lists, *_beside(material, digest)))


def tree_renewed(
    record: Record, objects: Sequence[bytes], material: Sequence[bytes], digest: Digest
) -> Leaf:
    """Return the leaf that covers the objects again, by another digest (hash-tree renewal)."""
    lists = (_rehashed(record, objects, digest),)
    return Leaf(before=record, new_chain=True, lists=(*lists, *_beside(material, digest)))


def planted(leaves: Sequence[Leaf], digest: Digest) -> tuple[bytes, tuple[Lists, ...]]:
    """Return the root over all leaves, which one token stamps, and each one's way to it."""
    return grown([leaf.lists for leaf in leaves], digest)


def stamped(leaf: Leaf, way: Lists, digest: str, token: bytes) -> Record:
    """Return the record with a token over the root that `way` leads `leaf` to."""
    stamp = Stamp(digest=digest, lists=way, token=token)
    chains = leaf.before.chains if leaf.before else ()
    if leaf.new_chain:
        return Record(chains=(*chains, (stamp,)))
    return Record(chains=(*chains[:-1], (*chains[-1], stamp)))


# --- checking --------------------------------------------------------------------------


ObjectsBy = Callable[[str], Sequence[bytes]]
"""What a record is about, as it is to be digested by a digest of this name."""


def roots(
    record: Record,
    objects: Sequence[bytes] | ObjectsBy,
    materials: Sequence[Sequence[bytes]],
    algorithms: Algorithms,
    *,
    alone: bool = True,
) -> tuple[bytes, ...]:
    """Return what each stamp's token should be over, when all covers what it should.

    `objects` are the group, all of it if it stands `alone`.  `materials` are, for each stamp,
    what stands beside what it renews; those of the first are none.  Raises the flaw of the
    first stamp that covers something else (section 4.3, step 1; section 5.3, steps 1 to 3).
    """
    found: list[bytes] = []
    before = Record(chains=())
    given = (*materials, *([()] * STAMPS_MAX))
    for chain in record.chains:
        digest = _digest(chain[0].digest, algorithms)
        group = objects(chain[0].digest) if callable(objects) else objects
        for place, stamp in enumerate(chain):
            number = len(found)
            if place:
                covered = _hashes([chain[place - 1].token], digest)
            elif before.chains:
                covered = _rehashed(before, group, digest)
            else:
                covered = _hashes(group, digest)
            lists = stamp.lists or (covered,)
            there, wanted = set(lists[0]), set(covered)
            same = there == wanted if alone else there >= wanted
            if not same or (not stamp.lists and len(covered) > 1):
                raise failed(CHECK, HASH_FAILURE, f"time stamp {number + 1} covers something else")
            if given[number] and _beside(given[number], digest) != lists[1:2]:
                detail = f"time stamp {number + 1} covers other material"
                raise failed(CHECK, HASH_FAILURE, detail)
            found.append(root_of(lists, digest))
        before = Record(chains=(*before.chains, chain))
    return tuple(found)


def check_stamp(
    stamp: Stamp,
    root: bytes,
    algorithms: Algorithms,
    known: Sequence[bytes] = (),
    directory: Directory = NOBODY,
) -> CheckedTimestamp:
    """Check the token of a stamp over the root that its tree leads to.  Never raises.

    `known` and `directory` are as for `check_token`.
    """
    return check_token_over(
        stamp.token, stamp.digest, root, "archive", algorithms, known, directory
    )


def check_stamps(
    record: Record,
    roots: Sequence[bytes],
    then: Sequence[Algorithms],
    known: Sequence[bytes] = (),
    directory: Directory = NOBODY,
) -> list[CheckedTimestamp]:
    """Check the token of every stamp by what `then`, at the moment it is judged, may count.

    All trees of a chain are held by the first stamp of the next, so its digest has to count at
    the last moment of the chain (section 5.3, step 2).
    """
    found: list[CheckedTimestamp] = []
    for chain in record.chains:
        last = then[len(found) + len(chain) - 1]
        for stamp in chain:
            number = len(found)
            checked = check_stamp(stamp, roots[number], then[number], known, directory)
            refused = last.refused(stamp.digest)
            if refused and checked.indication is Indication.TOTAL_PASSED:
                aged = Check(name="crypto_policy", status=CheckStatus.INDETERMINATE, detail=refused)
                checked = replace(
                    checked,
                    checks=(*checked.checks, aged),
                    indication=Indication.INDETERMINATE,
                    sub_indication=CRYPTO_CONSTRAINTS_FAILURE,
                )
            found.append(checked)
    return found


# --- inside ----------------------------------------------------------------------------


def _read_stamp(written: _ArchiveTimeStamp, octets: bytes) -> Stamp:
    token = ber.elements(ber.contents(octets))[-1]
    if len(token) > TOKEN_BYTES_MAX:
        raise NotARecord("a token larger than any")
    named = written["digest_algorithm"]
    lists: Lists = ()
    if not isinstance(written["reduced"], core.Void):
        lists = tuple(tuple(one.native for one in level) for level in written["reduced"])
        if len(lists) > LISTS_MAX or sum(map(len, lists)) > HASHES_MAX:
            raise NotARecord("a hash tree larger than any")
        if not lists or not all(lists):
            raise NotARecord("an empty list in a hash tree")
    if isinstance(named, core.Void):
        content = written["time_stamp"]["content"]["encap_content_info"]["content"]
        named = content.parsed["message_imprint"]["hash_algorithm"]
    name = str(named["algorithm"].native)
    return Stamp(digest=name, lists=lists, token=token, octets=octets)


def _written(stamp: Stamp) -> bytes:
    if stamp.octets:
        return stamp.octets
    fields = {
        "digest_algorithm": {"algorithm": stamp.digest},
        "time_stamp": cms.ContentInfo.load(stamp.token),
    }
    if stamp.lists:
        fields["reduced"] = [list(level) for level in stamp.lists]
    return bytes(_ArchiveTimeStamp(fields).dump())


def _sequence(record: Record) -> bytes:
    """Return all chains; what was stamped is written as it stood, octet for octet."""
    return _listed([_listed(map(_written, chain)) for chain in record.chains])


def _listed(elements: Iterable[bytes]) -> bytes:
    contents = b"".join(elements)
    return b"\x30" + ber.length(len(contents)) + contents


def _hashes(objects: Sequence[bytes], digest: Digest) -> tuple[bytes, ...]:
    return tuple(sorted({digest(octets) for octets in objects}))


def _rehashed(record: Record, objects: Sequence[bytes], digest: Digest) -> tuple[bytes, ...]:
    """Return the digests of the objects, each joined with that of all chains so far."""
    chains = digest(_sequence(record))
    return tuple(sorted({digest(digest(octets) + chains) for octets in objects}))


def _beside(material: Sequence[bytes], digest: Digest) -> Lists:
    return ((node_of(_hashes(material, digest), digest),),) if material else ()


def _digest(name: str, algorithms: Algorithms) -> Digest:
    return lambda octets: findings.digest(algorithms, name, octets, CHECK)
