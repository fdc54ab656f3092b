"""JWS files that the tests of JSON signatures make: any key, any header, any serialisation."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from asn1crypto import keys, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from gateway.algorithms.interface import Scheme
from gateway.model import CheckedSignature, Part
from gateway.sandbox import certificates as issuing
from gateway.signatures import jose, jws
from tests.pki.build import ALGORITHMS, ALIVE, Signing
from tests.unit.signatures.made import BUNDLE, beside, document

Header = dict[str, Any]
CURVES = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "BP256R1": ec.BrainpoolP256R1(),
    "BP384R1": ec.BrainpoolP384R1(),
    "BP512R1": ec.BrainpoolP512R1(),
}


def signing(name: str) -> Signing:
    """Return a key that the algorithm `name` is for, with a certificate it signed itself."""
    private: Any
    if name in CURVES:
        private, family = ec.generate_private_key(CURVES[name]), "ecdsa"
    elif name in ("Ed25519", "EdDSA"):
        private, family = ed25519.Ed25519PrivateKey.generate(), "ed25519"
    elif name == "Ed448":
        private, family = ed448.Ed448PrivateKey.generate(), "ed448"
    else:
        private, family = rsa.generate_private_key(65537, 2048), "rsa"
    key = private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # The certificate itself is by an RSA authority: only its key matters here.
    authority_key, authority_public = ALGORITHMS.generate("rsa")
    own = issuing.certify(
        issuing.name(("common_name", "Root")),
        authority_public,
        issuing.authority_extensions(None),
        ALIVE,
        ALGORITHMS,
        own=("rsa", authority_key),
    )
    certificate = issuing.certify(
        issuing.name(("common_name", name)),
        public,
        issuing.signing_extensions(ALIVE, "test"),
        ALIVE,
        ALGORITHMS,
        issuer=issuing.Authority(family="rsa", certificate=own, key=authority_key),
    )
    return Signing(certificate=certificate, key=key, family=family)


def scheme(name: str, certificate: x509.Certificate) -> Scheme:
    found = jose.ALGORITHMS[name][0]
    if found.family == "eddsa":
        kind = str(keys.PublicKeyInfo.load(certificate.public_key.dump()).algorithm)
        found = replace(found, family=kind)
    return found


def header_of(signer: Signing, name: str) -> Header:
    return {"alg": name, "x5c": [base64.b64encode(signer.der).decode()]}


def value(signer: Signing, header: Header, payload: bytes) -> tuple[str, str]:
    """Return the protected header and the value in base64url; `payload` as it is signed."""
    head = jose.encoded(json.dumps(header).encode())
    how = scheme(header["alg"], signer.certificate)
    made = ALGORITHMS.sign(signer.key, how, head + b"." + payload)
    return head.decode(), jose.encoded(made).decode()


def compact(
    signer: Signing,
    name: str,
    change: Callable[[Header], Any] = lambda header: None,
    content: bytes = BUNDLE,
    *,
    signed: bytes | None = None,
) -> bytes:
    """Return a detached JWS over `content`, or over `signed` as it stands in the input."""
    header = header_of(signer, name)
    change(header)
    payload = jose.encoded(content) if signed is None else signed
    head, written = value(signer, header, payload)
    return f"{head}..{written}".encode()


def flattened(
    signer: Signing,
    name: str,
    unsigned: Callable[[str], Header] = lambda value: {},
    change: Callable[[Header], Any] = lambda header: None,
    *,
    content: bytes = BUNDLE,
    attached: bool = False,
) -> bytes:
    """Return a JWS in JSON; `unsigned` makes the unprotected header for a value."""
    header = header_of(signer, name)
    change(header)
    payload = jose.encoded(content)
    head, written = value(signer, header, payload)
    members: Header = {"protected": head, "header": unsigned(written), "signature": written}
    if attached:
        members["payload"] = payload.decode()
    return json.dumps(members).encode()


def one(octets: bytes, over: bytes = BUNDLE) -> CheckedSignature:
    (found,) = jws.check(document(over, "application/fhir+json"), beside(octets), ALGORITHMS)
    return found


def alone(octets: bytes) -> tuple[CheckedSignature, ...]:
    return jws.check(Part(name="document", media_type="", body=octets), (), ALGORITHMS)
