"""FHIR `Bundle.signature`: a CMS or a JWS inside the JSON bundle that it signs.

The signature is unwrapped and handed to the form that knows it, as if it had come beside the
bundle's canonical form.  Which canonical form, the signature declares (`canon` in the JWS
header, `canonicalization` in `targetFormat`); only that one is tried.  What may be read after
is the received tree restricted to the members that were digested, so `5.00` stays `5.00`.

A good signature over another bundle is common (53 of 141 published e-prescriptions carry
one), so what was signed is always compared with the bundle around it.

Source: https://hl7.org/fhir/R4/datatypes.html#Signature, bundle.html, json.html#canonical.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from gateway.algorithms.interface import Algorithms
from gateway.errors import Rejected
from gateway.fhir import canonical, text
from gateway.fhir.references import Bundled
from gateway.model import (
    CheckedSignature,
    Claimed,
    Covered,
    Identifier,
    Indication,
    Json,
    JsonValue,
    Part,
)
from gateway.signatures import interface, jose
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    HASH_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    Checks,
    Flaw,
    failed,
    shown,
    undecided,
)

NAME = "fhir_signature"

MEDIA_TYPE = "application/fhir+json"
OVER_THE_BUNDLE = "covers_enclosing"
"""Name of the check that what was signed is the bundle around the signature."""

NESTED_MAX = 256
"""Bundles in a bundle that are looked into."""


def _spelt(name: str) -> str:
    """Return a pattern of a JSON name that may be written with escapes."""
    return "".join(rf"(?:{letter}|\\u00{ord(letter):02x})" for letter in name)


_KNOWN_METHODS = (
    canonical.JSON + "#narrative",
    *(
        f"http://hl7.org/fhir/canonicalization/xml{form}"
        for form in ("", "#data", "#static", "#narrative", "#document")
    ),
)
_KNOWN_FORMS = tuple(
    f"application/{form}"
    for form in ("jose", "jose+json", "signature+xml", "pkcs7-signature", "pkcs7-mime", "cms")
)
"""Names a report may repeat: FHIR's own."""

_HAS_SIGNATURE = re.compile(rf'"{_spelt("signature")}"'.encode(), re.IGNORECASE)
_HAS_BUNDLE = re.compile(rf'"{_spelt("Bundle")}"'.encode())


def check(
    document: Part, signatures: tuple[Part, ...], algorithms: Algorithms
) -> tuple[CheckedSignature, ...]:
    """Check the signature of the bundle that `document` is, and of the bundles in it.

    Only the root's covers the document; one further in covers its own bundle alone.
    """
    body = document.body
    if not _HAS_SIGNATURE.search(body) or not _HAS_BUNDLE.search(body):
        return ()
    try:
        root = text.loads(body)
    except Rejected as error:
        problem = error.problems[0]
        detail = f"{problem.code} {problem.place}".rstrip()
        return (_refused("document", failed("format", FORMAT_FAILURE, detail)),)
    found: list[CheckedSignature] = []
    for bundle in _bundles(root):
        found.extend(_check(bundle, algorithms))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Signed:
    """A bundle that carries a signature."""

    bundle: Json
    place: str
    """JSON pointer of the bundle; empty for the root."""

    @property
    def signature_place(self) -> str:
        return f"{self.place}/{canonical.SIGNATURE}"


def _bundles(root: Json) -> Iterator[_Signed]:
    """Yield the root and the bundles among its entries that carry a signature."""
    if root.get("resourceType") != "Bundle":
        return
    if canonical.SIGNATURE in root:
        yield _Signed(bundle=root, place="")
    entries = root.get("entry")
    for index, entry in enumerate((entries if isinstance(entries, list) else [])[:NESTED_MAX]):
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if (
            isinstance(inner, dict)
            and inner.get("resourceType") == "Bundle"
            and canonical.SIGNATURE in inner
        ):
            yield _Signed(bundle=inner, place=f"/entry/{index}/resource")


def _check(signed: _Signed, algorithms: Algorithms) -> list[CheckedSignature]:
    try:
        signature, data = _opened(signed.bundle[canonical.SIGNATURE])
        method = _method(signature, data)
        received = canonical.restricted(signed.bundle, method)
        content = _canonical(received, signed.place)
    except Flaw as flaw:
        return [_refused(signed.signature_place, flaw)]
    bundle = Part(name="document", media_type=MEDIA_TYPE, body=content)
    part = Part(name="signature", media_type="application/octet-stream", body=data)
    made = [one for form in _others() for one in form.check(bundle, (part,), algorithms)]
    if not made:
        kind = shown(str(signature.get("sigFormat", "")), _KNOWN_FORMS, "sigFormat")
        unknown = undecided("format", SIG_CONSTRAINTS_FAILURE, f"{kind} unsupported in a bundle")
        return [_refused(signed.signature_place, unknown)]
    claimed = _claimed(signed.bundle, signature)
    related = [
        replace(
            one,
            place=one.place.replace("signature[0]", signed.signature_place),
            covered=tuple(_related(c, signed, method, received, content) for c in one.covered),
            hints=(*one.hints, *_hints(one, signed, method, received)),
            claimed=claimed,
        )
        for one in made
    ]
    return [_over_the_bundle(one) for one in related]


