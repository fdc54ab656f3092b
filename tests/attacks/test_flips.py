"""Nobody changes a signed document, or its signer, and passes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import Indication, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.verification import Verifier
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier

SLOW = ALGORITHMS.provider("gost256").NAME == "gostcrypto"
STEP = 97 if SLOW else 5 if settings.default.max_examples <= 60 else 1
"""`make fuzz` flips every byte.  The fallback in Python verifies twice a second: it gets fewer."""


@dataclass(frozen=True)
class Sample:
    """A good signature: the file an attacker may change, and what was signed by whom."""

    verifier: Verifier
    file: bytes
    media_type: str
    detached: bool

    def judged(self, file: bytes) -> SignatureReport:
        if self.detached:
            return self.verifier.verify(document(BUNDLE), beside(file), NOW)
        return self.verifier.verify(document(file, self.media_type), (), NOW)


FORMS = {
    "gost256 detached CAdES": ("gost256-doctor", "cades", True),
    "gost512 attached CAdES": ("gost512-doctor", "cades", False),
    "gost256 XMLDSig": ("gost256-doctor", "xmldsig", False),
    "RSA XMLDSig": ("rsa-doctor", "xmldsig", False),
    "ECDSA XMLDSig": ("ecdsa-doctor", "xmldsig", False),
    "gost512 XAdES": ("gost512-doctor", "xades", False),
}


@pytest.fixture(scope="module", params=FORMS, ids=list(FORMS))
def sample(request: pytest.FixtureRequest, pki: Pki) -> Sample:
    name, form, detached = FORMS[request.param]
    made = Sample(
        verifier=verifier(pki),
        file=signed(pki, name, form, detached=detached),  # type: ignore[arg-type]
        media_type="application/pkcs7-mime" if form == "cades" else "application/xml",
        detached=detached,
    )
    assert made.judged(made.file).indication is Indication.TOTAL_PASSED
    return made


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


def believed(report: SignatureReport) -> object:
    """What the line would believe: the octets and who signed them."""
    return [(f.covered, f.signer) for f in report.signatures]


def _positions(file: bytes) -> list[int]:
    """Every byte outside the certificates, one in eleven inside: their issuers sign those."""
    start, end = file.find(b"<ds:X509Data>"), file.find(b"</ds:X509Data>")
    if start < 0:  # CMS: the certificates are the [0] before the SignerInfos
        start = file.find(b"\xa0\x82", 40)
        end = start + int.from_bytes(file[start + 2 : start + 4], "big")
    return [p for p in range(0, len(file), STEP) if not start + 4 < p < end or p % 11 == 0]


def test_no_flipped_byte_changes_what_passes_or_who_signed(sample: Sample) -> None:
    """Where a changed file still passes, octets and signer are the original's."""
    original = believed(sample.judged(sample.file))
    for position in _positions(sample.file):
        changed = bytearray(sample.file)
        changed[position] ^= 1 << (position % 8)
        report = sample.judged(bytes(changed))
        if report.indication is Indication.TOTAL_PASSED:
            assert believed(report) == original, f"byte {position}"


def test_no_flipped_byte_of_a_detached_document_passes(pki: Pki, judge: Verifier) -> None:
    """Raw bytes have one form: whatever is flipped, the digest differs."""
    signature = signed(pki)
    for position in range(len(BUNDLE)):
        for mask in (0x01, 0x20, 0x80):
            changed = bytearray(BUNDLE)
            changed[position] ^= mask
            report = judge.verify(document(bytes(changed)), beside(signature), NOW)
            assert report.indication is Indication.TOTAL_FAILED
            assert report.signatures[0].sub_indication == "HASH_FAILURE"
            assert report.signatures[0].covered == ()


@given(cut=st.floats(0, 1))
def test_no_cut_file_passes(sample: Sample, cut: float) -> None:
    """A file cut short is broken or says nothing; it is never good."""
    length = int(cut * (len(sample.file.rstrip()) - 1))
    assert sample.judged(sample.file[:length]).indication is not Indication.TOTAL_PASSED


@given(noise=st.binary(max_size=300))
def test_noise_in_place_of_a_signature_is_a_broken_signature(judge: Verifier, noise: bytes) -> None:
    """A part sent as a signature is judged, whatever it is: it never counts as unsigned."""
    report = judge.verify(document(BUNDLE), beside(noise), NOW)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.signatures[0].sub_indication == "FORMAT_FAILURE"
