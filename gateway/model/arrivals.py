"""What comes in: a submission and its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

ATTORNEY, ATTORNEY_SIGNATURE = "attorney", "attorney-signature"
"""A машиночитаемая доверенность, and a detached signature of the one before it."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One named part of what a sender posted, exactly as its bytes arrived."""

    name: str
    """`document`, `signature`, `consent`, `attorney` or `attorney-signature`; on the line a
    signature that is over the consent is a `consent-signature`."""

    media_type: str
    """Lower case, without parameters."""

    body: bytes

    about: frozenset[int] | None = None
    """Ordinals of the documents that a consent beside them speaks of; None: not told apart."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A power of attorney that came with a document, with its detached signatures."""

    attorney: Part
    signatures: tuple[Part, ...] = ()


def attached(parts: Iterable[Part]) -> tuple[Attached, ...]:
    """Return the powers of attorney in `parts`: a signature is of the one before it."""
    found: list[Attached] = []
    for part in parts:
        if part.name == ATTORNEY:
            found.append(Attached(attorney=part))
        elif part.name == ATTORNEY_SIGNATURE and found:
            found[-1] = replace(found[-1], signatures=(*found[-1].signatures, part))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a sender handed over in one request, kept before anything is judged."""

    id: str
    organization: str
    """Id of the sender's organisation: the tenant."""

    client: str
    parts: tuple[Part, ...]
    kept_at: datetime
    """The moment of keep, at which signatures are judged (semantics, rule 4)."""

    @property
    def document(self) -> Part:
        return next(part for part in self.parts if part.name == "document")

    @property
    def signatures(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.name == "signature")

    @property
    def attorneys(self) -> tuple[Attached, ...]:
        return attached(self.parts)
