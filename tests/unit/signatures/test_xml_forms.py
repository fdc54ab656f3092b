"""Every way an XML signature may refer to what it signs, and the nearest way it may not."""

from __future__ import annotations

import base64

import pytest

from gateway.model import CheckedSignature, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import xml_names as names
from gateway.signatures.sign import sign
from gateway.xml import c14n
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import XML, document
from tests.unit.signatures.made_xml import (
    BASE64,
    ENVELOPED,
    EXCLUSIVE,
    SMEV,
    WHOLE,
    Ref,
    checked,
    filter2,
    scopes,
    signed_xml,
    xpath,
)

PASSED = Indication.TOTAL_PASSED
FAILED = Indication.TOTAL_FAILED


def failed(one: CheckedSignature, sub_indication: str) -> bool:
    return (one.indication, one.sub_indication) == (FAILED, sub_indication)


@pytest.mark.parametrize(
    "transforms",
    [
        ENVELOPED,
        ENVELOPED + EXCLUSIVE,
        xpath("not(ancestor-or-self::ds:Signature)"),
        xpath("  not( ( ancestor-or-self::ds:Signature ) ) "),
        xpath(
            "count(ancestor-or-self::ds:Signature | here()/ancestor::ds:Signature[1]) &gt; "
            "count(ancestor-or-self::ds:Signature)"
        ),
        filter2(("subtract", "/descendant::ds:Signature")),
        filter2(("intersect", "/"), ("subtract", "//*[name()='ds:Signature']")),
        ENVELOPED + f'<ds:Transform Algorithm="{c14n.C14N_11}#WithComments"/>',
    ],
    ids=["enveloped", "exclusive", "xpath", "spaces", "here", "filter", "filters", "1.1"],
)
def test_every_way_to_leave_the_signature_out_covers_the_document(
    pki: Pki, transforms: str
) -> None:
    file = signed_xml(pki, WHOLE, Ref(transforms=transforms))
    good = checked(file)
    assert (good.indication, scopes(good)) == (PASSED, [("FULL", True)])
    assert b"Signature" not in good.covered[0].octets
    assert failed(checked(file.replace(b"5,10", b"5,11")), "HASH_FAILURE")


def test_a_reference_without_uri_that_envelops_means_the_file(pki: Pki) -> None:
    """xadesjs leaves the attribute out; nothing but the file around a signature envelops it."""
    file = signed_xml(pki, WHOLE, Ref(uri=None))
    assert b"URI" not in file
    good = checked(file)
    assert (good.indication, scopes(good)) == (PASSED, [("FULL", True)])
    assert failed(checked(file.replace(b"5,10", b"5,11")), "HASH_FAILURE")
    other = signed_xml(pki, WHOLE, Ref(uri=None, transforms=ENVELOPED))
    named_nowhere = checked(other.replace(ENVELOPED.encode(), EXCLUSIVE.encode()))
    assert ("reference_data", "no URI") in [(c.name, c.detail) for c in named_nowhere.checks]


def _with_prefixes(transform: str, namespace: str) -> str:
    prefixes = f'<InclusiveNamespaces xmlns="{namespace}" PrefixList="q"/>'
    return transform.replace("/>", f">{prefixes}</ds:Transform>")


def test_a_list_of_prefixes_says_nothing_to_transforms_without_prefixes(pki: Pki) -> None:
    """xml-crypto writes it into every transform of a reference, in the transform's own name."""
    inclusive = f'<ds:Transform Algorithm="{c14n.C14N_10}"/>'
    transforms = _with_prefixes(ENVELOPED, names.ENVELOPED) + _with_prefixes(
        inclusive, c14n.EXCLUSIVE
    )
    good = checked(signed_xml(pki, WHOLE, Ref(transforms=transforms)))
    assert (good.indication, scopes(good)) == (PASSED, [("FULL", True)])


def test_other_parameters_of_a_transform_without_any_are_not_understood(pki: Pki) -> None:
    file = signed_xml(pki, WHOLE, Ref())
    given = ENVELOPED.replace("/>", "><x/></ds:Transform>").encode()
    one = checked(file.replace(ENVELOPED.encode(), given))
    assert ("reference_data", "parameters of a transform that has none") in [
        (c.name, c.detail) for c in one.checks
    ]


