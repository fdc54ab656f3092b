"""XML signatures: enveloped XMLDSig and XAdES-BES, in GOST, RSA and ECDSA.

Our own reference processing.  What the signature says of itself is read from the canonical
SignedInfo that was verified, and what it covers is given back as the octets digested, so a
wrapped, moved or commented document has nothing to gain.

Source: W3C XMLDSig 1.1; ETSI EN 319 132-1 (XAdES).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asn1crypto import x509
from lxml import etree

from gateway.algorithms import asn1
from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.errors import Rejected
from gateway.model import CheckedSignature, Covered, Part
from gateway.signatures import certificates, findings, xades
from gateway.signatures import xml_names as names
from gateway.signatures import xml_references as references
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    HASH_FAILURE,
    NO_SIGNING_CERTIFICATE_FOUND,
    SIG_CONSTRAINTS_FAILURE,
    SIG_CRYPTO_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    failed,
    not_done,
    undecided,
)
from gateway.xml import c14n
from gateway.xml.parser import is_xml, parse

NAME = "xml"

SIGNATURES_MAX = 16
DIGESTED_NODES_MAX = 2_000_000
"""Nodes that all references of a file may make us walk together: about 20 s of work."""

MEDIA_TYPE = "application/xml"
_DS = f"{{{names.DS}}}"


def check(
    document: Part, signatures: tuple[Part, ...], algorithms: Algorithms
) -> tuple[CheckedSignature, ...]:
    """Check every top-level Signature in `document` and in the XML among `signatures`."""
    found = list(_check_file(document.body, "document", True, algorithms))
    for position, part in enumerate(signatures):
        if is_xml(part.body[:64]):
            place = f"signature[{position}]"
            several = list(_check_file(part.body, place, False, algorithms))
            found.extend(several or [_unreadable(place, _broken("no Signature element"))])
    return tuple(found)


def _check_file(
    octets: bytes, place: str, enclosing: bool, algorithms: Algorithms
) -> Iterator[CheckedSignature]:
    """Check the signatures in one file; `enclosing` says it is the document itself."""
    if not is_xml(octets[:64]):
        return
    try:
        root = parse(octets)
    except Rejected as error:
        # A document that is no XML is for its format to refuse, unless it means to be signed.
        if not enclosing or names.DS.encode() in octets:
            yield _unreadable(place, _broken(f"XML refused: {error.problems[0].code}"))
        return
    several = references.top_signatures(root)
    if len(several) > SIGNATURES_MAX:
        yield _unreadable(place, _broken(f"{len(several)} signatures"))
        return
    nodes = sum(1 for _ in root.iter())
    named = sum(len(element.findall(f"{_DS}SignedInfo/{_DS}Reference")) for element in several)
    if nodes * named > DIGESTED_NODES_MAX:
        flaw = undecided("format", SIG_CONSTRAINTS_FAILURE, f"{named} references, {nodes} nodes")
        yield _unreadable(place, flaw)
        return
    for element in several:
        where = place + _path(element)
        yield _Signature(element, enclosing, algorithms).check(where)


def _path(element: etree._Element) -> str:
    """Return where `element` stands, as `/Envelope/Signature`, without its prefixes."""
    steps = []
    for node in (element, *element.iterancestors()):
        earlier = sum(1 for other in node.itersiblings(node.tag, preceding=True))
        index = f"[{earlier + 1}]" if earlier else ""
        steps.append(f"/{references.local_names([node])[0]}{index}")
    return "".join(reversed(steps))


def _broken(detail: str) -> findings.Flaw:
    return failed("format", FORMAT_FAILURE, detail)


def _unreadable(place: str, flaw: findings.Flaw) -> CheckedSignature:
    checks = Checks()
    checks.flawed(flaw)
    return CheckedSignature(
        format="XMLDSig",
        level="",
        certificate=None,
        other_certificates=(),
        covered=(),
        claimed_at=None,
        checks=checks.made,
        indication=checks.indication,
        sub_indication=checks.sub_indication,
        place=place,
    )


class _Signature:
    """The checks of one ds:Signature."""

    def __init__(self, element: etree._Element, enclosing: bool, algorithms: Algorithms) -> None:
        self.element = element
        self.enclosing = enclosing
        self.algorithms = algorithms
        self.checks = Checks()
        self.covered: list[Covered] = []
        self.hints: list[str] = []
        self.certificates: list[x509.Certificate] = []
        self.certificate: x509.Certificate | None = None
        self.properties: xades.Properties | None = None

    def check(self, place: str) -> CheckedSignature:
        try:
            self._read()
        except findings.Flaw as flaw:
            self.checks.flawed(flaw)
            return self._result(place)
        with self.checks.recording():
            self._references()
        with self.checks.recording():
            self._value()
        with self.checks.recording():
            self._certificate_bound()
        return self._result(place)

    def _result(self, place: str) -> CheckedSignature:
        others = [c.dump() for c in self.certificates if c is not self.certificate]
        advanced = self.properties is not None
        return CheckedSignature(
            format="XAdES" if advanced else "XMLDSig",
            level="BES" if advanced else "",
            certificate=self.certificate.dump() if self.certificate else None,
            other_certificates=tuple(others),
            covered=tuple(self.covered),
            claimed_at=self.properties.signing_time if self.properties else None,
            checks=self.checks.made,
            indication=self.checks.indication,
            sub_indication=self.checks.sub_indication,
            hints=tuple(self.hints),
            place=place,
        )

    # --- steps -------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the parts; what SignedInfo says comes from its canonical octets alone."""
        parts = references.children(
            self.element, "SignedInfo", "SignatureValue", "KeyInfo", "Object"
        )
        order = references.local_names(parts)
        if order[:2] != ["SignedInfo", "SignatureValue"] or order[2:3] == ["SignedInfo"]:
            raise failed("format", FORMAT_FAILURE, "Signature is not in order")
        rest = order[3:] if order[2:3] == ["KeyInfo"] else order[2:]
        if any(name != "Object" for name in rest):
            raise failed("format", FORMAT_FAILURE, "Signature is not in order")
        for node in parts[0].iter(etree.Comment, etree.ProcessingInstruction):
            raise failed("format", FORMAT_FAILURE, f"comment in line {node.sourceline}")
        self.signed_octets = self._canonical_info(parts[0])
        self.value = references.decode(parts[1])
        if order[2:3] == ["KeyInfo"]:
            self.certificates = _certificates(parts[2])
        self._read_info(parse(self.signed_octets))
        self.checks.passed("format")

    def _canonical_info(self, info: etree._Element) -> bytes:
        method = references.method_of(references.children(info, *_SIGNED_INFO)[0])
        if method.algorithm not in c14n.METHODS:
            detail = f"{findings.shown(method.algorithm, names.KNOWN)} unsupported"
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
        return c14n.canonical(info, method.algorithm, method.prefixes)

    def _read_info(self, info: etree._Element) -> None:
        parts = references.children(info, *_SIGNED_INFO)
        order = references.local_names(parts)
        if order[:2] != list(_SIGNED_INFO[:2]) or set(order[2:]) != {"Reference"}:
            raise failed("format", FORMAT_FAILURE, "SignedInfo is not in order")
        if len(order) - 2 > references.REFERENCES_MAX:
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, f"{len(order) - 2} references")
        uri = parts[1].get("Algorithm") or ""
        # No parameters: HMACOutputLength and PSS parameters change what is verified.
        references.one(parts[1])
        if uri not in names.SIGNATURES:
            detail = f"method {findings.shown(uri, names.KNOWN)} unsupported"
            raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail)
        self.method = names.SIGNATURES[uri]
        self.reference_elements = parts[2:]

    def _references(self) -> None:
        """Check every reference; note what of the document they cover."""
        for element in self.reference_elements:
            with self.checks.recording():
                self._reference(references.read(element))
        self._properties_found()
        if not self.covered and not self.checks.flaws:
            detail = "no reference covers anything outside the signature"
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, detail)

    def _reference(self, reference: references.Reference) -> None:
        target = references.resolve(reference, self.element)
        name = reference.digest
        computed = findings.digest(self.algorithms, name, target.octets, "reference_data")
        if computed != reference.value:
            raise failed("reference_data", HASH_FAILURE, f"{name} differs")
        if reference.type == names.SIGNED_PROPERTIES:
            self.properties = xades.read(target, self.element, self.properties)
        elif self.element in (target.element, *target.element.iterancestors()):
            detail = "covers a part of the signature itself"
            self.checks.passed("reference_data", detail)
            return
        else:
            self.covered.append(self._covered(reference, target))
        self.checks.passed("reference_data", name)
        findings.strong_digest(self.algorithms, name, "crypto_policy")

    def _covered(self, reference: references.Reference, target: references.Target) -> Covered:
        root = self.element.getroottree().getroot()
        whole = target.document or target.element is root
        direct = self.element.getparent() is root
        if whole and not direct:
            self.hints.append("the signature is not a child of the document element")
        covers = whole and direct and self.enclosing
        return Covered(
            octets=target.octets,
            scope="FULL" if whole else "PARTIAL",
            covers_enclosing=covers,
            reference=references.shown(reference.uri or ""),
            media_type=MEDIA_TYPE,
        )

    def _properties_found(self) -> None:
        """Refuse XAdES properties that stand in the signature but are not signed by it."""
        if self.properties is None and xades.present(self.element):
            detail = "XAdES properties that no reference covers"
            raise undecided("signed_attributes", SIGNED_DATA_NOT_FOUND, detail)
        if self.properties is not None:
            self.hints.extend(self.properties.hints)
            self.checks.passed("signed_attributes")

    def _value(self) -> None:
        """Find the signing certificate and check the signature value with its key."""
        family, digest = self.method
        candidates = self._candidates()
        if not candidates:
            raise undecided(
                "signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, "none in KeyInfo"
            )
        flaw: findings.Flaw | None = None
        for candidate in candidates:
            try:
                self._value_by(candidate, family, digest)
            except findings.Flaw as found:
                flaw = flaw or found
                continue
            self.certificate = candidate
            self.checks.passed("signing_certificate_identified")
            self.checks.passed("signature_value", f"{family} with {digest}")
            findings.strong_enough(self.algorithms, self.scheme, candidate.public_key)
            self.checks.passed("crypto_policy")
            return
        self.certificate = candidates[0]
        assert flaw is not None
        raise flaw

    def _candidates(self) -> list[x509.Certificate]:
        """Return the certificates that may be the signer's: XAdES names one, KeyInfo not."""
        if self.properties is not None and self.properties.named:
            return [
                c for c in self.certificates if xades.is_named(self.properties, c, self.algorithms)
            ]
        return certificates.leaves(self.certificates)

    def _value_by(self, certificate: x509.Certificate, family: str, digest: str) -> None:
        key = certificates.public_key(certificate)
        try:
            scheme = asn1.scheme_for(key, digest)
        except asn1.Mismatch as error:
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, str(error)) from error
        except Unsupported as error:
            detail = f"{family} with {digest} unsupported"
            raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail) from error
        if family == "rsa-pss" and scheme.family == "rsa":
            scheme = replace(scheme, family="rsa-pss")
        if scheme.family != family:
            detail = f"{family} method, {scheme.family} key"
            raise failed("algorithm_binding", SIG_CRYPTO_FAILURE, detail)
        self.scheme = replace(scheme, encoding="raw")  # XMLDSig 1.1, clause 6.4.3
        if not findings.value_holds(
            self.algorithms, key.dump(), self.scheme, self.signed_octets, self.value
        ):
            raise failed("signature_value", SIG_CRYPTO_FAILURE, "does not hold")

    def _certificate_bound(self) -> None:
        """Say whether the certificate itself is signed; plain XMLDSig cannot say so."""
        if self.certificate is None:
            return
        if self.properties is None:
            self.hints.append("XMLDSig does not sign its certificate; XAdES does")
            return
        if not self.properties.named:
            detail = "XAdES without SigningCertificate"
            raise undecided("signing_certificate_bound", SIG_CONSTRAINTS_FAILURE, detail)
        self.checks.passed("signing_certificate_bound")


_SIGNED_INFO = ("CanonicalizationMethod", "SignatureMethod", "Reference")


def _certificates(key_info: etree._Element) -> list[x509.Certificate]:
    """Return the certificates of KeyInfo; nothing it points to is fetched."""
    found: list[x509.Certificate] = []
    for element in key_info.iterfind(f"{_DS}X509Data/{_DS}X509Certificate"):
        certificate = certificates.read(references.decode(element))
        if certificate is None:
            raise failed("format", FORMAT_FAILURE, "a certificate in KeyInfo is unreadable")
        if certificate.dump() not in [other.dump() for other in found]:
            found.append(certificate)
    if len(found) > certificates.CERTIFICATES_MAX:
        raise failed("format", FORMAT_FAILURE, f"{len(found)} certificates")
    return found
