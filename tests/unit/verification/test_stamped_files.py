"""Whole files with time-stamps in them, from signing to what the line makes of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.errors import Rejected
from gateway.model import Indication, SignatureFinding, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures.sign import Form, sign
from gateway.verdict import require_passed
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, XML, beside, document, verifier

LATER = NOW + timedelta(hours=2)


def signed(
    pki: Pki, form: Form, at: datetime = NOW, *, copied: bool = False, claimed: datetime = NOW
) -> bytes:
    """Return a stamped signature; `copied`: the stamp is of something else."""
    signer, files = pki.signer("gost256-doctor"), pki.signer("gost256-tsa")
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain(), algorithms=ALGORITHMS
    )
    return sign(
        BUNDLE if form == "cades" else XML,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form=form,
        detached=True,
        at=claimed,
        stamp=lambda value: authority.stamp("streebog256", b"another" if copied else value, at),
    )


def verified(pki: Pki, form: Form, signature: bytes, *, kept: bool) -> SignatureReport:
    if form == "cades":
        return verifier(pki).verify(document(BUNDLE), beside(signature), LATER, kept)
    return verifier(pki).verify(document(signature, "application/xml"), (), LATER, kept)


def only(report: SignatureReport) -> SignatureFinding:
    (finding,) = report.signatures
    return finding


@pytest.mark.parametrize("form", ["cades", "xades"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_stamped_file_is_judged_at_its_stamp(pki: Pki, form: Form, kept: bool) -> None:
    finding = only(verified(pki, form, signed(pki, form), kept=kept))
    assert finding.indication is Indication.TOTAL_PASSED, finding.checks
    assert (finding.level, finding.times.best) == ("T", NOW)
    assert finding.hints == ()


@pytest.mark.parametrize("form", ["cades", "xades"])
def test_g1_a_copied_stamp_is_refused_by_its_own_code(pki: Pki, form: Form) -> None:
    report = verified(pki, form, signed(pki, form, copied=True), kept=True)
    assert only(report).times.best == LATER, "keep is proven by our own log"
    with pytest.raises(Rejected) as caught:
        require_passed(report, LATER)
    assert [problem.code for problem in caught.value.problems] == ["SIG-222"]


@pytest.mark.parametrize("form", ["cades", "xades"])
def test_a_claimed_time_after_its_own_proof_is_remarked_on(pki: Pki, form: Form) -> None:
    """Nobody signs after the stamp; the clock was wrong, and the proof stands."""
    late = signed(pki, form, claimed=NOW + timedelta(hours=1))
    finding = only(verified(pki, form, late, kept=True))
    assert finding.indication is Indication.TOTAL_PASSED
    assert finding.hints == ("claimed_after_proven",)
