"""Nobody changes a document signed with a JWS, or its signer, and passes."""

from __future__ import annotations

import pytest

from gateway.fhir import canonical, text
from gateway.model import Indication, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import sign, sign_bundle
from gateway.verification import Verifier
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import beside, document, verifier

STEP = 97 if ALGORITHMS.provider("gost256").NAME == "gostcrypto" else 3
"""The fallback in Python verifies twice a second: it gets a sample of the bytes."""

TYPE = "application/fhir+json"
BUNDLE = (
    b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":'
    b'{"resourceType":"Observation","valueQuantity":{"value":5.00,"unit":"mmol/L"}}}]}'
)


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


def believed(report: SignatureReport) -> object:
    """What the line would believe: the octets and who signed them."""
    return [([c.octets for c in f.covered], f.signer) for f in report.signatures]


def _flipped(octets: bytes, position: int) -> bytes:
    changed = bytearray(octets)
    changed[position] ^= 1 << (position % 7)
    return bytes(changed)


def test_no_flipped_byte_of_a_jws_passes(pki: Pki, judge: Verifier) -> None:
    """Two spellings of one signature would be two signatures, so none passes at all."""
    signer = pki.signer("gost256-doctor")
    file = sign(
        BUNDLE,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form="jws",
        detached=True,
        at=NOW,
    )
    assert judge.verify(document(BUNDLE), beside(file), NOW).indication is Indication.TOTAL_PASSED
    for position in range(0, len(file), STEP):
        report = judge.verify(document(BUNDLE), beside(_flipped(file, position)), NOW)
        assert report.indication is not Indication.TOTAL_PASSED, position


@pytest.mark.parametrize("form", ["jws", "cades"])
def test_no_flipped_byte_of_a_signed_bundle_changes_what_is_believed(
    pki: Pki, judge: Verifier, form: str
) -> None:
    """Where a changed file still passes, the signed form and the signer are the original's."""
    signer = pki.signer("ecdsa-doctor")
    file = sign_bundle(
        BUNDLE,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form=form,  # type: ignore[arg-type]
        at=NOW,
    )
    original = judge.verify(document(file, TYPE), (), NOW)
    assert original.indication is Indication.TOTAL_PASSED
    for position in range(0, len(file), STEP):
        report = judge.verify(document(_flipped(file, position), TYPE), (), NOW)
        if report.indication is Indication.TOTAL_PASSED:
            assert believed(report) == believed(original), position
            (covered,) = report.signatures[0].covered
            assert canonical.canonical(text.loads(covered.received)) == covered.octets


def test_members_added_around_a_signed_bundle_spoil_it(pki: Pki, judge: Verifier) -> None:
    signer = pki.signer("gost512-doctor")
    file = sign_bundle(
        BUNDLE,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form="jws",
        at=NOW,
    )
    for member in (b'"id":"x",', b'"meta":{},', b'"text":{},', b'"x":null,'):
        report = judge.verify(document(file.replace(b"{", b"{" + member, 1), TYPE), (), NOW)
        assert report.indication is Indication.TOTAL_FAILED, member
