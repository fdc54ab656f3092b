"""JWS and JAdES signatures: compact and JSON, with the content inside or detached.

Who signed is told by the certificate that the protected header holds or names.  Keys and
addresses offered otherwise (`jwk`, `jku`, `x5u`) are never used: whoever forges a signature
would offer one that fits.

Source: RFC 7515; RFC 7797; RFC 8037; ETSI TS 119 182-1 (JAdES).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from asn1crypto import keys, x509

from gateway.algorithms import asn1
from gateway.algorithms.interface import Algorithms, Scheme, Unsupported
from gateway.model import CheckedSignature, CheckedTimestamp, Covered, Part
from gateway.signatures import certificates, findings, jades, jose, jose_files, jws_signer
from gateway.signatures.allowance import Allowance
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    MALFORMED,
    SIG_CRYPTO_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.timestamps import check_token

NAME = "jws"

COUNTERS_DEPTH_MAX = 2
"""Counter-signatures of counter-signatures that are looked at."""


def check(
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    *,
    directory: Directory = NOBODY,
) -> tuple[CheckedSignature, ...]:
    """Check the JWS that `document` is, and every JWS in `signatures` beside it."""
    found: list[CheckedSignature] = []
    if _is_jws(document.body):
        found.extend(_check_file(document.body, "document", None, algorithms, directory))
    for position, part in enumerate(signatures):
        if _is_jws(part.body):
            place = f"signature[{position}]"
            found.extend(_check_file(part.body, place, document, algorithms, directory))
    return tuple(found)


def _is_jws(octets: bytes) -> bool:
    return jose_files.is_compact(octets) or jose_files.is_json_serialised(octets)


def _check_file(
    octets: bytes,
    place: str,
    beside: Part | None,
    algorithms: Algorithms,
    directory: Directory,
    above: Jws | None = None,
) -> Iterator[CheckedSignature]:
    """Check every signature of one file; `beside` is the document it may be detached from.

    `above` is the signature that those of the file are over, and bring along.
    """
    allowance = above.allowance if above else Allowance()
    depth = above.depth + 1 if above else 0
    try:
        for signed in list(jose_files.opened(octets)):
            where = place if signed.position is None else f"{place}/signatures/{signed.position}"
            if above:
                allowance.take()
            yield Jws(signed, beside, algorithms, directory, allowance, depth).check(where)
    except Flaw as flaw:
        yield findings.refused(place, flaw, "JWS")


class Jws:
    """The checks of one signature; `beside` is the document it may be detached from."""

    def __init__(
        self,
        signed: jose_files.Signed,
        beside: Part | None,
        algorithms: Algorithms,
        directory: Directory,
        allowance: Allowance,
        depth: int = 0,
    ) -> None:
        """`allowance` is what the file may still ask for."""
        self.signed = signed
        self.beside = beside
        self.algorithms = algorithms
        self.directory = directory
        self.allowance = allowance
        self.depth = depth
        self.checks = Checks()
        self.certificate: x509.Certificate | None = None
        self.others: tuple[bytes, ...] = ()
        self.covered: tuple[Covered, ...] = ()
        self.claimed_at: datetime | None = None
        self.timestamps: list[CheckedTimestamp] = []
        self.hints: list[str] = []
        self.level = ""
        self.later = jades.later(signed.unsigned, signed.value, signed.written_value, self._stamp)

    def check(self, place: str) -> CheckedSignature:
        with self.checks.recording():
            self._read()
            with self.checks.recording():
                self._certificate()
            with self.checks.recording():
                self._value(self._content())
        self.hints.extend(self.later.hints)
        advanced = jades.is_jades(self.signed.header, self.signed.unsigned)
        return CheckedSignature(
            format="JAdES" if advanced else "JWS",
            level=self.level,
            certificate=self.certificate.dump() if self.certificate else None,
            other_certificates=self.others,
            covered=self.covered,
            claimed_at=self.claimed_at,
            checks=self.checks.made,
            indication=self.checks.indication,
            sub_indication=self.checks.sub_indication,
            hints=tuple(self.hints),
            place=place,
            timestamps=(*self.timestamps, *self.later.timestamps),
            revocations=tuple(self.later.revocations),
            counter_signatures=tuple(self._counter_signatures(place)),
        )

    def _counter_signatures(self, place: str) -> Iterator[CheckedSignature]:
        """Check what signs the value of this signature (TS 119 182-1, 5.3.2)."""
        if self.depth >= COUNTERS_DEPTH_MAX:
            return
        value = Part(name="signature", media_type="", body=self.signed.written_value)
        for position, octets in enumerate(self.later.counter_signatures):
            where = f"{place}/cSig[{position}]"
            yield from _check_file(
                octets, where, value, self.algorithms, self.directory, above=self
            )

    # --- steps -------------------------------------------------------------------------

    def _read(self) -> None:
        """Check what the protected header demands."""
        self.checks.passed("format")
        header = self.signed.header
        self.scheme, self.curve = jose.scheme_of(header)
        jose.check_critical(header)
        self.is_encoded = jose.is_encoded(header)
        self.claimed_at = jose.claimed_at(header)
        self.checks.passed("signed_attributes")
        several = {**header, **self.signed.unsigned}
        offered = [name for name in ("jwk", "jku", "x5u") if name in several]
        if offered:
            self.hints.append(f"{', '.join(offered)} not used")
        if "sigPId" in header:
            self.hints.append("signature policy named, not applied")

    def _certificate(self) -> None:
        """Find the signer's certificate; nobody signed one that the header does not bind."""
        found = jws_signer.identified(
            self.signed, self.later.certificates, self.directory, self.algorithms
        )
        self.certificate = found.certificate
        self.others = found.others
        self.hints.extend(found.hints)
        self.checks.passed("signing_certificate_identified")
        if found.bound_by:
            self.checks.passed("signing_certificate_bound", found.bound_by)
            self.level = "B" if self.claimed_at else ""

    def _content(self) -> bytes:
        """Return the payload as it is signed, and say how it relates to the document."""
        written, beside = self.signed.written, self.beside
        header = self.signed.header
        media_type = (beside.media_type if beside else "") or jose.media_type(header)
        whole = Covered(octets=b"", scope="FULL", covers_enclosing=True, media_type=media_type)
        if written is None:
            payload = self._detached()
            self.claim = replace(whole, octets=beside.body if beside else payload)
        elif "sigD" in header:
            detail = "sigD with the content inside"
            raise failed("signed_attributes", FORMAT_FAILURE, detail)
        else:
            payload = jose.decoded(written, "payload") if self.is_encoded else written
            self.claim = replace(whole, octets=payload)
            if beside is not None and payload != beside.body:
                self.hints.append(findings.OWN_CONTENT)
                self.claim = Covered(octets=payload, scope="PARTIAL", covers_enclosing=False)
        content = self._written(self.claim.octets) if written is None else written
        self._stamped(content)
        return content if payload is self.claim.octets else self._written(payload)

    def _written(self, octets: bytes) -> bytes:
        """Return octets as they stand in the signing input."""
        return jose.encoded(octets) if self.is_encoded else octets

    def _detached(self) -> bytes:
        body = self.beside.body if self.beside is not None else None
        if "sigD" in self.signed.header:
            return jades.content_of(self.signed.header["sigD"], body, self.algorithms)
        if body is None:
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "the content is elsewhere")
        return body

    def _stamped(self, content: bytes) -> None:
        """Check the time stamps that cover the content, before and after signing."""
        signed = self.signed
        self.timestamps.extend(jades.content_timestamps(signed.header, content, self._stamp))
        head = b".".join((content, signed.signing_header, signed.written_value, b""))
        self.timestamps.extend(
            jades.archive_timestamps(signed.unsigned, head, self._stamp, self.hints)
        )

    def _stamp(
        self, token: bytes, stamped: bytes, kind: str, digests: dict[str, bytes]
    ) -> CheckedTimestamp:
        """Check a token; raises the flaw of a file that has too many."""
        self.allowance.take(len(stamped))
        return check_token(
            token, stamped, kind, self.algorithms, digests=digests, directory=self.directory
        )

    def _value(self, payload: bytes) -> None:
        """Check the value; only then is anything covered: a JWS has no digest of its own."""
        if self.certificate is None:
            return
        key = certificates.public_key(self.certificate)
        scheme = self._bound(key)
        signed = self.signed.signing_header + b"." + payload
        if not findings.value_holds(self.algorithms, key.dump(), scheme, signed, self.signed.value):
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
        scheme = self.scheme
        if scheme.family == "eddsa" and by_key.family in ("ed25519", "ed448"):
            scheme = by_key
        families = (by_key.family, scheme.family)
        if families[0] != families[1] and families != ("rsa", "rsa-pss"):
            detail = f"{scheme.family} in the header, {by_key.family} key"
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, detail)
        if self.curve and _curve(key) != self.curve:
            detail = f"alg is bound to {self.curve}"
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, detail)
        self.checks.passed("algorithm_binding", f"{scheme.family} with {scheme.digest}")
        return scheme


def _curve(key: keys.PublicKeyInfo) -> str:
    try:
        kind, name = key.curve
    except MALFORMED:
        return ""
    return str(name).lower() if kind == "named" else ""
