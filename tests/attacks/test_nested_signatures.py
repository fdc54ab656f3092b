"""Attacks by signing what is signed: a good signature around a bad one mends nothing."""

from __future__ import annotations

import pytest

from gateway.errors import Rejected
from gateway.model import Indication, Part, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.verdict import require_passed
from gateway.verification import SIGNATURES_MAX, Verifier, signed_octets
from tests.pki.build import NOW
from tests.unit.signatures.made import BUNDLE, XML, beside, document, signed, verifier

CMS = "application/pkcs7-mime"


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


def enveloped(pki: Pki, name: str = "gost256-doctor") -> bytes:
    return signed(pki, name, "xmldsig", detached=False, octets=XML)


def wrapped(pki: Pki, octets: bytes, name: str = "gost256-organisation") -> Part:
    return document(signed(pki, name, detached=False, octets=octets), CMS)


def believed(report: SignatureReport, part: Part) -> tuple[bytes, str]:
    """Return what the line would read; raises what the line would refuse with."""
    require_passed(report, NOW)
    return signed_octets(report, part)


def test_a_broken_signature_inside_the_content_of_a_good_one_is_refused(
    pki: Pki, judge: Verifier
) -> None:
    """An organisation that signs a changed report does not make the doctor's signature hold."""
    changed = enveloped(pki).replace(b"5,10", b"9,99")
    part = wrapped(pki, changed)
    report = judge.verify(part, (), NOW)
    assert report.indication is Indication.TOTAL_FAILED
    with pytest.raises(Rejected, match="SIG-202"):
        believed(report, part)


@pytest.mark.parametrize(
    ("signer", "code"), [("gost256-revoked", "SIG-205"), ("stranger", "SIG-206")]
)
def test_a_signer_nobody_trusts_is_no_better_inside_a_good_signature(
    pki: Pki, judge: Verifier, signer: str, code: str
) -> None:
    part = wrapped(pki, enveloped(pki, signer))
    with pytest.raises(Rejected, match=code):
        believed(judge.verify(part, (), NOW), part)
    part = wrapped(pki, signed(pki, signer, detached=False))
    with pytest.raises(Rejected, match=code):
        believed(judge.verify(part, (), NOW), part)


def test_good_signatures_inside_each_other_name_both_signers_and_the_inmost_content(
    pki: Pki, judge: Verifier
) -> None:
    """The nearest good neighbour: the organisation signs the file the doctor signed."""
    plain = document(enveloped(pki), "application/xml")
    expected = believed(judge.verify(plain, (), NOW), plain)
    part = wrapped(pki, plain.body)
    report = judge.verify(part, (), NOW)
    assert believed(report, part) == expected
    assert [f.place for f in report.signatures] == ["document", "document(content)/r/Signature"]
    part = wrapped(pki, signed(pki, detached=False))
    assert believed(judge.verify(part, (), NOW), part)[0] == BUNDLE


def test_a_signature_beside_covers_the_outmost_file_only(pki: Pki, judge: Verifier) -> None:
    part = wrapped(pki, enveloped(pki))
    outer = beside(signed(pki, "rsa-organisation", octets=part.body))
    assert believed(judge.verify(part, outer, NOW), part)[0].startswith(b"<r ")
    inner = beside(signed(pki, "rsa-organisation", octets=BUNDLE))
    with pytest.raises(Rejected, match="SIG-202"):
        believed(judge.verify(part, inner, NOW), part)


def test_layers_beyond_the_limit_are_never_a_pass(pki: Pki, judge: Verifier) -> None:
    octets = enveloped(pki, "gost256-revoked")
    for _ in range(SIGNATURES_MAX + 1):
        octets = signed(pki, "ecdsa-organisation", detached=False, octets=octets)
    report = judge.verify(document(octets, CMS), (), NOW)
    assert report.indication is not Indication.TOTAL_PASSED
    assert len(report.signatures) == SIGNATURES_MAX
