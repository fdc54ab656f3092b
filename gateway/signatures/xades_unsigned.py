"""XAdES unsigned properties: time stamps, validation material, counter-signatures.

Nothing here is signed by the signer.  Material is handed on for others to judge; a time stamp
is checked over exactly the octets its kind stamps.

Source: ETSI EN 319 132-1, clauses 5.2.8 and 5.3 to 5.5; ETSI TS 101 903 V1.3.2, clause 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedTimestamp
from gateway.signatures import findings, record_stamps, timestamps, xml_records
from gateway.signatures import xml_names as names
from gateway.signatures.directory import Directory
from gateway.signatures.evidence_records import CHECK, Record
from gateway.signatures.findings import SIG_CONSTRAINTS_FAILURE, undecided
from gateway.signatures.record_stamps import Bench
from gateway.signatures.xml_references import Reference
from gateway.signatures.xml_source import Source
from gateway.signatures.xml_structure import DS, SIGNATURE, decode, local
from gateway.xml import c14n

PROPERTIES_MAX = 64
STAMPS_MAX = 16
MATERIAL_MAX = 256
"""Certificates, lists and responses that one signature may bring."""

RECORDS = "SealingEvidenceRecords"

_VALUES = {
    "EncapsulatedX509Certificate": "certificate",
    "EncapsulatedCRLValue": "crl",
    "EncapsulatedOCSPValue": "ocsp",
}
_INFORMATION = {"CERT": "certificate", "CRL": "crl", "OCSP": "ocsp"}
_REFERENCES = (
    "CompleteCertificateRefs",
    "CompleteRevocationRefs",
    "AttributeCertificateRefs",
    "AttributeRevocationRefs",
    "CompleteCertificateRefsV2",
    "AttributeCertificateRefsV2",
)
_KINDS = {
    "SignatureTimeStamp": "signature",
    "SigAndRefsTimeStamp": "references",
    "SigAndRefsTimeStampV2": "references",
    "RefsOnlyTimeStamp": "references",
    "RefsOnlyTimeStampV2": "references",
    "ArchiveTimeStamp": "archive",
}


@dataclass(kw_only=True)
class Unsigned:
    """What stands in UnsignedProperties."""

    certificates: list[bytes] = field(default_factory=list)
    revocations: list[tuple[str, bytes]] = field(default_factory=list)
    counter_signatures: list[etree._Element] = field(default_factory=list)
    properties: list[etree._Element] = field(default_factory=list)
    """All unsigned signature properties, as they stand."""

    policy_document: bytes | None = None
    hints: list[str] = field(default_factory=list)
    material: bool = False
    """Values to validate with are there: level LT."""


def read(block: etree._Element) -> Unsigned:
    """Read the unsigned properties of QualifyingProperties."""
    x = f"{{{etree.QName(block).namespace}}}"
    found = Unsigned()
    path = f"{x}UnsignedProperties/{x}UnsignedSignatureProperties"
    found.properties = [one for holder in block.iterfind(path) for one in holder.iterchildren("*")]
    if len(found.properties) > PROPERTIES_MAX:
        detail = f"{len(found.properties)} unsigned properties"
        raise undecided("unsigned_attributes", SIG_CONSTRAINTS_FAILURE, detail)
    for one in found.properties:
        name = local(one)
        if name == "CounterSignature":
            found.counter_signatures.extend(one.iterchildren(SIGNATURE))
        elif name == "SignaturePolicyStore":
            document = one.find(f"{{{names.XADES_141}}}SignaturePolicyDocument")
            found.policy_document = decode(document) if document is not None else None
        elif name not in _KINDS:
            _material(one, found)
    return found


def _material(holder: etree._Element, found: Unsigned) -> None:
    for element in holder.iter("*"):
        kind = _VALUES.get(local(element)) or _of_record(element)
        if kind is None:
            continue
        found.material = True
        if len(found.certificates) + len(found.revocations) >= MATERIAL_MAX:
            raise undecided("unsigned_attributes", SIG_CONSTRAINTS_FAILURE, "too much material")
        try:
            octets = decode(element)
        except findings.Flaw:
            # Nobody signed it, so it proves nothing: the certificate is looked for elsewhere.
            found.hints.append(f"unreadable {local(element)} among the unsigned properties")
            continue
        if kind == "certificate":
            found.certificates.append(octets)
        else:
            found.revocations.append((kind, octets))


def _of_record(element: etree._Element) -> str | None:
    """Return what an evidence record in XML has to judge its stamps by (RFC 6283, section 3.1)."""
    if element.tag != f"{xml_records.ERS}CryptographicInformation":
        return None
    return _INFORMATION.get(element.get("Type") or "")


@dataclass(kw_only=True)
class Stamper:
    """Checks the time stamps of one signature."""

    signature: etree._Element
    source: Source
    algorithms: Algorithms
    data: Sequence[tuple[Reference, bytes]]
    """Each reference of SignedInfo with the octets it digests, in order."""

    known: Sequence[bytes]
    """Certificates among which an authority's may be, DER."""

    directory: Directory
    """Certificates at hand that a token may name without bringing them."""

    complete: bool
    """The octets of every reference were found; content and archive stamps need them all."""

    def content(self, stamps: Sequence[etree._Element]) -> list[CheckedTimestamp]:
        """Check time stamps over the content; `stamps` stand in the signed octets."""
        found: list[CheckedTimestamp] = []
        for stamp in stamps:
            try:
                found.extend(self._tokens(stamp, b"".join(self._content(stamp)), "content"))
            except findings.Flaw as flaw:
                found.append(timestamps.unproven("content", flaw))
        return found

    def unsigned(self, properties: Sequence[etree._Element]) -> list[CheckedTimestamp]:
        """Check the time stamps among the unsigned properties."""
        found: list[CheckedTimestamp] = []
        earlier: frozenset[str] = frozenset()
        for position, one in enumerate(properties):
            if local(one) == RECORDS:
                there = self._records(one, properties[:position], earlier)
                found.extend(there)
                earlier |= {stamp.sha256 for stamp in there}
            kind = _KINDS.get(local(one))
            if kind is None:
                continue
            try:
                stamped = self._stamped(one, kind, properties[:position])
                tokens = self._tokens(one, stamped, kind)
                found.extend(replace(token, covers=earlier) for token in tokens)
                earlier |= {token.sha256 for token in tokens}
            except findings.Flaw as flaw:
                found.append(timestamps.unproven(kind, flaw))
            _not_too_many(found)
        _not_too_many(found)
        return found

    def _tokens(self, stamp: etree._Element, stamped: bytes, kind: str) -> list[CheckedTimestamp]:
        tokens = [one for one in stamp.iterchildren("*") if local(one) == "EncapsulatedTimeStamp"]
        if not tokens:
            raise undecided("timestamps", SIG_CONSTRAINTS_FAILURE, "time stamp of no known kind")
        if len(tokens) > STAMPS_MAX:
            raise undecided("timestamps", SIG_CONSTRAINTS_FAILURE, f"{len(tokens)} tokens")
        found = []
        digests: dict[str, bytes] = {}
        for token in tokens:
            self.source.allowance.take()
            octets, at_hand = decode(token), self.directory
            found.append(
                timestamps.check_token(
                    octets, stamped, kind, self.algorithms, self.known, digests, directory=at_hand
                )
            )
        return found

    def _records(
        self,
        holder: etree._Element,
        earlier: Sequence[etree._Element],
        before: frozenset[str],
    ) -> list[CheckedTimestamp]:
        """Check the evidence records of one property; none of them covers another."""
        bench = Bench(algorithms=self.algorithms, known=self.known, directory=self.directory)
        group = _Group(partial(self._objects_of_record, earlier), self.algorithms)
        found: list[CheckedTimestamp] = []
        for one in xml_records.read(holder, group, self.algorithms, self._less):
            try:
                for _ in one.record.stamps if isinstance(one.record, Record) else ():
                    self.source.allowance.take()
            except findings.Flaw as flaw:
                return [*found, timestamps.unproven("archive", flaw)]
            stamps = record_stamps.stamps_of(one.record, one.roots, bench)
            found.extend(stamp for stamp, _ in record_stamps.chained(stamps, before))
            _not_too_many(found)
        return found

    # --- the octets each kind stamps -----------------------------------------------------

    def _objects_of_record(self, earlier: Sequence[etree._Element]) -> list[bytes]:
        """Return the objects that an evidence record is over (ETSI TS 119 132-3, clause 5)."""
        if not self.complete:
            detail = "what the time stamp covers is not all at hand"
            raise undecided(CHECK, findings.SIGNED_DATA_NOT_FOUND, detail)
        if any(reference.type == names.MANIFEST for reference, _ in self.data):
            raise undecided(CHECK, SIG_CONSTRAINTS_FAILURE, "covers what a manifest names")
        info = self.signature.findall(f"{DS}SignedInfo")
        parts = [
            *info,
            *self.signature.findall(f"{DS}SignatureValue"),
            *self.signature.findall(f"{DS}KeyInfo"),
            *earlier,
            *self._objects(only_loose=False),
        ]
        method = _method(info[0])
        return [*(octets for _, octets in self.data), *(self._less(one, method) for one in parts)]

    def _less(
        self, element: etree._Element, method: str, omit: Sequence[etree._Element] = ()
    ) -> bytes:
        octets = c14n.canonical(element, method, omit=omit)
        self.source.spend(len(octets))
        return octets

    def _content(self, stamp: etree._Element) -> list[bytes]:
        """Return what a time stamp over the content stamps (clause 5.2.8)."""
        self._needs_all()
        if local(stamp) == "AllDataObjectsTimeStamp":
            return [
                octets
                for reference, octets in self.data
                if reference.type not in names.SIGNED_PROPERTIES_ALL
            ]
        by_id = {reference.id: octets for reference, octets in self.data if reference.id}
        wanted = [
            (one.get("URI") or "").removeprefix("#")
            for one in stamp.iterchildren("*")
            if local(one) == "Include"
        ]
        if not wanted or any(label not in by_id for label in wanted):
            detail = "a time stamp over references that are not there"
            raise undecided("timestamps", SIG_CONSTRAINTS_FAILURE, detail)
        return [by_id[label] for label in wanted]

    def _stamped(
        self, stamp: etree._Element, kind: str, earlier: Sequence[etree._Element]
    ) -> bytes:
        method = _method(stamp)
        value = self.signature.findall(f"{DS}SignatureValue")
        if kind == "signature":
            return self._written(value, method)
        if kind == "references":
            only = local(stamp).startswith("RefsOnly")
            wanted = _REFERENCES if only else ("SignatureTimeStamp", *_REFERENCES)
            chosen = [one for one in earlier if local(one) in wanted]
            return self._written([*([] if only else value), *chosen], method)
        self._needs_all()
        parts = [octets for _, octets in self.data]
        signed = [
            *self.signature.findall(f"{DS}SignedInfo"),
            *value,
            *self.signature.findall(f"{DS}KeyInfo"),
        ]
        objects = self._objects(only_loose=etree.QName(stamp).namespace != names.XADES_141)
        parts.append(self._written([*signed, *earlier, *objects], method))
        return b"".join(parts)

    def _objects(self, only_loose: bool) -> list[etree._Element]:
        """Return the Objects but for that of the properties.

        Version 1.4.1 stamps them all (clause 5.5.2.2), 1.3.2 those that no reference names.
        """
        named = {(reference.uri or "").removeprefix("#") for reference, _ in self.data}
        return [
            one
            for one in self.signature.iterchildren(f"{DS}Object")
            if not (only_loose and one.get("Id") in named)
            and all(local(child) != "QualifyingProperties" for child in one.iterchildren("*"))
        ]

    def _written(self, elements: Sequence[etree._Element], method: str) -> bytes:
        octets = b"".join(c14n.canonical(element, method) for element in elements)
        self.source.spend(len(octets))
        return octets

    def _needs_all(self) -> None:
        if not self.complete:
            detail = "what the time stamp covers is not all at hand"
            raise undecided("timestamps", findings.SIGNED_DATA_NOT_FOUND, detail)


