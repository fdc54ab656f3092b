"""Documents and signatures that the tests of signatures share."""

from __future__ import annotations

from gateway.model import Indication, Part, SignatureReport
from gateway.qualification.attorney import Registry, nobody
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import Form, sign
from gateway.trust import Trust
from gateway.verification import Verifier
from tests.pki.build import ALGORITHMS, NOW

FAMILIES = ("gost256", "gost512", "rsa", "ecdsa")
BUNDLE = b'{"resourceType":"Bundle","type":"transaction","entry":[{"value":5.00}]}'
XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<r xmlns="urn:x" xmlns:q="urn:q" a="1">'
    "<!-- c --><q:b>Кровь 5,10</q:b>\n<c/></r>"
).encode()


def signed(
    pki: Pki,
    name: str = "gost256-doctor",
    form: Form = "cades",
    *,
    detached: bool = True,
    octets: bytes | None = None,
) -> bytes:
    """Sign the bundle (CAdES) or the XML document with a signer of the sandbox."""
    signer = pki.signer(name)
    return sign(
        octets if octets is not None else (BUNDLE if form == "cades" else XML),
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form=form,
        detached=detached,
        at=NOW,
    )


def document(octets: bytes, media_type: str = "application/octet-stream") -> Part:
    return Part(name="document", media_type=media_type, body=octets)


def beside(*signatures: bytes) -> tuple[Part, ...]:
    return tuple(
        Part(name="signature", media_type="application/octet-stream", body=one)
        for one in signatures
    )


def verifier(pki: Pki, registry: Registry = nobody) -> Verifier:
    return Verifier(Trust.load([pki.trust], ALGORITHMS), ALGORITHMS, registry=registry)


def passes_whole(report: SignatureReport) -> bool:
    """Say whether anything in the report passes as covering the document as a whole."""
    return any(
        finding.indication is Indication.TOTAL_PASSED
        and any(
            covered.scope == "FULL" and covered.covers_enclosing is True
            for covered in finding.covered
        )
        for finding in report.signatures
    )