def _over_the_bundle(one: CheckedSignature) -> CheckedSignature:
    """Spoil a signature whose mathematics hold over something else than the bundle around it."""
    if not any(c.scope == "FULL" and c.covers_enclosing is False for c in one.covered):
        return one
    if any(c.octets.lstrip()[:1] == b"<" for c in one.covered):
        detail = "the signed content is the XML form, which is not compared with JSON"
        flaw = undecided(OVER_THE_BUNDLE, SIG_CONSTRAINTS_FAILURE, detail)
    else:
        flaw = failed(OVER_THE_BUNDLE, HASH_FAILURE, "another bundle was signed")
    checks = Checks()
    checks.flawed(flaw)
    worse = one.indication is Indication.TOTAL_PASSED or (
        one.indication is Indication.INDETERMINATE and checks.indication is Indication.TOTAL_FAILED
    )
    return replace(
        one,
        checks=(*one.checks, *checks.made),
        indication=checks.indication if worse else one.indication,
        sub_indication=checks.sub_indication if worse else one.sub_indication,
    )


@cache
def _others() -> tuple[interface.SignatureForm, ...]:
    """Return the forms that may stand inside; the room knows them, plug-ins do not."""
    return tuple(form for name, form in interface.forms().items() if name in ("cms", "jws"))


def _opened(signature: JsonValue) -> tuple[Json, bytes]:
    """Return the Signature and the bytes in it."""
    if not isinstance(signature, dict):
        raise failed("format", FORMAT_FAILURE, f"{text.kind(signature)} for a Signature")
    written = signature.get("data")
    if not isinstance(written, str) or not written:
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, "no data in the Signature")
    plain = "".join(written.split())
    try:
        octets = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise failed("format", FORMAT_FAILURE, "data is no base64") from error
    if base64.b64encode(octets).decode("ascii") != plain:
        raise failed("format", FORMAT_FAILURE, "data is base64 with unused bits set")
    return signature, octets


def _method(signature: Json, data: bytes) -> str:
    """Return the one canonicalisation that is declared; whole JSON where none is."""
    declared = {_of_target(signature), _of_header(data)} - {""}
    if len(declared) > 1:
        detail = "targetFormat and JWS header declare different ones"
        raise undecided("canonicalization", SIG_CONSTRAINTS_FAILURE, detail)
    method = declared.pop() if declared else canonical.JSON
    if method not in canonical.LEFT_OUT:
        detail = f"{shown(method, _KNOWN_METHODS)} unsupported"
        raise undecided("canonicalization", SIG_CONSTRAINTS_FAILURE, detail)
    return method


def _of_target(signature: Json) -> str:
    target = signature.get("targetFormat")
    for parameter in str(target).split(";")[1:] if isinstance(target, str) else ():
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() in ("canonicalization", "canonicalisation"):
            return value.strip().strip('"')
    return ""


def _of_header(data: bytes) -> str:
    if not jose.is_compact(data):
        return ""
    declared = jose.opened(data).header.get("canon", "")
    return declared if isinstance(declared, str) else "…"


def _canonical(received: Json, place: str) -> bytes:
    try:
        return canonical.canonical(received)
    except canonical.NotExact as error:
        detail = f"{place}{error}"
        raise failed("canonicalization", FORMAT_FAILURE, detail) from error


def _related(
    covered: Covered, signed: _Signed, method: str, received: Json, content: bytes
) -> Covered:
    """Say how what was signed relates to the bundle around the signature."""
    octets, kept = covered.octets, b""
    if octets == content:
        # Proved octet by octet: what is read has this canonical form and its own digits.
        kept = text.dumps(received)
        same = True
    else:
        same = _same_bundle(octets, content)
    whole = same and not signed.place
    return Covered(
        octets=octets,
        scope="FULL" if whole or not same else "PARTIAL",
        covers_enclosing=whole,
        reference=method if octets == content else "",
        media_type=MEDIA_TYPE if same else covered.media_type,
        received=kept,
    )


def _same_bundle(octets: bytes, content: bytes) -> bool:
    """Say whether a signature's own content is the bundle, in whatever way it is written."""
    try:
        own = text.loads(octets)
        return canonical.canonical(canonical.restricted(own, canonical.JSON)) == content
    except (Rejected, canonical.NotExact):
        return False


def _hints(one: CheckedSignature, signed: _Signed, method: str, received: Json) -> Iterator[str]:
    if not one.covered and "id" not in signed.bundle:
        yield "the bundle has no id: it may have been dropped after signing"
    if one.covered and method != canonical.JSON:
        left_out = canonical.LEFT_OUT[method] & signed.bundle.keys()
        if left_out:
            yield f"not signed: {', '.join(sorted(left_out))}"
    lost = canonical.unsigned_precision(received) if one.covered else 0
    if lost:
        yield f"precision_not_signed: {lost}"


def _claimed(bundle: Json, signature: Json) -> Claimed | None:
    """Return whom `Signature.who` names, looked up in the bundle."""
    who = signature.get("who")
    if not isinstance(who, dict):
        return None
    reference = who.get("reference")
    target = Bundled(bundle).resolve(reference) if isinstance(reference, str) else None
    resource = target.resource if target else who
    kind = resource.get("resourceType") if target else who.get("type")
    if not isinstance(kind, str) and isinstance(reference, str):
        kind = reference.split("/")[0]
    listed = resource.get("identifier")
    items: list[JsonValue] = listed if isinstance(listed, list) else [listed]
    roles = {
        "Practitioner": "doctor",
        "PractitionerRole": "doctor",
        "Organization": "organisation",
    }
    return Claimed(role=roles.get(str(kind), ""), identifiers=tuple(_identifiers(items)))


def _identifiers(items: list[JsonValue]) -> Iterator[Identifier]:
    for item in items:
        if not isinstance(item, dict):
            continue
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str):
            yield Identifier(system=system, value=value)


def _refused(place: str, flaw: Flaw) -> CheckedSignature:
    checks = Checks()
    checks.flawed(flaw)
    return CheckedSignature(
        format="",
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
