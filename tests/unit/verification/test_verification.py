"""The verdict: mathematics and trust together, and the content that all signatures cover."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.errors import Rejected
from gateway.model import CheckStatus, Indication
from gateway.sandbox.pki import Pki
from gateway.trust import Trust
from gateway.verification import Policy, Verifier, signed_octets, to_json
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, XML, beside, document, signed, verifier

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
KEYS = {
    "indication",
    "sub_indication",
    "format",
    "level",
    "signer",
    "signed_content",
    "qualification",
    "times",
    "checks",
    "hints",
}


def test_a_good_signature_passes_and_names_its_signer(pki: Pki) -> None:
    report = verifier(pki).verify(
        document(BUNDLE, "application/fhir+json"), beside(signed(pki)), NOW
    )
    assert report.indication is PASSED
    signer = report.signatures[0].signer
    assert signer is not None
    assert (signer.snils, signer.ogrn) == ("12345678156", "1267700000116")
    assert report.signatures[0].evidence
    assert all(check.status is CheckStatus.PASSED for check in report.signatures[0].checks)


@pytest.mark.parametrize(
    ("name", "indication", "sub_indication"),
    [
        ("gost256-revoked", FAILED, "REVOKED"),
        ("gost256-expired", FAILED, "EXPIRED"),
        ("stranger", UNKNOWN, "NO_CERTIFICATE_CHAIN_FOUND"),
    ],
)
def test_trust_decides_where_the_mathematics_hold(
    pki: Pki, name: str, indication: Indication, sub_indication: str
) -> None:
    report = verifier(pki).verify(document(BUNDLE), beside(signed(pki, name)), NOW)
    assert report.indication is indication
    assert report.signatures[0].sub_indication == sub_indication
    assert report.signatures[0].covered


def test_a_stale_revocation_list_is_no_soft_pass(pki: Pki) -> None:
    report = verifier(pki).verify(document(BUNDLE), beside(signed(pki)), NOW + timedelta(days=30))
    assert report.indication is UNKNOWN
    assert report.signatures[0].sub_indication == "TRY_LATER"


def test_no_signature_is_undecided_and_has_no_findings(pki: Pki) -> None:
    report = verifier(pki).verify(document(BUNDLE), (), NOW)
    assert (report.indication, report.signatures) == (UNKNOWN, ())
    with pytest.raises(Rejected):
        signed_octets(report, document(BUNDLE))


def test_one_bad_signature_spoils_the_good_ones(pki: Pki) -> None:
    bad = signed(pki, "rsa-doctor", octets=BUNDLE + b" ")
    report = verifier(pki).verify(document(BUNDLE), beside(signed(pki), bad), NOW)
    assert report.indication is FAILED


def test_two_signers_of_one_content_give_it_once(pki: Pki) -> None:
    both = beside(signed(pki), signed(pki, "gost256-organisation"))
    part = document(BUNDLE, "application/fhir+json")
    report = verifier(pki).verify(part, both, NOW)
    assert signed_octets(report, part) == (BUNDLE, "application/fhir+json")


def test_signatures_over_different_content_give_none(pki: Pki) -> None:
    """The first is over the document, the second brings a bundle of its own."""
    part = document(b'{"resourceType":"Bundle"}')
    own = signed(pki, detached=False)
    report = verifier(pki).verify(part, beside(signed(pki, octets=part.body), own), NOW)
    assert report.indication is PASSED
    with pytest.raises(Rejected) as caught:
        signed_octets(report, part)
    assert caught.value.problems[0].code == "SIG-218"


def test_a_signature_inside_and_one_beside_give_what_both_cover(pki: Pki) -> None:
    """The doctor signs inside the XML, the organisation signs the file."""
    inside = signed(pki, form="xades")
    part = document(inside, "application/xml")
    over = signed(pki, "gost256-organisation", octets=inside)
    report = verifier(pki).verify(part, beside(over), NOW)
    assert report.indication is PASSED
    octets, media_type = signed_octets(report, part)
    assert (media_type, b"Signature" in octets) == ("application/xml", False)


def test_content_of_a_cms_file_gets_its_media_type_from_its_bytes(pki: Pki) -> None:
    part = document(signed(pki, detached=False), "application/pkcs7-mime")
    report = verifier(pki).verify(part, (), NOW)
    assert signed_octets(report, part) == (BUNDLE, "application/fhir+json")


def test_a_policy_only_asks_for_more(pki: Pki) -> None:
    trust = Trust.load([pki.trust], ALGORITHMS)
    plain = document(signed(pki, form="xmldsig"))
    advanced = document(signed(pki, form="xades"))
    strict = Verifier(trust, ALGORITHMS, Policy(forms=("XAdES",), whole_document=True))
    assert strict.verify(advanced, (), NOW).indication is PASSED
    assert strict.verify(plain, (), NOW).indication is UNKNOWN
    two = Verifier(trust, ALGORITHMS, Policy(signatures_min=2))
    assert two.verify(advanced, (), NOW).indication is UNKNOWN


def test_a_signature_sent_twice_is_one_signer(pki: Pki) -> None:
    two = Verifier(Trust.load([pki.trust], ALGORITHMS), ALGORITHMS, Policy(signatures_min=2))
    doctor, organisation = signed(pki), signed(pki, "gost256-organisation")
    for parts, verdict in (
        ((doctor, doctor), UNKNOWN),
        ((doctor, signed(pki)), UNKNOWN),
        ((doctor, organisation), PASSED),
    ):
        assert two.verify(document(BUNDLE), beside(*parts), NOW).indication is verdict


def test_json_has_the_keys_of_the_contract(pki: Pki) -> None:
    shown = to_json(verifier(pki).verify(document(BUNDLE), beside(signed(pki)), NOW))
    one = shown["signatures"][0]  # type: ignore[index,call-overload]
    assert isinstance(one, dict)
    assert set(one) >= KEYS
    assert set(one["signer"]) >= {"subject", "snils", "inn", "ogrn", "organization"}  # type: ignore[arg-type]
    assert one["times"] == {
        "claimed": "2026-11-21T12:00:00Z",
        "best": "2026-11-21T12:00:00Z",
        "validation": "2026-11-21T12:00:00Z",
    }


def test_outside_the_line_the_moment_proves_nothing(pki: Pki) -> None:
    """Only our own log is a proof of existence."""
    report = verifier(pki).verify(document(XML), beside(signed(pki, octets=XML)), NOW, kept=False)
    assert report.signatures[0].times.best is None