@pytest.mark.parametrize(
    "transforms",
    [
        ENVELOPED + xpath("not(ancestor-or-self::x:c)", 'xmlns:x="urn:x"'),
        ENVELOPED + xpath("ancestor-or-self::x:b", 'xmlns:x="urn:x"'),
        ENVELOPED + filter2(("subtract", "//*[local-name()='c']")),
    ],
    ids=["one element", "all but one", "filter"],
)
def test_a_filter_that_drops_content_covers_a_part(pki: Pki, transforms: str) -> None:
    """[D2] A signer may leave out what an attacker fills in later."""
    one = checked(signed_xml(pki, WHOLE, Ref(transforms=transforms)))
    assert (one.indication, scopes(one)) == (PASSED, [("PARTIAL", False)])


@pytest.mark.parametrize("name", ["Id", "ID", "id", "xml:id", "wsu:Id"])
@pytest.mark.parametrize("pointer", ["#p", "#xpointer(id('p'))"])
def test_a_part_is_named_by_any_attribute_that_means_id(pki: Pki, name: str, pointer: str) -> None:
    text = f'<r xmlns="urn:x" xmlns:wsu="{names.WSU}"><b {name}="p">5,10</b><c>1</c></r>'
    file = signed_xml(pki, text, Ref(uri=pointer, transforms=EXCLUSIVE))
    one = checked(file)
    assert (one.indication, scopes(one)) == (PASSED, [("PARTIAL", False)])
    assert checked(file.replace(b"<c>1", b"<c>2")).indication is PASSED
    assert failed(checked(file.replace(b"5,10", b"5,11")), "HASH_FAILURE")
    twice = file.replace(b"<c>", b'<c ID="p">')
    assert failed(checked(twice), "FORMAT_FAILURE")


def test_an_xpointer_to_the_root_keeps_comments(pki: Pki) -> None:
    commented = f"{ENVELOPED}<ds:Transform Algorithm='{c14n.C14N_10}#WithComments'/>"
    text = WHOLE.replace("<c/>", "<!--said--><c/>")
    plain = checked(signed_xml(pki, text, Ref(uri="", transforms=commented)))
    kept = checked(signed_xml(pki, text, Ref(uri="#xpointer(/)", transforms=commented)))
    assert b"<!--said-->" not in plain.covered[0].octets
    assert b"<!--said-->" in kept.covered[0].octets
    assert (kept.indication, scopes(kept)) == (PASSED, [("FULL", True)])


def test_an_enveloping_signature_covers_its_only_object(pki: Pki) -> None:
    content = base64.b64encode(b"any file").decode()
    block = f'<ds:Object Id="o">{content}</ds:Object>'
    file = signed_xml(pki, "", Ref(uri="#o", transforms=BASE64), objects=block)
    one = checked(file)
    assert (one.indication, scopes(one)) == (PASSED, [("FULL", True)])
    assert one.covered[0].octets == b"any file"
    more = file.replace(b"</ds:Signature>", b"<ds:Object>more</ds:Object></ds:Signature>")
    assert scopes(checked(more)) == [("PARTIAL", False)]


def test_base64_may_hide_no_markup(pki: Pki) -> None:
    """[D7] What stands between the text is not in the octets that are signed."""
    hidden = f'<ds:Object Id="o">{base64.b64encode(b"abc").decode()}<evil xmlns=""/></ds:Object>'
    file = signed_xml(pki, "", Ref(uri="#o", transforms=BASE64), objects=hidden)
    assert scopes(checked(file)) == [("PARTIAL", False)]
    whole = signed_xml(pki, "<r>YWJj</r>", Ref(uri="", transforms=ENVELOPED + BASE64))
    assert scopes(checked(whole)) == [("PARTIAL", False)]


