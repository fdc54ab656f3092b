"""Bare public keys in KeyInfo: mathematics can be checked with them, and no signer be named.

Source: W3C XMLDSig 1.1, clauses 4.5.2 and 4.5.9.
"""

from __future__ import annotations

from asn1crypto import core, keys
from lxml import etree

from gateway.signatures import xml_names as names
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    MALFORMED,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    undecided,
)
from gateway.signatures.xml_structure import DS, decode, local

_DS11 = f"{{{names.DS11}}}"
RSA_BITS_MAX = 16_384
KINDS = (f"{DS}RSAKeyValue", f"{_DS11}ECKeyValue", f"{DS}DSAKeyValue")


def key_value(element: etree._Element) -> keys.PublicKeyInfo:
    """Return the one key that KeyValue holds; raises the flaw of one of an unknown kind.

    xmlsec leaves KeyValue empty where its tools write no such key.
    """
    inner = list(element.iterchildren("*"))
    if not inner:
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, "empty KeyValue")
    if len(inner) != 1:
        raise failed("format", FORMAT_FAILURE, "KeyValue does not hold one key")
    return inner_value(inner[0])


def inner_value(element: etree._Element) -> keys.PublicKeyInfo:
    """Return the key in what stands inside KeyValue."""
    if element.tag == f"{DS}RSAKeyValue":
        return _rsa(element)
    if element.tag == f"{_DS11}ECKeyValue":
        return _elliptic(element)
    if element.tag == f"{DS}DSAKeyValue":
        # Named by its key, refused as an algorithm: no verdict rests on DSA.
        return keys.PublicKeyInfo(
            {"algorithm": {"algorithm": "dsa"}, "public_key": core.Integer(0)}
        )
    raise undecided("format", SIG_CONSTRAINTS_FAILURE, "unknown kind of KeyValue")


def _rsa(element: etree._Element) -> keys.PublicKeyInfo:
    parts = {local(child): decode(child) for child in element.iterchildren("*")}
    if set(parts) != {"Modulus", "Exponent"} or len(parts["Modulus"]) * 8 > RSA_BITS_MAX:
        raise failed("format", FORMAT_FAILURE, "RSAKeyValue")
    modulus, exponent = (int.from_bytes(parts[n], "big") for n in ("Modulus", "Exponent"))
    return keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "rsa", "parameters": core.Null()},
            "public_key": {"modulus": modulus, "public_exponent": exponent},
        }
    )


def _elliptic(element: etree._Element) -> keys.PublicKeyInfo:
    curve = element.find(f"{_DS11}NamedCurve")
    point = element.find(f"{_DS11}PublicKey")
    if curve is None or point is None:
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, "ECKeyValue without a named curve")
    oid = (curve.get("URI") or "").removeprefix("urn:oid:")
    try:
        info = keys.PublicKeyInfo(
            {
                "algorithm": {
                    "algorithm": "ec",
                    "parameters": keys.ECDomainParameters("named", oid),
                },
                "public_key": decode(point),
            }
        )
        return keys.PublicKeyInfo.load(info.dump(), strict=True)
    except MALFORMED as error:
        raise failed("format", FORMAT_FAILURE, "ECKeyValue") from error


def public_key(octets: bytes) -> keys.PublicKeyInfo:
    """Return the key in a SubjectPublicKeyInfo (DER)."""
    try:
        info = keys.PublicKeyInfo.load(octets, strict=True)
        str(info["algorithm"]["algorithm"].native)
    except MALFORMED as error:
        raise failed("format", FORMAT_FAILURE, "DEREncodedKeyValue") from error
    return info
