"""What a FHIR Signature may be over: a resource in JSON or in XML, and its canonical forms.

Both kinds answer the same questions, so the form need not know which it has.  Nothing here
chooses a canonicalisation: that is declared, or set by a standard (`fhir_declared`).

Source: https://hl7.org/fhir/R4/json.html#canonical and xml.html#digsig.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lxml import etree

from gateway.errors import Rejected
from gateway.fhir import alike, canonical, canonical_xml, text
from gateway.model import Json
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    Flaw,
    failed,
    undecided,
)
from gateway.xml.parser import is_xml, parse

FHIR_JSON = "application/fhir+json"
FHIR_XML = "application/fhir+xml"
OBJECT = "{http://www.w3.org/2000/09/xmldsig#}Object"


class Inexact(Flaw):
    """A decimal that canonical JSON would change, so that nothing signed can be read.

    `rounded` is what a signer may have signed all the same; None where not even that is.
    """

    def __init__(self, place: str, rounded: bytes | None) -> None:
        made = failed("canonicalization", FORMAT_FAILURE, place)
        super().__init__(made.check, made.sub_indication)
        self.rounded = rounded


class Target(Protocol):
    """A resource that something signs."""

    @property
    def media_type(self) -> str: ...

    @property
    def family(self) -> str:
        """URI of the canonicalisation that signs everything."""

    @property
    def methods(self) -> tuple[str, ...]: ...

    @property
    def own(self) -> bool:
        """Whether the signature stands in it."""

    @property
    def is_document(self) -> bool:
        """Whether it is a Bundle of the type document."""

    def forms(self, method: str) -> tuple[bytes, ...]:
        """Return the octets `method` may digest; raises the flaw that there are none."""

    def received(self, method: str) -> bytes:
        """Return what is to be read in place of the digested octets; empty for these."""

    def left_out(self, method: str) -> frozenset[str]:
        """Return what of the resource `method` does not sign."""

    def has(self, name: str) -> bool: ...

    def same(self, octets: bytes) -> bool | None:
        """Say whether content of a signature's own is this resource; None for another format."""

    def alike(self, octets: bytes) -> bool | None:
        """Say whether content in the other format says the same; None where it is none."""

    def unwrapped(self, octets: bytes) -> bytes:
        """Return the resource inside content that is `same` but not it alone; else empty."""


@dataclass(frozen=True)
class JsonTarget:
    """A resource in JSON; `place` is its JSON pointer."""

    resource: Json
    place: str
    own: bool
    """Whether the signature stands in it."""

    media_type = FHIR_JSON
    family = canonical.JSON
    methods = canonical.METHODS

    @property
    def is_document(self) -> bool:
        return self.resource.get("type") == "document"

    def forms(self, method: str) -> tuple[bytes, ...]:
        return (self._canonical(method),)

    def received(self, method: str) -> bytes:
        return text.dumps(self._restricted(method))

    def left_out(self, method: str) -> frozenset[str]:
        return canonical.left_out(self.resource, method)

    def has(self, name: str) -> bool:
        return name in self.resource

    def unsigned_precision(self, method: str) -> int:
        """Return how many numbers are written with digits that no signature covers."""
        return canonical.unsigned_precision(self._restricted(method))

    def same(self, octets: bytes) -> bool | None:
        if is_xml(octets[:64]):
            return None
        try:
            theirs = canonical.restricted(text.loads(octets), canonical.JSON, self.own)
            return canonical.canonical(theirs) == self._canonical(canonical.JSON)
        except (Rejected, canonical.NotExact):
            return False

    def alike(self, octets: bytes) -> bool | None:
        try:
            return alike.same(self.resource, _bare(parse(octets)), canonical.SIGNATURE)
        except Rejected:
            return None

    def unwrapped(self, octets: bytes) -> bytes:
        return b""

    def _restricted(self, method: str) -> Json:
        return canonical.restricted(self.resource, method, self.own)

    def _canonical(self, method: str) -> bytes:
        restricted = self._restricted(method)
        try:
            return canonical.canonical(restricted)
        except canonical.NotExact as error:
            try:
                rounded = canonical.rounded(restricted)
            except canonical.NotExact:
                rounded = None
            raise Inexact(f"{self.place}{error}", rounded) from error


@dataclass(frozen=True)
class XmlTarget:
    """A resource in XML."""

    element: etree._Element
    own: bool

    media_type = FHIR_XML
    family = canonical_xml.XML
    methods = canonical_xml.METHODS

    @property
    def is_document(self) -> bool:
        kind = self.element.find(f"{{{canonical_xml.FHIR}}}type")
        return kind is not None and kind.get("value") == "document"

    def forms(self, method: str) -> tuple[bytes, ...]:
        try:
            return canonical_xml.forms(self.element, method, self.own)
        except canonical_xml.Foreign as error:
            detail = f"{error} is not FHIR's"
            raise undecided("canonicalization", SIG_CONSTRAINTS_FAILURE, detail) from error

    def received(self, method: str) -> bytes:
        return b""

    def left_out(self, method: str) -> frozenset[str]:
        return canonical_xml.left_out(self.element, method)

    def has(self, name: str) -> bool:
        return self.element.find(f"{{{canonical_xml.FHIR}}}{name}") is not None

    def same(self, octets: bytes) -> bool | None:
        if not is_xml(octets[:64]):
            return None
        try:
            form = canonical_xml.forms(_bare(parse(octets)), canonical_xml.XML, self.own)
        except (Rejected, canonical_xml.Foreign):
            return False
        return form == self.forms(canonical_xml.XML)

    def alike(self, octets: bytes) -> bool | None:
        try:
            return alike.same(text.loads(octets), self.element, canonical.SIGNATURE)
        except Rejected:
            return None

    def unwrapped(self, octets: bytes) -> bytes:
        root = parse(octets)
        inner = _bare(root)
        return b"" if inner is root else self.forms(canonical_xml.XML)[1]


def _bare(element: etree._Element) -> etree._Element:
    """Return the resource: an enveloping XML signature digests the Object around it."""
    return element[0] if element.tag == OBJECT and len(element) == 1 else element
