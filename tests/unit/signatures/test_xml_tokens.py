"""Signatures in web-service messages: tokens, references to them, and what is signed of them."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from lxml import etree

from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import xml_names as names
from gateway.xml import c14n
from tests.unit.signatures.made_xml import (
    EXCLUSIVE,
    WHOLE,
    Ref,
    checked,
    envelope,
    scopes,
    signed_xml,
)

PASSED = Indication.TOTAL_PASSED
STR_TRANSFORM = (
    f'<ds:Transform Algorithm="{names.STR_TRANSFORM}"><w:TransformationParameters'
    f' xmlns:w="{names.WSSE}"><ds:CanonicalizationMethod Algorithm="{c14n.EXCLUSIVE}"/>'
    "</w:TransformationParameters></ds:Transform>"
)


def failed(one: CheckedSignature, sub_indication: str) -> bool:
    return (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, sub_indication)


@pytest.mark.parametrize(
    "reference", ['<wsse:Reference URI="#t"/>', "<wsse:KeyIdentifier>AAAA</wsse:KeyIdentifier>"]
)
def test_a_web_service_message_brings_its_certificate_as_a_token(pki: Pki, reference: str) -> None:
    message, info = envelope(pki, reference)
    file = signed_xml(
        pki,
        message,
        Ref(uri="#body", transforms=EXCLUSIVE),
        key_info=info,
        place=f"{{*}}Header/{{{names.WSSE}}}Security",
    )
    one = checked(file)
    assert (one.indication, scopes(one)) == (PASSED, [("PARTIAL", False)])
    assert one.certificate == pki.signer("ecdsa-doctor").chain()[0]
    assert failed(checked(file.replace(b"5,10", b"5,11")), "HASH_FAILURE")


def test_a_token_reference_to_something_else_is_refused(pki: Pki) -> None:
    message, info = envelope(pki, '<wsse:Reference URI="#body"/>')
    file = signed_xml(
        pki,
        message,
        Ref(uri="#body", transforms=EXCLUSIVE),
        key_info=info,
        place=f"{{*}}Header/{{{names.WSSE}}}Security",
    )
    assert failed(checked(file), "FORMAT_FAILURE")


def test_a_certificate_may_be_its_own_key_identifier(pki: Pki) -> None:
    """X.509 token profile 1.1.1, clause 3.2.3; what a key identifier holds is read as named."""
    der = base64.b64encode(pki.signer("ecdsa-doctor").chain()[0]).decode()

    def signed(value: str) -> CheckedSignature:
        kind = "http://docs.oasis-open.org/wss/2004/01/x509-token-profile-1.0#X509v3"
        _, info = envelope(
            pki, f'<wsse:KeyIdentifier ValueType="{kind}">{value}</wsse:KeyIdentifier>'
        )
        return checked(signed_xml(pki, WHOLE, Ref(), key_info=info))

    assert (signed(der).indication, signed(der).certificate) == (PASSED, base64.b64decode(der))
    assert failed(signed("AAAA"), "FORMAT_FAILURE")


def test_certificates_may_stand_within_a_token_reference(pki: Pki) -> None:
    """zeep writes X509Data there, with the certificate beside its number."""
    der = base64.b64encode(pki.signer("ecdsa-doctor").chain()[0]).decode()
    data = (
        f"<ds:X509Data><ds:X509SKI>AAAA</ds:X509SKI><ds:X509Certificate>{der}"
        "</ds:X509Certificate></ds:X509Data>"
    )
    one = checked(signed_xml(pki, WHOLE, Ref(), key_info=envelope(pki, data)[1]))
    assert (one.indication, one.certificate) == (PASSED, base64.b64decode(der))


def with_signed_token(pki: Pki, pointer: str = '<wsse:Reference URI="#t"/>') -> bytes:
    """Return a message that signs its body, and its token through the reference to it."""
    message, info = envelope(pki, pointer)
    return signed_xml(
        pki,
        message,
        Ref(uri="#body", transforms=EXCLUSIVE),
        Ref(uri="#str", transforms=STR_TRANSFORM),
        key_info=info.replace(
            "<wsse:SecurityTokenReference", '<wsse:SecurityTokenReference Id="str"'
        ),
        place=f"{{*}}Header/{{{names.WSSE}}}Security",
    )


def test_a_token_is_signed_through_its_reference(pki: Pki) -> None:
    """WS-Security 1.1.1, clause 8.3: the digest is of the token, an empty default declared."""
    file = with_signed_token(pki)
    one = checked(file)
    assert (one.indication, scopes(one)) == (PASSED, [("PARTIAL", False)])
    assert failed(checked(file.replace(b'wsu:Id="t"', b'wsu:Id="t" Q="1"')), "HASH_FAILURE")
    token = etree.fromstring(file).find(f".//{{{names.WSSE}}}BinarySecurityToken")
    assert token is not None
    octets = etree.tostring(token, method="c14n", exclusive=True, with_tail=False)
    declared = octets.replace(b"Token ", b'Token xmlns="" ', 1)
    assert base64.b64encode(hashlib.sha256(declared).digest()) in file


def test_a_token_signed_through_its_reference_is_never_the_document(pki: Pki) -> None:
    """A reference for a root, with everything else in it that nobody signed."""
    token = base64.b64encode(pki.signer("ecdsa-doctor").chain()[0]).decode()
    root = (
        f'<w:SecurityTokenReference xmlns:w="{names.WSSE}" Id="str"><w:Embedded>'
        f"<w:BinarySecurityToken>{token}</w:BinarySecurityToken></w:Embedded><b>5,10</b>"
        "</w:SecurityTokenReference>"
    )
    for uri in ("#str", ""):
        one = checked(signed_xml(pki, root, Ref(uri=uri, transforms=STR_TRANSFORM)))
        assert scopes(one) == [("PARTIAL", False)]


@pytest.mark.parametrize(
    "transform",
    [
        STR_TRANSFORM.replace(c14n.EXCLUSIVE, names.ENVELOPED),
        re.sub("<w:.*</w:[^>]*>", "", STR_TRANSFORM),
        EXCLUSIVE + STR_TRANSFORM,
    ],
    ids=["no canonicalisation", "no parameters", "of octets"],
)
def test_a_token_transform_of_anything_else_is_undecided(pki: Pki, transform: str) -> None:
    file = with_signed_token(pki).replace(STR_TRANSFORM.encode(), transform.encode())
    undecided = [c for c in checked(file).checks if c.status.value == "INDETERMINATE"]
    assert any("STR-Transform" in one.detail for one in undecided)


def test_a_reference_to_no_token_is_not_made_up(pki: Pki) -> None:
    """A certificate that is only named would have to be written as a token of our making."""
    file = with_signed_token(pki)
    bare = re.sub(
        rb'<wsse:Reference URI="#t"/>', b"<wsse:KeyIdentifier>AAAA</wsse:KeyIdentifier>", file
    )
    details = [check.detail for check in checked(bare).checks]
    assert "STR-Transform of what is no token in the file" in details
