"""What a format plug-in promises: one file in this room per input format."""

from __future__ import annotations

from functools import cache
from typing import Protocol, cast

from gateway import registry
from gateway.model import Document, SignedContent, Unreadable

DOCUMENTS_MAX = 2000
"""Documents in one submission: a laboratory's whole day, and a bound on one order of work."""

TOGETHER_MAX = 50
"""Documents of one submission that one transaction settles: others' are not to wait for all.
So no more than these can be taken together or not at all."""


class Format(Protocol):
    """A module that reads one input format."""

    NAME: str
    MEDIA_TYPES: tuple[str, ...]

    def recognises(self, head: bytes) -> bool:
        """Say whether a document that starts with `head` (up to 4 KiB) is of this format."""

    def parse(
        self, content: SignedContent, *, apart: bool = False
    ) -> tuple[Document | Unreadable, ...]:
        """Read signed octets into documents, one per report of one patient.

        Of a batch each piece is judged alone: one that cannot be read is `Unreadable`, counted
        with the documents.  What the format means to be taken as a whole, such as a FHIR
        transaction, gives documents that are `indivisible`; with `apart` they are judged alone
        too: the sender's policy says so.

        Raises Rejected with every structural problem found (FMT-…), each with its place, when
        nothing at all can be read.
        """


@cache
def formats() -> dict[str, Format]:
    """Return the formats in this room by name."""
    names = ("MEDIA_TYPES", "recognises", "parse")
    return cast("dict[str, Format]", registry.discover("gateway.formats", names))
