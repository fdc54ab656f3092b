"""A signature report as the validation report of ETSI TS 119 102-2 (XML).

Names and order of elements are those of the standard's schema (v1.2.1); what it has no
element for goes in as additional report data under names of our own (`urn:fhir-gateway:`).

Source: ETSI TS 119 102-2 v1.2.1, clause 4 (elements) and annex A (schema).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lxml import etree

from gateway.model import (
    AttorneyFinding,
    Check,
    CheckStatus,
    Covered,
    Indication,
    SignatureFinding,
    SignatureReport,
    TimestampFinding,
)
from gateway.signature_report import attorneys

VR = "http://uri.etsi.org/19102/v1.2.1#"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
URN = "urn:etsi:019102:"
OWN = "urn:fhir-gateway:"

EMBEDDED_BYTES_MAX = 64 * 1024
"""A longer object (a list of a large authority) is named by its digest."""

_MAIN = {
    Indication.TOTAL_PASSED: "total-passed",
    Indication.TOTAL_FAILED: "total-failed",
    Indication.INDETERMINATE: "indeterminate",
}
_CHECKED = {
    CheckStatus.PASSED: "passed",
    CheckStatus.FAILED: "failed",
    CheckStatus.INDETERMINATE: "indeterminate",
}
_OBJECTS = {"certificate": "certificate", "crl": "CRL", "ocsp": "OCSPResponse"}
_PROCESS = {"T": "LTVM", "LT": "LTVM", "LTA": "LTA"}
_STAMPS = (
    ("content", "AllDataObjectsTimeStamp"),
    ("signature", "SignatureTimeStamp"),
    ("references", "SigAndRefsTimeStamp"),
    ("archive", "ArchiveTimeStamp"),
)


def to_etsi(report: SignatureReport) -> bytes:
    """Return the report as an XML document, UTF-8."""
    root = etree.Element(_vr("ValidationReport"), nsmap={"vr": VR, "ds": DS, "xades": XADES})
    findings = list(_all(report.signatures))
    for number, finding in enumerate(findings):
        _signature(root, finding, report, f"S{number}")
    # What the powers of attorney rest on is evidence too; what they say is told by digest.
    others = [finding for one in report.attorneys for finding in _all(one.signatures)]
    objects = _objects([*findings, *others])
    if objects:
        wrapped = _below(root, "SignatureValidationObjects")
        for id, (kind, blob) in objects.items():
            _object(wrapped, id, kind, blob)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _all(findings: Sequence[SignatureFinding]) -> Iterator[SignatureFinding]:
    """Yield every signature, each followed by those that counter-sign it."""
    for finding in findings:
        yield finding
        yield from _all(finding.counter_signatures)


def _signature(
    root: etree._Element, finding: SignatureFinding, report: SignatureReport, id: str
) -> None:
    one = _below(root, "SignatureValidationReport")
    identifier = _below(one, "SignatureIdentifier")
    identifier.set("id", id)
    _below(identifier, "HashOnly", "false")
    _below(identifier, "DocHashOnly", "false")
    _below(identifier, "DAIdentifier", finding.place or "document")
    _constraints(one, finding, report)
    _times(one, finding)
    _signed(one, finding)
    _attributes(one, finding)
    _signer(one, finding)
    quality = _below(one, "SignatureQuality")
    kind = f"{OWN}qualification:{finding.qualification}"
    _below(quality, "SignatureQualityInformation", kind)
    process = _below(one, "SignatureValidationProcess")
    name = _PROCESS.get(finding.level, "Basic")
    _below(process, "SignatureValidationProcessID", f"{URN}validationprocess:{name}")
    _status(one, finding, report)


def _constraints(one: etree._Element, finding: SignatureFinding, report: SignatureReport) -> None:
    evaluated = _below(one, "ValidationConstraintsEvaluationReport")
    policy = _below(evaluated, "SignatureValidationPolicy")
    identifier = _below(policy, "SignaturePolicyIdentifier")
    outer = etree.SubElement(identifier, f"{{{XADES}}}SignaturePolicyId")
    named = etree.SubElement(outer, f"{{{XADES}}}SigPolicyId")
    name = report.judge.policy or "standard"
    etree.SubElement(named, f"{{{XADES}}}Identifier").text = f"{OWN}policy:{name}"
    _hashed(
        etree.SubElement(outer, f"{{{XADES}}}SigPolicyHash"),
        bytes.fromhex(report.judge.policy_sha256),
    )
    _below(policy, "PolicyName", name)
    for group, checks in (("check", finding.checks), ("63-fz", finding.qualification_checks)):
        for check in checks:
            _constraint(evaluated, check, f"{OWN}{group}:{check.name}")


def _constraint(evaluated: etree._Element, check: Check, identifier: str) -> None:
    one = _below(evaluated, "ValidationConstraint")
    _below(one, "ValidationConstraintIdentifier", identifier)
    if check.detail:
        _typed(_below(one, "ValidationConstraintParameter"), "detail", check.detail)
    done = check.status is not CheckStatus.NOT_DONE
    applied = "applied" if done else "disabled"
    _below(_below(one, "ConstraintStatus"), "Status", f"{URN}constraintStatus:{applied}")
    if done:
        word = f"{URN}mainindication:{_CHECKED[check.status]}"
        _below(_below(one, "ValidationStatus"), "MainIndication", word)


def _times(one: etree._Element, finding: SignatureFinding) -> None:
    times = finding.times
    told = _below(one, "ValidationTimeInfo")
    _below(told, "ValidationTime", _moment(times.validation))
    best = _below(told, "BestSignatureTime")
    # Without any proof the best time is that of the validation (EN 319 102-1, 5.5.4).
    _below(best, "POETime", _moment(times.best or times.validation))
    stamped = times.best in {stamp.at for stamp in finding.timestamps}
    proof = "validation" if stamped or times.best is None else "provided"
    _below(best, "TypeOfProof", f"{URN}poetype:{proof}")


def _signed(one: etree._Element, finding: SignatureFinding) -> None:
    if not finding.covered:
        return
    document = _below(one, "SignersDocument")
    _digest(document, hashlib.sha256(finding.covered[0].octets).digest())
    for covered in finding.covered:
        reference = _below(document, "SignersDocumentRepresentation")
        reference.set("VOReference", _id("signed", covered.octets))


def _attributes(one: etree._Element, finding: SignatureFinding) -> None:
    stamps = [(name, stamp) for kind, name in _STAMPS for stamp in _of(finding, kind)]
    if finding.times.claimed is None and not stamps:
        return
    attributes = _below(one, "SignatureAttributes")
    if finding.times.claimed is not None:
        claimed = _below(attributes, "SigningTime")
        claimed.set("Signed", "true")
        _below(claimed, "Time", _moment(finding.times.claimed))
    for name, stamp in stamps:
        _below(_below(attributes, name), "TimeStampValue", _moment(stamp.at))


def _of(finding: SignatureFinding, kind: str) -> Iterator[TimestampFinding]:
    return (stamp for stamp in finding.timestamps if stamp.kind == kind)


def _signer(one: etree._Element, finding: SignatureFinding) -> None:
    chain = _chain(finding)
    if finding.signer is None or not chain:
        return
    told = _below(one, "SignerInformation")
    _below(told, "SignerCertificate").set("VOReference", _id("certificate", chain[0]))
    _below(told, "Signer", finding.signer.subject)


def _status(one: etree._Element, finding: SignatureFinding, report: SignatureReport) -> None:
    status = _below(one, "SignatureValidationStatus")
    _below(status, "MainIndication", f"{URN}mainindication:{_MAIN[finding.indication]}")
    if finding.sub_indication:
        _below(status, "SubIndication", f"{URN}subindication:{finding.sub_indication}")
    associated = _below(status, "AssociatedValidationReportData")
    chain = _chain(finding)
    if chain:
        anchors = {blob for kind, blob in finding.evidence if kind == "anchor"}
        path = _below(associated, "CertificateChain")
        for position, der in enumerate(chain):
            name = (
                "IntermediateCertificate"
                if hashlib.sha256(der).digest() not in anchors
                else "TrustAnchor"
            )
            name = name if position else "SigningCertificate"
            _below(path, name).set("VOReference", _id("certificate", der))
    for kind, blob in finding.evidence:
        if kind in ("crl", "ocsp"):
            reference = _below(associated, "RelatedValidationObject")
            reference.set("VOReference", _id(kind, blob))
    more = _below(associated, "AdditionalValidationReportData")
    _typed(_below(more, "ReportData"), "engine", report.judge.engine)
    certified = "true" if report.judge.certified else "false"
    _typed(_below(more, "ReportData"), "engine-certified", certified)
    _typed(_below(more, "ReportData"), "format", f"{finding.format} {finding.level}".strip())
    for covered in finding.covered:
        _typed(_below(more, "ReportData"), "scope", _scope(covered))
    for hint in finding.hints:
        _typed(_below(more, "ReportData"), "hint", hint)
    for attorney in report.attorneys:
        if attorney.place == finding.attorney:
            for name, value in _powers(attorney):
                _typed(_below(more, "ReportData"), f"attorney-{name}", value)


def _powers(one: AttorneyFinding) -> Iterator[tuple[str, str]]:
    """Yield what the power of attorney says under which the signer acts, and its verdict."""
    yield "number", one.number
    yield "sha256", one.sha256
    yield "principals", attorneys.parties(one.principals)
    yield "term", f"{one.issued}/{one.expires}"
    yield "powers", " ".join(one.powers)
    yield "indication", " ".join(filter(None, (one.indication.value, one.sub_indication)))
    yield "registry", one.registry.state


def _scope(covered: Covered) -> str:
    encloses = {True: "yes", False: "no", None: "none"}[covered.covers_enclosing]
    return f"{covered.scope}; covers_enclosing: {encloses}"


def _chain(finding: SignatureFinding) -> list[bytes]:
    """Return the signer's chain: the first certificates of the evidence, to its first list."""
    chain = []
    for kind, blob in finding.evidence:
        if kind != "certificate":
            break
        chain.append(blob)
    return chain


