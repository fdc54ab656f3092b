"""Every attack on XML signatures of the catalogue, by its number, built by ourselves.

A: wrapping.  B: digests and SignedInfo.  C: the parser.  D: transforms.  E: keys and algorithms.
None passes as covering a document with EVIL in it, and none hands EVIL on as signed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from asn1crypto import x509

from gateway.algorithms.policy import permissive
from gateway.model import CheckedSignature, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import xml
from gateway.signatures import xml_names as names
from gateway.xml import c14n
from tests.pki.build import ALGORITHMS, issue, root
from tests.unit.signatures.made import signed
from tests.unit.signatures.made_xml import (
    BASE64,
    ENVELOPED,
    EXCLUSIVE,
    Ref,
    checked,
    signed_xml,
    xpath,
)

ASSERTION = '<a xmlns="urn:a" ID="A"><v>5,10</v></a>'
EVIL = '<a xmlns="urn:a" ID="E"><v>EVIL</v></a>'


def found(octets: bytes) -> tuple[CheckedSignature, ...]:
    return xml.check(
        Part(name="document", media_type="application/xml", body=octets), (), ALGORITHMS
    )


def harmless(octets: bytes) -> bool:
    """Nothing passes as the whole document, and no octets that pass say EVIL."""
    several = found(octets)
    passed = [one for one in several if one.indication is Indication.TOTAL_PASSED]
    whole = any(covered.covers_enclosing for one in passed for covered in one.covered)
    said = any(b"EVIL" in covered.octets for one in passed for covered in one.covered)
    return not whole and not said


class Wrapped:
    """A signed assertion taken apart: the pieces that wrapping attacks put together anew."""

    def __init__(self, pki: Pki) -> None:
        reference = Ref(uri="#A", transforms=ENVELOPED + EXCLUSIVE)
        self.whole = signed_xml(pki, ASSERTION, reference).decode()
        match = re.search(r"<ds:Signature .*</ds:Signature>", self.whole, re.DOTALL)
        assert match is not None
        self.signature = match[0]
        self.bare = self.whole.replace(self.signature, "")

    def around(self, inside: str) -> str:
        """Return the signature with `inside` as its last child."""
        return self.signature.replace("</ds:Signature>", f"{inside}</ds:Signature>")


def response(*parts: str) -> str:
    return f'<p xmlns="urn:p" ID="P">{"".join(parts)}</p>'


def evil(inside: str) -> str:
    return EVIL.replace("</a>", f"{inside}</a>")


WRAPPING: dict[str, Callable[[Wrapped], str]] = {
    "A1 the original below the signature of an evil root": lambda w: evil(w.around(w.bare)),
    "A2 the original and its signature side by side in an evil root": lambda w: evil(
        w.bare + w.signature
    ),
    "A3 an evil assertion before the signed one": lambda w: response(EVIL, w.whole),
    "A4 the signed assertion inside the evil one": lambda w: response(evil(w.whole)),
    "A5 the signature in the evil assertion, the original after it": lambda w: response(
        evil(w.signature), w.bare
    ),
    "A6 the original in the signature in the evil assertion": lambda w: response(
        evil(w.around(w.bare))
    ),
    "A7 an evil assertion of the same Id in an extension": lambda w: response(
        f"<x>{EVIL.replace('ID=.E.', '')}</x>".replace('ID="E"', 'ID="A"'), w.whole
    ),
    "A8 the original in an Object of the signature": lambda w: response(
        evil(w.around(f"<ds:Object>{w.bare}</ds:Object>"))
    ),
    "A9 the signature on top, evil first, the original last": lambda w: response(
        w.signature, EVIL, w.bare
    ),
    "A10 two bearers of the Id, spelt otherwise": lambda w: response(
        EVIL.replace('ID="E"', 'xml:id="A"'), w.whole
    ),
    "A14 the original moved under a wrapper": lambda w: evil(
        f"<extensions>{w.bare}</extensions>{w.signature}"
    ),
    "A15 a second signature that covers nothing": lambda w: response(EVIL, w.signature, w.whole),
    "A16 the signature below another element": lambda w: evil(
        f"<deep>{w.signature}</deep>" + w.bare
    ),
}


@pytest.mark.parametrize("attack", WRAPPING)
def test_no_wrapped_document_is_taken_for_the_signed_one(pki: Pki, attack: str) -> None:
    pieces = Wrapped(pki)
    (good,) = found(pieces.whole.encode())
    assert [covered.covers_enclosing for covered in good.covered] == [True]
    assert harmless(WRAPPING[attack](pieces).encode())


def test_a11_a_manifest_moved_out_of_the_signature_vouches_for_nothing(pki: Pki) -> None:
    inner = Ref(uri="#b", transforms="").written()
    manifest = f'<ds:Manifest xmlns:ds="{names.DS}" Id="m">{inner}</ds:Manifest>'
    reference = Ref(uri="#m", transforms=EXCLUSIVE, attributes=f'Type="{names.MANIFEST}"')
    text = '<r xmlns="urn:x"><b Id="b">5,10</b></r>'
    file = signed_xml(pki, text, reference, objects=f"<ds:Object>{manifest}</ds:Object>").decode()
    moved = re.search(r"<ds:Manifest .*</ds:Manifest>", file)
    assert moved is not None
    fake = file.replace(moved[0], moved[0].replace('Id="m"', 'Id="n"')).replace("5,10", "EVIL")
    assert harmless(fake.replace("</r>", f"{moved[0]}</r>").encode())


def test_a12_an_object_beside_the_signed_one_makes_it_a_part(pki: Pki) -> None:
    block = f'<ds:Object Id="o">{base64.b64encode(b"5,10").decode()}</ds:Object>'
    file = signed_xml(pki, "", Ref(uri="#o", transforms=BASE64), objects=block)
    assert harmless(file.replace(block.encode(), b"<ds:Object>EVIL</ds:Object>" + block.encode()))


@pytest.mark.parametrize("change", ["moved", "target", "twice"])
def test_a13_signed_properties_of_something_else_do_not_count(pki: Pki, change: str) -> None:
    file = signed(pki, form="xades").decode()
    match = re.search(r"<xades:SignedProperties .*</xades:SignedProperties>", file, re.DOTALL)
    assert match is not None
    label = re.search(r'SignedProperties Id="([^"]*)"', file)
    assert label is not None
    if change == "moved":
        fake = match[0].replace(label[1], "fake").replace("2026-", "2020-")
        bad = file.replace(match[0], fake).replace("</r>", f"<x>{match[0]}</x></r>")
    elif change == "target":
        bad = file.replace('Target="#', 'Target="#x')
    else:
        block = re.search(r"<ds:Object.*</ds:Object>", file, re.DOTALL)
        assert block is not None
        bad = file.replace(block[0], block[0] + block[0].replace(label[1], "fake"))
    assert bad != file
    (one,) = found(bad.encode())
    assert one.indication is not Indication.TOTAL_PASSED


def test_a17_one_signed_info_and_in_its_place(pki: Pki) -> None:
    w = Wrapped(pki)
    match = re.search(r"<ds:SignedInfo>.*</ds:SignedInfo>", w.whole)
    assert match is not None
    other = match[0].replace("#A", "#E")
    for bad in (
        w.whole.replace(match[0], other + match[0]),
        w.whole.replace(match[0], match[0] + other),
        w.whole.replace(match[0], f"<ds:Object>{match[0]}</ds:Object>{other}"),
        w.whole.replace(match[0], f"<ds:SignedInfo>{match[0]}</ds:SignedInfo>"),
    ):
        (one,) = found(bad.encode())
        assert one.indication is Indication.TOTAL_FAILED


# --- B: digests and SignedInfo -----------------------------------------------------------

EDITS: dict[str, Callable[[str], str]] = {
    "B1 comment in DigestValue": lambda f: f.replace(
        "<ds:DigestValue>", "<ds:DigestValue><!--x-->"
    ),
    "B2 two DigestValue": lambda f: f.replace(
        "</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>"
    ),
    "B2 digest outside SignedInfo": lambda f: re.sub(
        r"(<ds:SignedInfo>.*)(<ds:DigestValue>.*</ds:DigestValue>)(.*</ds:SignedInfo>)",
        r"\1\3\2",
        f,
    ),
    "B4 no Reference": lambda f: re.sub(r"<ds:Reference.*</ds:Reference>", "", f),
    "B4 Reference without a digest": lambda f: re.sub(
        r"<ds:DigestMethod.*</ds:DigestValue>", "", f
    ),
    "B5 no URI": lambda f: f.replace(' URI="#A"', ""),
    "B6 no base64 in SignatureValue": lambda f: f.replace(
        "<ds:SignatureValue>", "<ds:SignatureValue>*"
    ),
    "B6 comment in SignatureValue": lambda f: f.replace(
        "<ds:SignatureValue>", "<ds:SignatureValue><!--x-->"
    ),
    "B6 empty SignatureValue": lambda f: re.sub(
        r"<ds:SignatureValue>.*</ds:SignatureValue>", "<ds:SignatureValue/>", f
    ),
    "B7 content changed": lambda f: f.replace("5,10", "EVIL"),
    "B7 reference changed": lambda f: f.replace('URI="#A"', 'URI=""'),
}


@pytest.mark.parametrize("edit", EDITS)
def test_no_edit_of_the_signature_goes_through(pki: Pki, edit: str) -> None:
    good = Wrapped(pki).whole
    bad = EDITS[edit](good)
    assert bad != good
    (one,) = found(bad.encode())
    assert one.indication is not Indication.TOTAL_PASSED


def test_b3_a_comment_cuts_no_text_short(pki: Pki) -> None:
    good = Wrapped(pki).whole
    (one,) = found(good.replace("5,10", "5,<!--x-->10").encode())
    assert one.indication is Indication.TOTAL_PASSED
    assert b"<v>5,10</v>" in one.covered[0].octets


def test_b6_white_space_in_a_value_is_no_forgery(pki: Pki) -> None:
    """The nearest neighbour: lines of 76 characters are what everybody writes."""
    good = Wrapped(pki).whole
    (one,) = found(re.sub(r"(<ds:SignatureValue>.{9})", "\\1\n  ", good).encode())
    assert one.indication is Indication.TOTAL_PASSED


# --- C: the parser -----------------------------------------------------------------------

PROLOGUES = {
    "C1 external entity": "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
    "C2 entity bomb": "<!DOCTYPE a [<!ENTITY x 'xxxxxxxxxx'><!ENTITY y '&x;&x;&x;&x;&x;&x;'>]>",
    "C3 default attribute": "<!DOCTYPE a [<!ATTLIST v unit CDATA 'EVIL'>]>",
    "C4 entity in an Id": "<!DOCTYPE a [<!ENTITY i 'A'>]>",
}


@pytest.mark.parametrize("attack", PROLOGUES)
def test_no_document_type_is_ever_read(pki: Pki, attack: str) -> None:
    file = Wrapped(pki).whole
    if attack.startswith("C4"):
        file = file.replace('ID="A"', 'ID="&i;"')
    (one,) = found((PROLOGUES[attack] + file).encode())
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
    assert one.covered == ()


def test_c5_what_is_read_is_what_was_digested(pki: Pki) -> None:
    """Attribute quoting, CDATA and character references are settled before the digest."""
    good = Wrapped(pki).whole
    written = good.replace("<v>5,10</v>", "<v ><![CDATA[5,]]>&#49;0</v >").replace(
        'ID="A"', "ID='A'", 1
    )
    (one,), (two,) = found(good.encode()), found(written.encode())
    assert (
        one.covered[0].octets
        == two.covered[0].octets
        == c14n.canonical(xml.parse(one.covered[0].octets), c14n.EXCLUSIVE)
    )


@pytest.mark.parametrize(
    "edit",
    [
        lambda f: f.replace('xmlns="urn:a"', 'xmlns="a"'),
        lambda f: f.replace('xmlns="urn:a"', 'xmlns="urn:b"'),
        lambda f: f.replace(names.DS, names.DS.replace("2000", "2001")),
    ],
    ids=["relative namespace", "other namespace", "other signature namespace"],
)
def test_c6_namespaces_are_not_confused(pki: Pki, edit: Callable[[str], str]) -> None:
    assert all(
        one.indication is not Indication.TOTAL_PASSED
        for one in found(edit(Wrapped(pki).whole).encode())
    )


def test_c6_nothing_is_no_content(pki: Pki) -> None:
    """A filter that leaves nothing gives the digest of nothing, whatever the document says."""
    file = Wrapped(pki).whole
    nothing = file.replace(ENVELOPED + EXCLUSIVE, xpath("false()"))
    digest = base64.b64encode(ALGORITHMS.digest("sha256", b"")).decode()
    empty = re.sub(
        r"<ds:DigestValue>.*</ds:DigestValue>",
        f"<ds:DigestValue>{digest}</ds:DigestValue>",
        nothing,
    )
    assert empty != file
    (one,) = found(empty.encode())
    assert any(check.detail == "nothing left to digest" for check in one.checks)
    assert one.indication is not Indication.TOTAL_PASSED


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_c7_the_encoding_changes_nothing_that_is_signed(pki: Pki, encoding: str) -> None:
    good = Wrapped(pki).whole
    (one,) = found(good.encode(encoding))
    assert one.indication is Indication.TOTAL_PASSED
    assert one.covered[0].octets == found(good.encode())[0].covered[0].octets


def test_c7_instructions_and_other_text_in_cdata_count(pki: Pki) -> None:
    good = Wrapped(pki).whole
    for bad in (
        good.replace("5,10", "5,10<?evil?>"),
        good.replace("5,10", "<![CDATA[5,11]]>"),
    ):
        (one,) = found(bad.encode())
        assert one.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize(
    "flood",
    [
        "<d>" * 5_000 + "</d>" * 5_000,
        "<d " + " ".join(f"a{i}='1'" for i in range(5_000)) + "/>",
        "<d " + " ".join(f"xmlns:a{i}='urn:{i}'" for i in range(5_000)) + "/>",
        "<" + "d" * 5_000 + "/>",
    ],
    ids=["depth", "attributes", "namespaces", "name"],
)
def test_c8_floods_are_refused_early(pki: Pki, flood: str) -> None:
    (one,) = found(Wrapped(pki).whole.replace("<v>", flood + "<v>").encode())
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")


def test_c8_more_namespaces_than_an_element_may_have_break_nothing(pki: Pki) -> None:
    """Inclusive canonicalisation writes those around SignedInfo onto SignedInfo itself."""
    around = " ".join(f'xmlns:n{i}="urn:{i}"' for i in range(100))
    more = " ".join(f'xmlns:m{i}="urn:{i}"' for i in range(100))
    inclusive = Wrapped(pki).whole.replace(
        f'CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"',
        f'CanonicalizationMethod Algorithm="{c14n.C14N_10}"',
    )
    (one,) = found(f"<o {around}><i {more}>{inclusive}</i></o>".encode())
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")


# --- D: transforms -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ('<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>', "REC-xslt"),
        (
            '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">'
            '<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform"/></ds:Transform>',
            "REC-xslt",
        ),
        (xpath("count(//node()[count(//node()[count(//node()) > 0]) > 0]) > 0"), "steps"),
        (xpath("document('http://127.0.0.1:9/')"), "unknown function"),
        ('<ds:Transform Algorithm="urn:whatever"/>', "unsupported"),
    ],
    ids=["D1 XSLT", "D1 stylesheet", "D2 cost", "D2 function", "D6 unknown"],
)
def test_a_transform_that_is_not_known_is_named_and_never_skipped(
    pki: Pki, transform: str, said: str
) -> None:
    filler = "<x/>" * 300
    file = signed_xml(pki, ASSERTION.replace("<v>", f"{filler}<v>"), Ref(uri="#A")).decode()
    (one,) = found(file.replace(ENVELOPED, ENVELOPED + transform.replace("> 0", "&gt; 0")).encode())
    assert one.indication is not Indication.TOTAL_PASSED
    assert one.covered == ()
    assert any(said in check.detail for check in one.checks)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/x", "file:///etc/passwd", "//host/x", "../x", "ftp://h/x"]
)
def test_d3_nothing_is_fetched(pki: Pki, uri: str) -> None:
    (one,) = found(Wrapped(pki).whole.replace("#A", uri).encode())
    assert any("never fetched" in check.detail for check in one.checks)
    assert one.covered == ()


def test_d4_keys_are_never_retrieved(pki: Pki) -> None:
    loop = '<ds:RetrievalMethod URI="#loop"/><ds:RetrievalMethod URI="http://127.0.0.1:9/"/>'
    (one,) = found(signed_xml(pki, ASSERTION, Ref(uri="#A"), key_info=loop))
    assert one.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"


def test_d5_nine_hundred_references_are_checked(pki: Pki) -> None:
    parts = "".join(f'<b ID="b{i}">{i}</b>' for i in range(900))
    text = f'<r xmlns="urn:x">{parts}</r>'
    several = [Ref(uri=f"#b{i}", transforms=EXCLUSIVE) for i in range(900)]
    (one,) = found(signed_xml(pki, text, *several))
    assert one.indication is Indication.TOTAL_PASSED
    assert len(one.covered) == 900


def test_d5_a_thousand_times_the_whole_document_ends_at_the_budget(pki: Pki) -> None:
    text = f'<r xmlns="urn:x">{"<b>text</b>" * 20_000}</r>'
    file = signed_xml(pki, text, Ref()).decode()
    match = re.search(r"<ds:Reference .*</ds:Reference>", file)
    assert match is not None
    # Each names another part, so that none is remembered from the one before.
    many = "".join(
        match[0]
        .replace(EXCLUSIVE, "")
        .replace(
            ENVELOPED,
            f'{ENVELOPED}<ds:Transform Algorithm="{c14n.EXCLUSIVE}">'
            f'<e:InclusiveNamespaces xmlns:e="{c14n.EXCLUSIVE}" PrefixList="p{i}"/></ds:Transform>',
        )
        for i in range(1000)
    )
    (one,) = found(file.replace(match[0], many).encode())
    assert any("cost too much" in check.detail for check in one.checks)
    over = match[0] * 1001
    (one,) = found(file.replace(match[0], over).encode())
    assert any("1001 references" in check.detail for check in one.checks)


def test_d5_too_many_transforms_are_not_begun(pki: Pki) -> None:
    (one,) = found(Wrapped(pki).whole.replace(ENVELOPED, ENVELOPED * 11).encode())
    assert any("too many transforms" in check.detail for check in one.checks)


def test_d7_base64_of_a_document_hides_its_markup_and_is_no_whole(pki: Pki) -> None:
    text = '<r xmlns="urn:x">NSwxMA==<evil/></r>'
    assert harmless(signed_xml(pki, text, Ref(transforms=ENVELOPED + BASE64)))


# --- E: keys and algorithms --------------------------------------------------------------

METHOD = re.compile(r'(?<=SignatureMethod Algorithm=")[^"]*')


@pytest.mark.parametrize(
    ("number", "edit"),
    [
        ("E1", lambda f: METHOD.sub("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", f)),
        ("E1", lambda f: METHOD.sub(names.DS + "hmac-sha1", f)),
        (
            "E2",
            lambda f: re.sub(
                r'(SignatureMethod Algorithm="[^"]*")/>',
                r"\1><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>",
                f,
            ),
        ),
        ("E3", lambda f: METHOD.sub(names.DS + "dsa-sha1", f)),
        ("E3", lambda f: METHOD.sub("http://www.w3.org/2001/04/xmldsig-more#rsa-md5", f)),
        ("E7", lambda f: METHOD.sub("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", f)),
    ],
    ids=["hmac", "hmac-sha1", "truncated", "dsa", "md5", "family"],
)
def test_no_other_algorithm_takes_the_place_of_the_signed_one(
    pki: Pki, number: str, edit: Callable[[str], str]
) -> None:
    good = Wrapped(pki).whole
    bad = edit(good)
    assert bad != good, number
    (one,) = found(bad.encode())
    assert one.indication is not Indication.TOTAL_PASSED
    loose = xml.check(
        Part(name="document", media_type="", body=bad.encode()),
        (),
        ALGORITHMS.under(permissive()),
    )
    assert loose[0].indication is not Indication.TOTAL_PASSED


def test_e3_a_weak_digest_carries_nothing_by_policy(pki: Pki) -> None:
    sha1 = names.DS + "sha1"
    file = Wrapped(pki).whole.replace("http://www.w3.org/2001/04/xmlenc#sha256", sha1)
    (one,) = found(file.encode())
    assert one.indication is not Indication.TOTAL_PASSED
    assert not any(check.name == "reference_data" and check.detail == "" for check in one.checks)


def test_e4_a_strangers_certificate_in_key_info_takes_nothing_over(pki: Pki) -> None:
    """The value holds under one key alone; a list with others still finds it."""
    good = Wrapped(pki).whole
    stranger = issue(root(family="ecdsa"), "Stranger")
    encoded = base64.b64encode(stranger.der).decode()
    block = f"<ds:X509Certificate>{encoded}</ds:X509Certificate>"
    replaced = re.sub(r"<ds:X509Certificate>.*</ds:X509Certificate>", block, good)
    (bad,) = found(replaced.encode())
    assert bad.indication is Indication.TOTAL_FAILED
    (both,) = found(good.replace("<ds:X509Data>", f"<ds:X509Data>{block}").encode())
    assert both.indication is Indication.TOTAL_PASSED
    assert both.certificate != stranger.der


def xades(pki: Pki, certificate: str) -> bytes:
    """Return a XAdES signature whose signed properties say `certificate` of the signer."""
    x = names.XADES
    block = (
        f'<ds:Object><x:QualifyingProperties xmlns:x="{x}" Target="#sig">'
        f'<x:SignedProperties Id="p">'
        f"<x:SignedSignatureProperties><x:SigningTime>2026-11-21T12:00:00Z</x:SigningTime>"
        f"{certificate}</x:SignedSignatureProperties></x:SignedProperties>"
        "</x:QualifyingProperties></ds:Object>"
    )
    properties = Ref(uri="#p", transforms=EXCLUSIVE, attributes=f'Type="{names.SIGNED_PROPERTIES}"')
    return signed_xml(pki, ASSERTION, Ref(uri="#A"), properties, objects=block)


def named(pki: Pki, *, digest: bytes | None = None, serial: int | None = None) -> str:
    der = pki.signer("ecdsa-doctor").chain()[0]
    value = base64.b64encode(digest or ALGORITHMS.digest("sha256", der)).decode()
    number = x509.Certificate.load(der).serial_number if serial is None else serial
    return (
        "<x:SigningCertificate><x:Cert><x:CertDigest>"
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{value}</ds:DigestValue></x:CertDigest><x:IssuerSerial>"
        f"<ds:X509IssuerName>CN=any</ds:X509IssuerName><ds:X509SerialNumber>{number}"
        "</ds:X509SerialNumber></x:IssuerSerial></x:Cert></x:SigningCertificate>"
    )


def test_e5_advanced_means_that_the_certificate_is_signed_too(pki: Pki) -> None:
    assert checked(xades(pki, named(pki))).indication is Indication.TOTAL_PASSED
    bare = checked(xades(pki, ""))
    assert (bare.indication, bare.sub_indication) == (
        Indication.INDETERMINATE,
        "SIG_CONSTRAINTS_FAILURE",
    )


@pytest.mark.parametrize(
    "wrong", [{"digest": b"\1" * 32}, {"serial": 7}], ids=["digest", "serial number"]
)
def test_e6_another_certificate_is_named_than_the_one_that_signed(
    pki: Pki, wrong: dict[str, object]
) -> None:
    one = checked(xades(pki, named(pki, **wrong)))  # type: ignore[arg-type]
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "SIG_CONSTRAINTS_FAILURE",
    )
    assert ("signature_value", "PASSED") in [(c.name, c.status.value) for c in one.checks]
