"""The checks of one ds:Signature, from its SignedInfo to its time stamps.

What the signature says of itself is read from the canonical SignedInfo that was verified, and
what it covers is given back as the octets digested, so a wrapped, moved or commented document
has nothing to gain.

Source: W3C XMLDSig 1.1, clauses 3.2 and 4; ETSI EN 319 132-1; ETSI EN 319 102-1, clause 5.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asn1crypto import x509
from lxml import etree

from gateway.algorithms.interface import Algorithms, Scheme
from gateway.errors import Rejected
from gateway.model import CheckedSignature, CheckedTimestamp, Covered, Indication
from gateway.signatures import (
    certificates,
    findings,
    xades,
    xades_unsigned,
    xml_coverage,
    xml_hints,
    xml_key_info,
    xml_value,
)
from gateway.signatures import xml_names as names
from gateway.signatures import xml_references as references
from gateway.signatures import xml_transforms as transforms
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    HASH_FAILURE,
    NO_SIGNING_CERTIFICATE_FOUND,
    SIG_CONSTRAINTS_FAILURE,
    SIG_CRYPTO_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.xml_references import Reference, Target
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, children, decode, local_names
from gateway.xml import c14n
from gateway.xml.parser import parse

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
        parent: etree._Element | None = None,
    ) -> None:
        """`known` are keys from elsewhere; `parent` the SignatureValue to countersign."""
        self.element = element
        self.source = source
        self.algorithms = algorithms
        self.known = known
        self.parent = parent
        self.checks = Checks()
        self.covered: list[Covered] = []
        self.hints: list[str] = []
        self.keys = xml_key_info.Keys()
        self.certificate: x509.Certificate | None = None
        self.properties: xades.Properties | None = None
        self.block: etree._Element | None = None
        self.unsigned = xades_unsigned.Unsigned()
        self.stamps: list[CheckedTimestamp] = []
        self.counter: list[CheckedSignature] = []
        self.resolved: list[tuple[Reference, Target]] = []
        self.complete = True
        self.key_info_signed = False
        self.countersigns = False
        self.aside: list[Flaw] = []
        """What a manifest names and nobody has here: no part of core validation."""

    def check(self, place: str, depth: int = 0) -> CheckedSignature:
        """Make every check that does not need one that failed."""
        try:
            self._read()
        except Flaw as flaw:
            self.checks.flawed(flaw)
            return self._result(place)
        with self.checks.recording():
            self._references()
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
            covered=tuple(self._counted()),
            claimed_at=self.properties.signing_time if self.properties else None,
            checks=self.checks.made,
            indication=self.checks.indication,
            sub_indication=self.checks.sub_indication,
            hints=tuple(dict.fromkeys(self.hints)),
            place=place,
            timestamps=tuple(self.stamps),
            revocations=tuple(dict.fromkeys((*self.keys.revocations, *self.unsigned.revocations))),
            counter_signatures=tuple(self.counter),
        )

    def _counted(self) -> Iterator[Covered]:
        """Yield what is covered; where signed properties were moved, none of it as a whole."""
        moved = any(
            flaw.check.name == "signed_attributes" and flaw.sub_indication == SIGNED_DATA_NOT_FOUND
            for flaw in self.checks.flaws
        )
        for one in self.covered:
            yield replace(one, scope="PARTIAL", covers_enclosing=False) if moved else one

    def _level(self) -> str:
        """Return the level the signature has the parts of (EN 319 132-1, clause 6)."""
        if self.properties is None or not self.properties.named:
            return ""
        holding = {s.kind for s in self.stamps if s.indication is Indication.TOTAL_PASSED}
        if "signature" not in holding:
            described = self.properties.signing_time and self.properties.media_types
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
            self.keys = xml_key_info.read(parts[2], self.source)
        if self.block is not None:
            self.unsigned = xades_unsigned.read(self.block)
        self._read_info(parse(self.signed_octets))
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
        self.external = sum(
            references.is_external(one.get("URI")) for one in self.reference_elements
        )

    # --- references --------------------------------------------------------------------

    def _references(self) -> None:
        """Check every reference; note what of the document they cover."""
        for element in self.reference_elements:
            with self.checks.recording():
                self._reference(element)
        if len(self.resolved) < len(self.reference_elements):
            self.complete = False
        mine = None if self.block is None else xades.signed_properties(self.block)
        if self.properties is None and mine is not None and not self.checks.flaws:
            detail = "XAdES properties that no reference covers"
            raise undecided("signed_attributes", SIGNED_DATA_NOT_FOUND, detail)
        if self.properties is not None and self.block is not None:
            self.hints.extend((*self.properties.hints, *self.unsigned.hints))
            with self.checks.recording():
                xades.check_target(self.block, self.element)
                self.checks.passed("signed_attributes")
        self._typed()
        if self.parent is not None and not self.countersigns:
            detail = "does not sign the value it stands under"
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, detail)
        if not self.covered and not self.checks.flaws:
            if self.aside:
                raise self.aside[0]
            detail = "no reference covers anything outside the signature"
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, detail)
        if self.aside:
            self.hints.append(f"{len(self.aside)} references of a manifest were not checked")

    def _reference(self, element: etree._Element) -> None:
        reference = references.read(element)
        target = references.resolve(reference, self.source, self.element)
        if not self._matches(reference, target.octets):
            if references.is_external(reference.uri) and self.external > 1:
                # One document lies beside: the other names are of files that are not here.
                detail = "names a file that is not at hand"
                raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, detail)
            self._guess(reference, target)
            raise failed("reference_data", HASH_FAILURE, f"{reference.digest} differs")
        self.resolved.append((reference, target))
        self._classify(reference, target)
        self.checks.passed("reference_data", reference.digest)
        findings.strong_digest(self.algorithms, reference.digest, "crypto_policy")

    def _matches(self, reference: Reference, octets: bytes) -> bool:
        computed = findings.digest(self.algorithms, reference.digest, octets, "reference_data")
        return computed == reference.value

    def _classify(self, reference: Reference, target: Target) -> None:
        """Note what an intact reference means: properties, a manifest, another's value, content."""
        element = target.element
        mine = None if self.block is None else xades.signed_properties(self.block)
        if reference.type in names.SIGNED_PROPERTIES_ALL or (
            element is not None and element is mine
        ):
            if element is None or element is not mine:
                detail = "the properties signed are not those of this signature"
                raise undecided("signed_attributes", SIGNED_DATA_NOT_FOUND, detail)
            if self.properties is not None:
                raise failed("signed_attributes", FORMAT_FAILURE, "several signed properties")
            self.properties = self._properties(target.octets)
        elif element is not None and self._is_manifest(reference, element):
            self._manifest(target.octets)
        elif element is not None and element.tag == f"{DS}SignatureValue":
            self.countersigns = self.countersigns or element is self.parent
            self._covers(reference, target)
        elif (
            element is not None
            and element.tag == f"{DS}KeyInfo"
            and element.getparent() is (self.element)
        ):
            self.key_info_signed = True
        elif element is None or not (
            element is self.element or xml_coverage.own_properties(element, self.element)
        ):
            self._covers(reference, target)

    def _properties(self, octets: bytes) -> xades.Properties:
        try:
            return xades.read(octets)
        except Rejected as error:
            detail = f"signed properties: {error.problems[0].code}"
            raise failed("signed_attributes", FORMAT_FAILURE, detail) from error

    def _covers(self, reference: Reference, target: Target) -> None:
        """Note content; its media type is known when all references have been read."""
        found, hint = xml_coverage.covered(reference, target, self.source, self.element, "")
        self.covered.append(found)
        if hint is not None:
            self.hints.append(hint)

    def _typed(self) -> None:
        """Give content that was decoded the media type the signer says it has."""
        if self.properties is None or not self.properties.media_types:
            return
        kinds = dict(self.properties.media_types)
        by_octets = {
            id(target.octets): kinds[reference.id]
            for reference, target in self.resolved
            if reference.id in kinds
        }
        self.covered = [
            replace(one, media_type=by_octets[id(one.octets)])
            if not one.media_type and id(one.octets) in by_octets
            else one
            for one in self.covered
        ]

    def _is_manifest(self, reference: Reference, element: etree._Element) -> bool:
        if self.element not in element.iterancestors():
            return False
        return element.tag == f"{DS}Manifest" or reference.type == names.MANIFEST

    def _manifest(self, octets: bytes) -> None:
        """Check the references of a manifest; what it names is signed through its digests."""
        root = parse(octets)
        manifest = root if root.tag == f"{DS}Manifest" else root.find(f"{DS}Manifest")
        if manifest is None:
            raise failed("manifest", FORMAT_FAILURE, "no Manifest in what is signed")
        several = children(manifest, "Reference")
        if not 1 <= len(several) <= references.REFERENCES_MAX:
            raise undecided("manifest", SIG_CONSTRAINTS_FAILURE, f"{len(several)} references")
        for element in several:
            try:
                reference = references.read(element)
                target = references.resolve(reference, self.source, self.element)
            except Flaw as flaw:
                detail = flaw.check.detail
                self.aside.append(undecided("manifest", flaw.sub_indication, detail))
                continue
            if not self._matches(reference, target.octets):
                if references.is_external(reference.uri) and len(several) > 1:
                    detail = "a manifest names a file that is not at hand"
                    self.aside.append(undecided("manifest", SIGNED_DATA_NOT_FOUND, detail))
                    continue
                raise failed("manifest", HASH_FAILURE, f"{reference.digest} differs")
            self._covers(reference, target)
            self.checks.passed("manifest", reference.digest)
            findings.strong_digest(self.algorithms, reference.digest, "crypto_policy")

    def _guess(self, reference: Reference, target: Target) -> None:
        """Find out for people why a digest differs."""
        if len(self.hints) >= xml_hints.GUESSES_MAX or len(target.octets) > xml_hints.OCTETS_MAX:
            return

        def matches(octets: bytes) -> bool:
            return self._matches(reference, octets)

        hint = xml_hints.of_octets(target.octets, matches)
        if hint is None and target.plain and not references.is_external(reference.uri):
            given = reference.transforms
            used = given[-1].algorithm if given else ""
            kept = given[:-1] if used in c14n.METHODS else given

            def written(method: str) -> bytes:
                other = replace(
                    reference, transforms=(*kept, transforms.Transform(algorithm=method))
                )
                return references.resolve(other, self.source, self.element).octets

            hint = xml_hints.of_canonicalisation(used, written, matches)
        if hint is not None:
            self.hints.append(hint)

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
            self.checks.passed("signing_certificate_identified")
            return
        self.certificate = candidates[0].certificate
        assert flaw is not None
        raise flaw

    def _missing(self) -> str:
        names_only = sorted(set(self.keys.not_followed))
        return f"{', '.join(names_only)} not followed" if names_only else "none in KeyInfo"

    def _candidates(self) -> list[xml_value.Candidate]:
        """Return whose signature it may be: XAdES names one by digest, KeyInfo does not."""
        several = [*self.keys.certificates, *self.known.certificates]
        if self.properties is not None and self.properties.named:
            more = certificates.read_all(self.unsigned.certificates)
            chosen = [
                one
                for one in (*several, *more)
                if xades.is_named(self.properties, one, self.algorithms)
            ]
            if chosen:
                return xml_value.candidates(chosen[:1], ())
        return xml_value.candidates(several, [*self.keys.keys, *self.known.keys])

    def _value_by(self, candidate: xml_value.Candidate, method: xml_value.Method) -> Scheme:
        scheme = xml_value.scheme(candidate, method)

        def holds(octets: bytes, value: bytes) -> bool:
            return xml_value.holds(candidate, scheme, self.algorithms, octets, value)

        if holds(self.signed_octets, self.value):
            return scheme
        hint = xml_hints.of_value(
            self.value, scheme.family, lambda value: holds(self.signed_octets, value)
        )
        if hint is None:
            hint = xml_hints.of_octets(
                self.signed_octets, lambda octets: holds(octets, self.value)
            ) or xml_hints.of_canonicalisation(
                self.canonicalisation.algorithm,
                lambda other: c14n.canonical(self.info, other),
                lambda octets: holds(octets, self.value),
            )
            hint = f"SignedInfo {hint}" if hint else None
        if hint is not None:
            self.hints.append(hint)
        raise failed("signature_value", SIG_CRYPTO_FAILURE, "does not hold")

    def _certificate_bound(self) -> None:
        """Say whether the certificate itself is signed; plain XMLDSig cannot say so."""
        if self.certificate is None:
            return
        if self.key_info_signed:
            self.checks.passed("signing_certificate_bound", "KeyInfo is signed")
            if self.properties is None or not self.properties.named:
                return
        if self.properties is None:
            if self.block is None and not self.key_info_signed:
                self.hints.append("XMLDSig does not sign its certificate; XAdES does")
            return
        xades.check_bound(self.properties, self.certificate, self.algorithms)
        self.checks.passed("signing_certificate_bound")

    # --- XAdES -------------------------------------------------------------------------

    def _policy(self) -> None:
        """Check the hash of the signature policy where its document is enclosed."""
        if self.properties is None:
            return
        if self.properties.policy_flaw is not None:
            raise self.properties.policy_flaw
        policy = self.properties.policy
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
        if self.properties is None:
            return
        stamper = xades_unsigned.Stamper(
            signature=self.element,
            source=self.source,
            algorithms=self.algorithms,
            data=[(reference, target.octets) for reference, target in self.resolved],
            known=[
                *(one.dump() for one in self.keys.certificates),
                *self.unsigned.certificates,
            ],
            complete=self.complete,
        )
        self.stamps.extend(stamper.content(self.properties.stamps))
        self.stamps.extend(stamper.unsigned(self.unsigned.properties))

    def _counter_signatures(self, place: str, depth: int) -> None:
        several = self.unsigned.counter_signatures
        if len(several) > COUNTER_SIGNATURES_MAX or (several and depth >= COUNTER_DEPTH_MAX):
            detail = f"{len(several)} counter-signatures at depth {depth}"
            raise undecided("counter_signatures", SIG_CONSTRAINTS_FAILURE, detail)
        value = self.element.find(f"{DS}SignatureValue")
        for number, element in enumerate(several):
            other = Signature(element, self.source, self.algorithms, self.known, value)
            self.counter.append(other.check(f"{place}/counter[{number}]", depth + 1))
