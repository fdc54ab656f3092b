"""The part of the store that repair and replay speak to: questions, decisions, runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from gateway.model import CodeUse, Decision, Identifier, Json, Question
from gateway.store import (
    choosing,
    code_uses,
    deciding,
    decisions,
    outages,
    repairs,
    replays,
    undoing,
)
from gateway.store.room import Room
from gateway.store.values import (
    Card,
    Filter,
    NewDecision,
    Outage,
    PastDecision,
    Repair,
    ReplayItem,
    ReplayRun,
    StandingDecision,
    UndoneDecision,
)


class RepairStore:
    """What is asked, decided and repeated."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.memory = decisions.Memory()

    # --- questions and decisions -------------------------------------------------------

    def decisions(self, organization: str, document: str) -> tuple[Decision, ...]:
        """Return the decisions that stand for a document of an organisation, oldest first."""
        return repairs.decisions(self.room, self.memory, organization, document)

    def code_uses(self, organization: str, codes: Iterable[tuple[str, str]]) -> tuple[CodeUse, ...]:
        """Return how an organisation has used its own codes (system, code) so far."""
        return code_uses.uses(self.room, self.memory.uses, organization, codes)

    def identifier_token(self, identifier: Identifier) -> str:
        """Return the keyed word that stands for an identifier where it may not be written."""
        return self.room.identifier_tokens([identifier])[0]

    def candidates(self, birth_date: date) -> tuple[Card, ...]:
        """Return cards with a birth date, for a person to choose from; never for a machine."""
        return choosing.candidates(self.room, birth_date)

    def card(self, patient: str) -> Card | None:
        """Return a card by its patient number."""
        return choosing.card_of(self.room, patient)

    def provisional(self, patient: str) -> bool:
        """Say whether a card still waits for its person's own number."""
        return choosing.provisional(self.room, patient)

    def linked_elsewhere(
        self, identifiers: Sequence[Identifier], patient: str
    ) -> tuple[Identifier, ...]:
        """Return those of `identifiers` that lead to another card than `patient`'s."""
        return choosing.linked_elsewhere(self.room, identifiers, patient)

    def repairs(
        self, organizations: tuple[str, ...] | None, cause: str | None = None
    ) -> tuple[Repair, ...]:
        """Return the questions that documents wait on, the most asked first."""
        return repairs.waiting(self.room, self.memory, organizations, cause)

    def repair(self, id: str, organizations: tuple[str, ...] | None) -> Repair | None:
        """Return one question, waiting or decided; None when it is not theirs to see."""
        return repairs.repair(self.room, self.memory, id, organizations)

    def questions(self, id: str) -> tuple[Question, ...]:
        """Return a question as each waiting document asks it, facts and all."""
        return repairs.asked(self.room, id)

    def standing(self, organizations: tuple[str, ...] | None) -> tuple[StandingDecision, ...]:
        """Return the decisions that stand, newest first."""
        return decisions.standing(self.room, self.memory, organizations)

    def decision_history(self, id: str) -> tuple[PastDecision, ...]:
        """Return every decision on a question, oldest first, with who took it back."""
        return decisions.history(self.room, self.memory, id)

    def decide(
        self, new: NewDecision, *, uses: Iterable[CodeUse] = (), rate: float | None = None
    ) -> tuple[Decision, ReplayRun]:
        """Store a decision with the `uses` it confirms, and the replay of what waits for it.

        Raises Decided when another stands.
        """
        return deciding.decide(self.room, new, uses=uses, rate=rate)

    def undo(self, id: str, actor: str) -> UndoneDecision:
        """Take a decision back and open again what rests on it.  Raises KeyError."""
        return undoing.undo(self.room, id, actor)

    def own_ground(self, type: str, id: str, organization: str) -> bool:
        """Say whether an organisation was sent a document with this very resource."""
        return choosing.own_ground(self.room, type, id, organization)

    # --- replays -----------------------------------------------------------------------

    def matching(self, wanted: Filter, most: int) -> tuple[str, ...]:
        """Return ids of submissions that match, oldest first."""
        return replays.matching(self.room, wanted, most)

    def start_replay(
        self,
        submissions: Sequence[str],
        *,
        organization: str | None,
        actor: str,
        reason: str,
        rate: float | None = None,
        dry_run: bool = False,
    ) -> ReplayRun:
        """Write a run of replays down, to be worked step by step.

        `organization` may see it besides operators; None: operators alone.
        """
        return replays.start(
            self.room,
            submissions,
            organization=organization,
            actor=actor,
            reason=reason,
            rate=rate,
            dry_run=dry_run,
        )

    def replay_run(self, id: str, organizations: tuple[str, ...] | None) -> ReplayRun | None:
        """Return a run; None when it is not theirs to see."""
        return replays.one(self.room, id, organizations)

    def replay_runs(
        self, organizations: tuple[str, ...] | None, most: int = 50
    ) -> tuple[ReplayRun, ...]:
        """Return runs, newest first."""
        return replays.newest(self.room, organizations, most)

    def replay_items(self, id: str) -> tuple[ReplayItem, ...]:
        """Return a run's submissions in order."""
        return replays.items(self.room, id)

    def stop_replay(self, id: str, actor: str) -> None:
        """Stop a run; what is on the line already goes to its end.  Raises KeyError."""
        replays.set_state(self.room, id, "stopped", actor)

    def resume_replay(self, id: str, actor: str) -> None:
        """Let a stopped run go on where it stood.  Raises KeyError."""
        replays.set_state(self.room, id, "running", actor)

    def running_replays(self) -> tuple[ReplayRun, ...]:
        """Return the runs that go on, and stopped ones with submissions under way."""
        return replays.running(self.room)

    def advance_replay(self, id: str, *, requeue: bool) -> tuple[str, ...]:
        """Take the next submissions of a run in hand; return which."""
        return replays.advance(self.room, id, requeue=requeue)

    def settled_replays(
        self, id: str, *, whatever: bool
    ) -> tuple[tuple[ReplayItem, Json | None], ...]:
        """Return a run's submissions that came to an end since, with what they are now.

        With `whatever`, also those still on the line: a dry run waits for nothing.
        """
        return replays.settled(self.room, id, whatever=whatever)

    def finish_replay(self, id: str, position: int, after: Json | None) -> None:
        """Note how a submission of a run ended; the last one ends the run."""
        replays.finish(self.room, id, position, after)

    def versions(self, names: Sequence[Sequence[Any]]) -> dict[str, Json]:
        """Return resources by `Type/id`, in named versions (type, id, version)."""
        return replays.versions(self.room, names)

    def current(self, names: Sequence[str]) -> dict[str, Json]:
        """Return current resources by `Type/id`, as they were stored."""
        return replays.current(self.room, names)

    # --- what is waited for ------------------------------------------------------------

    def awaited_authorities(self) -> dict[str, int]:
        """Return how many submissions wait for each authority's revocation list, by its name."""
        return outages.waiting(self.room)

    def note_outages(self) -> tuple[Outage, ...]:
        """Return the outages that began or ended since anybody asked last; each is audited."""
        return outages.note(self.room)
