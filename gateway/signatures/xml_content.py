"""What the references of one signature cover, each by what it names.

Signed properties, manifests, another signature's value, the signature's own keys, or content.

Source: W3C XMLDSig 1.1, clauses 4.4.3 and 5.1; ETSI EN 319 132-1, clauses 4.3.2 and 5.2.7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.model import Covered
from gateway.signatures import findings, octet_hints, xades, xml_coverage, xml_hints
from gateway.signatures import xml_names as names
from gateway.signatures import xml_references as references
from gateway.signatures import xml_transform_syntax as transforms
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    HASH_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.xml_references import Reference, Target
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, children, reread
from gateway.xml import c14n


class Content:
    """The references of one ds:Signature as they are checked."""

    def __init__(
        self,
        element: etree._Element,
        source: Source,
        algorithms: Algorithms,
        checks: Checks,
        block: etree._Element | None,
        parent: etree._Element | None,
    ) -> None:
        """`block` are its QualifyingProperties; `parent` the SignatureValue to countersign."""
        self.element = element
        self.source = source
        self.algorithms = algorithms
        self.checks = checks
        self.block = block
        self.parent = parent
        self.covered: list[Covered] = []
        self.hints: list[str] = []
        self.properties: xades.Properties | None = None
        self.resolved: list[tuple[Reference, Target]] = []
        self.complete = False
        """The octets of every reference were found, and are intact."""

        self.key_info: list[bytes] = []
        """What is signed of the signature's own KeyInfo."""

        self.countersigns = False
        self.external = 0
        self.guesses = 0
        self.aside: list[Flaw] = []
        """What a manifest names and nobody has here: no part of core validation."""

    def counted(self) -> Iterator[Covered]:
        """Yield what is covered; where signed properties were moved, none of it as a whole."""
        moved = any(
            flaw.check.name == "signed_attributes" and flaw.sub_indication == SIGNED_DATA_NOT_FOUND
            for flaw in self.checks.flaws
        )
        for one in self.covered:
            yield replace(one, scope="PARTIAL", covers_enclosing=False) if moved else one

    def check(self, elements: Sequence[etree._Element]) -> None:
        """Check every reference of SignedInfo; note what of the document they cover."""
        self.external = sum(references.is_external(one.get("URI")) for one in elements)
        for element in elements:
            with self.checks.recording():
                self._reference(element)
        self.complete = len(self.resolved) == len(elements)
        mine = None if self.block is None else xades.signed_properties(self.block)
        if self.properties is None and mine is not None and not self.checks.flaws:
            detail = "XAdES properties that no reference covers"
            raise undecided("signed_attributes", SIGNED_DATA_NOT_FOUND, detail)
        if self.properties is not None and self.block is not None:
            self.hints.extend(self.properties.hints)
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
            self.properties = xades.read(target.octets)
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
            self.key_info.append(target.octets)
        elif element is None or not (
            element is self.element or xml_coverage.own_properties(element, self.element)
        ):
            self._covers(reference, target)

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
        root = reread(octets, "manifest")
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
        self.guesses += 1
        if self.guesses > xml_hints.GUESSES_MAX or len(target.octets) > octet_hints.OCTETS_MAX:
            return

        def matches(octets: bytes) -> bool:
            return self._matches(reference, octets)

        hint = octet_hints.of_octets(target.octets, matches)
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
