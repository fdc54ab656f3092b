"""XAdES beyond its basic form: time stamps, material, counter-signatures, policy, versions."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence

import pytest
from asn1crypto import tsp, x509
from lxml import etree

from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import xml_names as names
from gateway.signatures.allowance import PARTS_MAX
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import stamp
from tests.unit.signatures.made_xml import ENVELOPED, EXCLUSIVE, SHA256, Ref, checked, signed_xml

DOCUMENT = '<a xmlns="urn:a"><v>5,10</v></a>'
PASSED = Indication.TOTAL_PASSED
DS = f"{{{names.DS}}}"


def digest(octets: bytes) -> str:
    return base64.b64encode(ALGORITHMS.digest("sha256", octets)).decode()


def certificate_named(pki: Pki) -> str:
    der = pki.signer("ecdsa-doctor").chain()[0]
    return (
        f'<x:SigningCertificateV2><x:Cert><x:CertDigest><ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{digest(der)}</ds:DigestValue></x:CertDigest></x:Cert>"
        "</x:SigningCertificateV2>"
    )


def advanced(
    pki: Pki, more: str = "", objects: str = "", namespace: str = names.XADES, type_: str = ""
) -> bytes:
    """Return a XAdES signature; `more` are further signed signature properties."""
    block = (
        f'<ds:Object><x:QualifyingProperties xmlns:x="{namespace}" Target="#sig">'
        '<x:SignedProperties Id="p"><x:SignedSignatureProperties>'
        "<x:SigningTime>2026-11-21T15:00:00+03:00</x:SigningTime>"
        f"{certificate_named(pki)}{more}</x:SignedSignatureProperties>{objects}"
        "</x:SignedProperties></x:QualifyingProperties></ds:Object>"
    )
    kind = type_ or names.SIGNED_PROPERTIES
    return signed_xml(
        pki,
        DOCUMENT,
        Ref(transforms=ENVELOPED, attributes='Id="content"'),
        Ref(uri="#p", transforms=EXCLUSIVE, attributes=f'Type="{kind}"'),
        objects=block,
    )


def with_unsigned(file: bytes, *properties: str) -> bytes:
    block = (
        "<x:UnsignedProperties><x:UnsignedSignatureProperties>"
        + "".join(properties)
        + "</x:UnsignedSignatureProperties></x:UnsignedProperties></x:QualifyingProperties>"
    )
    return file.replace(b"</x:QualifyingProperties>", block.encode())


def element(file: bytes, name: str) -> etree._Element:
    return next(parse(file).iter(f"{{*}}{name}"))


def stamped(pki: Pki, octets: bytes, name: str = "x:SignatureTimeStamp") -> str:
    token = base64.b64encode(stamp(pki, octets)).decode()
    return (
        f'<{name}><ds:CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"/>'
        f"<x:EncapsulatedTimeStamp>{token}</x:EncapsulatedTimeStamp></{name}>"
    )


def value_of(file: bytes) -> bytes:
    return c14n.canonical(element(file, "SignatureValue"), c14n.EXCLUSIVE)


def kinds(one: CheckedSignature) -> Sequence[tuple[str, bool]]:
    return [(found.kind, found.indication is PASSED) for found in one.timestamps]


def values(pki: Pki) -> str:
    der = base64.b64encode(pki.signer("gost256-doctor").chain()[1]).decode()
    return (
        "<x:CertificateValues><x:EncapsulatedX509Certificate>"
        f"{der}</x:EncapsulatedX509Certificate></x:CertificateValues>"
        "<x:RevocationValues><x:CRLValues><x:EncapsulatedCRLValue>MAA=</x:EncapsulatedCRLValue>"
        "</x:CRLValues></x:RevocationValues>"
    )


def test_a_time_stamp_over_the_value_makes_it_t_and_over_another_value_does_not(pki: Pki) -> None:
    """[G1] A copied token stamps another signature."""
    file = advanced(pki)
    assert checked(file).level == "BES"
    good = checked(with_unsigned(file, stamped(pki, value_of(file))))
    assert (good.indication, good.level, kinds(good)) == (PASSED, "T", [("signature", True)])
    assert good.timestamps[0].at == NOW
    copied = checked(with_unsigned(file, stamped(pki, value_of(advanced(pki)))))
    assert (copied.level, kinds(copied)) == ("BES", [("signature", False)])
    assert copied.timestamps[0].sub_indication == "HASH_FAILURE"


def test_material_is_handed_on_and_makes_it_lt(pki: Pki) -> None:
    file = advanced(pki)
    one = checked(with_unsigned(file, stamped(pki, value_of(file)), values(pki)))
    assert one.level == "LT"
    assert one.revocations == (("crl", b"0\0"),)
    assert pki.signer("gost256-doctor").chain()[1] in one.other_certificates
    assert checked(with_unsigned(file, values(pki))).level == "BES"


def test_unreadable_material_is_left_out_and_said(pki: Pki) -> None:
    """Nobody signed it, so it can only fail to help."""
    broken = (
        "<x:CertificateValues><x:EncapsulatedX509Certificate>....</x:EncapsulatedX509Certificate>"
        "</x:CertificateValues>"
    )
    one = checked(with_unsigned(advanced(pki), broken))
    assert one.indication is PASSED
    assert any("unreadable" in hint for hint in one.hints)


@pytest.mark.parametrize("enough", [True, False])
def test_a_file_has_one_allowance_for_all_its_time_stamps(pki: Pki, enough: bool) -> None:
    """Each token costs what a signature does, and a signer can write thousands."""
    stamp = stamped(pki, b"another", "x:AllDataObjectsTimeStamp")
    token = stamp[stamp.index("<x:Encapsulated") : stamp.index("</x:AllData")]
    several = stamp.replace(token, token * 16) * (PARTS_MAX // 16)
    signed = f"<x:SignedDataObjectProperties>{several}</x:SignedDataObjectProperties>"
    file = advanced(pki, objects=signed)
    one = checked(file if enough else with_unsigned(file, stamped(pki, value_of(file))))
    reasons = [stamp.sub_indication for stamp in one.timestamps]
    assert reasons == ["HASH_FAILURE"] * PARTS_MAX + ([] if enough else ["FORMAT_FAILURE"])


@pytest.mark.parametrize("namespace", [names.XADES_141, names.XADES])
def test_an_archive_time_stamp_covers_all_that_came_before_it(pki: Pki, namespace: str) -> None:
    file = advanced(pki)
    first = stamped(pki, value_of(file))
    after = stamped(pki, b"later")
    file = with_unsigned(file, first, values(pki), "<x:PLACE/>", after)
    root = parse(file)
    signature = next(root.iter(f"{DS}Signature"))

    def canonical(found: etree._Element) -> bytes:
        return c14n.canonical(found, c14n.EXCLUSIVE)

    place = next(root.iter("{*}PLACE"))
    holder = place.getparent()
    assert holder is not None
    earlier = list(holder)[:-2]
    octets = b"".join(
        [
            c14n.canonical_document(root, c14n.C14N_10, omit=[signature]),
            canonical(next(root.iter("{*}SignedProperties"))),
            *(
                canonical(next(root.iter(f"{DS}{n}")))
                for n in ("SignedInfo", "SignatureValue", "KeyInfo")
            ),
            *map(canonical, earlier),
        ]
    )

    def archived(over: bytes) -> bytes:
        block = stamped(pki, over, "y:ArchiveTimeStamp").replace(
            "<y:ArchiveTimeStamp>", f'<y:ArchiveTimeStamp xmlns:y="{namespace}">'
        )
        return file.replace(b"<x:PLACE/>", block.encode())

    good = checked(archived(octets))
    assert (good.level, kinds(good)[:2]) == ("LTA", [("signature", True), ("archive", True)])
    assert [one.covers for one in good.timestamps][1] == {good.timestamps[0].sha256}
    bad = checked(archived(octets + b" "))
    assert (bad.indication, bad.level) == (PASSED, "LT")
    assert kinds(bad)[:2] == [("signature", True), ("archive", False)]
    changed = archived(octets).replace(b">MAA=<", b">MAE=<")
    assert kinds(checked(changed))[1] == ("archive", False)


@pytest.mark.parametrize(
    ("name", "value"), [("SigAndRefsTimeStamp", True), ("RefsOnlyTimeStamp", False)]
)
def test_a_time_stamp_over_references_covers_them(pki: Pki, name: str, value: bool) -> None:
    file = advanced(pki)
    refs = "<x:CompleteCertificateRefs>r</x:CompleteCertificateRefs>"
    placed = with_unsigned(file, refs, "<x:PLACE/>")
    octets = c14n.canonical(element(placed, "CompleteCertificateRefs"), c14n.EXCLUSIVE)
    if value:
        octets = value_of(file) + octets
    block = stamped(pki, octets, f"x:{name}").encode()
    assert kinds(checked(placed.replace(b"<x:PLACE/>", block))) == [("references", True)]
    swapped = placed.replace(b"<x:PLACE/>", block).replace(b">r<", b">s<")
    assert kinds(checked(swapped)) == [("references", False)]


@pytest.mark.parametrize("name", ["AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp"])
def test_a_time_stamp_over_content_is_older_than_the_signature(pki: Pki, name: str) -> None:
    content = c14n.canonical_document(parse(DOCUMENT.encode()), c14n.C14N_10)
    include = '<x:Include URI="#content" referencedData="true"/>'
    lost = include.replace("#content", "#nothing")

    def over(octets: bytes, included: str) -> CheckedSignature:
        block = stamped(pki, octets, f"x:{name}")
        if name.startswith("Individual"):
            block = block.replace(f"<x:{name}>", f"<x:{name}>{included}")
        inner = f"<x:SignedDataObjectProperties>{block}</x:SignedDataObjectProperties>"
        return checked(advanced(pki, objects=inner))

    assert kinds(over(content, include)) == [("content", True)]
    assert kinds(over(content + b" ", include)) == [("content", False)]
    if name.startswith("Individual"):
        assert kinds(over(content, lost)) == [("content", False)]


def counter(pki: Pki, file: bytes, uri: str) -> str:
    """Return a CounterSignature over the element `uri` names in `file`."""
    other = signed_xml(
        pki,
        file.decode(),
        Ref(uri=uri, transforms=EXCLUSIVE, attributes=f'Type="{names.COUNTERSIGNED}"'),
        signature_id="counter",
        signer="ecdsa-organisation",
    ).decode()
    match = re.search(r'<ds:Signature xmlns:ds="[^"]*" Id="counter">.*?</ds:Signature>', other)
    assert match is not None
    return f"<x:CounterSignature>{match[0]}</x:CounterSignature>"


def test_a_counter_signature_signs_the_value_it_stands_under(pki: Pki) -> None:
    file = advanced(pki).replace(b"<ds:SignatureValue>", b'<ds:SignatureValue Id="value">')
    good = checked(with_unsigned(file, counter(pki, file, "#value")))
    assert good.indication is PASSED
    (other,) = good.counter_signatures
    assert (other.indication, other.certificate) == (
        PASSED,
        pki.signer("ecdsa-organisation").chain()[0],
    )
    assert other.covered[0].octets == value_of(file)
    injected = checked(with_unsigned(file, counter(pki, file, "#p")))
    (fake,) = injected.counter_signatures
    assert fake.indication is not PASSED


def test_counter_signatures_nest_only_so_deep(pki: Pki) -> None:
    file = advanced(pki).replace(b"<ds:SignatureValue>", b'<ds:SignatureValue Id="value">')
    one = counter(pki, file, "#value")
    many = checked(with_unsigned(file, *[one.replace('Id="counter"', "")] * 9))
    assert many.sub_indication == "SIG_CONSTRAINTS_FAILURE"


POLICY = b"the policy"


@pytest.mark.parametrize(
    ("document", "passes"), [(POLICY, True), (b"another", False), (None, True)]
)
def test_an_enclosed_policy_is_the_one_that_was_signed(
    pki: Pki, document: bytes | None, passes: bool
) -> None:
    identifier = (
        "<x:SignaturePolicyIdentifier><x:SignaturePolicyId><x:SigPolicyId>"
        "<x:Identifier>urn:oid:1.2.3</x:Identifier></x:SigPolicyId><x:SigPolicyHash>"
        f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{digest(POLICY)}</ds:DigestValue>'
        "</x:SigPolicyHash></x:SignaturePolicyId></x:SignaturePolicyIdentifier>"
    )
    file = advanced(pki, more=identifier)
    if document is not None:
        encoded = base64.b64encode(document).decode()
        file = with_unsigned(
            file,
            f'<y:SignaturePolicyStore xmlns:y="{names.XADES_141}"><y:SignaturePolicyDocument>'
            f"{encoded}</y:SignaturePolicyDocument></y:SignaturePolicyStore>",
        )
    one = checked(file)
    assert (one.indication is PASSED) is passes
    assert one.sub_indication == (None if passes else "POLICY_PROCESSING_ERROR")
    assert any("not at hand" in hint for hint in one.hints) is (document is None)


def test_the_signer_names_the_media_type_and_with_it_the_basic_level(pki: Pki) -> None:
    described = (
        "<x:SignedDataObjectProperties>"
        '<x:DataObjectFormat ObjectReference="#content"><x:MimeType>text/xml</x:MimeType>'
        "</x:DataObjectFormat></x:SignedDataObjectProperties>"
    )
    assert checked(advanced(pki, objects=described)).level == "B"


@pytest.mark.parametrize("namespace", names.XADES_ALL)
def test_old_versions_are_read_and_named(pki: Pki, namespace: str) -> None:
    kind = namespace + "SignedProperties"
    one = checked(advanced(pki, namespace=namespace, type_=kind))
    assert one.indication is PASSED
    assert ("XAdES of an old version" in one.hints) is (namespace != names.XADES)


def test_a_version_nobody_knows_is_not_guessed_at(pki: Pki) -> None:
    one = checked(advanced(pki, namespace="http://uri.etsi.org/01903/v9#"))
    assert one.indication is not PASSED


EDITS: dict[str, Callable[[str], str]] = {
    "no time": lambda t: re.sub("<x:SigningTime>.*</x:SigningTime>", "", t),
    "two times": lambda t: t.replace("<x:SigningTime>", "<x:SigningTime/><x:SigningTime>"),
    "no such time": lambda t: t.replace("2026-11-21", "2026-13-41"),
    "before all time": lambda t: t.replace(
        "2026-11-21T15:00:00+03:00", "0001-01-01T00:00:00+14:00"
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_claimed_time_is_one_moment_or_none(pki: Pki, edit: str) -> None:
    file = advanced(pki).decode()
    bad = EDITS[edit](file)
    assert bad != file
    assert checked(bad.encode()).indication is not PASSED
    assert checked(file.encode()).claimed_at == NOW


def test_the_issuer_of_the_second_version_counts_with_the_number(pki: Pki) -> None:
    """[E6] Digest and issuer and serial number."""
    der = pki.signer("ecdsa-doctor").chain()[0]
    certificate = x509.Certificate.load(der)

    def coded(name: x509.Name) -> str:
        general = x509.GeneralNames([x509.GeneralName("directory_name", name)])
        number = certificate.serial_number
        pair = tsp.IssuerSerial({"issuer": general, "serial_number": number})
        return base64.b64encode(pair.dump()).decode()

    def file(name: x509.Name) -> bytes:
        issuer = f"<x:IssuerSerialV2>{coded(name)}</x:IssuerSerialV2></x:Cert>"
        named = certificate_named(pki).replace("</x:Cert>", issuer)
        block = (
            f'<ds:Object><x:QualifyingProperties xmlns:x="{names.XADES}" Target="#sig">'
            f'<x:SignedProperties Id="p"><x:SignedSignatureProperties>{named}'
            "</x:SignedSignatureProperties></x:SignedProperties></x:QualifyingProperties></ds:Object>"
        )
        properties = Ref(
            uri="#p", transforms=EXCLUSIVE, attributes=f'Type="{names.SIGNED_PROPERTIES}"'
        )
        return signed_xml(pki, DOCUMENT, Ref(), properties, objects=block)

    assert checked(file(certificate.issuer)).indication is PASSED
    other = checked(file(certificate.subject))
    assert other.sub_indication == "SIG_CONSTRAINTS_FAILURE"
