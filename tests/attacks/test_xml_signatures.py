"""Attacks on XML signatures: none of them passes as covering the document.

Names in brackets are those of the catalogue of attacks (wrapping A, digest B, parser C,
transforms D, keys E).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest

from gateway.errors import Rejected
from gateway.model import Indication, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import Form
from gateway.verification import Verifier, signed_octets
from tests.pki.build import NOW
from tests.unit.signatures.made import document, passes_whole, signed, verifier

FORMS: tuple[Form, ...] = ("xmldsig", "xades")


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


def verdict(judge: Verifier, octets: bytes) -> SignatureReport:
    return judge.verify(document(octets, "application/xml"), (), NOW)


def signature_of(file: bytes) -> bytes:
    match = re.search(rb"<ds:Signature .*</ds:Signature>", file, re.DOTALL)
    assert match is not None
    return match[0]


def body_of(file: bytes) -> bytes:
    return file[file.index(b"<r ") :].replace(signature_of(file), b"")


def with_signature(file: bytes, change: Callable[[bytes], bytes]) -> bytes:
    signature = signature_of(file)
    changed = change(signature)
    assert changed != signature, "the attack must change something"
    return file.replace(signature, changed)


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda signature: signature.replace(old, new, 1)


WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "original under a wrapper [A14]": lambda f: (
        b'<r xmlns="urn:x"><b>EVIL</b><w>' + body_of(f) + b"</w>" + signature_of(f) + b"</r>"
    ),
    "original inside an Object [A12]": lambda f: (
        b'<r xmlns="urn:x"><b>EVIL</b>'
        + signature_of(f).replace(
            b"</ds:Signature>", b"<ds:Object>" + body_of(f) + b"</ds:Object></ds:Signature>"
        )
        + b"</r>"
    ),
    "whole signed file inside an unsigned one [A19]": lambda f: (
        b'<e xmlns="urn:e">' + f[f.index(b"<r ") :] + b"</e>"
    ),
    "signature moved below another element [A16]": lambda f: f.replace(
        signature_of(f), b""
    ).replace(b"<c/>", b"<c>" + signature_of(f) + b"</c>"),
    "an element added beside the signed ones": lambda f: f.replace(b"<c/>", b"<c/><d/>"),
    "a processing instruction beside the root": lambda f: f + b"<?xml-stylesheet href='x'?>",
    "a CDATA section of other text": lambda f: f.replace(b"5,10", b"<![CDATA[5,11]]>"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", WRAPPED)
def test_no_wrapped_or_moved_document_passes(
    pki: Pki, judge: Verifier, attack: str, form: Form
) -> None:
    good = signed(pki, form=form)
    assert passes_whole(verdict(judge, good))
    bad = WRAPPED[attack](good)
    assert bad != good
    report = verdict(judge, bad)
    assert not passes_whole(report)
    with pytest.raises(Rejected):
        signed_octets(report, document(bad, "application/xml"))


SIGNATURE_EDITS: dict[str, Callable[[bytes], bytes]] = {
    "comment in DigestValue [B1]": replaced(b"<ds:DigestValue>", b"<ds:DigestValue><!--x-->"),
    "comment in SignatureValue": replaced(b"<ds:SignatureValue>", b"<ds:SignatureValue><!--x-->"),
    "second DigestValue [B2]": replaced(
        b"</ds:DigestValue>", b"</ds:DigestValue><ds:DigestValue>AAAA</ds:DigestValue>"
    ),
    "second SignedInfo [A17]": lambda s: s.replace(
        b"<ds:SignatureValue>",
        re.search(rb"<ds:SignedInfo>.*</ds:SignedInfo>", s)[0] + b"<ds:SignatureValue>",  # type: ignore[index]
    ),
    "SignedInfo wrapped [A17]": lambda s: s.replace(
        b"<ds:SignedInfo>", b"<ds:Object><ds:SignedInfo>"
    ).replace(b"</ds:SignedInfo>", b"</ds:SignedInfo></ds:Object>"),
    "no Reference [B4]": lambda s: re.sub(rb"<ds:Reference .*</ds:Reference>", b"", s),
    "no URI [B5]": replaced(b' URI=""', b""),
    "external URI [D3]": replaced(b'URI=""', b'URI="http://127.0.0.1:9/x"'),
    "file URI [D3]": replaced(b'URI=""', b'URI="file:///etc/passwd"'),
    "unknown transform [D6]": replaced(b"#enveloped-signature", b"#enveloped-signature-2"),
    "XSLT [D1]": replaced(
        b"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        b"http://www.w3.org/TR/1999/REC-xslt-19991116",
    ),
    "unknown canonicalisation of SignedInfo": replaced(
        b'CanonicalizationMethod Algorithm="http', b'CanonicalizationMethod Algorithm="x-http'
    ),
    "HMAC with the public key [E1]": lambda s: re.sub(
        rb'SignatureMethod Algorithm="[^"]*"',
        b'SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"',
        s,
    ),
    "truncated output [E2]": lambda s: re.sub(
        rb'(SignatureMethod Algorithm="[^"]*")/>',
        rb"\1><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
        s,
    ),
    "no certificate": lambda s: re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", b"", s),
    "text in SignedInfo": replaced(b"<ds:SignedInfo>", b"<ds:SignedInfo>x"),
    "foreign element in the signature": replaced(
        b"<ds:SignatureValue>", b"<x/><ds:SignatureValue>"
    ),
    "non-canonical base64": lambda s: re.sub(
        rb"==</ds:SignatureValue>", b"=</ds:SignatureValue>", s
    ),
    "33 references [D5]": lambda s: s.replace(
        b"<ds:Reference ",
        re.search(rb"<ds:Reference .*?</ds:Reference>", s)[0] * 32 + b"<ds:Reference ",
        1,  # type: ignore[index]
    ),
}


@pytest.mark.parametrize("attack", SIGNATURE_EDITS)
def test_no_edited_signature_passes(pki: Pki, judge: Verifier, attack: str) -> None:
    bad = with_signature(signed(pki, form="xmldsig"), SIGNATURE_EDITS[attack])
    report = verdict(judge, bad)
    assert report.indication is not Indication.TOTAL_PASSED
    assert report.signatures[0].sub_indication is not None


@pytest.mark.parametrize("name", ["unknown transform [D6]", "external URI [D3]"])
def test_what_is_unknown_is_named_in_a_check(pki: Pki, judge: Verifier, name: str) -> None:
    """`digest mismatch` where the truth is `unsupported` sends people on a wild-goose chase."""
    bad = with_signature(signed(pki, form="xmldsig"), SIGNATURE_EDITS[name])
    details = [check.detail for check in verdict(judge, bad).signatures[0].checks]
    assert any("unsupported" in d or "never fetched" in d for d in details)


FREE_TEXT = "urn:Ivanov-Ivan-1984-03-05"


@pytest.mark.parametrize(
    "place", ["CanonicalizationMethod", "SignatureMethod", "DigestMethod", "Transform"]
)
def test_free_text_in_place_of_an_algorithm_is_not_repeated(
    pki: Pki, judge: Verifier, place: str
) -> None:
    """A check's detail goes into problems and logs; a sender could put a patient there."""
    named = re.compile(rf'(?<=ds:{place} Algorithm=")[^"]*'.encode())
    bad = with_signature(signed(pki, form="xades"), lambda s: named.sub(FREE_TEXT.encode(), s))
    report = verdict(judge, bad)
    assert "Ivanov" not in repr([finding.checks for finding in report.signatures])
    prefix = hashlib.sha256(FREE_TEXT.encode()).hexdigest()[:16]
    assert f"unknown algorithm sha256:{prefix}" in repr(report.signatures[0].checks)


