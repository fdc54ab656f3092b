"""A verdict given again from its evidence alone, and what differs when something did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import msgspec
import pytest

from gateway.algorithms.policy import standard
from gateway.model import Indication, Part, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.trust import Trust
from gateway.verification import SIGNATURES_MAX, Policy, Verifier, differences, judged_again
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier
from tests.unit.verification.test_moments import checked, stamp, value_of

DOCUMENT = document(BUNDLE, "application/fhir+json")
TODAY = NOW.date()
YEARS = timedelta(days=20 * 365)


@dataclass(frozen=True)
class Said:
    state: str
    source: str = "ru"
    snapshot_date: date | None = TODAY


def again(
    stored: SignatureReport,
    signatures: tuple[Part, ...],
    octets: Part = DOCUMENT,
    at: datetime | None = None,
) -> SignatureReport:
    return judged_again(stored, octets, signatures, ALGORITHMS, NOW, at)


@pytest.mark.parametrize(
    "name", ["gost256-doctor", "rsa-organisation", "gost256-revoked", "gost256-expired", "stranger"]
)
def test_every_verdict_comes_out_again_without_any_trust_folder(pki: Pki, name: str) -> None:
    signatures = beside(signed(pki, name))
    stored = verifier(pki).verify(DOCUMENT, signatures, NOW)
    assert differences(stored, again(stored, signatures)) == ()


def test_a_changed_document_is_said(pki: Pki) -> None:
    signatures = beside(signed(pki))
    stored = verifier(pki).verify(DOCUMENT, signatures, NOW)
    now = again(stored, signatures, document(BUNDLE + b" ", "application/fhir+json"))
    told = {one.what: (one.was, one.now) for one in differences(stored, now)}
    assert told["indication"] == ("TOTAL_PASSED", "TOTAL_FAILED")
    assert told["sub_indication"] == ("", "HASH_FAILURE")


def test_more_signatures_than_are_judged_pass_at_no_time(pki: Pki) -> None:
    """The moment changes what is known of those that are judged, and nothing of the rest."""
    good = beside(signed(pki))
    for count, expected in (
        (SIGNATURES_MAX, Indication.TOTAL_PASSED),
        (SIGNATURES_MAX + 1, Indication.INDETERMINATE),
    ):
        stored = verifier(pki).verify(document(BUNDLE), good * count, NOW)
        found = again(stored, good * count, at=NOW + timedelta(hours=1))
        assert (stored.indication, found.indication) == (expected, expected)


def test_a_lost_list_is_said(pki: Pki) -> None:
    signatures = beside(signed(pki))
    stored = verifier(pki).verify(DOCUMENT, signatures, NOW)
    first = stored.signatures[0]
    less = tuple(one for one in first.evidence if one[0] != "crl")
    now = again(replace(stored, signatures=(replace(first, evidence=less),)), signatures)
    assert [one.now for one in differences(stored, now) if one.what == "sub_indication"] == [
        "TRY_LATER"
    ]


def test_at_another_time_keep_proves_nothing(pki: Pki) -> None:
    """Twenty years on the certificate has ended, and the lists are long stale."""
    signatures = beside(signed(pki))
    stored = verifier(pki).verify(DOCUMENT, signatures, NOW)
    later = again(stored, signatures, at=NOW + YEARS)
    assert later.indication is not Indication.TOTAL_PASSED
    assert later.signatures[0].times.best is None


@pytest.mark.parametrize(
    ("name", "hours", "word"),
    [
        ("gost256-revoked", 72, "REVOKED_NO_POE"),
        ("gost256-revoked", 24, "REVOKED_NO_POE"),
        ("rsa-revoked", 72, "REVOKED_NO_POE"),
        ("gost256-doctor", 1, None),
    ],
)
def test_a_moment_before_keep_revives_no_certificate(
    pki: Pki, name: str, hours: int, word: str | None
) -> None:
    """Whoever stole the key of a certificate that was revoked can sign any day after."""
    signatures = beside(signed(pki, name))
    stored = verifier(pki).verify(DOCUMENT, signatures, NOW)
    earlier = again(stored, signatures, at=NOW - timedelta(hours=hours))
    (finding,) = earlier.signatures
    assert finding.sub_indication == word
    assert earlier.indication is finding.indication
    assert (finding.indication is Indication.TOTAL_PASSED) is (word is None)


def test_what_the_list_of_authorities_said_is_kept(pki: Pki) -> None:
    signatures = beside(signed(pki))
    trust = Trust.load([pki.trust], ALGORITHMS)
    words = {}
    for state in ("accredited", "not", "unknown"):
        own = Verifier(trust, ALGORITHMS, accreditations=lambda issuer, at, s=state: Said(s))
        stored = own.verify(DOCUMENT, signatures, NOW)
        now = again(stored, signatures)
        assert differences(stored, now) == ()
        words[state] = now.signatures[0].qualification
    assert words == {"accredited": "QES", "not": "AdES", "unknown": "UNKNOWN"}


def test_the_rules_of_then_are_kept(pki: Pki) -> None:
    """A policy file asked for more, and algorithms have ended since."""
    signatures = beside(signed(pki))
    strict = ALGORITHMS.under(standard().laid_over({"digests": {"streebog256": {}}}))
    asked = Policy(name="asked", levels=("T",))
    stored = Verifier(Trust.load([pki.trust], strict), strict, asked).verify(
        DOCUMENT, signatures, NOW
    )
    assert stored.signatures[0].sub_indication == "SIG_CONSTRAINTS_FAILURE"
    assert differences(stored, again(stored, signatures)) == ()


def test_rules_that_were_not_kept_are_those_of_today(pki: Pki) -> None:
    signatures = beside(signed(pki))
    stored = verifier(pki).verify(DOCUMENT, signatures, NOW)
    first = stored.signatures[0]
    less = tuple(one for one in first.evidence if one[0] != "policy")
    old = replace(stored, signatures=(replace(first, evidence=less),))
    assert differences(old, again(old, signatures)) == ()
    other = replace(old, judge=replace(stored.judge, policy_sha256="0" * 64))
    assert [one.what for one in differences(other, again(other, signatures))] == ["policy"]


def test_a_signature_more_or_less_is_said(pki: Pki) -> None:
    both = beside(signed(pki), signed(pki, "gost256-organisation"))
    stored = verifier(pki).verify(DOCUMENT, both, NOW)
    found = differences(stored, again(stored, both[:1]))
    assert [(one.what, one.was, one.now) for one in found] == [("signatures", "2", "1")]


def test_a_report_with_everything_in_it_can_be_kept(pki: Pki) -> None:
    """The store keeps reports as MessagePack; what was kept before them reads as well."""
    signature = signed(pki)
    first = checked(signature, stamp(pki, value_of(signature)))
    finding = verifier(pki).judge(replace(first, counter_signatures=(first,)), NOW)
    whole = SignatureReport(indication=finding.indication, signatures=(finding,))
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=SignatureReport)
    assert kept == whole
    assert kept.signatures[0].counter_signatures[0].timestamps
    old = msgspec.to_builtins(whole, builtin_types=(bytes, datetime))
    del old["judge"]
    for name in ("timestamps", "counter_signatures", "qualification_checks", "claimed_signer"):
        del old["signatures"][0][name]
    read = msgspec.convert(old, SignatureReport, builtin_types=(bytes, datetime))
    assert read.signatures[0].timestamps == ()
