"""One signer of a CMS file: signed attributes, content, certificate, signature value.

Source: RFC 5652, clause 5; RFC 5035; RFC 6211; ETSI EN 319 122-1, clause 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from asn1crypto import cms, core, keys, x509
from asn1crypto import tsp as _teaches_signing_certificate_attributes  # noqa: F401

from gateway.algorithms import asn1
from gateway.algorithms.interface import Algorithms, Scheme, Unsupported
from gateway.model import CheckedSignature, Covered, Part
from gateway.signatures import ber, certificates, findings, octet_hints
from gateway.signatures.cms_file import SignedData
from gateway.signatures.directory import NOBODY, Directory, Named
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    HASH_FAILURE,
    MALFORMED,
    NO_SIGNING_CERTIFICATE_FOUND,
    SIG_CONSTRAINTS_FAILURE,
    SIG_CRYPTO_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    failed,
    undecided,
)

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
ESS_V1 = "1.2.840.113549.1.9.16.2.12"
ESS_V2 = "1.2.840.113549.1.9.16.2.47"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
DATA = "1.2.840.113549.1.7.1"
COUNTERSIGNED = ""
MESSAGE_DIGEST_DER = bytes.fromhex("06092a864886f70d010904")
_SINGLE = (CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, ESS_V1, ESS_V2, ALGORITHM_PROTECTION)


class Signer:
    """The checks of one SignerInfo."""

    def __init__(
        self,
        signed: SignedData,
        info: cms.SignerInfo,
        beside: Part | None,
        algorithms: Algorithms,
        digests: dict[str, bytes],
        kind: str = DATA,
        directory: Directory = NOBODY,
    ) -> None:
        """`digests` are those of the content computed already, by name; new ones are added.

        `kind` is the content type that may be signed here (a dotted identifier), or
        COUNTERSIGNED where the content is another signature's value (RFC 5652, 11.4).
        """
        self.signed = signed
        self.info = info
        self.beside = beside
        self.algorithms = algorithms
        self.digests = digests
        self.kind = kind
        self.directory = directory
        self.checks = Checks()
        self.certificate: x509.Certificate | None = None
        self.covered: tuple[Covered, ...] = ()
        self.claimed_at: datetime | None = None
        self.hints: list[str] = []
        self.attributes: dict[str, Any] = {}
        self.signed_octets: bytes | None = None
        self.octets: bytes | None = None
        """The content that was digested; None until its digest was found right."""

        self.is_read = False
        self.bound = False

    def check(self, place: str) -> CheckedSignature:
        with self.checks.recording():
            self._guarded(self._read)
        if not self.is_read:
            return self._result(place)
        for step in (self._content, self._certificate_bound, self._value):
            with self.checks.recording():
                self._guarded(step)
        return self._result(place)

    def _result(self, place: str) -> CheckedSignature:
        form = "CAdES" if self.bound else "CMS"
        others = [c for c in self.signed.certificates if c is not self.certificate]
        return result(
            self.checks,
            place,
            form,
            level="BES" if self.bound else "",
            certificate=self.certificate.dump() if self.certificate else None,
            others=tuple(c.dump() for c in others),
            covered=self.covered,
            claimed_at=self.claimed_at,
            hints=tuple(self.hints),
        )

    def _guarded(self, step: Callable[[], None]) -> None:
        """asn1crypto parses late, so any step may meet what cannot be read."""
        try:
            step()
        except MALFORMED as error:
            raise failed("format", FORMAT_FAILURE, "not readable as SignerInfo") from error

    # --- steps -------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the signed attributes and find the signing certificate."""
        self._plain()
        signed = self.info["signed_attrs"]
        if isinstance(signed, cms.CMSAttributes):
            # Verified as they came, only the implicit tag [0] is the SET's again (RFC 5652,
            # 5.4); what came in BER is digested in DER.
            octets = signed.untag().dump()
            self.signed_octets = octets if self.signed.der else ber.der(octets)
            self.attributes = self._attributes(cms.CMSAttributes.load(self.signed_octets))
            self.checks.passed("signed_attributes")
        self.checks.passed("format")
        if SIGNING_TIME in self.attributes:
            self.claimed_at = _utc(self.attributes[SIGNING_TIME][0].native)
        self.is_read = True
        self.certificate = self._find()
        self.checks.passed("signing_certificate_identified")

    def _attributes(self, signed: cms.CMSAttributes) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        for attribute in signed:
            kind = attribute["type"].dotted
            if kind in attributes:
                raise failed("signed_attributes", FORMAT_FAILURE, f"{kind} twice")
            if kind in _SINGLE and len(attribute["values"]) != 1:
                raise failed("signed_attributes", FORMAT_FAILURE, f"{kind} with several values")
            attributes[kind] = attribute["values"]
        if MESSAGE_DIGEST not in attributes:
            raise failed("signed_attributes", FORMAT_FAILURE, f"{MESSAGE_DIGEST} missing")
        if (CONTENT_TYPE in attributes) is (self.kind == COUNTERSIGNED):
            wrong = "present" if self.kind == COUNTERSIGNED else "missing"
            raise failed("signed_attributes", FORMAT_FAILURE, f"{CONTENT_TYPE} {wrong}")
        if ALGORITHM_PROTECTION in attributes:
            self._protected(attributes[ALGORITHM_PROTECTION][0])
        return attributes

    def _plain(self) -> None:
        """Check what no signature covers: it must be the one thing it can be."""
        algorithm = self.info["digest_algorithm"]["algorithm"]
        if self.kind != COUNTERSIGNED and algorithm.dotted not in self.signed.digests:
            raise failed("format", FORMAT_FAILURE, "digest not announced by the file")
        self.digest = asn1.digest_name(self.info["digest_algorithm"])
        by_name = self.info["sid"].name == "issuer_and_serial_number"
        if self.info["version"].native != ("v1" if by_name else "v3"):
            raise failed("format", FORMAT_FAILURE, "version of the SignerInfo")

    def _protected(self, protection: Any) -> None:
        same = (
            protection["digest_algorithm"].dump() == self.info["digest_algorithm"].dump()
            and protection["signature_algorithm"].native is not None
            and protection["signature_algorithm"].untag().dump()
            == self.info["signature_algorithm"].dump()
        )
        if not same:
            raise failed("signed_attributes", FORMAT_FAILURE, "algorithm protection differs")

    def _find(self) -> x509.Certificate:
        brought = self._among(self.signed.certificates)
        if len({c.dump() for c in brought}) > 1:
            raise failed("signing_certificate_identified", FORMAT_FAILURE, "ambiguous")
        found = brought or self._among(self._at_hand())
        if len(found) != 1 and not brought:
            detail = "several at hand" if found else "not in the signature file"
            raise undecided("signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, detail)
        return found[0]

    def _at_hand(self) -> list[x509.Certificate]:
        """Return the certificates we have of those the SignerInfo may name."""
        identifier = self.info["sid"]
        if identifier.name == "issuer_and_serial_number":
            named = Named(serial=int(identifier.chosen["serial_number"]))
        else:
            named = Named(key_identifier=identifier.chosen.native)
        return self.directory.find(named, self.algorithms)

    def _among(self, several: Sequence[x509.Certificate]) -> list[x509.Certificate]:
        """Return the certificates that the SignerInfo names."""
        identifier = self.info["sid"]
        found = []
        for certificate in several:
            if identifier.name == "issuer_and_serial_number":
                wanted = identifier.chosen
                serial = wanted["serial_number"].native
                same = certificate.serial_number == serial and certificates.same_name(
                    certificate.issuer, wanted["issuer"]
                )
            else:
                same = certificate.key_identifier == identifier.chosen.native
            if same:
                found.append(certificate)
        return found

    def _content(self) -> None:
        """Check content type and digest; only then is anything covered."""
        if self.kind != COUNTERSIGNED:
            self._content_type()
        content = self.signed.content
        if content is None and self.beside is None:
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "the content is elsewhere")
        octets = content if content is not None else _body(self.beside)
        if not self.attributes:
            # Without signed attributes the value covers the content itself.
            self._no_attributes_replayed(octets)
            self.signed_octets = self.octets = octets
            return
        signed = self.attributes[MESSAGE_DIGEST][0].native
        if self.content_digest(self.digest, octets) != signed:
            digest = partial(self.algorithms.digest, self.digest)
            hint = octet_hints.of_octets(octets, lambda changed: digest(changed) == signed)
            self.hints.extend([hint] if hint else [])
            raise failed("reference_data", HASH_FAILURE, f"{self.digest} differs")
        self.checks.passed("reference_data", self.digest)
        self.octets = octets
        self._cover(octets)

    def content_digest(self, name: str, octets: bytes) -> bytes:
        """Return a digest of the content, computed once a file."""
        if name not in self.digests:
            self.digests[name] = findings.digest(self.algorithms, name, octets, "reference_data")
        return self.digests[name]

    def _content_type(self) -> None:
        kind = self.signed.content_type
        if CONTENT_TYPE in self.attributes:
            signed = self.attributes[CONTENT_TYPE][0].dotted
            if signed != kind:
                raise failed("content_type", FORMAT_FAILURE, f"{signed} signed, not the file's")
        if kind != self.kind:
            raise undecided("content_type", SIG_CONSTRAINTS_FAILURE, kind)
        self.checks.passed("content_type")

    def _no_attributes_replayed(self, octets: bytes) -> None:
        """Refuse content that is the signed attributes of another message.

        Their signature is a valid one over their octets: with the attributes left out, they
        would pass for a document of the signer's (RFC 5652, 5.4; draft-ietf-lamps-cms-euf-cma).
        """
        if octets[:1] != b"\x31" or MESSAGE_DIGEST_DER not in octets:
            return
        raise failed("signed_attributes", FORMAT_FAILURE, "the content is signed attributes")

    def _cover(self, octets: bytes) -> None:
        if self.kind == COUNTERSIGNED:
            covered = Covered(octets=octets, scope="COUNTER_SIGNATURE", covers_enclosing=False)
        elif self.signed.content is None or self.beside is None or octets == self.beside.body:
            media_type = self.beside.media_type if self.beside else ""
            covered = Covered(
                octets=octets, scope="FULL", covers_enclosing=True, media_type=media_type
            )
        else:
            self.hints.append(findings.OWN_CONTENT)
            covered = Covered(octets=octets, scope="PARTIAL", covers_enclosing=False)
        self.covered = (covered,)

    def _certificate_bound(self) -> None:
        """Check that the signature names its certificate (RFC 5035): no substitution."""
        if self.certificate is None:
            return
        named = [kind for kind in (ESS_V2, ESS_V1) if kind in self.attributes]
        if not named:
            detail = "no signing-certificate attribute: plain CMS"
            raise undecided("signing_certificate_bound", SIG_CONSTRAINTS_FAILURE, detail)
        for kind in named:
            self._named_by(self.attributes[kind][0]["certs"][0], kind)
        self.bound = True

    def _named_by(self, entry: Any, kind: str) -> None:
        """Check that an ESSCertID names the certificate: digest, issuer and serial number."""
        assert self.certificate is not None
        name = "sha1" if kind == ESS_V1 else asn1.digest_name(entry["hash_algorithm"])
        octets = self.certificate.dump()
        computed = findings.digest(self.algorithms, name, octets, "signing_certificate_bound")
        if entry["cert_hash"].native != computed:
            detail = "the attribute names another certificate"
            raise failed("signing_certificate_bound", SIG_CRYPTO_FAILURE, detail)
        issuer_serial = entry["issuer_serial"]
        if isinstance(issuer_serial, core.Sequence) and issuer_serial.native is not None:
            self._same_issuer(issuer_serial)
        self.checks.passed("signing_certificate_bound", name)

    def _same_issuer(self, named: Any) -> None:
        assert self.certificate is not None
        names = [name.chosen for name in named["issuer"] if name.name == "directory_name"]
        serial, issuer = named["serial_number"].native, self.certificate.issuer
        same = any(certificates.same_name(issuer, name) for name in names)
        if serial != self.certificate.serial_number or not same:
            detail = "issuer or serial number differs"
            raise failed("signing_certificate_bound", SIG_CRYPTO_FAILURE, detail)

    def _value(self) -> None:
        """Check the signature value over the signed attributes, or over the bare content."""
        if self.certificate is None or self.signed_octets is None:
            return
        key = certificates.public_key(self.certificate)
        try:
            scheme = asn1.scheme_for(key, self.digest, self.info["signature_algorithm"])
        except asn1.Mismatch as error:
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, str(error)) from error
        except Unsupported as error:
            detail = f"{error} unsupported"
            raise findings.not_done(
                "signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail
            ) from error
        self.checks.passed("algorithm_binding", f"{scheme.family} with {scheme.digest}")
        if not self._holds(key, scheme, self.signed_octets) and not self._holds_in_order(
            key, scheme
        ):
            raise failed("signature_value", SIG_CRYPTO_FAILURE, "does not hold")
        self.checks.passed("signature_value")
        if not self.attributes and self.octets is not None:
            self._cover(self.octets)
        findings.strong_enough(self.algorithms, scheme, key)
        self.checks.passed("crypto_policy")

    def _holds(self, key: keys.PublicKeyInfo, scheme: Scheme, octets: bytes) -> bool:
        value = self.info["signature"].native
        return findings.value_holds(self.algorithms, key.dump(), scheme, octets, value)

    def _holds_in_order(self, key: keys.PublicKeyInfo, scheme: Scheme) -> bool:
        """Say whether the value is over the attributes as DER orders them.

        It ought to be (RFC 5652, 5.4), however a file in BER lists them; some sign their list.
        """
        if not self.attributes or self.signed_octets is None:
            return False
        ordered = ber.ordered(self.signed_octets)
        if ordered == self.signed_octets or not self._holds(key, scheme, ordered):
            return False
        self.hints.append("signed attributes are not listed in the order of DER")
        return True


def _body(part: Part | None) -> bytes:
    assert part is not None
    return part.body


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def result(
    checks: Checks,
    place: str,
    form: str,
    *,
    level: str = "",
    certificate: bytes | None = None,
    others: tuple[bytes, ...] = (),
    covered: tuple[Covered, ...] = (),
    claimed_at: datetime | None = None,
    hints: tuple[str, ...] = (),
) -> CheckedSignature:
    return CheckedSignature(
        format=form,
        level=level,
        certificate=certificate,
        other_certificates=others,
        covered=covered,
        claimed_at=claimed_at,
        checks=checks.made,
        indication=checks.indication,
        sub_indication=checks.sub_indication,
        hints=hints,
        place=place,
    )
