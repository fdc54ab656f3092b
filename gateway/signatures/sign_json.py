"""Makes JWS, and FHIR bundles, JSON or XML, that carry their own signature.

For senders, samples and tests.

Source: RFC 7515; ETSI TS 119 182-1, clause 5.3.4;
https://hl7.org/fhir/R4/datatypes.html#Signature; ASTM E1762 for the type.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from asn1crypto import keys, x509
from lxml import etree

from gateway.algorithms.interface import Algorithms, Scheme
from gateway.fhir import canonical, canonical_xml, text
from gateway.model import Json
from gateway.signatures import jose
from gateway.signatures.stamping import Stamp
from gateway.xml.parser import is_xml, parse

_BY_KEY = {
    "rsa": "RS256",
    "rsassa_pss": "PS256",
    "gost2012_256": "GOST3410_2012_256",
    "gost2012_512": "GOST3410_2012_512",
}
FHIR_JSON = "application/fhir+json"
FHIR_XML = "application/fhir+xml"
_SIG_FORMATS = {"jws": "application/jose", "cades": "application/pkcs7-signature"}
_EDWARDS = {"ed25519": "Ed25519", "ed448": "Ed448"}
"""RFC 9864 names the curve; `EdDSA` (RFC 8037) is the name every verifier knows."""

_AUTHORSHIP: Json = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.1",
    "display": "Author's Signature",
}


def file(
    octets: bytes,
    *,
    key: bytes,
    chain: Sequence[bytes],
    algorithms: Algorithms,
    detached: bool,
    at: datetime,
    canon: str = "",
    stamp: Stamp | None = None,
) -> bytes:
    """Return a JWS over `octets`, with or without them inside.

    `canon` is the canonical form that `octets` are of something, where they are one.
    It is compact; with `stamp` it is JSON, which alone has a place for what nobody signed, and
    carries a time-stamp token over its value (JAdES, level T).  What `stamp` raises passes
    through.  Raises ValueError when the key is of a kind no JWS algorithm is for.
    """
    name, scheme = _algorithm(x509.Certificate.load(chain[0], strict=True).public_key)
    header: Json = {
        "alg": name,
        "typ": "JOSE" if stamp is None else "JOSE+JSON",
        "iat": int(at.timestamp()),
        "x5t#S256": jose.encoded(hashlib.sha256(chain[0]).digest()).decode("ascii"),
        "x5c": [base64.b64encode(one).decode("ascii") for one in chain],
    }
    if canon:
        header["canon"] = canon
    head, payload = jose.encoded(text.dumps(header)), jose.encoded(octets)
    value = jose.encoded(algorithms.sign(key, scheme, head + b"." + payload))
    if stamp is None:
        return b".".join((head, b"" if detached else payload, value))
    written: Json = {} if detached else {"payload": payload.decode("ascii")}
    written["protected"] = head.decode("ascii")
    written["header"] = {"etsiU": [_stamped(stamp(value))]}
    written["signature"] = value.decode("ascii")
    return text.dumps(written)


def _stamped(token: bytes) -> str:
    """Return a `sigTst` for `etsiU`, in base64url as later archive time-stamps want it.

    The token is over the value as it is written (TS 119 182-1, clause 5.3.4).
    """
    element: Json = {"sigTst": {"tstTokens": [{"val": base64.b64encode(token).decode("ascii")}]}}
    return jose.encoded(text.dumps(element)).decode("ascii")


def method_for(octets: bytes) -> str:
    """Return the canonicalisation that signs everything of a bundle in JSON or XML."""
    return canonical_xml.XML if is_xml(octets[:64]) else canonical.JSON


def into_bundle(
    octets: bytes,
    signed: Callable[[bytes], bytes],
    *,
    form: str,
    at: datetime,
    method: str,
    who: Json | None = None,
) -> bytes:
    """Return the FHIR bundle in `octets` with its signature in `Bundle.signature`.

    `signed` gives a signature (`form`: `jws` or `cades`) over the canonical form it is handed;
    `method` is that form's, of JSON for JSON and of XML for XML.  Raises Rejected (FMT-2xx,
    FMT-3xx) when `octets` are neither, ValueError when they are no bundle, hold a decimal that
    their canonical form would change or elements that are not FHIR's.
    """
    if is_xml(octets[:64]):
        return _into_xml(octets, signed, form, at, method)
    bundle = text.loads(octets)
    if bundle.get("resourceType") != "Bundle":
        raise ValueError("Only a Bundle carries a signature.")
    data = signed(canonical.canonical(canonical.restricted(bundle, method)))
    signature: Json = {
        "type": [_AUTHORSHIP],
        "when": _instant(at),
        "who": who or {"display": "по сертификату"},
        "targetFormat": f"{FHIR_JSON};canonicalization={method}",
        "sigFormat": _sig_format(form, data),
        "data": base64.b64encode(data).decode("ascii"),
    }
    return text.dumps({**bundle, canonical.SIGNATURE: signature})


def _into_xml(
    octets: bytes, signed: Callable[[bytes], bytes], form: str, at: datetime, method: str
) -> bytes:
    root = parse(octets)
    if root.tag != f"{{{canonical_xml.FHIR}}}Bundle":
        raise ValueError("Only a Bundle carries a signature.")
    for earlier in root.findall(f"{{{canonical_xml.FHIR}}}signature"):
        root.remove(earlier)
    data = signed(canonical_xml.forms(root, method)[0])

    def below(parent: etree._Element, name: str, value: object = None) -> etree._Element:
        made = etree.SubElement(parent, f"{{{canonical_xml.FHIR}}}{name}")
        if value is not None:
            made.set("value", str(value))
        return made

    signature = below(root, "signature")  # The last of a Bundle's elements.
    kind = below(signature, "type")
    for name, value in _AUTHORSHIP.items():
        below(kind, name, value)
    below(signature, "when", _instant(at))
    below(below(signature, "who"), "display", "по сертификату")
    below(signature, "targetFormat", f"{FHIR_XML};canonicalization={method}")
    below(signature, "sigFormat", _sig_format(form, data))
    below(signature, "data", base64.b64encode(data).decode("ascii"))
    made = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    assert isinstance(made, bytes)
    return made


def _sig_format(form: str, data: bytes) -> str:
    written = _SIG_FORMATS[form]
    return f"{written}+json" if form == "jws" and data[:1] == b"{" else written


def _instant(at: datetime) -> str:
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def _algorithm(key: keys.PublicKeyInfo) -> tuple[str, Scheme]:
    kind = str(key["algorithm"]["algorithm"].native)
    if kind == "ec":
        curve = str(key.curve[1]).lower()
        fitting = [name for name, (_, bound) in jose.ALGORITHMS.items() if bound == curve]
    elif kind in _EDWARDS:
        return "EdDSA", jose.ALGORITHMS[_EDWARDS[kind]][0]
    else:
        fitting = [_BY_KEY[kind]] if kind in _BY_KEY else []
    if not fitting:
        raise ValueError(f"No JWS algorithm is for this key ({kind}).")
    return fitting[0], jose.ALGORITHMS[fitting[0]][0]