@dataclass
class _Group:
    """The objects that a record is over, written once and digested as each chain asks."""

    objects: Callable[[], list[bytes]]
    algorithms: Algorithms
    _written: list[bytes] | None = None
    _joined: dict[str, tuple[bytes]] = field(default_factory=dict)

    def __call__(self, name: str) -> tuple[bytes]:
        """Return the octets whose digest is that of the group."""
        if self._written is None:
            self._written = self.objects()
        if name not in self._joined:
            hashes = [findings.digest(self.algorithms, name, one, CHECK) for one in self._written]
            self._joined[name] = (b"".join(sorted(hashes)),)
        return self._joined[name]


def _not_too_many(stamps: Sequence[CheckedTimestamp]) -> None:
    if len(stamps) > STAMPS_MAX:
        detail = f"more than {STAMPS_MAX} time stamps"
        raise undecided("timestamps", SIG_CONSTRAINTS_FAILURE, detail)


def _method(stamp: etree._Element) -> str:
    element = stamp.find(f"{DS}CanonicalizationMethod")
    method = c14n.C14N_10 if element is None else element.get("Algorithm") or ""
    if method not in c14n.METHODS:
        detail = f"{findings.shown(method, names.KNOWN)} unsupported"
        raise undecided("timestamps", SIG_CONSTRAINTS_FAILURE, detail)
    return method
