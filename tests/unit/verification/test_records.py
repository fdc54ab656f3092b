"""Verdicts that hold for decades by an evidence record, and what breaks a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from gateway.algorithms.interface import Algorithms
from gateway.algorithms.policy import standard
from gateway.model import Indication, RecordFinding, SignatureReport
from gateway.signatures import evidence_records as records
from gateway.signatures.evidence_records import Record, Stamp
from gateway.verification import judge_record, judged_again, judged_by_record, last_by
from tests.pki.build import ALGORITHMS, DAY, NOW
from tests.unit.signatures.made import BUNDLE
from tests.unit.verification.long_lived import (
    FAILED,
    FIRST_ENDS,
    HOUR,
    LATER,
    PASSED,
    RENEWED,
    SIGNER_ENDS,
    STAMPED,
    UNKNOWN,
    YEAR,
    Paper,
    World,
    paper,
    stamped,
)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def renewed(world: World) -> Paper:
    """Two papers under one time stamp, renewed before its authority ended."""
    first = stamped(paper(world), paper(world, BUNDLE + b"\n"), at=STAMPED)
    return stamped(*first, at=RENEWED)[0]


def by_record(one: Paper, at: datetime, algorithms: Algorithms = ALGORITHMS) -> SignatureReport:
    proof = one.judged(at, algorithms)
    assert proof is not None
    return judged_by_record(
        one.stored, one.kept, proof, one.signatures, one.document, algorithms, at
    )


def without(one: Paper, at: datetime, algorithms: Algorithms = ALGORITHMS) -> SignatureReport:
    return judged_again(one.stored, one.document, one.signatures, algorithms, NOW, at)


def told(proof: RecordFinding | None) -> tuple[Indication, str | None]:
    assert proof is not None
    return proof.indication, proof.sub_indication


def with_stamps(one: Paper, *stamps: Sequence[Stamp]) -> Paper:
    bare = tuple(tuple(replace(stamp, octets=b"") for stamp in chain) for chain in stamps)
    return replace(one, record=Record(chains=bare))


def test_a_verdict_holds_after_signer_and_authority_have_ended(renewed: Paper) -> None:
    assert SIGNER_ENDS < FIRST_ENDS < LATER
    report = by_record(renewed, LATER)
    assert report.indication is PASSED
    (finding,) = report.signatures
    assert (finding.times.best, finding.times.validation) == (STAMPED, LATER)
    proof = renewed.judged(LATER)
    assert proof is not None
    assert [one.at for one in proof.stamps] == [STAMPED, RENEWED]
    assert (proof.proven, proof.digests) == (STAMPED, ("sha256", "sha256"))
    assert without(renewed, LATER).indication is UNKNOWN


def test_one_stamp_is_not_enough_once_its_authority_has_ended(world: World) -> None:
    (once,) = stamped(paper(world), at=STAMPED)
    assert told(once.judged(FIRST_ENDS - DAY)) == (PASSED, None)
    assert by_record(once, FIRST_ENDS - DAY).indication is PASSED
    assert once.judged(FIRST_ENDS + DAY).indication is not PASSED  # type: ignore[union-attr]
    assert by_record(once, FIRST_ENDS + DAY).indication is UNKNOWN


def test_between_two_stamps_the_first_alone_speaks(renewed: Paper) -> None:
    between = RENEWED - DAY
    proof = renewed.judged(between)
    assert proof is not None
    assert [one.at for one in proof.stamps] == [STAMPED]
    assert by_record(renewed, between).indication is PASSED
    assert renewed.judged(STAMPED - HOUR) is None


def test_a_stamp_after_the_signer_has_ended_proves_too_little(world: World) -> None:
    """The nearest refused neighbour: one day past the end of the certificate."""
    (late,) = stamped(paper(world), at=SIGNER_ENDS + DAY)
    assert told(late.judged(SIGNER_ENDS + 2 * DAY)) == (PASSED, None)
    report = by_record(late, SIGNER_ENDS + 2 * DAY)
    assert report.signatures[0].sub_indication == "OUT_OF_BOUNDS_NO_POE"
    assert report.indication is UNKNOWN
    (just,) = stamped(paper(world), at=SIGNER_ENDS - HOUR)
    assert by_record(just, SIGNER_ENDS + 2 * DAY).indication is PASSED


def test_a_changed_octet_of_document_or_material_is_refused(renewed: Paper) -> None:
    for number in range(len(renewed.parts)):
        parts = list(renewed.kept.parts)
        parts[number] = parts[number][:-1] + bytes([parts[number][-1] ^ 1])
        changed = replace(renewed.kept, parts=tuple(parts))
        assert told(judge(renewed, changed)) == (FAILED, "HASH_FAILURE")
    for place, objects in enumerate(renewed.kept.material[:2]):
        kind, blob = objects[0]
        other = ((kind, blob[:-1] + bytes([blob[-1] ^ 1])), *objects[1:])
        material = list(renewed.kept.material)
        material[place] = other
        changed = replace(renewed.kept, material=tuple(material))
        assert told(judge(renewed, changed)) == (FAILED, "HASH_FAILURE")


def judge(one: Paper, kept: object) -> RecordFinding | None:
    return judge_record(kept, ALGORITHMS, LATER, last_by(one.world.trust(LATER)))  # type: ignore[arg-type]


def test_the_record_of_another_document_is_refused(world: World) -> None:
    one, other = stamped(paper(world), paper(world, BUNDLE + b" "), at=STAMPED)
    swapped = replace(one, record=other.record)
    assert told(swapped.judged(STAMPED + DAY)) == (FAILED, "HASH_FAILURE")


def test_an_object_less_or_more_than_was_covered_is_refused(renewed: Paper) -> None:
    less = replace(renewed.kept, parts=renewed.parts[:-1])
    more = replace(renewed.kept, parts=(*renewed.parts, b"more"))
    for kept in (less, more):
        assert told(judge(renewed, kept)) == (FAILED, "HASH_FAILURE")


def test_a_swapped_node_of_the_tree_is_refused(world: World) -> None:
    one, other = stamped(paper(world), paper(world, BUNDLE + b" "), at=STAMPED)
    assert one.record is not None
    (stamp,) = one.record.stamps
    assert len(stamp.lists) == 2
    swapped = replace(stamp, lists=(stamp.lists[0], (bytes(32),)))
    broken = with_stamps(one, [swapped])
    assert told(broken.judged(STAMPED + DAY)) == (FAILED, "HASH_FAILURE")
    assert told(other.judged(STAMPED + DAY)) == (PASSED, None)


def test_a_stamp_older_than_the_one_it_renews_is_refused(world: World) -> None:
    (once,) = stamped(paper(world), at=STAMPED)
    (back,) = stamped(once, at=STAMPED - HOUR)
    assert told(back.judged(LATER)) == (FAILED, "TIMESTAMP_ORDER_FAILURE")


def test_an_authority_revoked_before_the_next_stamp_proves_nothing() -> None:
    """Whoever has its key may have stamped anything with any time."""
    for day, expected in ((RENEWED - DAY, FAILED), (RENEWED + 2 * HOUR, PASSED)):
        world = World()
        (once,) = stamped(paper(world), at=STAMPED)
        world.revoked[day] = [world.first.certificate]
        (twice,) = stamped(once, at=RENEWED)
        assert told(twice.judged(LATER))[0] is expected, day
        assert (by_record(twice, LATER).indication is PASSED) is (expected is PASSED)


def test_the_last_authority_revoked_by_now_proves_nothing(renewed: Paper) -> None:
    world = renewed.world
    world.revoked[LATER - DAY] = [world.second.certificate]
    try:
        assert told(renewed.judged(LATER)) == (FAILED, "REVOKED")
        assert by_record(renewed, LATER).indication is UNKNOWN
    finally:
        del world.revoked[LATER - DAY]


def test_an_aged_digest_is_held_by_a_tree_of_another(world: World) -> None:
    """SHA-256 ends in the fourth year; the second chain covers everything by Streebog."""
    day = (NOW + 3 * YEAR).date()
    policy = standard().laid_over({"digests": {"sha256": {"until": day}}})
    aged = ALGORITHMS.under(policy)
    (once,) = stamped(paper(world), at=STAMPED)
    (same,) = stamped(once, at=RENEWED)
    (other,) = stamped(once, at=RENEWED, digest="streebog512", kind="tree")
    assert told(same.judged(LATER, aged)) == (UNKNOWN, "CRYPTO_CONSTRAINTS_FAILURE")
    assert told(other.judged(LATER, aged)) == (PASSED, None)
    assert by_record(other, LATER, aged).indication is PASSED
    assert len(other.record.chains) == 2  # type: ignore[union-attr]
    assert told(same.judged(LATER)) == (PASSED, None)


def test_an_aged_signature_is_held_by_the_record() -> None:
    """The policy of today knows what that of then did not: RSA has ended."""
    world = World(family="rsa")
    rules = {"families": ["rsa"], "bits": 1024, "until": (NOW + 3 * YEAR).date()}
    aged = ALGORITHMS.under(standard().laid_over({"keys": [rules]}))
    (once,) = stamped(paper(world), at=STAMPED)
    (twice,) = stamped(once, at=RENEWED)
    assert by_record(twice, LATER, aged).indication is PASSED
    before_the_end = NOW + DAY
    assert without(twice, before_the_end, aged).indication is PASSED
    late = stamped(paper(world), at=NOW + 3 * YEAR)[0]
    assert by_record(late, LATER, aged).indication is not PASSED


def test_a_chain_of_another_digest_must_cover_all_chains_before(world: World) -> None:
    (once,) = stamped(paper(world), at=STAMPED)
    (again,) = stamped(paper(world), at=STAMPED + HOUR)
    (other,) = stamped(once, at=RENEWED, digest="sha512", kind="tree")
    assert told(other.judged(LATER)) == (PASSED, None)
    assert other.record is not None
    assert again.record is not None
    spliced = with_stamps(other, again.record.chains[0], other.record.chains[1])
    assert told(spliced.judged(LATER)) == (FAILED, "HASH_FAILURE")


@pytest.mark.parametrize("digest", records.DIGESTS)
def test_every_digest_of_a_record_holds(world: World, digest: str) -> None:
    many = stamped(*(paper(world, BUNDLE + b" " * n) for n in range(5)), at=STAMPED, digest=digest)
    for one in many:
        assert told(one.judged(STAMPED + DAY)) == (PASSED, None)
        assert records.read(one.kept.record).stamps[0].digest == digest


def test_noise_is_no_record(renewed: Paper) -> None:
    for octets in (b"", b"noise", renewed.kept.record[:-1], renewed.kept.record + b"\x00"):
        kept = replace(renewed.kept, record=octets)
        assert told(judge(renewed, kept)) == (FAILED, "FORMAT_FAILURE")
