"""How long what proves a submission lasts, and the evidence record that renews it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

Objects = tuple[tuple[str, bytes], ...]
"""Objects of evidence: (kind, octets)."""


@dataclass(frozen=True, kw_only=True)
class ProofEnd:
    """When a proof ages out."""

    state: str
    """`waiting` for a first stamp, `stamped`, `late` (ended before a stamp), `closed`."""

    ends_at: datetime | None
    """None: never, or nothing to prove."""

    ends_by: str
    """What ends: `certificate` or an algorithm's name."""

    not_before: datetime
    """It is not looked at again sooner."""


@dataclass(frozen=True, kw_only=True)
class ProofRow:
    """One submission's proof as the job sees it."""

    submission: str
    end: ProofEnd
    stamps: int
    stamped_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class StoredRecord:
    """An evidence record, decrypted, with the material it covers."""

    record: bytes
    material: tuple[Objects, ...]
    """Beside the parts of the submission; then of each stamp what its verdict rests on."""


@dataclass(frozen=True, kw_only=True)
class NewRecord:
    """A record with one more stamp, to be kept."""

    submission: str
    stamps_before: int
    stamps: int
    stamped_at: datetime
    end: ProofEnd
    stored: StoredRecord
    tokens: tuple[bytes, ...]
    """Of all its stamps in their order, as they stand in the record."""


@dataclass(frozen=True, kw_only=True)
class ProofCounts:
    """How many submissions are in which state, and which proof ends first."""

    states: dict[str, int]
    due: int
    """Those that end within the window."""

    first_end: datetime | None


class Overtaken(Exception):
    """Another process has stamped one of these meanwhile; nothing was written."""
