"""Works replays of many: puts submissions on the line at their pace and notes what changed.

A dry run judges each as the line would, at its moment of keep, and stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import GatewayError, Rejected, TryLater
from gateway.model import Json, Problem, Status
from gateway.repair import diff
from gateway.store import Store
from gateway.store.values import Filter, Outcome, ReplayItem, ReplayRun

Judge = Callable[[str], Sequence[Outcome]]
"""Judge a kept submission again without storing; raises GatewayError."""


CHOSEN_MAX = 10_000
"""Submissions one run may repeat; more is another run, or another filter."""

STRANDED = (Status.NEEDS_INFO, Status.REJECTED)
"""What a cause alone chooses: whatever it stopped."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which submissions to repeat: by id, or all that match a filter."""

    ids: tuple[str, ...] | None = None
    cause: str | None = None
    status: Status | None = None
    sender: str | None = None
    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def reason(self) -> str:
        """Return what the run repeats, in words; numbers are left out, they are somebody's."""
        if self.ids is not None:
            return "ids"
        said = {"cause": self.cause, "status": self.status, "sender": self.sender}
        return " ".join(f"{name}={value}" for name, value in said.items() if value) or "filter"


class Replays:
    """The one who works runs; `step` is called again and again, by any number of processes."""

    def __init__(self, store: Store, judge: Judge) -> None:
        self.store = store
        self.judge = judge

    def chosen(self, choice: Choice, organizations: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the submissions of a choice that may be seen, oldest first."""
        store = self.store
        if choice.ids is not None:
            named = dict.fromkeys(choice.ids)
            return tuple(one for one in named if store.view(one, organizations) is not None)
        states = (choice.status,) if choice.status or not choice.cause else STRANDED
        found: dict[str, None] = {}
        for status in states:
            wanted = Filter(
                organizations=organizations,
                status=status,
                cause=choice.cause,
                sender=choice.sender,
                number=choice.number,
                since=choice.since,
                until=choice.until,
            )
            found |= dict.fromkeys(store.matching(wanted, CHOSEN_MAX))
        # Ids count up with time: all states together are repeated in the order they came.
        return tuple(sorted(found)[:CHOSEN_MAX])

    def start(
        self,
        choice: Choice,
        organizations: tuple[str, ...] | None,
        *,
        actor: str,
        rate: float | None = None,
        dry_run: bool = False,
    ) -> tuple[ReplayRun, tuple[str, ...]]:
        """Start a run over a choice, and its first step; return it with its submissions.

        Raises Rejected when there is nothing to repeat, and writes no run: SYS-404 when none of
        the ids is there to be seen, FMT-113 when nothing matches the filter.
        """
        found = self.chosen(choice, organizations)
        if not found and choice.ids is not None:
            raise Rejected(Problem(code="SYS-404", place="ids"))
        if not found:
            raise Rejected(Problem(code="FMT-113"))
        run = self.store.start_replay(
            found,
            organization=organizations[0] if organizations else None,
            actor=actor,
            reason=choice.reason,
            rate=rate,
            dry_run=dry_run,
        )
        self.step()
        return self.store.replay_run(run.id, None) or run, found

    def step(self) -> int:
        """Move every open run on; return how many submissions were started or finished."""
        moved = 0
        for run in self.store.running_replays():
            moved += len(self.store.advance_replay(run.id, requeue=not run.dry_run))
            moved += self._finish(run)
        return moved

    def _finish(self, run: ReplayRun) -> int:
        done = 0
        for item, now in self.store.settled_replays(run.id, whatever=run.dry_run):
            after = self._rehearsed(item) if run.dry_run else self._settled(item, now)
            self.store.finish_replay(run.id, item.position, after)
            done += 1
        return done

    def _settled(self, item: ReplayItem, now: Json | None) -> Json | None:
        if now is None:
            return None
        before = self.store.versions(_resources(item.before))
        after = self.store.versions(_resources(now))
        return {**now, "changes": diff.changes(before, after)}

    def _rehearsed(self, item: ReplayItem) -> Json | None:
        try:
            outcomes = self.judge(item.submission)
        except KeyError:
            return None
        except GatewayError as error:
            codes: list[Any] = [one.code for one in error.problems]
            return {"status": _status(error), "codes": codes, "documents": [], "changes": []}
        after: dict[str, Json] = {}
        documents = _documents(item.before)
        known = {**documents}
        for one in outcomes:
            resources = one.record.resources if one.record else ()
            after |= {f"{r['resourceType']}/{r['id']}": r for r in resources}
            documents[one.document] = {
                "id": one.document,
                "status": str(one.status),
                "codes": [problem.code for problem in one.problems],
                "resources": [],
            }
        judged: list[Any] = [known[one.document] for one in outcomes if one.document in known]
        before = self.store.versions(_resources({"documents": judged}))
        status = min((Status(one["status"]) for one in documents.values()), key=_LEAST.index)
        made = diff.changes(before, after)
        shown = list(documents.values())
        return {"status": str(status), "codes": [], "documents": shown, "changes": made}


_LEAST = (
    Status.RECEIVED,
    Status.PROCESSING,
    Status.NEEDS_INFO,
    Status.REJECTED,
    Status.ACCEPTED,
    Status.REPLACED,
    Status.WITHDRAWN,
)


def _status(error: GatewayError) -> str:
    if isinstance(error, TryLater):
        return str(Status.RECEIVED)
    return str(Status.REJECTED if isinstance(error, Rejected) else Status.NEEDS_INFO)


def _documents(snapshot: Json | None) -> dict[str, Any]:
    """Return the documents of a snapshot by their id."""
    documents: Any = (snapshot or {}).get("documents", [])
    return {one["id"]: one for one in documents}


def _resources(snapshot: Json | None) -> list[list[Any]]:
    """Return the (type, id, version) of every resource in a snapshot."""
    documents = _documents(snapshot).values()
    return [list(one) for document in documents for one in document["resources"]]
