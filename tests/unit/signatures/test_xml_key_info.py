"""Keys that KeyInfo points to, names or spells, and how far anybody follows."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

import pytest
from asn1crypto import algos, x509
from lxml import etree

from gateway.algorithms.interface import Scheme
from gateway.model import CheckedSignature, CheckStatus, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import xml, xml_key_info, xml_value
from gateway.signatures import xml_names as names
from gateway.signatures.directory import Directory
from gateway.trust.signer import name_text
from tests.pki.build import ALGORITHMS
from tests.unit.signatures.made_json import signing
from tests.unit.signatures.made_xml import (
    BASE64,
    EXCLUSIVE,
    SHA256,
    WHOLE,
    Ref,
    checked,
    signed_xml,
    xpath,
)

PASSED = Indication.TOTAL_PASSED
SIGNER = "ecdsa-doctor"
NOT_FOUND = (Indication.INDETERMINATE, "NO_SIGNING_CERTIFICATE_FOUND")
BROKEN = (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
DS11 = 'xmlns:k="http://www.w3.org/2009/xmldsig11#"'
DROPPED = f'<ds:Transform Algorithm="{names.ENVELOPED}"/>'
XSLT = '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>'


def certificate(pki: Pki, name: str = SIGNER) -> x509.Certificate:
    return x509.Certificate.load(pki.signer(name).chain()[0])


def text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def x509_data(pki: Pki, attributes: str = "", name: str = SIGNER) -> str:
    der = text(certificate(pki, name).dump())
    return f"<ds:X509Data {attributes}><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data>"


def held(pki: Pki, name: str = SIGNER) -> str:
    """Return an Object with a certificate, as `#k`."""
    return f"<ds:Object>{x509_data(pki, 'Id=' + repr('k'), name)}</ds:Object>"


def retrieval(uri: str, kind: str = "X509Data", transforms: str = "") -> str:
    inner = f"<ds:Transforms>{transforms}</ds:Transforms>" if transforms else ""
    typed = f'Type="{names.DS}{kind}"' if kind else ""
    return f'<ds:RetrievalMethod URI="{uri}" {typed}>{inner}</ds:RetrievalMethod>'


def verdict(one: CheckedSignature) -> tuple[Indication, str | None]:
    return one.indication, one.sub_indication


# --- pointers within the file ------------------------------------------------------------


def test_a_certificate_elsewhere_in_the_file_is_retrieved(pki: Pki) -> None:
    block = held(pki)
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=retrieval("#k"), objects=block))
    assert verdict(one) == (PASSED, None)
    assert one.certificate == certificate(pki).dump()
    gone = checked(signed_xml(pki, WHOLE, Ref(), key_info=retrieval("#no"), objects=block))
    assert verdict(gone) == NOT_FOUND


def test_a_retrieved_certificate_is_no_better_than_an_enclosed_one(pki: Pki) -> None:
    """[E4] Another's certificate stays another's, wherever it stands."""
    block = held(pki, "rsa-doctor")
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=retrieval("#k"), objects=block))
    assert one.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("kind", ["rawX509Certificate", "X509Data"])
def test_transforms_that_choose_or_decode_are_carried_out(pki: Pki, kind: str) -> None:
    raw = kind == "rawX509Certificate"
    content = text(certificate(pki).dump()) if raw else x509_data(pki)
    transforms = BASE64 if raw else xpath("ancestor-or-self::ds:X509Data")
    block = f'<ds:Object Id="k">{content}</ds:Object>'
    pointer = retrieval("#k", kind, transforms)
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=pointer, objects=block))
    assert verdict(one) == (PASSED, None)


@pytest.mark.parametrize("transforms", [XSLT, DROPPED, f"{EXCLUSIVE}{DROPPED}"])
def test_any_other_transform_of_a_retrieval_is_not_carried_out(pki: Pki, transforms: str) -> None:
    block = held(pki)
    pointer = retrieval("#k", "X509Data", transforms)
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=pointer, objects=block))
    assert verdict(one) == NOT_FOUND
    assert any("RetrievalMethod not followed" in check.detail for check in one.checks)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9/c.der", "c.der", "file:///etc/passwd"])
def test_nothing_outside_the_file_is_ever_retrieved(pki: Pki, uri: str) -> None:
    pointer = retrieval(uri, "rawX509Certificate")
    assert verdict(checked(signed_xml(pki, WHOLE, Ref(), key_info=pointer))) == NOT_FOUND


@pytest.mark.parametrize(
    ("kind", "target"), [("X509Data", "sig"), ("RSAKeyValue", "k"), ("", "sig")]
)
def test_a_retrieval_of_something_else_is_refused(pki: Pki, kind: str, target: str) -> None:
    block = held(pki)
    pointer = retrieval(f"#{target}", kind)
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=pointer, objects=block))
    assert verdict(one) == BROKEN


def test_a_key_info_elsewhere_is_read_too(pki: Pki) -> None:
    block = f'<ds:Object><ds:KeyInfo Id="k">{x509_data(pki)}</ds:KeyInfo></ds:Object>'
    pointer = f'<k:KeyInfoReference {DS11} URI="#k"/>'
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=pointer, objects=block))
    assert verdict(one) == (PASSED, None)
    wrong = f'<k:KeyInfoReference {DS11} URI="#sig"/>'
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=wrong, objects=block))
    assert verdict(one) == BROKEN


def test_pointers_in_circles_end(pki: Pki) -> None:
    """[D4] Every pointer counts, and none is followed deeper than two steps."""
    again = f'<k:KeyInfoReference {DS11} URI="#k"/>' * 9
    block = f'<ds:Object><ds:KeyInfo Id="k">{again}</ds:KeyInfo></ds:Object>'
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=again, objects=block))
    assert verdict(one) == NOT_FOUND
    assert any("KeyInfoReference not followed" in check.detail for check in one.checks)


@pytest.mark.parametrize(("steps", "found"), [(2, True), (3, False)])
def test_a_pointer_may_point_on_once(pki: Pki, steps: int, found: bool) -> None:
    pointers = [f'<k:KeyInfoReference {DS11} URI="#k{n}"/>' for n in range(1, steps + 1)]
    holders = [*pointers[1:], x509_data(pki)]
    block = "".join(
        f'<ds:Object><ds:KeyInfo Id="k{n}">{inner}</ds:KeyInfo></ds:Object>'
        for n, inner in enumerate(holders, start=1)
    )
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=pointers[0], objects=block))
    assert verdict(one) == ((PASSED, None) if found else NOT_FOUND)


@pytest.mark.parametrize(("number", "found"), [(4, True), (5, False)])
def test_only_so_many_pointers_are_followed(pki: Pki, number: int, found: bool) -> None:
    block = held(pki)
    info = retrieval("#nowhere") * (number - 1) + retrieval("#k")
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=info, objects=block))
    assert (one.indication is PASSED) is found


# --- what a signed KeyInfo binds ----------------------------------------------------------


def bound(one: CheckedSignature) -> bool:
    return any(
        check.name == "signing_certificate_bound" and check.status is CheckStatus.PASSED
        for check in one.checks
    )


def with_signed_key_info(pki: Pki, key_info: str, objects: str = "") -> bytes:
    """Return a file whose second reference covers its KeyInfo."""
    of_keys = Ref(uri="#ki", transforms=EXCLUSIVE)
    plain = signed_xml(pki, WHOLE, Ref(), of_keys, key_info=key_info, objects=objects, info_id="ki")
    assert b'<ds:KeyInfo Id="ki">' in plain
    return plain


def test_a_signed_key_info_binds_the_certificate_in_it_alone(pki: Pki) -> None:
    """[E4] What it only points to can be exchanged: the pointer is signed, not its target."""
    enclosed = checked(with_signed_key_info(pki, x509_data(pki)))
    assert (enclosed.indication, bound(enclosed)) == (PASSED, True)
    block = held(pki)
    pointed = checked(with_signed_key_info(pki, retrieval("#k"), block))
    assert (pointed.indication, bound(pointed)) == (PASSED, False)


@pytest.mark.parametrize(("algorithm", "binds"), [(SHA256, True), (f"{names.DS}sha1", False)])
def test_a_signed_digest_of_the_certificate_binds_it_unless_it_is_weak(
    pki: Pki, algorithm: str, binds: bool
) -> None:
    file = with_signed_key_info(pki, x509_digest(pki, algorithm))
    one = found_in(pki, file)
    assert (one.indication, bound(one)) == (PASSED, binds)


# --- certificates that are only named -----------------------------------------------------


def x509_digest(pki: Pki, algorithm: str = SHA256) -> str:
    der = certificate(pki).dump()
    value = hashlib.new(names.DIGESTS[algorithm], der).digest()
    return (
        f'<ds:X509Data><k:X509Digest {DS11} Algorithm="{algorithm}">{text(value)}</k:X509Digest>'
        "</ds:X509Data>"
    )


def issuer_serial(issuer: str, serial: int) -> str:
    return (
        f"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{issuer}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{serial}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
    )


def named_by(pki: Pki, name: str) -> str:
    one = certificate(pki)
    if name == "digest":
        return x509_digest(pki)
    if name == "thumbprint":
        value = text(hashlib.sha1(one.dump(), usedforsecurity=False).digest())
        return (
            f'<w:SecurityTokenReference xmlns:w="{names.WSSE}"><w:KeyIdentifier'
            f' ValueType="urn:x#ThumbprintSHA1">{value}</w:KeyIdentifier>'
            "</w:SecurityTokenReference>"
        )
    if name == "serial":
        return issuer_serial(escape(name_text(one.issuer)), one.serial_number)
    if name == "key":
        key = text(one.key_identifier)
        return f"<ds:X509Data><ds:X509SKI>{key}</ds:X509SKI></ds:X509Data>"
    subject = escape(" , ".join(reversed(re.split(r"(?<!\\),", name_text(one.subject)))))
    return f"<ds:X509Data><ds:X509SubjectName>{subject}</ds:X509SubjectName></ds:X509Data>"


NAMES = ("digest", "thumbprint", "serial", "key", "subject")


def everybody(pki: Pki) -> list[bytes]:
    names_of_signers = (f"{family}-doctor" for family in ("gost256", "gost512", "rsa", "ecdsa"))
    return [one for name in names_of_signers for one in pki.signer(name).chain()]


def found_in(pki: Pki, file: bytes, several: Sequence[bytes] | None = None) -> CheckedSignature:
    at_hand = tuple(several if several is not None else everybody(pki))
    document = Part(name="document", media_type="", body=file)
    (one,) = xml.check(document, (), ALGORITHMS, directory=Directory(lambda: at_hand))
    return one


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_that_is_only_named_is_looked_for_at_hand(pki: Pki, name: str) -> None:
    file = signed_xml(pki, WHOLE, Ref(), key_info=named_by(pki, name))
    one = found_in(pki, file)
    assert verdict(one) == (PASSED, None)
    assert one.certificate == certificate(pki).dump()
    others = [der for der in everybody(pki) if der != certificate(pki).dump()]
    assert verdict(found_in(pki, file, others)) == NOT_FOUND
    assert verdict(checked(file)) == NOT_FOUND


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_found_by_name_must_have_signed(pki: Pki, name: str) -> None:
    """Lying in a folder proves nothing; a namesake that did not sign proves nothing either."""
    file = signed_xml(pki, WHOLE, Ref(), key_info=named_by(pki, name))
    root = etree.fromstring(file)
    value = root.find(f".//{{{names.DS}}}SignatureValue")
    assert value is not None
    octets = bytearray(base64.b64decode(value.text or ""))
    octets[40] ^= 1
    value.text = text(bytes(octets))
    one = found_in(pki, etree.tostring(root))
    broken = (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")
    assert verdict(one) == (NOT_FOUND if name in ("key", "subject") else broken)


def test_all_names_of_one_x509_data_must_be_of_one_certificate(pki: Pki) -> None:
    other = certificate(pki, "rsa-doctor")
    subject = (
        f"<ds:X509SubjectName>{escape(name_text(other.subject))}</ds:X509SubjectName></ds:X509Data>"
    )
    both = x509_digest(pki).replace("</ds:X509Data>", subject)
    assert verdict(found_in(pki, signed_xml(pki, WHOLE, Ref(), key_info=both))) == NOT_FOUND


@pytest.mark.parametrize("whole", [True, False])
def test_of_a_chain_that_is_named_the_signer_must_be_at_hand(pki: Pki, whole: bool) -> None:
    """The authority did not sign; with the signer missing that proves nothing."""
    chain = [x509.Certificate.load(der) for der in pki.signer(SIGNER).chain()]
    several = "".join(
        issuer_serial(escape(name_text(one.issuer)), one.serial_number) for one in reversed(chain)
    ).replace("</ds:X509Data><ds:X509Data>", "")
    file = signed_xml(pki, WHOLE, Ref(), key_info=several)
    at_hand = [one.dump() for one in (chain if whole else chain[1:])]
    assert verdict(found_in(pki, file, at_hand)) == ((PASSED, None) if whole else NOT_FOUND)


def renewed(pki: Pki) -> bytes:
    """Return another certificate of the same name and key, as a renewal makes it."""
    one = certificate(pki)
    fresh = x509.Certificate.load(one.dump()).copy()
    fresh["tbs_certificate"]["serial_number"] = one.serial_number + 1
    return bytes(fresh.dump(force=True))


@pytest.mark.parametrize(("name", "passes"), [("key", False), ("subject", False), ("serial", True)])
def test_of_two_certificates_with_one_key_none_is_chosen(pki: Pki, name: str, passes: bool) -> None:
    """The value holds under both; one may be withdrawn and the other not."""
    file = signed_xml(pki, WHOLE, Ref(), key_info=named_by(pki, name))
    one = found_in(pki, file, [*everybody(pki), renewed(pki)])
    assert verdict(one) == ((PASSED, None) if passes else NOT_FOUND)


@pytest.mark.parametrize(
    "data",
    [
        issuer_serial("CN", 1),
        issuer_serial("CN=x", 1).replace(">1<", ">one<"),
        "<ds:X509Data><ds:X509SKI>!</ds:X509SKI></ds:X509Data>",
        f'<ds:X509Data><k:X509Digest {DS11} Algorithm="urn:x">AAAA</k:X509Digest></ds:X509Data>',
    ],
)
def test_a_name_nobody_can_read_names_nobody(pki: Pki, data: str) -> None:
    assert verdict(found_in(pki, signed_xml(pki, WHOLE, Ref(), key_info=data))) == NOT_FOUND


def test_more_names_than_a_signature_has_certificates_are_refused(pki: Pki) -> None:
    some = x509_digest(pki) * xml_key_info.NAMES_MAX
    assert found_in(pki, signed_xml(pki, WHOLE, Ref(), key_info=some)).indication is PASSED
    more = some + x509_digest(pki)
    assert verdict(found_in(pki, signed_xml(pki, WHOLE, Ref(), key_info=more))) == BROKEN


# --- other spellings of an ECDSA value ----------------------------------------------------


def respelt(pki: Pki, spell: str) -> bytes:
    """Return a signed file whose value is written in another way."""
    root = etree.fromstring(signed_xml(pki, WHOLE, Ref()))
    value = root.find(f".//{{{names.DS}}}SignatureValue")
    assert value is not None
    octets = base64.b64decode(value.text or "")
    r, s = octets[:32], octets[32:]
    der = bytes(algos.DSASignature.from_p1363(octets).dump())
    value.text = text(
        {
            "der": der,
            "der with a tail": der + b"\0",
            "padded": b"\0" + r + b"\0" + s,
            "padded twice": b"\0\0" + r + b"\0\0" + s,
            "padded before r": b"\0" + octets,
            "padded behind": r + b"\0" + s + b"\0",
        }[spell]
    )
    return etree.tostring(root)


@pytest.mark.parametrize("spell", ["der", "padded"])
def test_another_spelling_of_an_ecdsa_value_holds_and_is_said(pki: Pki, spell: str) -> None:
    one = checked(respelt(pki, spell))
    assert verdict(one) == (PASSED, None)
    assert "signature_encoding" in [check.name for check in one.checks]
    assert any("clause 6.4.3" in hint for hint in one.hints)
    plain = checked(signed_xml(pki, WHOLE, Ref()))
    assert "signature_encoding" not in [check.name for check in plain.checks]


@pytest.mark.parametrize(
    "spell", ["padded twice", "padded before r", "padded behind", "der with a tail"]
)
def test_no_spelling_but_the_named_ones_holds(pki: Pki, spell: str) -> None:
    one = checked(respelt(pki, spell))
    assert verdict(one) == (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")


def test_numbers_without_their_leading_zeros_are_read_as_what_they_are() -> None:
    """Java once cut both numbers of P-521 to 65 octets where they had room in them."""
    candidate = xml_value.Candidate(
        key=x509.Certificate.load(signing("ES512").der).public_key, certificate=None
    )
    scheme = Scheme(family="ecdsa", digest="sha512", encoding="raw")
    r, s = bytes(range(1, 66)), bytes(range(2, 67))
    whole = b"\0" + r + b"\0" + s
    assert xml_value.field_elements(whole, candidate, scheme) == (whole, "")
    assert xml_value.field_elements(r + s, candidate, scheme) == (whole, xml_value.CUT)
    assert xml_value.field_elements(r + s[1:], candidate, scheme) == (r + s[1:], "")
