"""Works replays of many: puts submissions on the line at their pace and notes what changed.

A dry run judges each as the line would, at its moment of keep, and stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.errors import GatewayError, Rejected, TryLater
from gateway.model import Json, Status
from gateway.repair import diff
from gateway.store import Store
from gateway.store.values import Outcome, ReplayItem, ReplayRun

Judge = Callable[[str], Sequence[Outcome]]
"""Judge a kept submission again without storing; raises GatewayError."""


class Replays:
    """The one who works runs; `step` is called again and again, by any number of processes."""

    def __init__(self, store: Store, judge: Judge) -> None:
        self.store = store
        self.judge = judge

    def step(self) -> int:
        """Move every open run on; return how many submissions were started or finished."""
        moved = 0
        for run in self.store.running_replays():
            moved += len(self.store.advance_replay(run.id, requeue=not run.dry_run))
            moved += self._finish(run)
        return moved

    def _finish(self, run: ReplayRun) -> int:
        done = 0
        for item, now in self.store.settled_replays(run.id):
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
        documents: list[Any] = []
        for one in outcomes:
            resources = one.record.resources if one.record else ()
            after |= {f"{r['resourceType']}/{r['id']}": r for r in resources}
            documents.append(
                {
                    "id": one.document,
                    "status": str(one.status),
                    "codes": [problem.code for problem in one.problems],
                    "resources": [],
                }
            )
        before = self.store.versions(_resources(item.before))
        status = str(min((one.status for one in outcomes), key=_LEAST.index))
        made = diff.changes(before, after)
        return {"status": status, "codes": [], "documents": documents, "changes": made}


_LEAST = (
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


def _resources(snapshot: Json | None) -> list[list[Any]]:
    """Return the (type, id, version) of every resource in a snapshot."""
    documents: Any = (snapshot or {}).get("documents", [])
    return [list(one) for document in documents for one in document["resources"]]
