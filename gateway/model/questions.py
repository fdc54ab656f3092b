"""What a person is asked, and how it was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a document asks a person; one answer serves every document that asks the same."""

    cause: str
    """Code of the problem: `MAP-101`, `PAT-104`, …"""

    place: str
    subject: Mapping[str, str]
    """What makes it the same question: system and code of a test, a unit, a document's id."""

    facts: Mapping[str, str] = field(default_factory=dict)
    """What helps to answer it: the name beside the code, the unit, what was known before."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's answer to a question; reversible, and every use of it is on record."""

    id: str
    cause: str
    subject: Mapping[str, str]
    answer: Mapping[str, str]
    """`test`, `unit`, `card`, … as the cause asks."""

    by: str
    at: datetime
    valid_from: date | None = None
    """First day of specimen collection it holds for; None: every day."""

    note: str = ""
    """Why, in the person's words: it may name anybody, so it is sealed with the answer."""


@dataclass(frozen=True, kw_only=True)
class CodeUse:
    """How a laboratory's own code was used: what a changed code is noticed by."""

    system: str
    code: str
    test: str
    """The test it stood for: its ФСЛИ code, else its LOINC code."""

    name: str = ""
    unit: str = ""
    specimen: str = ""
