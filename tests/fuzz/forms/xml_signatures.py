"""XMLDSig, XAdES, WS-Security and SMEV 3: our own files, and foreign ones where they are."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model import Part
from gateway.signatures import xml_names as names
from gateway.signatures.sign import Form, sign
from tests.fuzz.ground import FAMILIES, FIRST, Bench, foreign
from tests.fuzz.judging import computed, verified
from tests.fuzz.values import Outcome, Seed
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import authority
from tests.unit.signatures.made import XML, signed
from tests.unit.signatures.made_xml import (
    BASE64,
    ENVELOPED,
    EXCLUSIVE,
    SMEV,
    WHOLE,
    Ref,
    envelope,
    filter2,
    signed_xml,
    xpath,
)
from tests.unit.signatures.test_xml_xades import advanced
from tests.unit.signatures.xml_records_made import Maker, chain, sequence

NAME = "xml"
XMLDSIG, XADES, WSS, SMEV3, BESIDE = "xmldsig", "xades", "ws-security", "smev3", "xmldsig-detached"
TYPE = "application/xml"
FOREIGN = {
    XMLDSIG: (
        "signatures/xmlsec/**/*.xml",
        "signatures/saml-xsw/**/*.xml",
        "signatures/signxml/**/*.xml",
        "signatures/cryptopro-xmldsig/*.xml",
    ),
    XADES: ("signatures/dss/**/*.xml",),
    SMEV3: ("signatures/ru-smev3-official/**/*.xml",),
}
CALLER = '<m xmlns="urn:m"><p Id="SIGNED_BY_CALLER"><a>5,10</a><b xmlns="urn:b"/></p></m>'


def seeds(bench: Bench) -> Iterator[Seed]:
    pki = bench.pki
    forms: dict[str, Form] = {XMLDSIG: "xmldsig", XADES: "xades"}
    for family in FAMILIES:
        for row, form in forms.items():
            octets = signed(pki, f"{family}-doctor", form, detached=False)
            yield Seed(row=row, name=family, octets=octets)
    yield Seed(row=XADES, name="stamped", octets=_stamped(bench))
    yield Seed(row=XADES, name="by hand", octets=advanced(pki))
    if FIRST == "gost256":  # whose authority stamps the record
        maker = Maker(pki)
        record = sequence(chain(1, "sha256", maker.first()))
        yield Seed(row=XADES, name="record", octets=maker.with_record(record))
    for name, octets in _shapes(bench):
        yield Seed(row=XMLDSIG, name=name, octets=octets)
    text, info = envelope(pki, '<wsse:Reference URI="#t"/>')
    place = f"{{*}}Header/{{{names.WSSE}}}Security"
    body = Ref(uri="#body", transforms=EXCLUSIVE)
    yield Seed(
        row=WSS, name="token", octets=signed_xml(pki, text, body, key_info=info, place=place)
    )
    called = signed_xml(pki, CALLER, Ref(uri="#SIGNED_BY_CALLER", transforms=EXCLUSIVE + SMEV))
    yield Seed(row=SMEV3, name="caller", octets=called)
    beside = Part(name="document", media_type="", body=XML)
    alone = signed_xml(pki, "", Ref(uri="document.xml", transforms=""), beside=beside)
    yield Seed(row=BESIDE, name="signature", octets=alone, context=(XML,), how="signature")
    yield Seed(row=BESIDE, name="document", octets=XML, context=(alone,), how="document")
    for row, patterns in FOREIGN.items():
        for number, octets in enumerate(foreign(*patterns)):
            yield Seed(row=row, name=f"foreign {number}", octets=octets, how="foreign", ours=False)


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    match seed.how:
        case "foreign":
            return computed(octets, media_type=TYPE)
        case "signature":
            return verified(bench, seed.context[0], octets, media_type=TYPE)
        case "document":
            return verified(bench, octets, *seed.context, media_type=TYPE)
        case _:
            return verified(bench, octets, media_type=TYPE)


def _stamped(bench: Bench) -> bytes:
    files = bench.pki.signer(f"{FIRST}-doctor")
    stamping = authority(bench.pki, f"{FIRST}-tsa")
    return sign(
        XML,
        key=files.private_key(),
        chain=files.chain(),
        algorithms=ALGORITHMS,
        form="xades",
        detached=False,
        at=NOW,
        stamp=lambda octets: stamping.stamp("sha256", octets, NOW),
    )


def _shapes(bench: Bench) -> Iterator[tuple[str, bytes]]:
    """Yield signatures that say in other ways what they cover."""
    pki = bench.pki
    inside = '<ds:Object Id="o"><v xmlns="urn:v">5,10</v></ds:Object>'
    encoded = '<ds:Object Id="o">PHYvPg==</ds:Object>'
    part = '<r xmlns="urn:x"><b Id="b">5,10</b><c/></r>'
    manifest = (
        '<ds:Object><ds:Manifest Id="m">' + Ref(uri="").written() + "</ds:Manifest></ds:Object>"
    )
    pointed = Ref(uri="#m", transforms=EXCLUSIVE, attributes=f'Type="{names.DS}Manifest"')
    own = "not(ancestor-or-self::ds:Signature)"
    yield "part", signed_xml(pki, part, Ref(uri="#b", transforms=EXCLUSIVE))
    yield "two parts", signed_xml(pki, part, Ref(), Ref(uri="#b", transforms=EXCLUSIVE))
    yield "xpath", signed_xml(pki, WHOLE, Ref(transforms=xpath(own)))
    yield "filter2", signed_xml(pki, WHOLE, Ref(transforms=filter2(("subtract", "//ds:Signature"))))
    yield "exclusive", signed_xml(pki, WHOLE, Ref(transforms=ENVELOPED + EXCLUSIVE))
    yield "pointer", signed_xml(pki, WHOLE, Ref(uri="#xpointer(/)"))
    yield "enveloping", signed_xml(pki, "", Ref(uri="#o", transforms=EXCLUSIVE), objects=inside)
    yield "base64", signed_xml(pki, "", Ref(uri="#o", transforms=BASE64), objects=encoded)
    yield "manifest", signed_xml(pki, WHOLE, pointed, objects=manifest)