@pytest.mark.parametrize("uri", [None, "report.pdf"])
def test_a_signature_beside_covers_the_file_it_lies_beside(pki: Pki, uri: str | None) -> None:
    body = b"%PDF-1.7 5,10\r\n"
    part = Part(name="document", media_type="application/pdf", body=body)
    file = signed_xml(pki, "", Ref(uri=uri, transforms=""), beside=part)
    good = checked(body, file)
    assert (good.indication, scopes(good)) == (PASSED, [("FULL", True)])
    assert good.covered[0].octets == body
    assert failed(checked(body.replace(b"5,10", b"5,11"), file), "HASH_FAILURE")
    lost = checked(file)
    assert (lost.indication, lost.sub_indication) == (
        Indication.INDETERMINATE,
        "SIGNED_DATA_NOT_FOUND",
    )


def test_of_several_files_named_one_lies_here(pki: Pki) -> None:
    part = Part(name="document", media_type="text/plain", body=b"one")
    file = signed_xml(pki, "", Ref(uri="1.txt", transforms=""), beside=part)
    assert checked(b"one", file).indication is PASSED
    several = signed_xml(
        pki,
        "",
        Ref(uri="1.txt", transforms=""),
        Ref(uri="2.txt", transforms=""),
        beside=part,
    )
    assert checked(b"two", several).sub_indication == "SIGNED_DATA_NOT_FOUND"


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda body: body.replace(b"\n", b"\r\n"), "line ends changed"),
        (lambda body: b"\xef\xbb\xbf" + body, "byte order mark"),
        (lambda body: body.decode().encode("windows-1251"), "another encoding"),
        (lambda body: body + b"\n", "line ends changed"),
    ],
    ids=["CRLF", "BOM", "encoding", "last line"],
)
def test_what_happened_to_a_file_after_signing_is_said_and_not_excused(
    pki: Pki, change: object, hint: str
) -> None:
    body = "строка\nвторая".encode()
    part = Part(name="document", media_type="text/plain", body=body)
    file = signed_xml(pki, "", Ref(uri="a.txt", transforms=""), beside=part)
    one = checked(change(body), file)  # type: ignore[operator]
    assert failed(one, "HASH_FAILURE")
    assert any(hint in said for said in one.hints)


def test_indenting_and_another_canonical_form_are_told_apart(pki: Pki) -> None:
    file = signed_xml(pki, WHOLE, Ref(transforms=ENVELOPED + EXCLUSIVE))
    indented = checked(file.replace(b"<c/>", b"\n  <c/>"))
    assert failed(indented, "HASH_FAILURE")
    assert any("white space between elements" in hint for hint in indented.hints)
    text = '<r xmlns="urn:x" xmlns:unused="urn:u"><b>5,10</b></r>'
    inclusive = signed_xml(pki, text, Ref(transforms=ENVELOPED))
    declared = ENVELOPED + EXCLUSIVE
    swapped = checked(inclusive.replace(ENVELOPED.encode(), declared.encode()))
    assert swapped.indication is FAILED
    assert any("another canonicalisation" in hint for hint in swapped.hints)


def test_an_indented_signed_info_is_named(pki: Pki) -> None:
    file = signed_xml(pki, WHOLE, Ref())
    one = checked(file.replace(b"<ds:SignatureMethod", b"\n  <ds:SignatureMethod"))
    assert failed(one, "SIG_CRYPTO_FAILURE")
    assert any(hint.startswith("SignedInfo reformatted") for hint in one.hints)


def test_smev_hands_on_what_was_digested(pki: Pki) -> None:
    text = (
        '<e xmlns="urn:e"><q:b xmlns:q="urn:q" Id="SIGNED_BY_CALLER" q:z="1" a="2">'
        "\n  <q:c>5,10</q:c>\n<!--x--></q:b></e>"
    )
    file = signed_xml(pki, text, Ref(uri="#SIGNED_BY_CALLER", transforms=EXCLUSIVE + SMEV))
    one = checked(file)
    assert one.indication is PASSED
    assert one.covered[0].octets == (
        b'<ns1:b xmlns:ns1="urn:q" ns1:z="1" Id="SIGNED_BY_CALLER" a="2">'
        b"<ns1:c>5,10</ns1:c></ns1:b>"
    )
    assert checked(file.replace(b"\n  <q:c>", b"<q:c>")).indication is PASSED
    assert failed(checked(file.replace(b"5,10", b"5,11")), "HASH_FAILURE")


