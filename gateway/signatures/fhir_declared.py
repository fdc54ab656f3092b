"""What a FHIR Signature says of itself: its octets, its canonicalisation, who and when.

The one canonicalisation is declared in the protected header (`canon`), or as a parameter of
`targetFormat` or `sigFormat`; where all are silent, a standard sets it.  Only that one is
tried for a verdict: who tries several lets a forger choose what stays unsigned.

Source: https://hl7.org/fhir/R4/datatypes.html#Signature; HL7's own validator for the default
of documents (`BundleValidator`); gemSpec_FD_eRp, A_19029, for the algorithm that only
gematik's service uses.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.fhir import canonical, canonical_xml, text
from gateway.fhir.references import Bundled
from gateway.model import Claimed, Identifier, Json, JsonValue
from gateway.signatures import jose_files
from gateway.signatures.fhir_targets import Target
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    shown,
    undecided,
)

BY_ALGORITHM = {"BP256R1": f"{canonical.JSON}#static"}
"""Private algorithms whose only standard fixes the canonicalisation with them."""

KNOWN_METHODS = (*canonical.METHODS, f"{canonical.JSON}-xml", *canonical_xml.METHODS)
KNOWN_FORMS = (
    *(
        f"application/{form}"
        for form in ("jose", "jose+json", "signature+xml", "pkcs7-signature", "pkcs7-mime", "cms")
    ),
    *(f"image/{form}" for form in ("jpg", "jpeg", "png", "svg+xml", "gif")),
)
"""Names a report may repeat: FHIR's own."""

_PARAMETERS = ("canonicalization", "canonicalisation")


def opened(signature: JsonValue) -> tuple[Json, bytes]:
    """Return the Signature and the octets in it, or raise the flaw."""
    if not isinstance(signature, dict):
        raise failed("format", FORMAT_FAILURE, f"{text.kind(signature)} for a Signature")
    written = signature.get("data")
    if not isinstance(written, str) or not written:
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, "no data in the Signature")
    plain = "".join(written.split())
    try:
        octets = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        bare = jose_files.is_compact(plain.encode("utf-8", "replace"))
        detail = "data is a JWS itself, not its base64" if bare else "data is no base64"
        raise failed("format", FORMAT_FAILURE, detail) from error
    if base64.b64encode(octets).decode("ascii") != plain:
        raise failed("format", FORMAT_FAILURE, "data is base64 with unused bits set")
    return signature, octets


def method_of(signature: Json, octets: bytes, target: Target) -> str:
    """Return the canonicalisation to use for `target`, or raise the flaw that there is none."""
    said = set(declared(signature, octets))
    if len(said) > 1:
        detail = "targetFormat, sigFormat and JWS header declare different ones"
        raise undecided("canonicalization", SIG_CONSTRAINTS_FAILURE, detail)
    method = said.pop() if said else _default(octets, target)
    if method not in target.methods:
        detail = f"{shown(method, KNOWN_METHODS)} unsupported for {target.media_type}"
        raise undecided("canonicalization", SIG_CONSTRAINTS_FAILURE, detail)
    return method


def declared(signature: Json, octets: bytes) -> Iterator[str]:
    """Yield every canonicalisation that is declared."""
    for name in ("targetFormat", "sigFormat"):
        written = signature.get(name)
        for parameter in written.split(";")[1:] if isinstance(written, str) else ():
            key, _, value = parameter.strip().partition("=")
            if key.strip().lower() in _PARAMETERS:
                yield value.strip().strip('"')
    for header in jose_files.headers(octets):
        if "canon" in header:
            method = header["canon"]
            yield method if isinstance(method, str) else "…"


def _default(octets: bytes, target: Target) -> str:
    for header in jose_files.headers(octets):
        algorithm = header.get("alg")
        if isinstance(algorithm, str) and algorithm in BY_ALGORITHM:
            return BY_ALGORITHM[algorithm]
    return f"{target.family}#document" if target.is_document else target.family


# --- whom it names ---------------------------------------------------------------------


def claimed(signature: Json, around: Bundled | None) -> Claimed | None:
    """Return whom `Signature.who` names, looked up in the bundle around it."""
    who = signature.get("who")
    if not isinstance(who, dict):
        return None
    reference = who.get("reference")
    target = around.resolve(reference) if around and isinstance(reference, str) else None
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


def when_compared(signature: Json, signed_at: datetime | None) -> str:
    """Return `match`, `mismatch` or `absent` for `Signature.when` and the time that is signed.

    `when` is not signed, so a difference is told and nothing rests on it; a second is the
    finest that every form can write.
    """
    said = _moment(signature.get("when"))
    if said is None or signed_at is None:
        return "absent"
    return "match" if abs((said - signed_at).total_seconds()) < 1 else "mismatch"


def _moment(written: JsonValue) -> datetime | None:
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _identifiers(items: list[JsonValue]) -> Iterator[Identifier]:
    for item in items:
        if not isinstance(item, dict):
            continue
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str):
            yield Identifier(system=system, value=value)
