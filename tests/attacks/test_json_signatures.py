"""Nobody changes a document signed in JSON and passes, nor moves its signature elsewhere.

A18 to A21 name the classes of attack; each test says in its name what is tried.
"""

from __future__ import annotations

import base64
import json

import pytest

from gateway.fhir import canonical, text
from gateway.model import Indication, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.verification import Verifier
from tests.attacks.signed_json import (
    BUNDLE,
    FORMS,
    TYPE,
    XML_BUNDLE,
    XML_TYPE,
    carrying,
    carrying_in_xml,
    file,
    refusal,
    sealed,
)
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import beside, document, passes_whole, verifier

STEP = 97 if ALGORITHMS.provider("gost256").NAME == "gostcrypto" else 3
"""The fallback in Python verifies twice a second: it gets a sample of the bytes."""


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


# --- A18 to A21: a good signature over something else than what it stands in ---------------


@pytest.mark.parametrize("form", FORMS)
def test_a18_a_signature_over_another_bundle_is_never_over_this_one(
    pki: Pki, judge: Verifier, form: Form
) -> None:
    """The signer is known and the mathematics hold; 53 of 141 published files are like this."""
    stranger = BUNDLE.replace(b"5.00", b"9.00")
    assert refusal(judge, carrying(file(pki, stranger, form))) == "SIG-219"
    in_xml = XML_BUNDLE.replace(b"5.00", b"9.00")
    assert refusal(judge, carrying_in_xml(file(pki, in_xml, form)), XML_TYPE) == "SIG-219"
    own = judge.verify(document(carrying(file(pki, BUNDLE, form)), TYPE), (), NOW)
    assert passes_whole(own)
    own = judge.verify(document(carrying_in_xml(file(pki, XML_BUNDLE, form)), XML_TYPE), (), NOW)
    assert passes_whole(own)


@pytest.mark.parametrize("form", FORMS)
def test_a18_a_detached_signature_moved_to_another_bundle_fails(
    pki: Pki, judge: Verifier, form: Form
) -> None:
    stolen = text.loads(sealed(pki, BUNDLE.replace(b"5.00", b"9.00"), form))["signature"]
    moved = text.dumps({**text.loads(BUNDLE), "signature": stolen})
    report = judge.verify(document(moved, TYPE), (), NOW)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.signatures[0].covered == ()


@pytest.mark.parametrize("form", FORMS)
def test_a19_a_signed_bundle_in_an_unsigned_one_covers_itself_alone(
    pki: Pki, judge: Verifier, form: Form
) -> None:
    """Whatever stands beside it in the outer bundle, nobody signed."""
    inner = json.loads(sealed(pki, form=form))
    forged = {"resource": {"resourceType": "Observation", "valueQuantity": {"value": 99}}}
    outer = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": inner}, forged]}
    assert refusal(judge, json.dumps(outer).encode()) == "SIG-218"


def test_a20_a_signature_over_one_entry_covers_no_more_than_that(pki: Pki, judge: Verifier) -> None:
    entry = {"resourceType": "Observation", "id": "o1", "valueQuantity": {"value": 5}}
    data = file(pki, canonical.canonical(entry), detached=True)
    about = {
        "resourceType": "Provenance",
        "target": [{"reference": "Observation/o1"}],
        "signature": [{"data": base64.b64encode(data).decode()}],
    }
    other = {"resourceType": "Observation", "id": "o2", "valueQuantity": {"value": 99}}
    whole = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": one} for one in (entry, about, other)],
    }
    octets = json.dumps(whole).encode()
    report = judge.verify(document(octets, TYPE), (), NOW)
    assert report.indication is Indication.TOTAL_PASSED
    assert refusal(judge, octets) == "SIG-218"


def test_a21_an_attached_payload_beside_a_bundle_is_not_that_bundle(
    pki: Pki, judge: Verifier
) -> None:
    """HL7's own example carries such a signature."""
    other = file(pki, BUNDLE.replace(b"mmol/L", b"mg/dL"))
    assert refusal(judge, carrying(other)) == "SIG-219"
    beside_it = judge.verify(document(BUNDLE, TYPE), beside(other), NOW)
    assert not passes_whole(beside_it)
