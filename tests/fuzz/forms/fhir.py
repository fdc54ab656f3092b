"""FHIR Signatures: of a Bundle and of a Provenance, in JSON and in XML, by JWS and CAdES."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from gateway.fhir import canonical, canonical_xml
from gateway.signatures.sign import sign_bundle
from gateway.xml.parser import parse
from tests.attacks.signed_json import BUNDLE, FORMS, TYPE, XML_BUNDLE, XML_TYPE, file, sealed
from tests.fuzz.ground import FAMILIES, Bench, foreign
from tests.fuzz.judging import computed, verified
from tests.fuzz.values import Outcome, Seed
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.test_fhir_signature_provenance import (
    OBSERVATION,
    bundle,
    jws,
    provenance,
)

NAME = "fhir"
IN_JSON, IN_XML = "fhir-bundle-json", "fhir-bundle-xml"
ABOUT_JSON, ABOUT_XML = "fhir-provenance-json", "fhir-provenance-xml"
FOREIGN = {
    IN_JSON: ("signatures/erezept-fhir/**/*.json",),
    IN_XML: ("signatures/erezept-fhir/**/*.xml",),
}
RESOURCE = (
    b'<Observation xmlns="http://hl7.org/fhir"><id value="o1"/><status value="final"/>'
    b'<valueQuantity><value value="5.00"/></valueQuantity></Observation>'
)


def seeds(bench: Bench) -> Iterator[Seed]:
    pki = bench.pki
    for family in FAMILIES:
        for form in FORMS:
            octets = sealed(pki, BUNDLE, form, f"{family}-doctor")
            yield Seed(row=IN_JSON, name=f"{family} {form}", octets=octets)
            octets = sealed(pki, XML_BUNDLE, form, f"{family}-doctor")
            yield Seed(row=IN_XML, name=f"{family} {form}", octets=octets)
    files = pki.signer("ecdsa-doctor")
    for method in canonical.METHODS:
        if method != canonical.NARRATIVE:
            octets = sign_bundle(
                BUNDLE,
                key=files.private_key(),
                chain=files.chain(),
                algorithms=ALGORITHMS,
                form="jws",
                at=NOW,
                method=method,
            )
            yield Seed(row=IN_JSON, name=method, octets=octets, ours=method == canonical.JSON)
        content = canonical.canonical(canonical.restricted(OBSERVATION, method, own=False))
        octets = bundle(OBSERVATION, provenance(jws(pki, content), method=method))
        yield Seed(row=ABOUT_JSON, name=method, octets=octets)
    yield Seed(row=ABOUT_XML, name="cades", octets=_about_in_xml(bench))
    for row, patterns in FOREIGN.items():
        for number, octets in enumerate(foreign(*patterns)):
            yield Seed(row=row, name=f"foreign {number}", octets=octets, how="foreign", ours=False)


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    media_type = TYPE if seed.row in (IN_JSON, ABOUT_JSON) else XML_TYPE
    if seed.how == "foreign":
        return computed(octets, media_type=media_type)
    return verified(bench, octets, media_type=media_type)


def _about_in_xml(bench: Bench) -> bytes:
    content = canonical_xml.forms(parse(RESOURCE), canonical_xml.XML, own=False)[0]
    data = base64.b64encode(file(bench.pki, content, "cades", detached=True))
    return (
        b'<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource>%s'
        b"</resource></entry><entry><resource><Provenance><target>"
        b'<reference value="Observation/o1"/></target><signature><targetFormat value="application/'
        b'fhir+xml;canonicalization=%s"/><sigFormat value="application/pkcs7-signature"/>'
        b'<data value="%s"/></signature></Provenance></resource></entry></Bundle>'
        % (RESOURCE, canonical_xml.XML.encode(), data)
    )
