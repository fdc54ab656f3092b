"""Repair and replay at the desk: in the local home, or over HTTP (`--to`); JSON of /v1 each way.

On the local home the operator at the machine sees every organisation's questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from gateway.cli import local, remote
from gateway.cli.output import Output
from gateway.errors import Rejected

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.cli.remote import Answered, Remote
    from gateway.store.values import ReplayRun

Object = dict[str, Any]


class Workbench(Protocol):
    """What the verbs `repair` and `replay` ask a gateway; None means there is no such thing."""

    def waiting(self, cause: str | None) -> list[Object]: ...
    def repair(self, id: str) -> Object | None: ...
    def decide(self, id: str, order: Mapping[str, Any]) -> Object | None:
        """Settle a question.  Raises Rejected, or TurnedAway over HTTP."""

    def decisions(self) -> list[Object]: ...
    def undo(self, decision: str) -> Object | None: ...
    def start(self, order: Mapping[str, Any]) -> Object | None:
        """Start a run of replays; members are those of POST /v1/replays.

        None when none of the ids is there.  Raises Rejected, or TurnedAway over HTTP, when
        nothing matches the filter.
        """

    def runs(self) -> list[Object]: ...
    def run(self, id: str) -> Object | None: ...
    def stop(self, id: str) -> Object | None: ...
    def resume(self, id: str) -> Object | None: ...


@contextmanager
def at_workbench(out: Output) -> Iterator[Workbench]:
    """Open the gateway that `--to` or `--home` name."""
    if out.to is not None:
        yield RemoteBench(remote.connect(out))
        return
    with local.opened(out) as gateway:
        yield LocalBench(gateway, out.language)


class RemoteBench:
    """A gateway over HTTP."""

    def __init__(self, gateway: Remote) -> None:
        self.gateway = gateway

    def waiting(self, cause: str | None) -> list[Object]:
        query = {"cause": cause} if cause else {}
        return list((_read(self.gateway.get("/v1/repairs", **query)) or {}).get("items", []))

    def repair(self, id: str) -> Object | None:
        return _read(self.gateway.get(f"/v1/repairs/{id}"))

    def decide(self, id: str, order: Mapping[str, Any]) -> Object | None:
        return _read(self.gateway.post(f"/v1/repairs/{id}/decide", json=dict(order)))

    def decisions(self) -> list[Object]:
        return list((_read(self.gateway.get("/v1/repairs/decisions")) or {}).get("items", []))

    def undo(self, decision: str) -> Object | None:
        return _read(self.gateway.post(f"/v1/repairs/decisions/{decision}/undo"))

    def start(self, order: Mapping[str, Any]) -> Object | None:
        return _read(self.gateway.post("/v1/replays", json=dict(order)))

    def runs(self) -> list[Object]:
        return list((_read(self.gateway.get("/v1/replays")) or {}).get("items", []))

    def run(self, id: str) -> Object | None:
        return _read(self.gateway.get(f"/v1/replays/{id}"))

    def stop(self, id: str) -> Object | None:
        return _read(self.gateway.post(f"/v1/replays/{id}/stop"))

    def resume(self, id: str) -> Object | None:
        return _read(self.gateway.post(f"/v1/replays/{id}/resume"))


class LocalBench:
    """The home on this machine."""

    def __init__(self, gateway: Gateway, language: str) -> None:
        self.gateway = gateway
        self.language = language

    def waiting(self, cause: str | None) -> list[Object]:
        from gateway.api import present_repairs as present

        found = self.gateway.repairs.waiting(None, cause)
        return [present.repair(one, self.language) for one in found]

    def repair(self, id: str) -> Object | None:
        from gateway.api import present_repairs as present

        found = self.gateway.repairs.find(id, None)
        if found is None:
            return None
        desk = self.gateway.repairs
        likely = desk.suggestions(found, operator=True)
        code = found.subject.get("system", ""), found.subject.get("code", "")
        uses = self.gateway.store.code_uses(found.organization, [code]) if all(code) else ()
        return present.whole(found, self.language, likely, desk.history(found), uses)

    def decide(self, id: str, order: Mapping[str, Any]) -> Object | None:
        from gateway.api import present_repairs as present

        found = self.gateway.repairs.find(id, None)
        if found is None:
            return None
        first_day = order.get("from")
        settled = self.gateway.repairs.decide(
            found,
            {name: order[name] for name in ("test", "unit", "card", "consent") if name in order},
            by=local.ACTOR,
            valid_from=date.fromisoformat(first_day) if first_day else None,
            note=order.get("note", ""),
            rate=order.get("rate"),
        )
        return {
            "decision": present.decision(settled.decision),
            "replay": present.run(settled.run),
        }

    def decisions(self) -> list[Object]:
        from gateway.api import present_repairs as present

        return [present.standing(one) for one in self.gateway.store.standing(None)]

    def undo(self, decision: str) -> Object | None:
        from gateway.api import present_repairs as present

        try:
            undone = self.gateway.repairs.undo(decision, by=local.ACTOR)
        except KeyError:
            return None
        return present.undone(decision, undone)

    def start(self, order: Mapping[str, Any]) -> Object | None:
        from gateway.api import present_repairs as present
        from gateway.model import Status
        from gateway.repair.replays import Choice

        ids, status = order.get("ids"), order.get("status")
        choice = Choice(
            ids=tuple(ids) if ids is not None else None,
            cause=order.get("cause"),
            status=Status(status) if status else None,
            sender=order.get("sender"),
            number=order.get("number"),
            since=_moment(order.get("from")),
            until=_moment(order.get("to")),
        )
        try:
            run, found = self.gateway.replays.start(
                choice,
                None,
                actor=local.ACTOR,
                rate=order.get("rate"),
                dry_run=bool(order.get("dry_run")),
            )
        except Rejected:
            if ids is not None:
                return None
            raise
        return {
            "submissions": list(found),
            "dry_run": run.dry_run,
            "run": present.run(run),
        }

    def runs(self) -> list[Object]:
        from gateway.api import present_repairs as present

        return [present.run(one) for one in self.gateway.store.replay_runs(None)]

    def run(self, id: str) -> Object | None:
        """Return a run, moved on by a step: where no server is up, this process works it."""
        from gateway.api import present_repairs as present

        self.gateway.replays.step()
        found = self._known(id)
        if found is None:
            return None
        items = self.gateway.store.replay_items(id)
        return {**present.run(found), "submissions": [present.item(one) for one in items]}

    def stop(self, id: str) -> Object | None:
        if self._known(id) is None:
            return None
        self.gateway.store.stop_replay(id, local.ACTOR)
        return self.run(id)

    def resume(self, id: str) -> Object | None:
        if self._known(id) is None:
            return None
        self.gateway.store.resume_replay(id, local.ACTOR)
        return self.run(id)

    def _known(self, id: str) -> ReplayRun | None:
        return self.gateway.store.replay_run(id, None)


def _read(answer: Answered) -> Object | None:
    """Return the body of an answer, None for 404.  Raises TurnedAway and Failed."""
    if answer.status == 404:
        return None
    return remote.expected(answer, 200, 202)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
