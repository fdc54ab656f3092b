"""The checks of one ds:Signature, from its SignedInfo to its time stamps.

What the signature says of itself is read from the canonical SignedInfo that was verified, and
what it covers is given back as the octets digested, so a wrapped, moved or commented document
has nothing to gain.

Source: W3C XMLDSig 1.1, clauses 3.2 and 4; ETSI EN 319 132-1; ETSI EN 319 102-1, clause 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from asn1crypto import x509
from lxml import etree

from gateway.algorithms.interface import Algorithms, Scheme
from gateway.model import CheckedSignature, CheckedTimestamp, Indication
from gateway.signatures import (
    certificates,
    findings,
    octet_hints,
    xades,
    xades_unsigned,
    xml_hints,
    xml_key_info,
    xml_value,
)
from gateway.signatures import xml_names as names
from gateway.signatures import xml_references as references
from gateway.signatures import xml_transform_syntax as transforms
from gateway.signatures.directory import NOBODY, Directory, Named
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    NO_SIGNING_CERTIFICATE_FOUND,
    SIG_CONSTRAINTS_FAILURE,
    SIG_CRYPTO_FAILURE,
    Checks,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.xml_content import Content
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, children, decode, local_names, reread
from gateway.xml import c14n

COUNTER_SIGNATURES_MAX = 8
COUNTER_DEPTH_MAX = 2
_SIGNED_INFO = ("CanonicalizationMethod", "SignatureMethod", "Reference")


class Signature:
    """One ds:Signature as its checks are made."""

    def __init__(
        self,
        element: etree._Element,
        source: Source,
        algorithms: Algorithms,
        known: xml_key_info.Keys,
        directory: Directory = NOBODY,
        parent: etree._Element | None = None,
    ) -> None:
        """`known` are keys that may be the signer's, `directory` certificates it may name.

        `parent` is the SignatureValue to countersign.
        """
        self.element = element
        self.source = source
        self.algorithms = algorithms
        self.known = known
        self.directory = directory
        self.parent = parent
        self.checks = Checks()
        self.hints: list[str] = []
        self.keys = xml_key_info.Keys()
        self.certificate: x509.Certificate | None = None
        self.at_hand: dict[bytes, bool] = {}
        """Certificates (DER) that the signature names and we had; whether it means no other."""

        self.suspect: tuple[xml_value.Candidate, Scheme] | None = None
        """The first key that fits the method, and under which the value does not hold."""

        self.block: etree._Element | None = None
        self.content = Content(element, source, algorithms, self.checks, None, parent)
        self.unsigned = xades_unsigned.Unsigned()
        self.stamps: list[CheckedTimestamp] = []
        self.counter: list[CheckedSignature] = []

    def check(self, place: str, depth: int = 0) -> CheckedSignature:
        """Make every check that does not need one that failed."""
        try:
            self._read()
        except Flaw as flaw:
            self.checks.flawed(flaw)
            return self._result(place)
        with self.checks.recording():
            self.content.check(self.reference_elements)
        with self.checks.recording():
            self._value()
        with self.checks.recording():
            self._certificate_bound()
        with self.checks.recording():
            self._policy()
        with self.checks.recording():
            self._timestamps()
        with self.checks.recording():
            self._counter_signatures(place, depth)
        return self._result(place)

    def _result(self, place: str) -> CheckedSignature:
        own = self.certificate.dump() if self.certificate else None
        brought = [
            *(one.dump() for one in self.keys.certificates),
            *self.unsigned.certificates,
            *(one for stamp in self.stamps for one in stamp.other_certificates),
        ]
        return CheckedSignature(
            format="XAdES" if self.block is not None else "XMLDSig",
            level=self._level(),
            certificate=own,
            other_certificates=tuple(dict.fromkeys(one for one in brought if one != own)),
            covered=tuple(self.content.counted()),
            claimed_at=self.content.properties.signing_time if self.content.properties else None,
            checks=self.checks.made,
            indication=self.checks.indication,
            sub_indication=self.checks.sub_indication,
            hints=tuple(dict.fromkeys((*self.content.hints, *self.unsigned.hints, *self.hints))),
            place=place,
            timestamps=tuple(self.stamps),
            revocations=tuple(dict.fromkeys((*self.keys.revocations, *self.unsigned.revocations))),
            counter_signatures=tuple(self.counter),
        )

    def _level(self) -> str:
        """Return the level the signature has the parts of (EN 319 132-1, clause 6)."""
        if self.content.properties is None or not self.content.properties.named:
            return ""
        holding = {s.kind for s in self.stamps if s.indication is Indication.TOTAL_PASSED}
        if "signature" not in holding:
            described = self.content.properties.signing_time and self.content.properties.media_types
            return "B" if described else "BES"
        if not self.unsigned.material:
            return "T"
        return "LTA" if "archive" in holding else "LT"

    # --- reading -----------------------------------------------------------------------

    def _read(self) -> None:
        """Read the parts; what SignedInfo says comes from its canonical octets alone."""
        parts = children(self.element, "SignedInfo", "SignatureValue", "KeyInfo", "Object")
        order = local_names(parts)
        if order[:2] != ["SignedInfo", "SignatureValue"] or order[2:3] == ["SignedInfo"]:
            raise failed("format", FORMAT_FAILURE, "Signature is not in order")
        rest = order[3:] if order[2:3] == ["KeyInfo"] else order[2:]
        if any(name != "Object" for name in rest):
            raise failed("format", FORMAT_FAILURE, "Signature is not in order")
        for node in parts[0].iter(etree.Comment, etree.ProcessingInstruction):
            raise failed("format", FORMAT_FAILURE, f"comment in line {node.sourceline}")
        self.info = parts[0]
        self.signed_octets = self._canonical_info()
        self.value = decode(parts[1])
        self.block = xades.qualifying(self.element)
        if order[2:3] == ["KeyInfo"]:
            self.keys = xml_key_info.read(parts[2], self.source, self.element)
        self.content.block = self.block
        if self.block is not None:
            self.unsigned = xades_unsigned.read(self.block)
        self._read_info(reread(self.signed_octets))
        self.checks.passed("format")

    def _canonical_info(self) -> bytes:
        method = transforms.read(children(self.info, *_SIGNED_INFO)[0])
        if method.algorithm not in c14n.METHODS:
            detail = f"{findings.shown(method.algorithm, names.KNOWN)} unsupported"
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
        self.canonicalisation = method
        octets = c14n.canonical(self.info, method.algorithm, method.prefixes)
        self.source.spend(len(octets))
        return octets

    def _read_info(self, info: etree._Element) -> None:
        parts = children(info, *_SIGNED_INFO)
        order = local_names(parts)
        if order[:2] != list(_SIGNED_INFO[:2]) or set(order[2:]) != {"Reference"}:
            raise failed("format", FORMAT_FAILURE, "SignedInfo is not in order")
        if len(order) - 2 > references.REFERENCES_MAX:
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, f"{len(order) - 2} references")
        self.method_element = parts[1]
        self.reference_elements = parts[2:]

    # --- value and certificate ---------------------------------------------------------

    def _value(self) -> None:
        """Find the key the signature value holds under, and whose it is."""
        method = xml_value.method(self.method_element)
        candidates = self._candidates()
        if not candidates:
            raise undecided(
                "signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, self._missing()
            )
        flaw: Flaw | None = None
        for candidate in candidates:
            try:
                scheme = self._value_by(candidate, method)
            except Flaw as found:
                flaw = flaw or found
                continue
            self.certificate = candidate.certificate
            self.checks.passed("signature_value", f"{scheme.family} with {scheme.digest}")
            with self.checks.recording():
                findings.strong_enough(self.algorithms, scheme, candidate.key)
                self.checks.passed("crypto_policy")
            if candidate.certificate is None:
                detail = f"a key without a certificate; {self._missing()}"
                raise undecided(
                    "signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, detail
                )
            self._unambiguous(candidate, candidates)
            self.checks.passed("signing_certificate_identified")
            return
        if all(self._is_namesake(one) for one in candidates):
            detail = f"{self._missing()}; of another certificate at hand"
            raise undecided("signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, detail)
        self.certificate = candidates[0].certificate
        self._guess()
        assert flaw is not None
        raise flaw

    def _missing(self) -> str:
        names_only = sorted(set(self.keys.not_followed))
        return f"{', '.join(names_only)} not followed" if names_only else "none in KeyInfo"

    def _candidates(self) -> list[xml_value.Candidate]:
        """Return whose signature it may be: XAdES names one by digest, KeyInfo does not."""
        several = [*self.keys.certificates, *self.known.certificates]
        several.extend(self._found_at_hand(self.keys.named))
        properties = self.content.properties
        if properties is not None and properties.named:
            more = certificates.read_all(self.unsigned.certificates)
            chosen = [
                one for one in (*several, *more) if xades.is_named(properties, one, self.algorithms)
            ]
            signer = properties.named[0]
            if not chosen:
                by_digest = Named(digest=signer.digest, value=signer.value)
                chosen = self._found_at_hand([by_digest])
            if chosen:
                return xml_value.candidates(chosen[:1], ())
        return xml_value.candidates(several, [*self.keys.keys, *self.known.keys])

    def _found_at_hand(self, several: Sequence[Named]) -> list[x509.Certificate]:
        """Return certificates that the signature names and does not bring."""
        found = [(named, self.directory.find(named, self.algorithms)) for named in several]
        # Of a chain that is named the signer may be the one that is missing.
        complete = all(those for _, those in found)
        for named, those in found:
            for one in those:
                known = self.at_hand.get(one.dump(), False)
                self.at_hand[one.dump()] = known or (complete and named.is_of_one)
        return [one for _, those in found for one in those]

    def _is_namesake(self, candidate: xml_value.Candidate) -> bool:
        """Say whether a certificate at hand need not be the one that is meant.

        That the value does not hold under it says nothing then.
        """
        certificate = candidate.certificate
        return certificate is not None and self.at_hand.get(certificate.dump()) is False

    def _unambiguous(
        self, chosen: xml_value.Candidate, candidates: Sequence[xml_value.Candidate]
    ) -> None:
        """Raise the flaw when a name stands for several certificates of the same key.

        The value holds under each of them, and one may be withdrawn where another is not.
        """
        assert chosen.certificate is not None
        key = chosen.key.dump()
        same = {c.certificate.dump() for c in candidates if c.certificate and c.key.dump() == key}
        if chosen.certificate.dump() in self.at_hand and len(same) > 1:
            detail = f"{len(same)} certificates at hand have this name and key"
            raise undecided("signing_certificate_identified", NO_SIGNING_CERTIFICATE_FOUND, detail)

    def _value_by(self, candidate: xml_value.Candidate, method: xml_value.Method) -> Scheme:
        scheme = xml_value.scheme(candidate, method)
        value, spelling = xml_value.field_elements(self.value, candidate, scheme)
        if self._holds(candidate, scheme, self.signed_octets, value):
            if spelling:
                self.checks.passed("signature_encoding", spelling)
                self.hints.append(f"not as XMLDSig 1.1, clause 6.4.3 writes it: {spelling}")
            return scheme
        if self.suspect is None:
            self.suspect = (candidate, scheme)
        raise failed("signature_value", SIG_CRYPTO_FAILURE, "does not hold")

    def _holds(
        self, candidate: xml_value.Candidate, scheme: Scheme, octets: bytes, value: bytes
    ) -> bool:
        return xml_value.holds(candidate, scheme, self.algorithms, octets, value)

    def _guess(self) -> None:
        """Find out for people why the value holds under no key, by the likeliest one alone."""
        if self.suspect is None:
            return
        candidate, scheme = self.suspect

        def holds(octets: bytes) -> bool:
            return self._holds(candidate, scheme, octets, self.value)

        spelling = xml_hints.of_value(
            self.value,
            scheme.family,
            lambda value: self._holds(candidate, scheme, self.signed_octets, value),
        )
        form = spelling or octet_hints.of_octets(self.signed_octets, holds)
        form = form or xml_hints.of_canonicalisation(
            self.canonicalisation.algorithm,
            lambda other: c14n.canonical(self.info, other),
            holds,
        )
        if form is not None:
            self.hints.append(form if form is spelling else f"SignedInfo {form}")

    def _certificate_bound(self) -> None:
        """Say whether the certificate itself is signed; plain XMLDSig cannot say so."""
        if self.certificate is None:
            return
        if self._signed_in_key_info(self.certificate):
            self.checks.passed("signing_certificate_bound", "KeyInfo is signed")
            if self.content.properties is None or not self.content.properties.named:
                return
        if self.content.properties is None:
            if self.block is None:
                self.hints.append("XMLDSig does not sign its certificate; XAdES does")
            return
        xades.check_bound(self.content.properties, self.certificate, self.algorithms)
        self.checks.passed("signing_certificate_bound")

    def _signed_in_key_info(self, certificate: x509.Certificate) -> bool:
        """Say whether a reference covers KeyInfo, and the certificate with it."""
        return any(
            xml_key_info.encloses(octets, certificate, self.algorithms)
            for octets in self.content.key_info
        )

    # --- XAdES -------------------------------------------------------------------------

    def _policy(self) -> None:
        """Check the hash of the signature policy where its document is enclosed."""
        if self.content.properties is None:
            return
        if self.content.properties.policy_flaw is not None:
            raise self.content.properties.policy_flaw
        policy = self.content.properties.policy
        if policy is None:
            return
        if self.unsigned.policy_document is None or policy.transformed:
            self.hints.append("the signature policy is not at hand, its hash was not checked")
            return
        computed = findings.digest(
            self.algorithms, policy.digest, self.unsigned.policy_document, "signature_policy"
        )
        if computed != policy.value:
            detail = "another policy document is enclosed"
            raise undecided("signature_policy", xades.POLICY_PROCESSING_ERROR, detail)
        self.checks.passed("signature_policy")

    def _timestamps(self) -> None:
        if self.content.properties is None:
            return
        stamper = xades_unsigned.Stamper(
            signature=self.element,
            source=self.source,
            algorithms=self.algorithms,
            data=[(reference, target.octets) for reference, target in self.content.resolved],
            known=[
                *(one.dump() for one in self.keys.certificates),
                *self.unsigned.certificates,
            ],
            directory=self.directory,
            complete=self.content.complete,
        )
        self.stamps.extend(stamper.content(self.content.properties.stamps))
        self.stamps.extend(stamper.unsigned(self.unsigned.properties))

    def _counter_signatures(self, place: str, depth: int) -> None:
        several = self.unsigned.counter_signatures
        if len(several) > COUNTER_SIGNATURES_MAX or (several and depth >= COUNTER_DEPTH_MAX):
            detail = f"{len(several)} counter-signatures at depth {depth}"
            raise undecided("counter_signatures", SIG_CONSTRAINTS_FAILURE, detail)
        value = self.element.find(f"{DS}SignatureValue")
        for number, element in enumerate(several):
            self.source.allowance.take()
            other = Signature(
                element, self.source, self.algorithms, self.known, self.directory, value
            )
            self.counter.append(other.check(f"{place}/counter[{number}]", depth + 1))
