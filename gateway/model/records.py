"""What becomes of a document: the patient's record and its place in a series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.questions import CodeUse
from gateway.model.words import Json, Problem


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What became of every piece of the source: nothing disappears unsaid."""

    mapped: tuple[tuple[str, str], ...]
    """(place in the source, place in the record)."""

    carried: tuple[tuple[str, str], ...]
    """Kept as it was, in the original or as text, with the reason."""

    dropped: tuple[tuple[str, str], ...]
    """Left out, with the reason."""


@dataclass(frozen=True, kw_only=True)
class PatientRecord:
    """What one document adds to one patient's card: FHIR R4 resources with ids."""

    resources: tuple[Json, ...]
    ledger: Ledger
    mapping: str
    """Name and version of the mapping file, `lab_xml/default@1`."""

    problems: tuple[Problem, ...] = ()
    """Warnings; whatever stops a document is raised, not returned."""

    uses: tuple[CodeUse, ...] = ()
    """Local codes used in a way that was not known yet."""

    decisions: tuple[str, ...] = ()
    """Ids of the decisions of persons it rests on."""


class PlacementKind(StrEnum):
    """Where a document stands in the series of its report (semantics, rules 2 and 3)."""

    FIRST = "first"
    NEWER = "newer"
    LATE = "late"
    DUPLICATE = "duplicate"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What a document does to the documents of its series that came before it."""

    kind: PlacementKind
    replaces: tuple[str, ...] = ()
    """Ids of documents whose place it takes."""

    withdraws: tuple[str, ...] = ()
    """Ids of documents it takes back: all of them, or those of the wrong patient."""

    duplicate_of: str | None = None
    seen: tuple[tuple[str, str], ...] = ()
    """(document, state) of the series as it was read; the store judges again under its lock."""
