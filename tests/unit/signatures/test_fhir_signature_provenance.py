"""Provenance.signature: over the one resource that it names, in JSON and in XML."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.fhir import canonical, canonical_xml, text
from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import fhir_signature
from gateway.signatures.sign import sign
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import document, signed

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "text": {"status": "generated", "div": "<div>5,00</div>"},
    "status": "final",
    "valueQuantity": {"value": 5},
}


def jws(pki: Pki, content: bytes, *, detached: bool = True) -> bytes:
    files = pki.signer("ecdsa-doctor")
    return sign(
        content,
        key=files.private_key(),
        chain=files.chain(),
        algorithms=ALGORITHMS,
        form="jws",
        detached=detached,
        at=NOW,
    )


def provenance(*signatures: bytes, method: str = canonical.JSON, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "target": [{"reference": "Observation/o1"}],
        "signature": [
            {
                "who": {"reference": "Practitioner/p1"},
                "targetFormat": f"application/fhir+json;canonicalization={method}",
                "sigFormat": "application/jose",
                "data": base64.b64encode(data).decode(),
            }
            for data in signatures
        ],
        **members,
    }


def bundle(*resources: dict[str, Any]) -> bytes:
    doctor = {
        "resourceType": "Practitioner",
        "id": "p1",
        "identifier": [{"system": "urn:oid:1.2.643.100.3", "value": "11223344595"}],
    }
    entries = [{"resource": one} for one in (*resources, doctor)]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


def found(octets: bytes) -> tuple[CheckedSignature, ...]:
    return fhir_signature.check(document(octets, "application/fhir+json"), (), ALGORITHMS)


@pytest.mark.parametrize("method", canonical.METHODS)
def test_a_provenance_signs_the_resource_it_names(pki: Pki, method: str) -> None:
    content = canonical.canonical(canonical.restricted(OBSERVATION, method, own=False))
    made = provenance(jws(pki, content), method=method)
    (one,) = found(bundle(OBSERVATION, made))
    assert (one.indication, one.place) == (PASSED, "/entry/1/resource/signature/0"), one.checks
    (covered,) = one.covered
    # It covers its target, which is less than the bundle that carries it (case A20).
    assert (covered.scope, covered.covers_enclosing, covered.octets) == ("PARTIAL", False, content)
    assert canonical.canonical(text.loads(covered.received)) == content
    changed = {**OBSERVATION, "id": "o1", "text": {"status": "empty", "div": "<div>6</div>"}}
    (bad,) = found(bundle({**changed, "status": "amended"}, made))
    assert bad.indication is FAILED


def test_who_signed_is_looked_up_in_the_bundle(pki: Pki) -> None:
    content = canonical.canonical(OBSERVATION)
    (one,) = found(bundle(OBSERVATION, provenance(jws(pki, content))))
    assert one.claimed is not None
    assert (one.claimed.role, one.claimed.identifiers[0].value) == ("doctor", "11223344595")


def test_every_signature_of_the_list_is_judged(pki: Pki) -> None:
    content = canonical.canonical(OBSERVATION)
    several = found(bundle(OBSERVATION, provenance(jws(pki, content), jws(pki, b"{}"))))
    assert [one.indication for one in several] == [PASSED, FAILED]


def test_content_inside_is_compared_with_the_target(pki: Pki) -> None:
    own = jws(pki, json.dumps(OBSERVATION).encode(), detached=False)
    (same,) = found(bundle(OBSERVATION, provenance(own)))
    assert same.indication is PASSED
    other = jws(pki, json.dumps({**OBSERVATION, "status": "amended"}).encode(), detached=False)
    (different,) = found(bundle(OBSERVATION, provenance(other)))
    assert (different.indication, different.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize(
    "target",
    [
        [{"reference": "Observation/o2"}],
        [{"reference": "Observation/o1"}, {"reference": "Practitioner/p1"}],
        [],
        [{"display": "the result"}],
        ["Observation/o1"],
        None,
    ],
)
def test_a_target_that_is_not_one_resource_here_is_undecided(pki: Pki, target: object) -> None:
    """Which of two resources was signed, nobody says; one elsewhere is not to be had."""
    made = provenance(jws(pki, canonical.canonical(OBSERVATION)), target=target)
    (one,) = found(bundle(OBSERVATION, made))
    assert (one.indication, one.sub_indication) == (UNKNOWN, "SIGNED_DATA_NOT_FOUND")
    assert one.covered == ()


def test_a_provenance_alone_has_nothing_to_be_over(pki: Pki) -> None:
    made = provenance(jws(pki, canonical.canonical(OBSERVATION)))
    (one,) = found(json.dumps(made).encode())
    assert (one.indication, one.sub_indication) == (UNKNOWN, "SIGNED_DATA_NOT_FOUND")


@pytest.mark.parametrize(
    ("sig_format", "data"),
    [("image/jpeg", b"\xff\xd8\xff\xe0"), ("application/signature+xml", b"...")],
)
def test_what_is_no_digital_signature_is_named(sig_format: str, data: bytes) -> None:
    """The standard's own examples carry a picture, and three points."""
    made = provenance(data)
    made["signature"][0]["sigFormat"] = sig_format
    (one,) = found(bundle(OBSERVATION, made))
    assert (one.indication, one.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert sig_format in one.checks[0].detail


XML = """<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/>
<entry><fullUrl value="urn:uuid:1"/><resource><Observation><id value="o1"/>
<valueQuantity><value value="5.00"/></valueQuantity></Observation></resource></entry>
<entry><fullUrl value="urn:uuid:2"/><resource><Provenance><target><reference value="%s"/></target>
<signature><targetFormat value="application/fhir+xml"/><data value="%s"/></signature>
</Provenance></resource></entry></Bundle>"""


@pytest.mark.parametrize("reference", ["urn:uuid:1", "Observation/o1"])
def test_a_provenance_in_xml_signs_the_resource_it_names(pki: Pki, reference: str) -> None:
    observation = parse(XML.encode()).find(".//{*}Observation")
    assert observation is not None
    content, _ = canonical_xml.forms(observation, canonical_xml.XML, own=False)
    octets = (XML % (reference, base64.b64encode(jws(pki, content)).decode())).encode()
    (one,) = found(octets)
    assert one.indication is PASSED, one.checks
    assert one.place == "/Bundle/entry[2]/resource/Provenance/signature[1]"
    assert [(c.scope, c.covers_enclosing) for c in one.covered] == [("PARTIAL", False)]
    (bad,) = found(octets.replace(b'"5.00"', b'"5.01"'))
    assert bad.indication is FAILED


def test_a_target_in_xml_that_is_not_there_is_undecided(pki: Pki) -> None:
    octets = (XML % ("urn:uuid:9", base64.b64encode(jws(pki, b"x")).decode())).encode()
    (one,) = found(octets)
    assert (one.indication, one.sub_indication) == (UNKNOWN, "SIGNED_DATA_NOT_FOUND")


# --- a Binary that brings its own signature --------------------------------------------


def test_a_signed_file_in_a_binary_is_checked_and_covers_nothing_around_it(pki: Pki) -> None:
    file = signed(pki, detached=False, octets=b"content")
    binary = {
        "resourceType": "Binary",
        "contentType": "application/pkcs7-mime",
        "data": base64.b64encode(file).decode(),
    }
    (one,) = found(bundle(binary))
    assert (one.indication, one.place) == (PASSED, "/entry/0/resource/data")
    assert [(c.octets, c.scope, c.covers_enclosing) for c in one.covered] == [
        (b"content", "PARTIAL", False)
    ]
    changed = file.replace(b"content", b"contenT")
    binary["data"] = base64.b64encode(changed).decode()
    (bad,) = found(bundle(binary))
    assert bad.indication is FAILED


@pytest.mark.parametrize("data", ["", "***", None, 5, "Vm9ybGFnZQ=="])
def test_a_binary_without_a_signed_file_is_left_alone(data: object) -> None:
    """An encrypted or unsigned file is no failed signature."""
    binary = {"resourceType": "Binary", "contentType": "application/pkcs7-mime", "data": data}
    assert found(bundle(binary)) == ()