def _objects(findings: Sequence[SignatureFinding]) -> dict[str, tuple[str, bytes]]:
    found: dict[str, tuple[str, bytes]] = {}
    for finding in findings:
        for covered in finding.covered:
            found[_id("signed", covered.octets)] = ("signed", covered.octets)
        for kind, blob in finding.evidence:
            if kind in _OBJECTS:
                found.setdefault(_id(kind, blob), (kind, blob))
    return found


def _object(wrapped: etree._Element, id: str, kind: str, blob: bytes) -> None:
    one = _below(wrapped, "ValidationObject")
    one.set("id", id)
    _below(one, "ObjectType", f"{URN}validationObject:{_OBJECTS.get(kind, 'signedData')}")
    shown = _below(one, "ValidationObjectRepresentation")
    # What was signed may be a patient's: a report names it by its digest alone.
    if kind in _OBJECTS and len(blob) <= EMBEDDED_BYTES_MAX:
        _below(shown, "base64", base64.b64encode(blob).decode("ascii"))
    else:
        _digest(shown, hashlib.sha256(blob).digest())


def _id(kind: str, blob: bytes) -> str:
    return f"{kind}-{hashlib.sha256(blob).hexdigest()}"


def _typed(parent: etree._Element, name: str, value: str) -> None:
    _below(parent, "Type", OWN + name)
    _below(parent, "Value", value)


def _digest(parent: etree._Element, digest: bytes) -> None:
    _hashed(_below(parent, "DigestAlgAndValue"), digest)


def _hashed(parent: etree._Element, digest: bytes) -> None:
    etree.SubElement(parent, f"{{{DS}}}DigestMethod").set("Algorithm", SHA256)
    value = etree.SubElement(parent, f"{{{DS}}}DigestValue")
    value.text = base64.b64encode(digest).decode("ascii")


def _below(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, _vr(name))
    if text is not None:
        # XML cannot hold what a certificate's name may: control characters, lone surrogates.
        element.text = "".join(c for c in text if c.isprintable())
    return element


def _vr(name: str) -> str:
    return f"{{{VR}}}{name}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
