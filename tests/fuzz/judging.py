"""What the verifier says of an input, in the words of the fuzzer: shared by the signature forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from gateway.errors import Rejected
from gateway.fhir import canonical, text
from gateway.model import (
    CheckedSignature,
    Covered,
    Indication,
    Part,
    SignatureFinding,
    SignatureReport,
)
from gateway.signature_report.as_etsi import to_etsi
from gateway.signature_report.as_json import to_json
from gateway.signatures.interface import forms
from gateway.verification import signed_octets
from tests.fuzz.ground import Bench
from tests.fuzz.values import PASSED, REFUSED, UNDECIDED, Believed, Outcome
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import beside, document

WORDS = {
    Indication.TOTAL_PASSED: PASSED,
    Indication.TOTAL_FAILED: REFUSED,
    Indication.INDETERMINATE: UNDECIDED,
}


def verified(
    bench: Bench, octets: bytes, *signatures: bytes, media_type: str = "application/octet-stream"
) -> Outcome:
    """Verify as the line does, write the reports, and return what would be believed."""
    part = document(octets, media_type)
    report = bench.verifier.verify(part, beside(*signatures), NOW)
    return told(report, part)


def told(report: SignatureReport, part: Part) -> Outcome:
    """Return a report as an outcome; what contradicts itself in it is a failure."""
    json.dumps(to_json(report))
    to_etsi(report)
    believed = frozenset(of for finding in report.signatures for of in _of_finding(finding))
    if report.indication is Indication.TOTAL_PASSED:
        assert believed, "passes with nothing signed"
        with suppress(Rejected):
            read, _ = signed_octets(report, part)
            contents = [c for f in report.signatures for c in f.covered]
            assert read in [c.received or c.octets for c in contents], "reads what nobody signed"
    return Outcome(word=WORDS[report.indication], believed=believed)


def computed(octets: bytes, *signatures: bytes, media_type: str = "") -> Outcome:
    """Check the mathematics alone: for signers that nobody here trusts."""
    part = Part(name="document", media_type=media_type, body=octets)
    found = [
        one
        for form in forms().values()
        for one in form.check(part, beside(*signatures), ALGORITHMS)
    ]
    return of_checked(found)


def of_checked(found: list[CheckedSignature]) -> Outcome:
    """Return checked signatures as an outcome."""
    indications = [one.indication for one in found]
    word = UNDECIDED
    if Indication.TOTAL_FAILED in indications:
        word = REFUSED
    elif found and set(indications) == {Indication.TOTAL_PASSED}:
        word = PASSED
    believed = frozenset(of for one in found for of in _of_checked(one))
    assert believed or word != PASSED, "passes with nothing signed"
    return Outcome(word=word, believed=believed)


def _of_finding(finding: SignatureFinding) -> Iterator[tuple[bytes, str]]:
    """Yield what a finding makes believe: its content, its signer, its proven times."""
    if finding.indication is not Indication.TOTAL_PASSED:
        return
    assert finding.signer is not None
    yield from _contents(finding.covered, finding.signer.certificate_sha256)
    for stamp in finding.timestamps:
        if stamp.indication is Indication.TOTAL_PASSED:
            assert stamp.authority is not None
            yield stamp.at.isoformat().encode(), stamp.authority.certificate_sha256
    for counter in finding.counter_signatures:
        yield from _of_finding(counter)


def _of_checked(one: CheckedSignature) -> Iterator[tuple[bytes, str]]:
    if one.indication is not Indication.TOTAL_PASSED:
        return
    assert one.certificate is not None
    yield from _contents(one.covered, one.certificate.hex())
    for stamp in one.timestamps:
        if stamp.indication is Indication.TOTAL_PASSED:
            assert stamp.certificate is not None
            yield stamp.at.isoformat().encode(), stamp.certificate.hex()
    for counter in one.counter_signatures:
        yield from _of_checked(counter)


def _contents(covered: tuple[Covered, ...], signer: str) -> Iterator[tuple[bytes, str]]:
    for one in covered:
        if one.received:
            read = canonical.canonical(text.loads(one.received))
            assert read == one.octets, "what is read is not what was digested"
        yield one.octets, signer


def nothing(word: str) -> Outcome:
    """Return the outcome of an input that nobody signed."""
    return Outcome(word=word)


def believing(octets: bytes, who: str = "") -> Believed:
    return frozenset({(octets, who)})
