"""Hash trees and the structure of evidence records; verdicts: unit/verification/test_records."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import ber
from gateway.signatures import evidence_records as records
from gateway.signatures.evidence_records import NotARecord, Record
from gateway.signatures.findings import Flaw
from gateway.signatures.hash_trees import grown, node_of, root_of
from tests.pki.build import ALGORITHMS, DAY, NOW

OBJECTS = (b"document", b"signature", b"list")


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


@pytest.fixture(scope="module")
def record(pki: Pki) -> Record:
    return made_record(pki)


def made_record(pki: Pki) -> Record:
    """Return a record of two stamps in one chain and one in another, among other leaves."""
    files = pki.signer("gost256-tsa")
    # Nothing signs the certificates beside the authority's own: a change there is no matter.
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain()[:1], algorithms=ALGORITHMS
    )
    others = [records.first_leaf([bytes([n])], sha256) for n in range(6)]
    made: Record | None = None
    for days, name in ((0, "sha256"), (1, "sha256"), (2, "streebog256")):

        def digest(octets: bytes, name: str = name) -> bytes:
            return ALGORITHMS.digest(name, octets)

        if made is None:
            leaf = records.first_leaf(OBJECTS, digest)
        elif name == "sha256":
            leaf = records.stamp_renewed(made, [b"list of then"], digest)
        else:
            leaf = records.tree_renewed(made, OBJECTS, [b"list of then"], digest)
        top, ways = records.planted([*others, leaf], digest)
        token = authority.token(name, top, NOW + days * DAY)
        made = records.stamped(leaf, ways[-1], name, token)
    assert made is not None
    return made


MATERIALS = ((), (b"list of then",), (b"list of then",))


def test_what_was_written_is_read(record: Record) -> None:
    read = records.read(records.write(record))
    assert records.write(read) == records.write(record)
    assert [len(chain) for chain in read.chains] == [2, 1]
    roots = records.roots(read, OBJECTS, MATERIALS, ALGORITHMS)
    checked = [
        records.check_stamp(stamp, root, ALGORITHMS.at(NOW))
        for stamp, root in zip(read.stamps, roots, strict=True)
    ]
    assert [one.at for one in checked] == [NOW, NOW + DAY, NOW + 2 * DAY]
    assert {one.indication for one in checked} == {Indication.TOTAL_PASSED}


def test_what_was_stamped_is_not_written_anew(record: Record) -> None:
    """A definite length may end in 80 as an indefinite one does, and look like BER to a library."""
    first, second = record.chains[0]
    strange = b"\x30\x82\x01\x80" + b"\x05\x00" * 0xC0
    chains = ((first, replace(second, octets=strange)), *record.chains[1:])
    with pytest.raises(Flaw, match="time stamp 3 covers something else"):
        records.roots(Record(chains=chains), OBJECTS, MATERIALS, ALGORITHMS)


def test_a_token_in_ber_is_renewed_as_it_stands(record: Record) -> None:
    """Authorities write BER, and a library that writes it anew makes other octets of it."""
    written = ber.elements(
        ber.contents(record.stamps[0].octets or records._written(record.stamps[0]))
    )
    token = b"\x30\x80" + ber.contents(written[-1]) + ber.CONTENTS_END
    inner = b"".join([*written[:-1], token])
    octets = b"\x30" + ber.length(len(inner)) + inner
    first = replace(record.stamps[0], token=token, octets=octets)
    covered = replace(record.stamps[1], lists=((sha256(token),),), octets=b"")
    read = records.read(records.write(Record(chains=((first, covered),))))
    assert [stamp.token for stamp in read.stamps] == [token, covered.token]
    found = records.roots(read, OBJECTS, (), ALGORITHMS)
    assert found[1] == sha256(token)
    checked = records.check_stamp(read.stamps[0], found[0], ALGORITHMS.at(NOW))
    assert checked.indication is Indication.TOTAL_PASSED


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_over_another_root_or_by_another_digest_is_refused(
    record: Record, place: int
) -> None:
    stamp = record.stamps[place]
    root = records.roots(record, OBJECTS, MATERIALS, ALGORITHMS)[place]
    good = records.check_stamp(stamp, root, ALGORITHMS.at(NOW))
    assert good.indication is Indication.TOTAL_PASSED
    for bad in (
        records.check_stamp(stamp, bytes(32), ALGORITHMS.at(NOW)),
        records.check_stamp(replace(stamp, digest="sha512"), root, ALGORITHMS.at(NOW)),
    ):
        assert (bad.indication, bad.sub_indication) == (
            Indication.TOTAL_FAILED,
            "HASH_FAILURE",
        )


def test_a_token_over_nothing_is_not_taken_for_one_over_the_root(pki: Pki) -> None:
    """An imprint of the empty string by another digest is the digest of what is not there."""
    files = pki.signer("gost256-tsa")
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain(), algorithms=ALGORITHMS
    )
    token = authority.stamp("sha512", b"", NOW)
    stamp = records.Stamp(digest="sha256", lists=(), token=token)
    checked = records.check_stamp(stamp, sha256(b"x"), ALGORITHMS.at(NOW))
    assert checked.sub_indication == "HASH_FAILURE"


def test_changed_records_hold_for_nothing_else(record: Record) -> None:
    """A thousand records with one octet changed: refused, or what they cover is the same."""
    octets, chance = records.write(record), random.Random(4998)
    held = 0
    for _ in range(1000):
        changed = bytearray(octets)
        changed[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        try:
            read = records.read(bytes(changed))
            roots = records.roots(read, OBJECTS, MATERIALS, ALGORITHMS)
        except (NotARecord, Flaw):
            continue
        checked = [
            records.check_stamp(stamp, root, ALGORITHMS.at(NOW))
            for stamp, root in zip(read.stamps, roots, strict=True)
        ]
        held += all(one.indication is Indication.TOTAL_PASSED for one in checked)
    # What stays is the list of digests in the head, which says nothing that is not said again.
    assert held < 30


def test_structures_beyond_the_limits_are_refused(record: Record) -> None:
    stamp = replace(record.stamps[0], octets=b"")
    long = replace(stamp, lists=((bytes(32),),) * (records.LISTS_MAX + 1))
    wide = replace(stamp, lists=((bytes(32),) * (records.HASHES_MAX + 1),))
    empty = replace(stamp, lists=((),))
    mixed = (stamp, replace(stamp, digest="sha512"))
    for chains in (
        (),
        ((),),
        ((stamp,) * (records.STAMPS_MAX + 1),),
        ((long,),),
        ((wide,),),
        ((empty,),),
        (mixed,),
    ):
        with pytest.raises(NotARecord):
            records.read(records.write(Record(chains=chains)))
    with pytest.raises(NotARecord):
        records.read(bytes(records.RECORD_BYTES_MAX + 1))


def test_a_record_of_encrypted_objects_is_refused(record: Record) -> None:
    structure = records._EvidenceRecord.load(records.write(record))
    structure["encryption_info"] = []
    with pytest.raises(NotARecord, match="encrypted"):
        records.read(structure.dump(force=True))


@given(st.lists(st.lists(st.binary(max_size=8), min_size=1, max_size=4), min_size=1, max_size=40))
def test_every_leaf_leads_to_the_root_and_nothing_else_does(groups: list[list[bytes]]) -> None:
    leaves = [(tuple({sha256(one) for one in group}),) for group in groups]
    root, ways = grown(leaves, sha256)
    for leaf, way in zip(leaves, ways, strict=True):
        assert set(way[0]) == set(leaf[0])
        assert root_of(way, sha256) == root
        assert root_of(((sha256(b"nine octets"),), *way[1:]), sha256) != root


def test_digests_are_joined_in_ascending_order() -> None:
    """RFC 4998, section 4.2: the order in which they came is nobody's to choose."""
    low, high = b"\x01" * 32, b"\x02" * 32
    assert node_of([high, low, low], sha256) == sha256(low + high)
    assert node_of([high], sha256) == high
