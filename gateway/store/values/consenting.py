"""Consents as they are stored and looked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model import Grant, Identifier, Json, Provision


@dataclass(frozen=True, kw_only=True)
class NewConsent:
    """A consent to be stored."""

    identifiers: tuple[Identifier, ...]
    """The patient's, canonical; they link it to the card."""

    provisions: tuple[Provision, ...]
    resource: Json
    """The FHIR Consent as it came."""

    organization: str
    """Who recorded it: the tenant that may see and revoke it."""

    actor: str
    rejected: bool = False
    """The patient refused: every provision closes."""

    id: str | None = None
    """Given when the same consent may be stored again by a repeat; else one is made."""


@dataclass(frozen=True, kw_only=True)
class StoredConsent:
    """A consent as its organisation sees it."""

    id: str
    organization: str
    state: str
    """`active`, `expired`, `rejected` or `revoked`."""

    grants: tuple[Grant, ...]
    created_at: datetime
    revoked_at: datetime | None
    in_flight: int = 0
    """Deliveries that it found on the wire when it was stored, that would not go whole by it,
    and that had not ended when waiting did."""


@dataclass(frozen=True, kw_only=True)
class ConsentFilter:
    """Which consents to list."""

    organizations: tuple[str, ...] | None
    state: str | None = None
    recipient: str | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True)
class ConsentPage:
    items: tuple[StoredConsent, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """What a revocation did: from its commit on, nothing starts to leave on this consent."""

    held: int
    """Deliveries that waited and are held now."""

    in_flight: int
    """Deliveries whose claim committed before, and that had not ended when waiting did."""
