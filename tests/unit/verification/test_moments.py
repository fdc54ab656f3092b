"""When a signature existed: what time-stamps prove, and what only claims to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms, pem

from gateway.model import (
    CheckedSignature,
    CheckedTimestamp,
    CheckStatus,
    Indication,
    SignatureFinding,
)
from gateway.sandbox.certificates import Period, timestamper_extensions
from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import cms as form
from gateway.signatures.sign import sign
from gateway.signatures.timestamps import check_token
from gateway.trust import Trust
from gateway.verification import Verifier
from gateway.verification.moments import TIMESTAMPS_MAX
from tests.pki.build import ALGORITHMS, NOW, issue, list_of, root
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier
from tests.unit.verification.long_lived import LATER, STAMPED, YEAR, World, paper

HOUR = timedelta(hours=1)
ARCHIVED = NOW + 5 * YEAR / 2
"""By the second authority of `long_lived`, while the first is alive."""

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)


def value_of(signature: bytes) -> bytes:
    content = cms.ContentInfo.load(signature)["content"]
    return bytes(content["signer_infos"][0]["signature"].native)


def checked(signature: bytes, *timestamps: CheckedTimestamp) -> CheckedSignature:
    (one,) = form.check(document(BUNDLE), beside(signature), ALGORITHMS)
    return replace(one, timestamps=timestamps)


def stamp(
    pki: Pki, stamped: bytes, at: datetime = NOW, kind: str = "signature", by: str = "gost256-tsa"
) -> CheckedTimestamp:
    files = pki.signer(by)
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain(), algorithms=ALGORITHMS
    )
    return check_token(authority.stamp("sha256", stamped, at), stamped, kind, ALGORITHMS)


def judged(
    pki: Pki, signature: bytes, *timestamps: CheckedTimestamp, at: datetime = NOW + HOUR
) -> SignatureFinding:
    return verifier(pki).judge(checked(signature, *timestamps), at, kept=False)


def failed_checks(finding: SignatureFinding) -> Sequence[str]:
    return [check.name for check in finding.checks if check.status is CheckStatus.FAILED]


def test_a_believed_time_stamp_gives_the_best_time_and_level_t(pki: Pki) -> None:
    signature = signed(pki)
    finding = judged(pki, signature, stamp(pki, value_of(signature)))
    assert finding.indication is PASSED
    assert (finding.times.best, finding.level) == (NOW, "T")
    (one,) = finding.timestamps
    assert one.indication is PASSED
    assert one.authority is not None
    assert one.authority.common_name == "TSA"


def test_without_a_time_stamp_the_moment_of_keep_is_the_best_time(pki: Pki) -> None:
    kept = verifier(pki).judge(checked(signed(pki)), NOW + HOUR)
    assert (kept.times.best, kept.level) == (NOW + HOUR, "BES")
    assert judged(pki, signed(pki)).times.best is None


def test_the_earliest_of_several_proofs_counts(pki: Pki) -> None:
    signature = signed(pki)
    value = value_of(signature)
    early, late = stamp(pki, value, NOW - HOUR), stamp(pki, value, NOW)
    finding = verifier(pki).judge(checked(signature, late, early), NOW + HOUR)
    assert finding.times.best == NOW - HOUR
    assert [one.at for one in finding.timestamps] == [NOW, NOW - HOUR]


@pytest.mark.parametrize(
    ("days", "sub_indication"), [(3, None), (1, "REVOKED"), (101, "REVOKED"), (0, "REVOKED")]
)
def test_a_revocation_after_the_time_stamp_leaves_the_signature_good(
    days: int, sub_indication: str | None
) -> None:
    """It was two days ago; a hundred days ago the authority's own certificate began."""
    ca = root()
    signer, stamper = issue(ca), issue(ca, "TSA", timestamper_extensions())
    chain = (signer.der, ca.certificate.dump())
    signature = sign(
        BUNDLE,
        key=signer.key,
        chain=chain,
        algorithms=ALGORITHMS,
        form="cades",
        detached=True,
        at=NOW,
    )
    value, stamps = value_of(signature), []
    if days:
        authority = TimestampAuthority(
            key=stamper.key, chain=(stamper.der, chain[1]), algorithms=ALGORITHMS
        )
        token = authority.stamp("sha256", value, NOW - days * 24 * HOUR)
        stamps = [check_token(token, value, "signature", ALGORITHMS)]
    listed = list_of(ca, signer.certificate, at=NOW - 2 * 24 * HOUR).dump()
    trust = Trust([chain[1]], (), [listed], algorithms=ALGORITHMS)
    judge = Verifier(trust, ALGORITHMS)
    finding = judge.judge(checked(signature, *stamps), NOW + HOUR, kept=False)
    assert finding.sub_indication == sub_indication


