"""JWS signatures: compact, with the content inside or detached, by the certificate in `x5c`.

The protected header is the only header a compact JWS has, so the certificate it carries is
bound to the signature.  Keys and addresses offered otherwise (`jwk`, `jku`, `x5u`) are never
used: whoever forges a signature would offer one that fits.

Source: RFC 7515; RFC 7797; ETSI TS 119 182-1 (JAdES, level B).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime

from asn1crypto import keys, x509

from gateway.algorithms import asn1
from gateway.algorithms.interface import Algorithms, Scheme, Unsupported
from gateway.model import CheckedSignature, Covered, Json, Part
from gateway.signatures import certificates, findings, jose
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    MALFORMED,
    NO_SIGNING_CERTIFICATE_FOUND,
    SIG_CONSTRAINTS_FAILURE,
    SIG_CRYPTO_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    failed,
    undecided,
)

NAME = "jws"


def check(
    document: Part, signatures: tuple[Part, ...], algorithms: Algorithms
) -> tuple[CheckedSignature, ...]:
    """Check the JWS that `document` is, and every JWS in `signatures` beside it."""
    found: list[CheckedSignature] = []
    if jose.is_compact(document.body):
        found.append(Jws(document.body, None, algorithms).check("document"))
    for position, part in enumerate(signatures):
        if jose.is_compact(part.body) or jose.is_json_serialised(part.body):
            place = f"signature[{position}]"
            found.append(Jws(part.body, document, algorithms).check(place))
    return tuple(found)


class Jws:
    """The checks of one JWS; `beside` is the document it may be detached from."""

    def __init__(self, octets: bytes, beside: Part | None, algorithms: Algorithms) -> None:
        self.octets = octets
        self.beside = beside
        self.algorithms = algorithms
        self.checks = Checks()
        self.chain: list[x509.Certificate] = []
        self.covered: tuple[Covered, ...] = ()
        self.claimed_at: datetime | None = None
        self.hints: list[str] = []
        self.level = ""

    def check(self, place: str) -> CheckedSignature:
        with self.checks.recording():
            self._read()
            with self.checks.recording():
                self._certificates()
            with self.checks.recording():
                self._value(self._content())
        return CheckedSignature(
            format="JWS",
            level=self.level,
            certificate=self.chain[0].dump() if self.chain else None,
            other_certificates=tuple(one.dump() for one in self.chain[1:]),
            covered=self.covered,
            claimed_at=self.claimed_at,
            checks=self.checks.made,
            indication=self.checks.indication,
            sub_indication=self.checks.sub_indication,
            hints=tuple(self.hints),
            place=place,
        )

    # --- steps -------------------------------------------------------------------------

    def _read(self) -> None:
        """Take the JWS apart and check what its header demands."""
        if not jose.is_compact(self.octets):
            detail = "JSON serialisation is not taken, the compact one is"
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
        self.jws = jose.opened(self.octets)
        self.checks.passed("format")
        header = self.jws.header
        self.scheme, self.curve = jose.scheme_of(header)
        jose.check_critical(header)
        self.is_encoded = jose.is_encoded(header)
        if "sigD" in header:
            # JAdES: sigD says what is signed; taking the document instead would be a guess.
            raise undecided("signed_attributes", SIG_CONSTRAINTS_FAILURE, "sigD not understood")
        self.claimed_at = jose.claimed_at(header)
        self.checks.passed("signed_attributes")
        offered = [name for name in ("jwk", "jku", "x5u") if name in header]
        if offered:
            self.hints.append(f"{', '.join(offered)} not used")

    def _certificates(self) -> None:
        """Read `x5c`; the first is the signer's (RFC 7515, 4.1.6)."""
        listed = self.jws.header.get("x5c")
        if listed is None:
            detail = "no x5c in the header"
            raise undecided("signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, detail)
        chain = _chain(listed)
        if not chain:
            raise failed("signing_certificate_identified", FORMAT_FAILURE, "x5c unreadable")
        self._same_thumbprint(chain[0].dump(), self.jws.header)
        self.chain = chain
        self.checks.passed("signing_certificate_identified")

    def _same_thumbprint(self, certificate: bytes, header: Json) -> None:
        if "x5t#S256" not in header:
            return
        written = header["x5t#S256"]
        thumbprint = hashlib.sha256(certificate)
        right = jose.encoded(thumbprint.digest()).decode()
        # German e-prescriptions encode the hexadecimal text of the digest; it binds as well.
        in_hex = jose.encoded(thumbprint.hexdigest().encode()).decode()
        if written not in (right, in_hex):
            detail = "x5t#S256 names another certificate"
            raise failed("signing_certificate_bound", SIG_CRYPTO_FAILURE, detail)
        self.checks.passed("signing_certificate_bound", "x5t#S256")
        self.level = "B" if self.claimed_at else ""

    def _content(self) -> bytes:
        """Return the signed content, and say how it relates to the document."""
        payload = self.jws.payload
        if payload is not None and not self.is_encoded:
            detail = "b64 false with the content inside"
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
        if payload is None and self.beside is None:
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "the content is elsewhere")
        if payload is None:
            assert self.beside is not None
            self.claim = Covered(
                octets=self.beside.body,
                scope="FULL",
                covers_enclosing=True,
                media_type=self.beside.media_type,
            )
        elif self.beside is None or payload == self.beside.body:
            media_type = self.beside.media_type if self.beside else ""
            self.claim = Covered(
                octets=payload,
                scope="FULL",
                covers_enclosing=True,
                media_type=media_type or jose.media_type(self.jws.header),
            )
        else:
            self.hints.append("signs content of its own, not the document beside it")
            self.claim = Covered(octets=payload, scope="PARTIAL", covers_enclosing=False)
        return self.claim.octets

    def _value(self, content: bytes) -> None:
        """Check the value; only then is anything covered: a JWS has no digest of its own."""
        if not self.chain:
            return
        key = certificates.public_key(self.chain[0])
        scheme = self._bound(key)
        signed = self.jws.signing_header + b"."
        signed += jose.encoded(content) if self.is_encoded else content
        if not findings.value_holds(self.algorithms, key.dump(), scheme, signed, self.jws.value):
            raise failed("signature_value", SIG_CRYPTO_FAILURE, "does not hold")
        self.checks.passed("signature_value")
        self.covered = (self.claim,)
        findings.strong_enough(self.algorithms, scheme, key)
        self.checks.passed("crypto_policy")

    def _bound(self, key: keys.PublicKeyInfo) -> Scheme:
        """Return the scheme that header and key agree on: never the header's word alone."""
        try:
            by_key = asn1.scheme_for(key, self.scheme.digest)
        except asn1.Mismatch as error:
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, str(error)) from error
        except Unsupported as error:
            detail = f"{error} unsupported"
            raise findings.not_done(
                "signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail
            ) from error
        families = (by_key.family, self.scheme.family)
        if families[0] != families[1] and families != ("rsa", "rsa-pss"):
            detail = f"{self.scheme.family} in the header, {by_key.family} key"
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, detail)
        if self.curve and _curve(key) != self.curve:
            detail = f"alg is bound to {self.curve}"
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, detail)
        self.checks.passed("algorithm_binding", f"{self.scheme.family} with {self.scheme.digest}")
        return self.scheme


def _chain(listed: object) -> list[x509.Certificate]:
    """Return the certificates of `x5c`, none when one of them cannot be read."""
    if not isinstance(listed, list) or not 0 < len(listed) <= certificates.CERTIFICATES_MAX:
        return []
    found = []
    for written in listed:
        try:
            octets = base64.b64decode(written, validate=True) if isinstance(written, str) else b""
        except (binascii.Error, ValueError):
            return []
        certificate = certificates.read(octets)
        if certificate is None:
            return []
        found.append(certificate)
    return found


def _curve(key: keys.PublicKeyInfo) -> str:
    try:
        kind, name = key.curve
    except MALFORMED:
        return ""
    return str(name).lower() if kind == "named" else ""
