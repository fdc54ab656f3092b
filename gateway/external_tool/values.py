"""Questions to a verification tool and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.model import Indication, Part


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a tool is asked: everything it needs, nothing it would have to fetch from us."""

    document: Part
    signatures: tuple[Part, ...]
    at: datetime
    kept: bool
    """Whether `at` is a moment that our log proves the document existed at."""


@dataclass(frozen=True, kw_only=True)
class ToolVerdict:
    """What the tool says of one signature."""

    place: str
    """As the gateway names places: `signature[0]`, `document`, `document:/…`."""

    indication: Indication
    sub_indication: str | None
    certificate_sha256: str
    signed_content: frozenset[str]
    """SHA-256 (hex) of each run of octets that the signature covers."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the tool says of all signatures."""

    tool: str
    """Name and version, as the tool gives them."""

    verdicts: tuple[ToolVerdict, ...]


class ToolFailed(Exception):
    """The tool gave no answer that can be used; the message names no content."""


class Service(Protocol):
    """One verification tool; safe to use from any number of threads."""

    @property
    def name(self) -> str:
        """Shown to people."""

    @property
    def certified(self) -> bool:
        """Whether the operator has its papers at hand: a service cannot vouch for itself."""

    def ask(self, asked: Asked) -> Answer:
        """Return the tool's answer.  Raises ToolFailed."""
