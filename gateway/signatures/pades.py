"""Signatures in PDF files: PAdES and plain CMS in PDF, document time stamps, LT and LTA.

A signature covers the file as it stood when it was made.  What was added since is looked at
revision by revision, and what a reader shows is believed only as far as that was signed.

Source: ISO 32000-2, clause 12.8; ETSI EN 319 142-1; ETSI EN 319 142-2 (CMS in PDF).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, Part
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.pyhanko_apart import untaught

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
    return _reader()(document.body, algorithms, directory)


def load() -> None:
    """Load the reader of PDF files now, as a server does before it has threads."""
    _reader()


@cache
def _reader() -> Callable[[bytes, Algorithms, Directory], tuple[CheckedSignature, ...]]:
    # pyHanko takes a second to import, and few documents are PDF.
    with untaught():
        from gateway.signatures.pdf_document import signatures_in
    return signatures_in


def recognises(octets: bytes) -> bool:
    """Say whether `octets` mean to be a PDF file, well-formed or not."""
    if octets[:5] == b"%PDF-":
        return True
    return b"%PDF-" in octets[:HEAD_BYTES] and b"%%EOF" in octets[-HEAD_BYTES:]
