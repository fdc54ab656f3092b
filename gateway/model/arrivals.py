"""What comes in: a submission and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Part:
    """One named part of what a sender posted, exactly as its bytes arrived."""

    name: str
    """`document`, `signature` or `consent`; on the line a signature that is over the consent is
    a `consent-signature`."""

    media_type: str
    """Lower case, without parameters."""

    body: bytes

    about: frozenset[int] | None = None
    """Ordinals of the documents that a consent beside them speaks of; None: not told apart."""


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
