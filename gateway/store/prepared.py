"""One outcome of the line made ready to be written, before the transaction of `settle`.

Sealing and drafting cost more than writing, and key-store writes may be repeated; so they come
first, and nobody waits for them under a lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.model import MatchKind, PatientRecord, PlacementKind
from gateway.store import code_uses, moment, repairs, series, vault, writing
from gateway.store.keys import LinkedElsewhere
from gateway.store.room import Room
from gateway.store.series import FINAL
from gateway.store.values import Moved, Outcome

STANDING = (PlacementKind.FIRST, PlacementKind.NEWER)
"""Documents whose content is the record's from then on."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The submission that outcomes are of."""

    id: str
    organization: str
    data_key: bytes


@dataclass(frozen=True, kw_only=True)
class Written:
    """One outcome with everything about it that is made before the transaction."""

    outcome: Outcome
    owner: str | None
    """Whose key its resources are sealed under: the patient, or the submission itself."""

    tokens: tuple[str, ...]
    ledger: bytes | None
    drafts: list[writing.Drafted]
    asked: list[dict[str, Any]]
    """Rows of what a person is asked."""

    used: list[dict[str, Any]]
    """Rows of how the laboratory used its own codes."""

    report_series: str = ""
    """Token of its report's series."""

    taken: tuple[series.Taken, ...] = ()
    """Documents whose place it takes, or that it takes back."""

    @property
    def known(self) -> bool:
        match = self.outcome.match
        return match is not None and match.kind is MatchKind.MATCHED

    @property
    def patient(self) -> str | None:
        match = self.outcome.match
        placed = self.outcome.record is not None or self.outcome.placement is not None
        return match.patient if match and placed else None


def prepare(room: Room, source: Source, outcome: Outcome) -> Written:
    """Return an outcome with its rows drafted and its patient's numbers linked.

    Raises Moved when a number leads to another card by now.
    """
    record, match = outcome.record, outcome.match
    if record is None:
        # A duplicate is kept under its patient's key like what it doubles.
        placed = outcome.placement is not None and match is not None
        return Written(
            outcome=outcome,
            owner=match.patient if placed and match else None,
            tokens=(),
            ledger=None,
            drafts=[],
            asked=repairs.rows_of(room, source.organization, source.id, source.data_key, outcome),
            used=[],
            report_series=_series(room, outcome),
        )
    assert outcome.status.value in FINAL, outcome.status
    assert match is not None
    outcome, tokens = _bound(room, outcome)
    owner = match.patient or source.id
    taken: tuple[series.Taken, ...] = ()
    back: list[writing.Drafted] = []
    if outcome.placement is not None and outcome.placement.kind in series.ENDING:
        with room.database.read() as connection:
            taken = series.taken(connection, outcome.placement)
            back = series.withdrawals(room, connection, taken, outcome.document)
    ledger = msgspec.msgpack.encode(record.ledger)
    return Written(
        outcome=outcome,
        owner=owner,
        tokens=tokens,
        ledger=vault.seal(source.data_key, ledger, f"ledger:{outcome.document}"),
        drafts=[*_drafts(room, outcome, record, owner), *back],
        asked=[],
        used=code_uses.use_rows(room, source.organization, outcome.uses),
        report_series=_series(room, outcome),
        taken=taken,
    )


def _bound(room: Room, outcome: Outcome) -> tuple[Outcome, tuple[str, ...]]:
    """Link the document's identifiers to its patient; return their tokens."""
    match = outcome.match
    if match is None or match.patient is None or match.kind is MatchKind.ANONYMOUS:
        return outcome, ()
    tokens = room.identifier_tokens(outcome.identifiers)
    ways = moment.ways(room, outcome, tokens)
    outcome = replace(outcome, decisions=(*outcome.decisions, *ways))
    try:
        room.keys.bind(tokens, match.patient, outcome.chosen or next(iter(ways), None))
    except LinkedElsewhere as error:
        raise Moved(outcome.document) from error
    return outcome, tokens


def _series(room: Room, outcome: Outcome) -> str:
    report = outcome.report
    return "" if report is None else series.token(room, report.performer, report.number)


def _drafts(
    room: Room, outcome: Outcome, record: PatientRecord, owner: str
) -> list[writing.Drafted]:
    """Draft a document's resources; of one that does not stand, for history only."""
    placement = outcome.placement
    late = placement is not None and placement.kind not in STANDING
    resources = record.resources
    if late:
        # A card has no older versions: it unites what all documents say.
        resources = tuple(one for one in resources if one["resourceType"] != "Patient")
    return writing.draft(room, resources, owner, outcome.document, late=late)
