"""Algorithms age: what was signed in their time and provably so goes on holding."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.algorithms import policy
from gateway.model import Indication, SignatureFinding
from gateway.sandbox.pki import Pki
from gateway.signatures.cms_attributes import SIGNATURE_TIME_STAMP
from gateway.trust import Trust
from gateway.verification import Verifier
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import adding, attribute, authority, value_of
from tests.unit.signatures.made import BUNDLE, beside, document, signed

LATER = NOW + timedelta(days=1)
AGED = policy.standard().laid_over({"digests": {"streebog256": {"until": LATER.date()}}})


def judged(pki: Pki, file: bytes, *, kept: bool = False) -> SignatureFinding:
    """Judge a day later, when Streebog-256 carries nothing any more."""
    algorithms = ALGORITHMS.under(AGED)
    verifier = Verifier(Trust.load([pki.trust], algorithms), algorithms)
    (one,) = verifier.verify(document(BUNDLE), beside(file), LATER, kept).signatures
    return one


def stamped(pki: Pki, tsa: str, digest: str) -> bytes:
    file = signed(pki)
    token = authority(pki, tsa).stamp(digest, value_of(file), NOW)
    return adding(file, attribute(SIGNATURE_TIME_STAMP, token))


def test_an_aged_algorithm_carries_what_a_sound_time_stamp_proves(pki: Pki) -> None:
    one = judged(pki, stamped(pki, "rsa-tsa", "sha512"))
    assert one.indication is Indication.TOTAL_PASSED, one.checks
    assert (one.level, one.times.best) == ("T", NOW)


@pytest.mark.parametrize(("tsa", "digest"), [("gost256-tsa", "sha512"), ("rsa-tsa", "streebog256")])
def test_a_time_stamp_that_aged_as_well_proves_nothing(pki: Pki, tsa: str, digest: str) -> None:
    """Whoever can forge the signature by now can forge the time stamp."""
    one = judged(pki, stamped(pki, tsa, digest))
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "CRYPTO_CONSTRAINTS_FAILURE",
    )


@pytest.mark.parametrize("kept", [True, False])
def test_without_a_time_stamp_an_aged_algorithm_carries_nothing(pki: Pki, kept: bool) -> None:
    one = judged(pki, signed(pki), kept=kept)
    assert one.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
    assert judged(pki, signed(pki, "rsa-doctor")).indication is Indication.TOTAL_PASSED


def test_the_policy_of_algorithms_is_part_of_what_a_report_was_given_under(pki: Pki) -> None:
    algorithms = ALGORITHMS.under(AGED)
    trust = Trust.load([pki.trust], ALGORITHMS)
    reports = [
        Verifier(trust, one).verify(document(BUNDLE), beside(signed(pki)), NOW)
        for one in (ALGORITHMS, ALGORITHMS, algorithms)
    ]
    ours, again, others = (report.judge.policy_sha256 for report in reports)
    assert ours == again != others