def test_an_algorithm_of_the_standards_is_named_though_unsupported(
    pki: Pki, judge: Verifier
) -> None:
    """The nearest neighbour: nobody chose these words but the standard."""
    for attack, name in (
        ("XSLT [D1]", "REC-xslt"),
        ("HMAC with the public key [E1]", "hmac-sha256"),
    ):
        bad = with_signature(signed(pki, form="xmldsig"), SIGNATURE_EDITS[attack])
        assert name in repr(verdict(judge, bad).signatures[0].checks)


def test_an_id_in_two_places_is_refused_however_it_is_spelt(pki: Pki, judge: Verifier) -> None:
    """[A10] XAdES refers to its properties by Id; a second bearer makes it a forgery."""
    good = signed(pki, form="xades")
    label = re.search(rb'Id="(s-[0-9a-f]+-properties)"', good)
    assert label is not None
    for spelling in (b"Id", b"ID", b"id", b"xml:id"):
        second = b"<c %s='%s'/>" % (spelling, label[1])
        report = verdict(judge, good.replace(b"<c/>", second))
        assert report.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize(
    "change",
    [
        replaced(b"<xades:SigningTime>2026", b"<xades:SigningTime>2025"),
        replaced(b'Target="#s-', b'Target="#t-'),
        replaced(b"<xades:SignedProperties ", b"<xades:SignedProperties a='1' "),
        lambda s: re.sub(rb"<ds:Reference Type.*</ds:Reference>", b"", s),
    ],
    ids=["time", "target [A13]", "attribute [A13]", "not referenced [A13]"],
)
def test_changed_signed_properties_do_not_pass(
    pki: Pki, judge: Verifier, change: Callable[[bytes], bytes]
) -> None:
    bad = with_signature(signed(pki, form="xades"), change)
    assert verdict(judge, bad).indication is not Indication.TOTAL_PASSED


