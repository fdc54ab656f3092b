"""What was signed is what is read: the octets that all passed signatures cover."""

from __future__ import annotations

from gateway.errors import Rejected
from gateway.formats.interface import formats
from gateway.model import Covered, Indication, Part, Problem, SignatureReport

HEAD_BYTES = 4096
INSIDE = "(content)"
"""Follows `document` in the place of a signature inside the content of a CMS file."""


def covers_whole(covered: Covered) -> bool:
    """Say whether these octets are all of the document that carried the signature."""
    return covered.scope == "FULL" and covered.covers_enclosing is not False


def signed_octets(report: SignatureReport, document: Part) -> tuple[bytes, str]:
    """Return the content that all passed signatures cover, and its media type.

    Raises Rejected: SIG-217 when they cover different content, SIG-218 when one of them, or
    none, covers the document as a whole.
    """
    passed = [f for f in report.signatures if f.indication is Indication.TOTAL_PASSED]
    if not passed:
        raise Rejected(Problem(code="SIG-218"))
    contents: dict[bytes, str] = {}
    innermost = max(finding.place.count(INSIDE) for finding in passed)
    for finding in passed:
        if finding.place.startswith("document") and finding.place.count(INSIDE) < innermost:
            continue  # It covers the file that the signatures further in stand in.
        whole = [covered for covered in finding.covered if covers_whole(covered)]
        if not whole:
            raise Rejected(Problem(code="SIG-218", place=finding.place))
        for covered in whole:
            contents[covered.received or covered.octets] = covered.media_type
    if len(contents) > 1:
        # A signature beside covers the file; one inside it covers what the file is without
        # it.  Both cover the latter, and that is read.
        contents.pop(document.body, None)
    if len(contents) > 1:
        raise Rejected(Problem(code="SIG-217"))
    octets, media_type = contents.popitem()
    if octets == document.body:
        return octets, document.media_type
    return octets, media_type or _recognised(octets)


def _recognised(octets: bytes) -> str:
    """Return the media type of content that came without one (inside a CMS file)."""
    for form in formats().values():
        if form.recognises(octets[:HEAD_BYTES]):
            return form.MEDIA_TYPES[0]
    return "application/octet-stream"
