"""What each verdict on a signature means for its document: refused, asked, waiting, or passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import GatewayError, NeedsOperator, Rejected, TryLater
from gateway.model import (
    CLOCK_TOLERANCE,
    Assurance,
    Check,
    CheckStatus,
    Covered,
    Indication,
    Part,
    SignatureFinding,
    SignatureReport,
    Times,
)
from gateway.verdict import assurance_of, require_passed
from gateway.verification import signed_octets

KEPT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FIRST, SECOND = b'{"resourceType":"Bundle"}', b'{"resourceType":"Bundle","type":"document"}'

VERDICTS: list[tuple[str | None, str, type[GatewayError]]] = [
    ("HASH_FAILURE", "SIG-202", Rejected),
    ("SIG_CRYPTO_FAILURE", "SIG-203", Rejected),
    ("EXPIRED", "SIG-204", NeedsOperator),
    ("OUT_OF_BOUNDS_NO_POE", "SIG-204", NeedsOperator),
    ("REVOKED", "SIG-205", Rejected),
    ("NO_CERTIFICATE_CHAIN_FOUND", "SIG-206", Rejected),
    ("TRY_LATER", "SIG-207", TryLater),
    ("NOT_YET_VALID", "SIG-208", Rejected),
    ("FORMAT_FAILURE", "SIG-209", Rejected),
    ("NO_SIGNING_CERTIFICATE_FOUND", "SIG-209", Rejected),
    ("CRYPTO_CONSTRAINTS_FAILURE", "SIG-212", Rejected),
    ("CHAIN_CONSTRAINTS_FAILURE", "SIG-213", Rejected),
    ("SIGNED_DATA_NOT_FOUND", "SIG-215", Rejected),
    ("TIMESTAMP_ORDER_FAILURE", "SIG-222", Rejected),
    ("GENERIC", "SIG-216", NeedsOperator),
    (None, "SIG-216", NeedsOperator),
]


def finding(
    sub_indication: str | None = "",
    *,
    claimed: datetime | None = None,
    octets: bytes = FIRST,
    place: str = "signature[0]",
) -> SignatureFinding:
    """Return a finding; one without a sub-indication (an empty one) has passed."""
    passed = sub_indication == ""
    return SignatureFinding(
        indication=Indication.TOTAL_PASSED if passed else Indication.INDETERMINATE,
        sub_indication=sub_indication or None,
        format="CAdES",
        level="BES",
        signer=None,
        covered=(
            Covered(
                octets=octets,
                media_type="application/fhir+json",
                scope="FULL",
                covers_enclosing=None,
            ),
        ),
        qualification="UNKNOWN",
        times=Times(claimed=claimed, best=None, validation=KEPT),
        checks=(),
        place=place,
    )


def report(*findings: SignatureFinding) -> SignatureReport:
    return SignatureReport(indication=Indication.INDETERMINATE, signatures=findings)


@pytest.mark.parametrize(("sub_indication", "code", "kind"), VERDICTS)
def test_every_verdict_that_is_no_pass_has_its_code_and_who_must_act(
    sub_indication: str | None, code: str, kind: type[GatewayError]
) -> None:
    """An integrator tells a wrong byte from a stale list by the code alone."""
    with pytest.raises(kind) as caught:
        require_passed(report(finding(sub_indication)), KEPT)
    assert [(p.code, p.place) for p in caught.value.problems] == [(code, "signature[0]")]


def test_a_false_time_stamp_is_not_called_an_unreadable_signature() -> None:
    """Both end as SIG_CONSTRAINTS_FAILURE, and the sender mends them differently."""
    false = Check(name="timestamp", status=CheckStatus.FAILED, detail="signature: HASH_FAILURE")
    stamped = replace(finding("SIG_CONSTRAINTS_FAILURE"), checks=(false,))
    also = replace(false, name="signing_certificate")
    for checks, code in (((false,), "SIG-222"), ((false, also), "SIG-209")):
        with pytest.raises(Rejected) as caught:
            require_passed(report(replace(stamped, checks=checks)), KEPT)
        assert [problem.code for problem in caught.value.problems] == [code]


def test_a_signature_that_passed_lets_the_document_go_on() -> None:
    require_passed(report(finding()), KEPT)


def test_a_refusal_outranks_a_question_and_a_question_outranks_waiting() -> None:
    """No waiting changes what is already wrong."""
    expired, waiting, broken = finding("EXPIRED"), finding("TRY_LATER"), finding("HASH_FAILURE")
    with pytest.raises(NeedsOperator):
        require_passed(report(waiting, expired), KEPT)
    with pytest.raises(Rejected):
        require_passed(report(waiting, expired, broken), KEPT)


def test_a_signing_time_beyond_the_tolerance_is_asked_about() -> None:
    """Five minutes fast is a clock; a second more is a question (semantics, rule 4)."""
    require_passed(report(finding(claimed=KEPT + CLOCK_TOLERANCE)), KEPT)
    late = report(finding(claimed=KEPT + CLOCK_TOLERANCE + timedelta(seconds=1)))
    with pytest.raises(NeedsOperator) as caught:
        require_passed(late, KEPT)
    assert [problem.code for problem in caught.value.problems] == ["SIG-211"]


def test_two_good_signatures_over_two_contents_are_refused() -> None:
    """Which of the two the sender meant is not for the gateway to guess."""
    document = Part(name="document", media_type="application/fhir+json", body=b"{}")
    with pytest.raises(Rejected) as caught:
        signed_octets(report(finding(), finding(octets=SECOND)), document)
    assert [problem.code for problem in caught.value.problems] == ["SIG-217"]
    same, _ = signed_octets(report(finding(), finding()), document)
    assert same == FIRST


@pytest.mark.parametrize(
    ("kinds", "assurance"),
    [
        (("QES",), Assurance.SIGNED_QUALIFIED),
        (("QES", "QES"), Assurance.SIGNED_QUALIFIED),
        (("QES", "AdES"), Assurance.SIGNED),
        (("UNKNOWN",), Assurance.SIGNED),
    ],
)
def test_content_is_qualified_only_when_every_signature_is(
    kinds: tuple[str, ...], assurance: Assurance
) -> None:
    found = report(*(replace(finding(), qualification=kind) for kind in kinds))
    assert assurance_of(found) is assurance