def test_another_certificate_does_not_take_the_signature_over(pki: Pki, judge: Verifier) -> None:
    """[E4] The value holds with the signer's key alone, whoever stands in KeyInfo."""
    good = signed(pki, form="xmldsig")
    other = signature_of(signed(pki, "gost256-organisation", "xmldsig"))
    theirs = re.search(rb"<ds:KeyInfo>.*</ds:KeyInfo>", other)
    assert theirs is not None
    bad = re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", lambda _: theirs[0], good)
    finding = verdict(judge, bad).signatures[0]
    assert (finding.indication, finding.sub_indication) == (
        Indication.TOTAL_FAILED,
        "SIG_CRYPTO_FAILURE",
    )


def test_a_document_type_is_refused_before_anything_is_verified(pki: Pki, judge: Verifier) -> None:
    """[C1-C4] Entities never reach the verifier."""
    good = signed(pki, form="xmldsig")
    bad = good.replace(b"<r ", b"<!DOCTYPE r [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><r ", 1)
    finding = verdict(judge, bad).signatures[0]
    assert (finding.indication, finding.sub_indication) == (
        Indication.TOTAL_FAILED,
        "FORMAT_FAILURE",
    )


def test_a_comment_in_a_value_does_not_shorten_it(pki: Pki, judge: Verifier) -> None:
    """[B3] The octets handed on have the text whole, so no reader stops at the comment."""
    good = signed(pki, form="xmldsig")
    bad = good.replace(b"5,10", b"5,<!-- x -->10")
    report = verdict(judge, bad)
    octets, _ = signed_octets(report, document(bad))
    assert octets == signed_octets(verdict(judge, good), document(good))[0]
    assert b"5,10" in octets


def test_a_second_signature_that_covers_nothing_spoils_the_verdict(
    pki: Pki, judge: Verifier
) -> None:
    """[A15] All top-level signatures count, not the first alone."""
    good = signed(pki, form="xmldsig")
    forged = re.sub(rb"<ds:SignatureValue>....", b"<ds:SignatureValue>AAAA", signature_of(good))
    bad = good.replace(b"</r>", forged + b"</r>")
    assert verdict(judge, bad).indication is not Indication.TOTAL_PASSED
