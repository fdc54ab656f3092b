"""pyHanko's own verifier beside ours: what we sign it takes, and what it signs we take."""

from __future__ import annotations

import io
from typing import Any

import pytest
from asn1crypto import keys, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, fields, signers
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore
from pyhanko_certvalidator.sig_validate import DefaultSignatureValidator

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from tests.pki.build import NOW
from tests.unit.signatures.made import document, verifier
from tests.unit.signatures.pdf_made import CONTENT, FORGED, REPORT, appended, pdf_signed, stream

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED


def pyhankos_opinion(pki: Pki, file: bytes, family: str) -> Any:
    certificates = [
        x509.Certificate.load(der)
        for name in ("doctor", "organisation")
        for der in pki.signer(f"{family}-{name}").chain()
    ]
    context = ValidationContext(
        trust_roots=certificates[1:2],
        other_certs=certificates,
        moment=NOW,
        allow_fetching=False,
        revocation_mode="soft-fail",
        signature_validator=DefaultSignatureValidator(),
    )
    reader = PdfFileReader(io.BytesIO(file))
    return validate_pdf_signature(reader.embedded_regular_signatures[0], context)


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
def test_pyhanko_agrees_on_what_we_sign(pki: Pki, family: str) -> None:
    file = pdf_signed(pki, f"{family}-doctor")
    opinion = pyhankos_opinion(pki, file, family)
    assert (opinion.intact, opinion.valid, opinion.trusted) == (True, True, True)
    later = pdf_signed(pki, f"{family}-organisation", file)
    assert pyhankos_opinion(pki, later, family).docmdp_ok
    forged = appended(file, {CONTENT: stream(FORGED)})
    assert not pyhankos_opinion(pki, forged, family).docmdp_ok


@pytest.mark.parametrize("subfilter", [fields.SigSeedSubFilter.PADES, None])
@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
def test_what_pyhanko_signs_passes_here(pki: Pki, family: str, subfilter: Any) -> None:
    files = pki.signer(f"{family}-doctor")
    chain = [x509.Certificate.load(der) for der in files.chain()]
    signer = signers.SimpleSigner(
        signing_cert=chain[0],
        signing_key=keys.PrivateKeyInfo.load(files.private_key()),
        cert_registry=SimpleCertificateStore.from_certs(chain),
    )
    metadata = PdfSignatureMetadata(field_name="Theirs", md_algorithm="sha256", subfilter=subfilter)
    writer = IncrementalPdfFileWriter(io.BytesIO(REPORT))
    file = signers.sign_pdf(writer, metadata, signer=signer).getvalue()
    (finding,) = verifier(pki).verify(document(file), (), NOW).signatures
    assert finding.indication is PASSED, finding.checks
    assert finding.format == "PAdES"
    changed = file.replace(b"141 g/L", b"041 g/L")
    assert verifier(pki).verify(document(changed), (), NOW).indication is FAILED
