"""What an evidence record inside a signature proves, as archive time stamps do."""

from __future__ import annotations

from datetime import datetime

import pytest

from gateway.algorithms.interface import Algorithms
from gateway.algorithms.policy import standard
from gateway.model import Indication, SignatureFinding
from gateway.sandbox.certificates import Authority, Period
from gateway.sandbox.pki import Pki
from gateway.signatures.cms_attributes import SIGNATURE_TIME_STAMP
from gateway.trust import Trust
from gateway.verification import Verifier
from gateway.verification.moments import TIMESTAMPS_MAX
from tests.pki.build import ALGORITHMS, DAY, NOW, list_of
from tests.unit.signatures.cms_made import adding, attribute, value_of
from tests.unit.signatures.made import document, verifier
from tests.unit.signatures.records_made import (
    Stamping,
    Step,
    archived,
    carrying,
    record_over,
)
from tests.unit.signatures.xml_records_made import Maker, chain, sequence
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
    World,
)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def attached(world: World) -> bytes:
    return world.signed(detached=False)


def stamping(world: World) -> Stamping:
    return lambda digest, root, at: world.token(root, digest, at)


def trust(world: World, *days: datetime, but: Authority | None = None) -> Trust:
    """Return a trust with the lists of several days, `but` one authority's own."""
    known = {
        day: [one for at, some in world.revoked.items() if at <= day for one in some]
        for day in days
    }
    both = (world.root, world.stampers)
    return Trust(
        [one.certificate.dump() for one in both if one is not but],
        (),
        [
            list_of(
                one,
                *(known[day] if one is world.stampers else ()),
                period=Period(begins=day - HOUR, ends=day + 7 * DAY),
                at=min(world.revoked, default=day),
            ).dump()
            for day in days
            for one in both
        ],
        algorithms=ALGORITHMS,
    )


def judged(
    world: World,
    file: bytes,
    at: datetime,
    by: Trust | None = None,
    algorithms: Algorithms = ALGORITHMS,
) -> SignatureFinding:
    """Return the finding by lists of the days of all stamps, or another trust."""
    verifier = Verifier(by or trust(world, STAMPED, RENEWED, at), algorithms)
    (finding,) = verifier.verify(document(file), (), at, kept=False).signatures
    return finding


def told(finding: SignatureFinding) -> list[tuple[Indication, str | None]]:
    return [(one.indication, one.sub_indication) for one in finding.timestamps]


ONCE = (Step(STAMPED),)
TWICE = (Step(STAMPED), Step(RENEWED))


def test_a_record_proves_the_time_of_its_first_stamp(world: World) -> None:
    file = archived(attached(world), stamping(world), *ONCE)
    finding = judged(world, file, SIGNER_ENDS + DAY)
    assert finding.indication is PASSED, finding.checks
    assert (finding.times.best, finding.level) == (STAMPED, "T")
    (stamp,) = finding.timestamps
    assert (stamp.kind, stamp.at) == ("archive", STAMPED)
    bare = judged(world, attached(world), SIGNER_ENDS + DAY)
    assert (bare.indication, bare.times.best) == (FAILED, None)


def test_a_record_that_came_after_the_signer_had_ended_proves_too_little(world: World) -> None:
    file = archived(attached(world), stamping(world), Step(SIGNER_ENDS + HOUR))
    finding = judged(world, file, SIGNER_ENDS + DAY)
    assert told(finding) == [(PASSED, None)]
    assert finding.indication is not PASSED


def test_a_renewed_record_holds_after_its_first_authority_has_ended(world: World) -> None:
    assert FIRST_ENDS < LATER
    twice = judged(world, archived(attached(world), stamping(world), *TWICE), LATER)
    assert (twice.indication, told(twice)) == (PASSED, [(PASSED, None)] * 2), twice.checks
    assert twice.times.best == STAMPED
    once = judged(world, archived(attached(world), stamping(world), *ONCE), LATER)
    assert (once.indication, once.times.best) == (FAILED, None)
    assert told(once)[0][0] is not PASSED


def test_a_record_may_be_renewed_within_the_second(world: World) -> None:
    file = archived(attached(world), stamping(world), *ONCE, *ONCE)
    finding = judged(world, file, STAMPED + DAY)
    assert told(finding) == [(PASSED, None)] * 2


def test_a_first_authority_revoked_before_the_renewal_proves_nothing() -> None:
    """Whoever has its key may have made the first stamp with any time."""
    for day, expected in ((RENEWED - DAY, False), (RENEWED + HOUR, True)):
        world = World()
        world.revoked[day] = [world.first.certificate]
        file = archived(attached(world), stamping(world), *TWICE)
        finding = judged(world, file, LATER, trust(world, STAMPED, RENEWED + DAY, LATER))
        assert (finding.indication is PASSED) is expected, day
        assert (finding.times.best == STAMPED) is expected


