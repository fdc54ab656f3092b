"""Who takes part: organisations and their clients."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Identifier, Json


@dataclass(frozen=True, kw_only=True)
class Organization:
    id: str
    name: str
    kind: str
    """`laboratory`, `clinic` or `operator`."""

    identifiers: tuple[Identifier, ...]
    """ОГРН, OID (ФРМО) and ИНН, canonical."""

    allow_unsigned: bool = False


@dataclass(frozen=True, kw_only=True)
class Client:
    id: str
    name: str
    organization: str
    role: str
    """`laboratory`, `clinic` or `operator`."""

    secret_hash: str | None
    """Argon2id, PHC string."""

    jwks: Json | None = None
    disabled: bool = False
