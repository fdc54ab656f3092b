"""Signed JSON files that attacks start from, and what the line would read of them."""

from __future__ import annotations

import base64

import pytest

from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import Json, Part, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.verdict import require_passed
from gateway.verification import Verifier, signed_octets
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import document, passes_whole

TYPE = "application/fhir+json"
XML_TYPE = "application/fhir+xml"
DOCTOR = "ecdsa-doctor"
FORMS: tuple[Form, ...] = ("jws", "cades")
XML_BUNDLE = (
    b'<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource>'
    b'<Observation><valueQuantity><value value="5.00"/></valueQuantity></Observation>'
    b"</resource></entry></Bundle>"
)
BUNDLE = (
    b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":'
    b'{"resourceType":"Observation","valueQuantity":{"value":5.00,"unit":"mmol/L"}}}]}'
)


def read(report: SignatureReport, part: Part) -> bytes:
    """Return what the line would read; raises what it would refuse with."""
    require_passed(report, NOW)
    return signed_octets(report, part)[0]


def sealed(pki: Pki, octets: bytes = BUNDLE, form: Form = "jws", name: str = DOCTOR) -> bytes:
    """Return the bundle with a detached signature of its own inside."""
    files = pki.signer(name)
    return sign_bundle(
        octets,
        key=files.private_key(),
        chain=files.chain(),
        algorithms=ALGORITHMS,
        form=form,
        at=NOW,
    )


def file(
    pki: Pki, octets: bytes, form: Form = "jws", name: str = DOCTOR, *, detached: bool = False
) -> bytes:
    files = pki.signer(name)
    return sign(
        octets,
        key=files.private_key(),
        chain=files.chain(),
        algorithms=ALGORITHMS,
        form=form,
        detached=detached,
        at=NOW,
    )


def carrying(data: bytes, octets: bytes = BUNDLE) -> bytes:
    signature: Json = {"data": base64.b64encode(data).decode(), "sigFormat": "application/jose"}
    return text.dumps({**text.loads(octets), "signature": signature})


def carrying_in_xml(data: bytes) -> bytes:
    written = base64.b64encode(data)
    return XML_BUNDLE.replace(
        b"</Bundle>", b'<signature><data value="%s"/></signature></Bundle>' % written
    )


def refusal(judge: Verifier, octets: bytes, media_type: str = TYPE) -> str:
    """Return the code the line refuses a document with, which passes nowhere as a whole."""
    part = document(octets, media_type)
    report = judge.verify(part, (), NOW)
    assert not passes_whole(report)
    with pytest.raises(Rejected) as caught:
        read(report, part)
    return caught.value.problems[0].code
