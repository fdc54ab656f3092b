"""What a JWS says of its own algorithm and key makes no forgery pass.

E1, E7 and E8 name the classes of attack; each test says in its name what is tried.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import jose
from gateway.verification import Verifier
from tests.attacks.signed_json import (
    BUNDLE,
    DOCTOR,
    TYPE,
    file,
)
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import beside, document, verifier


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


def forged(pki: Pki, change: Callable[[dict[str, Any]], object], name: str = DOCTOR) -> bytes:
    """Return a detached JWS over the bundle whose header was changed after signing."""
    head, payload, value = file(pki, BUNDLE, name=name, detached=True).split(b".")
    header = json.loads(jose.decoded(head, ""))
    change(header)
    return b".".join((jose.encoded(json.dumps(header).encode()), payload, value))


def by(pki: Pki, change: Callable[[dict[str, Any]], object], name: str = DOCTOR) -> bytes:
    """Return a detached JWS whose changed header is what the signer signed."""
    files = pki.signer(name)
    head, _, _ = file(pki, BUNDLE, name=name, detached=True).split(b".")
    header = json.loads(jose.decoded(head, ""))
    scheme = jose.ALGORITHMS[header["alg"]][0]
    change(header)
    written = jose.encoded(json.dumps(header).encode())
    value = ALGORITHMS.sign(files.private_key(), scheme, written + b"." + jose.encoded(BUNDLE))
    return b".".join((written, b"", jose.encoded(value)))


def passes(judge: Verifier, signature: bytes) -> bool:
    report = judge.verify(document(BUNDLE, TYPE), beside(signature), NOW)
    return report.indication is Indication.TOTAL_PASSED


def test_the_files_of_these_attacks_pass_unchanged(pki: Pki, judge: Verifier) -> None:
    """The nearest good neighbour of every refusal below."""
    assert passes(judge, by(pki, lambda header: None))
    assert passes(judge, file(pki, BUNDLE, detached=True))


@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512"])
def test_e1_a_public_key_is_no_secret(pki: Pki, judge: Verifier, name: str) -> None:
    """Whoever verifies could compute it: the key of the MAC would be the certificate's."""
    certificate = pki.signer(DOCTOR).chain()[0]
    header = {"alg": name, "x5c": [base64.b64encode(certificate).decode()]}
    written = jose.encoded(json.dumps(header).encode())
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[name]
    signed = written + b"." + jose.encoded(BUNDLE)
    value = hmac.new(certificate, signed, digest).digest()
    assert not passes(judge, b".".join((written, b"", jose.encoded(value))))


@pytest.mark.parametrize(
    ("signer", "name"),
    [
        ("rsa-doctor", "ES256"),
        ("ecdsa-doctor", "RS256"),
        ("ecdsa-doctor", "BP256R1"),
        ("ecdsa-doctor", "GOST3410_2012_256"),
        ("gost256-doctor", "ES256"),
        ("gost256-doctor", "GOST3410_2012_512"),
        ("rsa-doctor", "EdDSA"),
    ],
)
def test_e7_an_algorithm_of_another_key_fails(
    pki: Pki, judge: Verifier, signer: str, name: str
) -> None:
    assert not passes(judge, by(pki, lambda header: header.update(alg=name), signer))
    assert not passes(judge, forged(pki, lambda header: header.update(alg=name), signer))


@pytest.mark.parametrize("name", ["none", "None", "nONE", "NONE", ""])
def test_e8_a_signature_by_nobody_proves_nothing(pki: Pki, judge: Verifier, name: str) -> None:
    head, _, value = forged(pki, lambda header: header.update(alg=name)).split(b".")
    assert not passes(judge, b".".join((head, b"", value)))
    assert not passes(judge, b".".join((head, b"", b"")))


@pytest.mark.parametrize("offer", ["jwk", "jku", "x5u", "kid"])
def test_e8_a_key_that_the_forger_offers_is_never_used(
    pki: Pki, judge: Verifier, offer: str
) -> None:
    """Without the certificate nobody signed, whatever key would fit."""
    keys = {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}

    def change(header: dict[str, Any]) -> None:
        del header["x5c"]
        header[offer] = keys.get(offer, "https://forger.example/key")

    assert not passes(judge, by(pki, change))


@pytest.mark.parametrize(
    "change",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["http://example.com/unknown"], "http://example.com/unknown": True},
        {"crit": []},
        {"crit": ["alg"]},
        {"crit": ["sigT"]},
        {"crit": ["b64", "b64"], "b64": True},
        {"crit": "b64", "b64": True},
        {"b64": False},
        {"b64": "false", "crit": ["b64"]},
    ],
)
def test_e8_what_is_critical_and_not_understood_never_passes(
    pki: Pki, judge: Verifier, change: dict[str, Any]
) -> None:
    assert not passes(judge, by(pki, lambda header: header.update(change)))


def test_e8_a_member_twice_in_the_header_never_passes(pki: Pki, judge: Verifier) -> None:
    files = pki.signer(DOCTOR)
    head, _, _ = file(pki, BUNDLE, detached=True).split(b".")
    plain = jose.decoded(head, "")
    for doubled in (b'{"alg":"none",', b'{"\\u0061lg":"none",'):
        written = jose.encoded(plain.replace(b"{", doubled, 1))
        signed = written + b"." + jose.encoded(BUNDLE)
        scheme = jose.ALGORITHMS[json.loads(plain)["alg"]][0]
        value = ALGORITHMS.sign(files.private_key(), scheme, signed)
        assert not passes(judge, b".".join((written, b"", jose.encoded(value))))


def test_e8_a_header_that_nobody_signed_decides_nothing(pki: Pki, judge: Verifier) -> None:
    head, _, value = file(pki, BUNDLE, detached=True).split(b".")
    good = {"protected": head.decode(), "signature": value.decode()}
    assert passes(judge, json.dumps(good).encode())
    for unsigned in ({"alg": "none"}, {"crit": ["b64"]}, {"b64": False}, {"x5c": []}):
        assert not passes(judge, json.dumps({**good, "header": unsigned}).encode())
    bare = json.loads(jose.decoded(head, ""))
    assert not passes(judge, json.dumps({"header": bare, "signature": value.decode()}).encode())
