"""Makes JWS, and FHIR bundles that carry their own signature: for senders, samples and tests.

Source: RFC 7515; https://hl7.org/fhir/R4/datatypes.html#Signature; ASTM E1762 for the type.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from asn1crypto import keys, x509

from gateway.algorithms.interface import Algorithms, Scheme
from gateway.fhir import canonical, text
from gateway.model import Json
from gateway.signatures import jose

_BY_KEY = {
    "rsa": "RS256",
    "rsassa_pss": "PS256",
    "gost2012_256": "GOST3410_2012_256",
    "gost2012_512": "GOST3410_2012_512",
}
FHIR_JSON = "application/fhir+json"
_AUTHORSHIP: Json = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.1",
    "display": "Author's Signature",
}


def compact(
    octets: bytes,
    *,
    key: bytes,
    chain: Sequence[bytes],
    algorithms: Algorithms,
    detached: bool,
    at: datetime,
    canon: str = "",
) -> bytes:
    """Return a compact JWS over `octets`, with or without them inside.

    `canon` is the canonical form that `octets` are of something, where they are one.
    Raises ValueError when the key is of a kind no JWS algorithm is for.
    """
    name, scheme = _algorithm(x509.Certificate.load(chain[0], strict=True).public_key)
    header: Json = {
        "alg": name,
        "typ": "JOSE",
        "iat": int(at.timestamp()),
        "x5t#S256": jose.encoded(hashlib.sha256(chain[0]).digest()).decode("ascii"),
        "x5c": [base64.b64encode(one).decode("ascii") for one in chain],
    }
    if canon:
        header["canon"] = canon
    head, payload = jose.encoded(text.dumps(header)), jose.encoded(octets)
    value = algorithms.sign(key, scheme, head + b"." + payload)
    return b".".join((head, b"" if detached else payload, jose.encoded(value)))


def into_bundle(
    octets: bytes,
    signed: Callable[[bytes], bytes],
    *,
    form: str,
    at: datetime,
    method: str = canonical.JSON,
    who: Json | None = None,
) -> bytes:
    """Return the FHIR JSON bundle in `octets` with its signature in `Bundle.signature`.

    `signed` gives a signature (`form`: `jws` or `cades`) over the canonical form it is handed.
    Raises Rejected (FMT-3xx) when `octets` are no JSON object, ValueError when they are no
    bundle or hold a decimal that their canonical form would change.
    """
    bundle = text.loads(octets)
    if bundle.get("resourceType") != "Bundle":
        raise ValueError("Only a Bundle carries a signature.")
    data = signed(canonical.canonical(canonical.restricted(bundle, method)))
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    signature: Json = {
        "type": [_AUTHORSHIP],
        "when": moment,
        "who": who or {"display": "по сертификату"},
        "targetFormat": f"{FHIR_JSON};canonicalization={method}",
        "sigFormat": "application/jose" if form == "jws" else "application/pkcs7-signature",
        "data": base64.b64encode(data).decode("ascii"),
    }
    return text.dumps({**bundle, canonical.SIGNATURE: signature})


def _algorithm(key: keys.PublicKeyInfo) -> tuple[str, Scheme]:
    kind = str(key["algorithm"]["algorithm"].native)
    if kind == "ec":
        curve = str(key.curve[1]).lower()
        fitting = [name for name, (_, bound) in jose.ALGORITHMS.items() if bound == curve]
    else:
        fitting = [_BY_KEY[kind]] if kind in _BY_KEY else []
    if not fitting:
        raise ValueError(f"No JWS algorithm is for this key ({kind}).")
    return fitting[0], jose.ALGORITHMS[fitting[0]][0]
