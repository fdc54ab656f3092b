"""What the engine is told besides the document: whose card, who signed, when it was kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from gateway.mapping import ids as names
from gateway.mapping.rulings import Rulings
from gateway.model import Assurance, Json, Part, SignatureFinding


@dataclass(frozen=True, kw_only=True)
class Original:
    """The original as it was kept."""

    sha256: str
    """Hexadecimal."""

    size: int
    media_type: str


def _as_sent(patient: Json) -> Json:
    return patient


@dataclass(frozen=True, kw_only=True)
class MappingContext:
    patient: str | None
    """Pseudonymous patient number; None for anonymous testing."""

    submission: str
    document: str
    assurance: Assurance
    kept_at: datetime
    original: Original
    organization: str
    """Id of the sending organisation: the performer where a document names none."""

    signatures: tuple[SignatureFinding, ...] = ()
    signature_parts: tuple[Part, ...] = ()
    """Detached signatures, in the order of `signatures`; empty when they are embedded."""

    card: Callable[[Json], Json] = _as_sent
    """Merges the Patient as sent into the card's Patient."""

    ids: Callable[[str, str], str] | None = None
    """(type, business key) → id; by default deterministic for the patient."""

    rulings: Rulings = field(default_factory=Rulings)
    """What persons decided about the sender's codes and units."""

    def id_of(self, resource_type: str, key: str) -> str:
        if self.ids is not None:
            return self.ids(resource_type, key)
        return names.deterministic(self.patient or self.document)(resource_type, key)
