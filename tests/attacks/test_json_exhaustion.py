"""Signed FHIR that asks for endless work is answered in bounded work, and passes nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

from asn1crypto import cms

from gateway.fhir import canonical
from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import fhir_carriers, fhir_signature
from gateway.verification import SIGNATURES_MAX
from tests.attacks.signed_json import BUNDLE, TYPE, file
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import document, signed, verifier


def about(target: str, *data: bytes) -> dict[str, Any]:
    signatures = [{"data": base64.b64encode(one).decode()} for one in data]
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "signature": signatures,
    }


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [{"resource": one} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


def test_a_thousand_signatures_over_one_large_resource_are_not_all_digested(pki: Pki) -> None:
    """Each may name the same megabytes: the document is small, the work would not be."""
    large = {"resourceType": "Binary", "id": "b", "data": "A" * 9_000_000}
    good = file(pki, canonical.canonical(large), detached=True)
    octets = bundle(large, *(about("Binary/b", good) for _ in range(1000)))
    found = fhir_signature.check(document(octets, TYPE), (), ALGORITHMS)
    assert len(found) == fhir_carriers.CARRIED_MAX
    passed = [one for one in found if one.indication is Indication.TOTAL_PASSED]
    assert 0 < len(passed) * 9_000_000 <= fhir_signature.DIGESTED_BYTES_MAX + 9_000_000
    rest = [one for one in found if one not in passed]
    assert {one.sub_indication for one in rest} == {"SIG_CONSTRAINTS_FAILURE"}
    assert all("octets to digest" in one.checks[0].detail for one in rest)


def test_no_more_signers_are_checked_than_would_be_judged(pki: Pki) -> None:
    """Each of 64 signatures may be a file of sixteen signers with time stamps of their own."""
    several = cms.ContentInfo.load(signed(pki, detached=False))
    signers = several["content"]["signer_infos"]
    several["content"]["signer_infos"] = cms.SignerInfos([signers[0]] * 16)
    data = base64.b64encode(several.dump(force=True)).decode()
    binary = {"resourceType": "Binary", "contentType": "application/pkcs7-mime", "data": data}
    octets = bundle(*[binary] * 64)
    found = fhir_signature.check(document(octets, TYPE), (), ALGORITHMS)
    assert len(found) == fhir_carriers.CARRIED_MAX > SIGNATURES_MAX
    report = verifier(pki).verify(document(octets, TYPE), (), NOW)
    assert {one.indication for one in report.signatures} == {Indication.TOTAL_PASSED}
    assert report.indication is Indication.INDETERMINATE


def test_a_large_failing_bundle_is_not_tried_for_hints(pki: Pki) -> None:
    def checked(size: int) -> tuple[str, ...]:
        resource = {"resourceType": "Binary", "id": "b", "data": "A" * size, "meta": {}}
        signed = canonical.canonical({n: v for n, v in resource.items() if n != "meta"})
        octets = bundle(resource, about("Binary/b", file(pki, signed, "cades", detached=True)))
        declared = octets.replace(
            b'{"data": "', b'{"targetFormat":"a;canonicalization=%s","data": "' % NOTHING_LEFT_OUT
        )
        (one,) = fhir_signature.check(document(declared, TYPE), (), ALGORITHMS)
        assert one.indication is Indication.TOTAL_FAILED
        return one.hints

    assert checked(10) == ("verifies under json#static, declared is json",)
    assert checked(fhir_signature.HINT_BYTES_MAX) == ()


NOTHING_LEFT_OUT = canonical.JSON.encode()


def test_bundles_nested_without_end_are_looked_into_so_far(pki: Pki) -> None:
    inner: dict[str, Any] = json.loads(BUNDLE)
    inner["signature"] = {"data": base64.b64encode(file(pki, BUNDLE)).decode()}
    for _ in range(15):
        inner = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": inner}]}
    found = fhir_signature.check(document(json.dumps(inner).encode(), TYPE), (), ALGORITHMS)
    assert found == ()