def test_g1_a_time_stamp_of_another_signature_proves_nothing(pki: Pki) -> None:
    signature, other = signed(pki), signed(pki)
    files = pki.signer("gost256-tsa")
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain(), algorithms=ALGORITHMS
    )
    token = authority.stamp("sha256", value_of(other), NOW)
    copied = check_token(token, value_of(signature), "signature", ALGORITHMS)
    finding = judged(pki, signature, copied)
    assert (finding.indication, finding.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert (finding.times.best, finding.level) == (None, "BES")
    assert failed_checks(finding) == ["timestamp"]
    assert finding.timestamps[0].sub_indication == "HASH_FAILURE"


def test_g2_a_broken_imprint_proves_nothing(pki: Pki) -> None:
    signature = signed(pki)
    good = stamp(pki, value_of(signature))
    token = replace(good, indication=FAILED, sub_indication="HASH_FAILURE")
    finding = judged(pki, signature, token)
    assert finding.indication is UNKNOWN
    assert finding.times.best is None


def test_g2_a_good_time_stamp_beside_a_broken_one_does_not_hide_it(pki: Pki) -> None:
    signature = signed(pki)
    good = stamp(pki, value_of(signature))
    broken = replace(good, indication=FAILED, sub_indication="SIG_CRYPTO_FAILURE")
    finding = judged(pki, signature, good, broken)
    assert (finding.indication, finding.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize(
    ("first", "second"),
    [("content", "signature"), ("content", "archive"), ("signature", "archive")],
)
def test_g3_times_out_of_order_are_refused(pki: Pki, first: str, second: str) -> None:
    """What is stamped first must not bear the later time."""
    signature = signed(pki)
    value = value_of(signature)
    right = judged(
        pki, signature, stamp(pki, value, NOW - HOUR, first), stamp(pki, value, NOW, second)
    )
    assert right.indication is PASSED
    wrong = judged(
        pki, signature, stamp(pki, value, NOW, first), stamp(pki, value, NOW - HOUR, second)
    )
    assert (wrong.indication, wrong.sub_indication) == (UNKNOWN, "TIMESTAMP_ORDER_FAILURE")
    assert failed_checks(wrong) == ["timestamp_order"]


@pytest.mark.parametrize(
    ("kind", "covered", "best"),
    [
        ("signature", True, STAMPED),
        ("signature", False, ARCHIVED),
        ("archive", False, ARCHIVED),
        ("content", False, ARCHIVED),
    ],
)
def test_an_authority_that_has_ended_is_believed_under_an_archive_time_stamp(
    kind: str, covered: bool, best: datetime
) -> None:
    """Who has the key of an ended authority stamps any day, but not what is archived already."""
    world = World()
    (part,) = paper(world).signatures
    value = value_of(part.body)
    imprint = ALGORITHMS.digest("sha256", value)
    early, later = (
        check_token(world.token(imprint, "sha256", at), value, "archive", ALGORITHMS)
        for at in (STAMPED, ARCHIVED)
    )
    early = replace(early, kind=kind)
    later = replace(later, covers=frozenset([early.sha256] if covered else ()))
    of_then = list_of(world.stampers, period=Period(begins=ARCHIVED - HOUR, ends=ARCHIVED + HOUR))
    signature = replace(checked(part.body, early, later), revocations=(("crl", of_then.dump()),))
    finding = Verifier(world.trust(LATER), ALGORITHMS).judge(signature, LATER, kept=False)
    believed = covered or kind == "content"
    assert [one.indication is PASSED for one in finding.timestamps] == [believed, True]
    assert finding.times.best == best


def test_g4_a_claimed_time_is_no_proof(pki: Pki) -> None:
    """The certificate `gost256-expired` was alive when its owner claims to have signed."""
    alive = NOW - 60 * 24 * HOUR
    one = replace(checked(signed(pki, "gost256-expired")), claimed_at=alive)
    finding = verifier(pki).judge(one, NOW, kept=False)
    assert (finding.indication, finding.sub_indication) == (FAILED, "EXPIRED")
    assert (finding.times.claimed, finding.times.best) == (alive, None)


def test_g5_an_authority_for_documents_does_not_stamp(pki: Pki) -> None:
    """Its certificate lacks the critical purpose of time-stamping (RFC 3161, 2.3)."""
    signature = signed(pki)
    finding = judged(pki, signature, stamp(pki, value_of(signature), by="gost256-doctor"))
    assert finding.times.best is None
    assert finding.timestamps[0].indication is not PASSED
    assert finding.indication is PASSED, "the signature itself needs no stamp"


def test_a_strangers_stamp_is_not_believed(pki: Pki) -> None:
    signature = signed(pki)
    stranger = root("Stranger")
    files = issue(stranger, "TSA", None)
    token = TimestampAuthority(key=files.key, chain=(files.der,), algorithms=ALGORITHMS)
    value = value_of(signature)
    one = check_token(token.stamp("sha256", value, NOW), value, "signature", ALGORITHMS)
    finding = judged(pki, signature, one)
    assert (finding.indication, finding.times.best) == (PASSED, None)
    assert finding.level == "BES"


def test_a_stamp_from_the_future_is_not_believed(pki: Pki) -> None:
    signature = signed(pki)
    finding = judged(pki, signature, stamp(pki, value_of(signature), NOW + 2 * HOUR), at=NOW)
    assert finding.times.best is None
    assert finding.timestamps[0].sub_indication == "TIMESTAMP_ORDER_FAILURE"


def test_an_expired_signer_waits_for_the_stamps_authority(pki: Pki) -> None:
    """Its revocation list may yet prove an earlier moment; nobody is refused meanwhile."""
    signature = signed(pki, "gost256-expired")
    silent = root("Silent TSA root")
    files = issue(silent, "TSA", timestamper_extensions())
    token = TimestampAuthority(key=files.key, chain=(files.der,), algorithms=ALGORITHMS)
    value = value_of(signature)
    one = check_token(
        token.stamp("sha256", value, NOW - 50 * 24 * HOUR), value, "signature", ALGORITHMS
    )
    own = [
        pki_file
        for name in ("gost256-root", "gost256-ca")
        for pki_file in (der(pki, f"{name}.crt.pem"), der(pki, f"{name}.crl.pem"))
    ]
    trust = Trust(
        (own[0], silent.certificate.dump()), (own[2],), (own[1], own[3]), algorithms=ALGORITHMS
    )
    waiting = Verifier(trust, ALGORITHMS).judge(checked(signature, one), NOW, kept=False)
    assert (waiting.indication, waiting.sub_indication) == (UNKNOWN, "TRY_LATER")
    assert waiting.awaited_issuer == "Silent TSA root"


@pytest.mark.parametrize("at", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_no_moment_is_too_early_or_too_late_to_judge_at(pki: Pki, at: datetime) -> None:
    signature = signed(pki)
    one = stamp(pki, value_of(signature))
    finding = judged(pki, signature, one, at=at)
    assert finding.indication is not PASSED


def test_more_time_stamps_than_anybody_needs_are_not_judged(pki: Pki) -> None:
    signature = signed(pki)
    one = stamp(pki, value_of(signature))
    finding = judged(pki, signature, *[one] * (TIMESTAMPS_MAX + 1))
    assert len(finding.timestamps) == TIMESTAMPS_MAX
    assert finding.indication is UNKNOWN


def test_a_list_that_the_signature_brought_makes_it_lt(pki: Pki) -> None:
    signature = signed(pki)
    value = value_of(signature)
    own_list = ("crl", der(pki, "gost256-ca.crl.pem"))
    stamped = checked(signature, stamp(pki, value, NOW - HOUR / 2))
    brought = replace(stamped, revocations=(own_list,))
    archived = replace(brought, timestamps=(*stamped.timestamps, stamp(pki, value, NOW, "archive")))
    levels = [
        verifier(pki).judge(one, NOW + HOUR, kept=False).level
        for one in (stamped, brought, archived)
    ]
    assert levels == ["T", "LT", "LTA"]


def test_counter_signatures_are_judged_and_decide_nothing(pki: Pki) -> None:
    good, bad = checked(signed(pki)), checked(signed(pki, "stranger"))
    one = replace(good, counter_signatures=(good, bad))
    finding = verifier(pki).judge(one, NOW)
    assert finding.indication is PASSED
    assert [found.indication for found in finding.counter_signatures] == [PASSED, UNKNOWN]


def der(pki: Pki, name: str) -> bytes:
    return bytes(pem.unarmor((pki.trust / name).read_bytes())[2])
