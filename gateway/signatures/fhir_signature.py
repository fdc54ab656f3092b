"""FHIR Signatures: a CMS, JWS or XML signature inside the resource it signs, or about it.

The signature is unwrapped and handed to the form that knows it, as if it had come beside the
canonical form of its target.  What may be read after is what was digested: for JSON the
received tree restricted to the digested members, so `5.00` stays `5.00`.

Source: https://hl7.org/fhir/R4/datatypes.html#Signature, bundle.html, provenance.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import islice

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, CheckStatus, Json, Part
from gateway.signatures import fhir_coverage, fhir_declared, interface
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.fhir_carriers import CARRIED_MAX, Carried, carried
from gateway.signatures.fhir_targets import Inexact, Target
from gateway.signatures.findings import (
    SIG_CONSTRAINTS_FAILURE,
    Flaw,
    refused,
    shown,
    undecided,
)
from gateway.xml.parser import is_xml

NAME = "fhir_signature"

DIGESTED_BYTES_MAX = 32 * 1024 * 1024
"""Canonical octets that all Signatures of a document may make us write: about 10 s of work.
A document of the largest size (25 MiB) has one such Signature, or many over small parts."""

HINT_BYTES_MAX = 1024 * 1024
"""Largest target that is tried under other methods after a failure."""

SHORT = len("http://hl7.org/fhir/canonicalization/")


def check(
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    *,
    directory: Directory = NOBODY,
) -> tuple[CheckedSignature, ...]:
    """Check the FHIR Signatures in `document`.

    Only the one of the root Bundle covers the document; one further in covers its own bundle.
    """
    try:
        several = list(islice(carried(document.body), CARRIED_MAX))
    except Flaw as flaw:
        return (refused("document", flaw),)
    work = _Work(algorithms, directory)
    # One of them may bring several.
    return tuple(islice((made for one in several for made in _check(one, work)), CARRIED_MAX))


class _Work:
    """Checks Signatures one after another, and no more of them than a document may ask for."""

    def __init__(self, algorithms: Algorithms, directory: Directory) -> None:
        self.algorithms = algorithms
        self.directory = directory
        self.digested = 0

    def over(
        self, target: Target, method: str, data: bytes
    ) -> tuple[list[CheckedSignature], tuple[bytes, ...]]:
        """Check `data` over the octets of one method; return also what these may be."""
        if self.digested > DIGESTED_BYTES_MAX:
            detail = f"more than {DIGESTED_BYTES_MAX} octets to digest"
            raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
        forms = target.forms(method)
        self.digested += len(forms[0])
        made: list[CheckedSignature] = []
        for octets in forms:
            made = self.run(data, octets)
            if any(one.covered for one in made):
                break
        return made, forms

    def run(self, data: bytes, over: bytes | None) -> list[CheckedSignature]:
        """Check `data` by the forms that may stand inside, over `over` or what it brings itself."""
        part = Part(name="signature", media_type="application/octet-stream", body=data)
        names = ("xml",) if is_xml(data[:64]) else ("cms", "jws")
        document, beside = part, tuple[Part, ...]()
        if over is not None:
            document, beside = Part(name="document", media_type="", body=over), (part,)
        where = "signature[0]" if over is not None else "document"
        return [
            one
            for form in _forms(names)
            for one in form.check(document, beside, self.algorithms, directory=self.directory)
            if one.place.startswith(where)
        ]

    def verifies_under(self, target: Target, declared: str, data: bytes) -> str:
        """Return another method under which `data` holds, for a hint; empty where none does."""
        for method in target.methods:
            if method != declared:
                made, _ = self.over(target, method, data)
                if any(one.covered for one in made):
                    return method
        return ""


def _check(one: Carried, work: _Work) -> Iterator[CheckedSignature]:
    try:
        signature, data = fhir_declared.opened(one.signature)
        checked = _checked(one, signature, data, work)
    except Inexact as flaw:
        yield replace(refused(one.place, flaw), hints=_rounded(flaw, data, work))
        return
    except Flaw as flaw:
        if not one.attached_only:
            yield refused(one.place, flaw)
        return
    if not checked and not one.attached_only:
        written = str(signature.get("sigFormat", "")).partition(";")[0].strip()
        kind = shown(written, fhir_declared.KNOWN_FORMS, "sigFormat")
        detail = f"{kind} is no signature that can be checked here"
        yield refused(one.place, undecided("format", SIG_CONSTRAINTS_FAILURE, detail))
    claimed = fhir_declared.claimed(signature, one.around)
    for made in checked:
        hints = made.hints
        if fhir_declared.when_compared(signature, made.claimed_at) == "mismatch":
            hints = (*hints, "Signature.when differs from the time that is signed")
        yield replace(made, claimed=claimed, hints=hints)


def _checked(one: Carried, signature: Json, data: bytes, work: _Work) -> list[CheckedSignature]:
    if one.target is None:
        # Nothing to be detached from: only content that the signature brings can be checked.
        made = work.run(data, None)
        return [fhir_coverage.related(m, one, "", ()) for m in _placed(made, one.place)]
    method = fhir_declared.method_of(signature, data, one.target)
    made, forms = work.over(one.target, method, data)
    related = [fhir_coverage.related(m, one, method, forms) for m in _placed(made, one.place)]
    fails = related and not any(m.covered for m in related) and _value_fails(related)
    if not fails or len(forms[0]) > HINT_BYTES_MAX:
        return related
    other = work.verifies_under(one.target, method, data)
    if other and not any(True for _ in fhir_declared.declared(signature, data)):
        # What fails under a canonicalisation that nobody declared is no proof of a change.
        detail = f"not declared: {method[SHORT:]} fails, {other[SHORT:]} would hold"
        raise undecided("canonicalization", SIG_CONSTRAINTS_FAILURE, detail)
    if other:
        hint = f"verifies under {other[SHORT:]}, declared is {method[SHORT:]}"
        related = [replace(m, hints=(*m.hints, hint)) for m in related]
    return related


def _value_fails(several: list[CheckedSignature]) -> bool:
    names = ("signature_value", "reference_data")
    return any(
        check.status is CheckStatus.FAILED and check.name in names
        for one in several
        for check in one.checks
    )


def _rounded(flaw: Inexact, data: bytes, work: _Work) -> tuple[str, ...]:
    """Return the hint that a signature holds over what its signer rounded, if it does."""
    if flaw.rounded is None:
        return ()
    made = work.run(data, flaw.rounded)
    holds = any(one.covered for one in made)
    return ("holds over the rounded number: the signer signed another value",) if holds else ()


def _placed(several: list[CheckedSignature], place: str) -> list[CheckedSignature]:
    rest = [one.place.removeprefix("signature[0]").removeprefix("document") for one in several]
    return [replace(one, place=place + end) for one, end in zip(several, rest, strict=True)]


@cache
def _forms(names: tuple[str, ...]) -> tuple[interface.SignatureForm, ...]:
    """Return the forms that may stand inside; the room knows them, plug-ins do not."""
    return tuple(form for name, form in interface.forms().items() if name in names)