def test_a_stamp_is_not_judged_at_a_renewal_that_nobody_believes(world: World) -> None:
    """The nearest neighbour of a renewed record: the second authority is unknown."""
    other = World()
    file = attached(world)

    def mixed(digest: str, root: bytes, at: datetime) -> bytes:
        return (world if at == STAMPED else other).token(root, digest, at)

    finding = judged(world, archived(file, mixed, *TWICE), LATER)
    assert finding.times.best is None
    assert finding.indication is not PASSED
    early = judged(world, archived(file, mixed, *TWICE), FIRST_ENDS - DAY)
    assert [one.indication for one in early.timestamps] == [UNKNOWN, UNKNOWN]
    assert early.timestamps[0].checks[-1].detail == (
        "renewed by a time stamp that is not believed: NO_CERTIFICATE_CHAIN_FOUND"
    )
    assert early.times.best is None


def test_a_record_by_an_unknown_authority_is_left_out_and_spoils_nothing(world: World) -> None:
    file = archived(attached(world), stamping(World()), *ONCE)
    finding = judged(world, file, STAMPED + DAY)
    assert told(finding) == [(UNKNOWN, "NO_CERTIFICATE_CHAIN_FOUND")]
    assert (finding.indication, finding.times.best) == (PASSED, None)


def test_a_record_over_something_else_keeps_the_signature_from_passing(world: World) -> None:
    file = attached(world)
    wrong = carrying(file, record_over([attached(world)], stamping(world), *ONCE))
    finding = judged(world, wrong, STAMPED + DAY)
    assert told(finding) == [(FAILED, "HASH_FAILURE")]
    assert (finding.indication, finding.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert finding.times.best is None


def test_stamps_after_the_moment_of_judgement_are_left_out_of_account(world: World) -> None:
    file = archived(attached(world), stamping(world), *TWICE)
    finding = judged(world, file, RENEWED - DAY)
    assert told(finding) == [(PASSED, None), (UNKNOWN, "TIMESTAMP_ORDER_FAILURE")]
    assert (finding.indication, finding.times.best) == (PASSED, STAMPED)
    before = judged(world, file, STAMPED - DAY)
    assert (before.indication, before.times.best) == (PASSED, None)


def test_a_digest_counts_until_it_was_renewed_or_as_of_the_moment_before_that(
    world: World,
) -> None:
    """SHA-256 ends between the two stamps, so the second came too late; before, it counts."""
    ends = STAMPED + 300 * DAY
    aged = ALGORITHMS.under(standard().laid_over({"digests": {"sha256": {"until": ends.date()}}}))
    late = Step(RENEWED, "streebog512", tree=True)
    file = archived(attached(world), stamping(world), *ONCE, late)
    early = judged(world, file, ends - 5 * DAY, algorithms=aged)
    assert early.times.best == STAMPED
    after = judged(world, file, LATER, algorithms=aged)
    assert told(after)[0] == (UNKNOWN, "CRYPTO_CONSTRAINTS_FAILURE")
    assert after.times.best == RENEWED
    in_time = Step(ends - 5 * DAY, "streebog512", tree=True)
    held = archived(attached(world), stamping(world), *ONCE, in_time, late)
    days = trust(world, STAMPED, ends - 5 * DAY, RENEWED, LATER)
    assert judged(world, held, LATER, days, aged).times.best == STAMPED


def test_a_later_record_holds_an_earlier_one_and_one_beside_it_does_not(world: World) -> None:
    """A record beside another covers the file without either: the other may be of yesterday."""
    file = attached(world)
    first = record_over([file], stamping(world), *ONCE)
    once = carrying(file, first)
    after = record_over([once], stamping(world), Step(RENEWED))
    held = judged(world, carrying(once, after), LATER)
    assert (held.indication, held.times.best) == (PASSED, STAMPED), told(held)
    aside = record_over([file], stamping(world), Step(RENEWED))
    apart = judged(world, carrying(file, first, aside), LATER)
    assert [one.indication is PASSED for one in apart.timestamps] == [False, True]
    assert apart.times.best == RENEWED
    assert apart.indication is not PASSED


def test_a_record_holds_the_time_stamp_of_the_signature_in_its_time(world: World) -> None:
    file = attached(world)
    token = world.token(ALGORITHMS.digest("sha256", value_of(file)), "sha256", NOW + DAY)
    stamped = adding(file, attribute(SIGNATURE_TIME_STAMP, token))
    both = judged(world, archived(stamped, stamping(world), Step(RENEWED)), LATER)
    assert (both.indication, both.times.best) == (PASSED, NOW + DAY), told(both)
    alone = judged(world, stamped, LATER)
    assert alone.times.best is None


def test_a_record_with_more_stamps_than_are_looked_at_proves_nothing(world: World) -> None:
    steps = [Step(STAMPED + n * DAY) for n in range(TIMESTAMPS_MAX + 1)]
    finding = judged(world, archived(attached(world), stamping(world), *steps), STAMPED + 40 * DAY)
    assert finding.times.best is None
    assert finding.sub_indication == "SIG_CONSTRAINTS_FAILURE"


def test_a_record_in_an_xml_signature_proves_its_time(pki: Pki) -> None:
    maker = Maker(pki)
    for objects, proven in ((maker.objects, NOW), ([*maker.objects, b"more"], None)):
        file = maker.with_record(sequence(chain(1, "sha256", maker.first(objects))))
        report = verifier(pki).verify(document(file, "application/xml"), (), NOW + HOUR, kept=False)
        (finding,) = report.signatures
        assert finding.times.best == proven
        assert (finding.indication is PASSED) is (proven is not None), finding.checks
