"""Signatures in PDF files: PAdES and plain CMS in PDF, document time stamps, LT and LTA.

A signature covers the file as it stood when it was made.  What was added since is looked at
revision by revision, and what a reader shows is believed only as far as that was signed.

Source: ISO 32000-2, clause 12.8; ETSI EN 319 142-1; ETSI EN 319 142-2 (CMS in PDF).
"""

from __future__ import annotations

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, Part
from gateway.signatures.directory import NOBODY, Directory

NAME = "pades"

HEAD_BYTES = 1024
"""Within these readers look for the header, and at the end for the end (annex I)."""


def check(
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    *,
    directory: Directory = NOBODY,
) -> tuple[CheckedSignature, ...]:
    """Check every signature in the PDF file that `document` is."""
    if not recognises(document.body):
        return ()
    # pyHanko takes a second to import, and few documents are PDF.
    from gateway.signatures.pdf_document import signatures_in

    return signatures_in(document.body, algorithms, directory)


def recognises(octets: bytes) -> bool:
    """Say whether `octets` mean to be a PDF file, well-formed or not."""
    if octets[:5] == b"%PDF-":
        return True
    return b"%PDF-" in octets[:HEAD_BYTES] and b"%%EOF" in octets[-HEAD_BYTES:]
