"""Questions, their answers and replays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from gateway.model import Decision, Json


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One question with every document that asks it, or with the decision that settled it."""

    id: str
    """Made from organisation, cause and subject: the same however many documents ask."""

    organization: str
    cause: str
    place: str
    """Where the first of the documents asks it."""

    subject: Mapping[str, str]
    facts: Mapping[str, str]
    documents: tuple[tuple[str, str], ...]
    """(submission, document) that wait, oldest first."""

    waiting: int
    since: datetime | None
    decision: Decision | None = None
    """The decision in force."""

    decision_uses: int = 0
    """How many documents rest on it."""


@dataclass(frozen=True, kw_only=True)
class StandingDecision:
    """A decision in force, with whom it speaks for and how many documents rest on it."""

    decision: Decision
    repair: str
    organization: str
    uses: int


@dataclass(frozen=True, kw_only=True)
class PastDecision:
    """A decision on a question, whether it stands or was taken back."""

    decision: Decision
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class UndoneDecision:
    """What became of the documents that rested on a decision that was taken back."""

    opened: tuple[str, ...]
    """On the line again."""

    left: tuple[str, ...]
    """Somebody may hold them: open items for a person."""


@dataclass(frozen=True, kw_only=True)
class NewDecision:
    repair: str
    organization: str
    cause: str
    subject: Mapping[str, str]
    answer: Mapping[str, str]
    by: str
    valid_from: date | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReplayRun:
    """A replay of many submissions, worked step by step; may be stopped and resumed."""

    id: str
    actor: str
    state: str
    """`running`, `stopped` or `done`."""

    total: int
    started: int
    """How many were put on the line again: the cursor."""

    finished: int
    rate: float | None
    """Submissions a second; None: as fast as they go."""

    dry_run: bool
    created_at: datetime
    reason: str
    """What it repeats, in words: a cause, a decision, or `ids`."""


@dataclass(frozen=True, kw_only=True)
class ReplayItem:
    """One submission of a run: how it was before, and how after."""

    submission: str
    position: int
    state: str
    """`waiting`, `started` or `finished`."""

    before: Json | None
    after: Json | None
