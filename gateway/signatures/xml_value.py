"""The signature value: its method, and the key that it holds under.

Source: W3C XMLDSig 1.1, clause 6.4; RFC 9231, clause 2.3 (RSASSA-PSS with parameters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asn1crypto import algos, keys, x509
from lxml import etree

from gateway.algorithms import asn1
from gateway.algorithms.interface import Algorithms, Scheme, Unsupported
from gateway.signatures import certificates, findings
from gateway.signatures import xml_names as names
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    MALFORMED,
    SIG_CRYPTO_FAILURE,
    failed,
    not_done,
)
from gateway.signatures.xml_structure import children, local

IN_DER = "r and s are written in DER, as in CMS"
CUT = "r and s are written without leading zeros"
PADDED = "r and s are written with extra leading zeros"
PADDING_MAX = 1
"""Extra octets before r and before s: the zero that DER puts before a set first bit."""

_PSS = f"{{{names.RSA_PSS.rpartition('#')[0]}#}}"


@dataclass(frozen=True, kw_only=True)
class Method:
    """What SignatureMethod says."""

    family: str
    digest: str
    mask_digest: str = ""
    salt_length: int | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A key the value may hold under."""

    key: keys.PublicKeyInfo
    certificate: x509.Certificate | None


def method(element: etree._Element) -> Method:
    """Read SignatureMethod.

    Parameters are refused but for those of RSASSA-PSS: HMACOutputLength, above all, changes
    how much of the value is compared.
    """
    uri = element.get("Algorithm") or ""
    if uri == names.RSA_PSS:
        return _pss(element)
    if uri not in names.SIGNATURES:
        detail = f"method {findings.shown(uri, names.KNOWN)} unsupported"
        raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail)
    children(element)
    family, digest = names.SIGNATURES[uri]
    return Method(family=family, digest=digest)


def _pss(element: etree._Element) -> Method:
    """Read RSAPSSParams; each part has the default of RFC 9231, clause 2.3.9."""
    found = {"digest": "sha256", "mask": "", "salt": "", "trailer": "1"}
    for block in element.iterchildren("*"):
        if block.tag != f"{_PSS}RSAPSSParams":
            raise failed("format", FORMAT_FAILURE, "parameters of RSASSA-PSS")
        for part in block.iterchildren("*"):
            name = local(part)
            if name == "DigestMethod":
                found["digest"] = _digest(part)
            elif name == "MaskGenerationFunction" and part.get("Algorithm") == names.MGF1:
                inner = [one for one in part.iterchildren("*") if local(one) == "DigestMethod"]
                found["mask"] = _digest(inner[0]) if inner else ""
            elif name == "SaltLength":
                found["salt"] = (part.text or "").strip()
            elif name == "TrailerField":
                found["trailer"] = (part.text or "").strip()
            else:
                raise failed("format", FORMAT_FAILURE, "parameters of RSASSA-PSS")
    salt = found["salt"]
    if found["trailer"] != "1" or (salt and not (salt.isdecimal() and len(salt) < 4)):
        raise failed("format", FORMAT_FAILURE, "parameters of RSASSA-PSS")
    return Method(
        family="rsa-pss",
        digest=found["digest"],
        mask_digest=found["mask"],
        salt_length=int(salt) if salt else None,
    )


def _digest(element: etree._Element) -> str:
    uri = element.get("Algorithm") or ""
    if uri not in names.DIGESTS:
        detail = f"digest {findings.shown(uri, names.KNOWN)} unsupported"
        raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail)
    return names.DIGESTS[uri]


def scheme(candidate: Candidate, method: Method) -> Scheme:
    """Return how the value is computed, or raise the flaw that key and method do not fit."""
    key = candidate.key
    try:
        found = asn1.scheme_for(key, method.digest)
    except asn1.Mismatch as error:
        raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, str(error)) from error
    except Unsupported as error:
        detail = f"{method.family} with {method.digest} unsupported"
        raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail) from error
    if method.family == "rsa-pss" and found.family in ("rsa", "rsa-pss"):
        found = replace(
            found,
            family="rsa-pss",
            mask_digest=method.mask_digest,
            salt_length=method.salt_length,
        )
    if found.family != method.family:
        detail = f"{method.family} method, {found.family} key"
        raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, detail)
    return replace(found, encoding="raw")  # XMLDSig 1.1, clause 6.4.3


def candidates(
    several: Sequence[x509.Certificate], bare: Sequence[keys.PublicKeyInfo]
) -> list[Candidate]:
    """Return whose signature it may be: signers before authorities, bare keys last."""
    first = certificates.leaves(several)
    rest = [one for one in several if one not in first]
    found = [
        Candidate(key=certificates.public_key(one), certificate=one) for one in (*first, *rest)
    ]
    return [*found, *(Candidate(key=key, certificate=None) for key in bare)]


def field_elements(value: bytes, candidate: Candidate, found: Scheme) -> tuple[bytes, str]:
    """Return the value as XMLDSig writes it, and the other spelling that it came in.

    Of an ECDSA value some programs write DER, as CMS has it, or r and s both cut or padded to
    one length.  Its length says which: a value of two field elements is never anything else,
    so each value has one reading.  That one signature has several spellings matters little:
    whoever knows (r, s) knows (r, n - s) as well, and nothing here goes by a value's octets.
    """
    if found.family != "ecdsa":
        return value, ""
    size = _field_octets(candidate)
    if size == 0 or len(value) == 2 * size:
        return value, ""
    numbers = _of_der(value)
    spelling = IN_DER
    if numbers is None and len(value) % 2 == 0 and len(value) <= 2 * (size + PADDING_MAX):
        half = len(value) // 2
        numbers = (int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
        spelling = CUT if half < size else PADDED
    if numbers is None or any(one >> (8 * size) for one in numbers):
        return value, ""
    return b"".join(one.to_bytes(size, "big") for one in numbers), spelling


def _field_octets(candidate: Candidate) -> int:
    try:
        return (int(candidate.key.bit_size) + 7) // 8
    except MALFORMED:
        return 0


def _of_der(value: bytes) -> tuple[int, int] | None:
    """Return r and s of an ECDSA-Sig-Value in DER, or None."""
    try:
        read = algos.DSASignature.load(value, strict=True)
        r, s = int(read["r"]), int(read["s"])
        again = algos.DSASignature({"r": r, "s": s}).dump()
    except MALFORMED:
        return None
    return (r, s) if again == value and r > 0 and s > 0 else None


def holds(
    candidate: Candidate, found: Scheme, algorithms: Algorithms, octets: bytes, value: bytes
) -> bool:
    """Return whether `value` over `octets` holds under the candidate's key."""
    return findings.value_holds(algorithms, candidate.key.dump(), found, octets, value)