MANIFEST = (
    '<ds:Object><ds:Manifest Id="m"><ds:Reference URI="#p"><ds:DigestMethod '
    'Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AA==</ds:DigestValue>'
    "</ds:Reference></ds:Manifest></ds:Object>"
)


def test_a_manifest_signs_what_it_names(pki: Pki) -> None:
    text = '<r xmlns="urn:x"><b Id="p">5,10</b></r>'
    reference = Ref(uri="#m", transforms="", attributes=f'Type="{names.MANIFEST}"')
    file = signed_xml(pki, text, reference, objects=MANIFEST)
    good = checked(file)
    assert (good.indication, scopes(good)) == (PASSED, [("PARTIAL", False)])
    bad = checked(file.replace(b"5,10", b"5,11"))
    assert failed(bad, "HASH_FAILURE")
    assert any(check.name == "manifest" for check in bad.checks)
    lost = checked(file.replace(b'<b Id="p">', b'<b Id="q">'))
    assert lost.sub_indication == "SIGNED_DATA_NOT_FOUND"


def _key_value(pki: Pki) -> str:
    from asn1crypto import x509

    key = x509.Certificate.load(pki.signer("ecdsa-doctor").chain()[0]).public_key
    point = base64.b64encode(key["public_key"].native).decode()
    return (
        '<ds:KeyValue><k:ECKeyValue xmlns:k="http://www.w3.org/2009/xmldsig11#">'
        f'<k:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><k:PublicKey>{point}</k:PublicKey>'
        "</k:ECKeyValue></ds:KeyValue>"
    )


def test_a_bare_key_proves_the_value_and_nobody(pki: Pki) -> None:
    file = signed_xml(pki, WHOLE, Ref(), key_info=_key_value(pki))
    one = checked(file)
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "NO_SIGNING_CERTIFICATE_FOUND",
    )
    assert one.certificate is None
    assert ("signature_value", "PASSED") in [(c.name, c.status.value) for c in one.checks]
    assert failed(checked(file.replace(b"5,10", b"5,11")), "HASH_FAILURE")


UNKNOWN_KEYS = {
    "empty": "<ds:KeyValue/>",
    "RFC 4050": '<ds:KeyValue><ECDSAKeyValue xmlns="http://www.w3.org/2001/04/xmldsig-more#"/>'
    "</ds:KeyValue>",
    "explicit curve": f'<ds:KeyValue><ECKeyValue xmlns="{names.DS11}"><ECParameters/>'
    "<PublicKey>AA==</PublicKey></ECKeyValue></ds:KeyValue>",
}


@pytest.mark.parametrize("key_value", UNKNOWN_KEYS.values(), ids=UNKNOWN_KEYS)
def test_a_key_of_an_unknown_kind_beside_the_certificate_does_not_matter(
    pki: Pki, key_value: str
) -> None:
    """Nobody signs KeyInfo: a key that we cannot read proves nothing for or against."""
    der = base64.b64encode(pki.signer("ecdsa-doctor").chain()[0]).decode()
    data = f"<ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data>"
    assert checked(signed_xml(pki, WHOLE, Ref(), key_info=key_value + data)).indication is PASSED
    alone = checked(signed_xml(pki, WHOLE, Ref(), key_info=key_value))
    assert ("signing_certificate_identified", "KeyValue not followed") in [
        (c.name, c.detail) for c in alone.checks
    ]


def test_what_the_sandbox_signs_still_holds(pki: Pki) -> None:
    """The builder of these tests is not the only voice: the product's own signer is another."""
    who = pki.signer("gost256-doctor")
    file = sign(
        XML,
        key=who.private_key(),
        chain=who.chain(),
        algorithms=ALGORITHMS,
        form="xades",
        detached=False,
        at=NOW,
    )
    one = checked(document(file).body)
    assert (one.indication, one.level, scopes(one)) == (PASSED, "BES", [("FULL", True)])
