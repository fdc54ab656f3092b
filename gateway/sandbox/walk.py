"""Walks the stories: does each step as a laboratory or clinic would and looks at what came of it.

Everything is asked over HTTP, as an outsider: the laboratory follows its submission, the
clinic's token reads the card, and the clinic says what it received.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from gateway.algorithms.interface import Algorithms
from gateway.cli.output import Failed
from gateway.cli.remote import Answered, Remote
from gateway.sandbox.looks import LOOKS, Sent, Sight
from gateway.sandbox.stories import (
    Agree,
    BadStory,
    Decide,
    Expect,
    Facts,
    Outgoing,
    Replay,
    Revoke,
    Send,
    Signers,
    Step,
    Story,
    Switch,
    Teller,
    Tried,
)

FINAL = ("accepted", "rejected", "needs_info", "replaced", "withdrawn")
DELIVERY_FINAL = ("delivered", "registered", "refused", "dead", "held")
PATIENCE_SECONDS = 60.0
"""Enough for the pure-Python GOST on a busy machine; the engine needs a second."""

SETTLING_SECONDS = 10.0
"""How long what is not as expected may become so after the submission itself has ended."""

POLL_SECONDS = 0.05
AT_ONCE = 4
"""Stories told at the same time: most of a story is waiting."""


Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Told:
    """A story that was walked."""

    story: Story
    expected: tuple[Facts, ...]
    actual: tuple[Facts, ...]
    """As far as it was walked: one for each `expect`."""

    failure: str
    """Why it could not be walked to its end; empty when it was."""

    submission: str
    receipt: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.actual == self.expected


@dataclass(kw_only=True)
class _Way:
    """How far a story has come."""

    teller: Teller
    sent: dict[str, Sent] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    actual: list[Facts] = field(default_factory=list)


class Walk:
    """The laboratories, the clinic and the keys the stories are told with."""

    def __init__(
        self,
        *,
        laboratories: Mapping[str, Remote],
        reader: Remote,
        clinic: Remote,
        signers: Signers,
        algorithms: Algorithms,
        clock: Callable[[], datetime],
    ) -> None:
        """`reader` is the clinic's client of the gateway; `clinic` is the clinic itself."""
        self.laboratories = laboratories
        self.reader = reader
        self.clinic = clinic
        self.signers = signers
        self.algorithms = algorithms
        self.clock = clock

    def tell_all(self, stories: Sequence[Story], done: Callable[[Told], None]) -> list[Told]:
        """Walk the stories, several at once where they do not feel each other; keep their order."""

        def tell(story: Story) -> Told:
            told = self.tell(story)
            done(told)
            return told

        alone = [story for story in stories if story.alone]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            together = threads.map(tell, [story for story in stories if not story.alone])
            found = list(together)
        found += [tell(story) for story in alone]
        return sorted(found, key=lambda told: stories.index(told.story))

    def tell(self, story: Story) -> Told:
        """Walk one story to its end; what goes wrong is told, not raised."""
        started = time.monotonic()
        way = _Way(teller=Teller(story, self.signers, self.algorithms, self.clock()))
        failure = ""
        try:
            for step in story.steps:
                if not self._step(step, way):
                    break
        except (Failed, BadStory) as error:
            failure = str(error)
        finally:
            if story.alone:
                self._control("up")
        first = next(iter(way.sent.values()), None)
        return Told(
            story=story,
            expected=tuple(step.facts for step in story.steps if isinstance(step, Expect)),
            actual=tuple(way.actual),
            failure=failure,
            submission=first.submission if first else "",
            receipt=first.receipt if first else "",
            seconds=time.monotonic() - started,
        )

    def _step(self, step: Step, way: _Way) -> bool:
        """Do one step; False when an expectation failed and the rest would tell nothing."""
        match step:
            case Send():
                way.sent[step.name] = self._send(step, way.teller.prepare(step))
            case Switch():
                self._control(step.clinic)
            case Tried():
                _until(lambda: _tried(way.sent[step.of].view()))
            case Agree():
                way.consents[step.name] = self._agree(way.teller.named(step.plain()))
            case Revoke():
                _done(
                    self.reader.post(f"/v1/consents/{way.consents[step.consent]}/revoke", json={})
                )
            case Decide():
                self._decide(step, {sent.submission for sent in way.sent.values()})
            case Replay():
                sent = way.sent[step.of]
                _done(sent.laboratory.post(f"/v1/submissions/{sent.submission}/replay", json={}))
            case Expect():
                way.actual.append(self._look(step, way))
                return way.actual[-1] == step.facts
        return True

    def _send(self, send: Send, outgoing: Outgoing) -> Sent:
        laboratory = self.laboratories[send.laboratory]

        def once() -> Answered:
            sent = laboratory.post_parts("/v1/submissions", outgoing.document, outgoing.beside)
            if sent.status not in (200, 202) or "receipt" not in sent.body:
                code = sent.body.get("code", "")
                raise Failed(f"POST /v1/submissions: HTTP {sent.status} {code}".rstrip())
            return sent

        answers = _at_once(send.at_once, once) if send.at_once else [once()]
        answers += [once() for _ in range(send.times - 1)]
        ids = {answer.body["id"] for answer in answers}
        receipts = {answer.body["receipt"]["jws"] for answer in answers}
        return Sent(
            laboratory=laboratory,
            submission=answers[0].body["id"],
            receipt=answers[0].body["receipt"]["number"],
            number=outgoing.number,
            different=max(len(ids), len(receipts)),
        )

    def _agree(self, consent: bytes) -> str:
        kind = {"Content-Type": "application/fhir+json"}
        answer = _done(self.reader.post("/v1/consents", data=consent, headers=kind))
        return str(answer.body["id"])

    def _decide(self, step: Decide, submissions: set[str]) -> None:
        """Answer the question of the cause that the story's documents wait on."""
        laboratory = self.laboratories[step.laboratory]
        for item in _done(laboratory.get("/v1/repairs", cause=step.cause)).body["items"]:
            path = f"/v1/repairs/{item['id']}"
            asked = _done(laboratory.get(path)).body["documents"]
            if submissions & {document["submission"] for document in asked}:
                _done(laboratory.post(f"{path}/decide", json=dict(step.answer)))
                return
        raise Failed(f"GET /v1/repairs: nothing of this story waits on {step.cause}")

    def _look(self, step: Expect, way: _Way) -> Facts:
        """Return what is so by now, once it is as expected or will not become so any more."""
        sent = way.sent[step.of]
        _until(lambda: _finished(sent.view()))
        ends = time.monotonic() + SETTLING_SECONDS
        while True:
            found = self._facts(step, way)
            if found == step.facts or time.monotonic() > ends:
                return found
            time.sleep(POLL_SECONDS)

    def _facts(self, step: Expect, way: _Way) -> Facts:
        """Return what the expectation asks about, and nothing else."""
        sight = Sight(
            sent=way.sent,
            of=way.sent[step.of],
            patient=way.teller.patient(step.patient),
            wanted=step.facts,
            reader=self.reader,
            clinic=self.clinic,
        )
        asked = {name for name in LOOKS if getattr(step.facts, name) is not None}
        return replace(Facts(), **{name: LOOKS[name](sight) for name in asked})

    def _control(self, mode: str) -> None:
        self.clinic.post("/_control", json={"mode": mode})


def _done(answer: Answered) -> Answered:
    if answer.status >= 300:
        raise Failed(f"HTTP {answer.status} {answer.body.get('code', '')}".rstrip())
    return answer


def _at_once(times: int, send: Callable[[], Answered]) -> list[Answered]:
    """Do `send` in so many threads that all start together."""
    gate = threading.Barrier(times)

    def together() -> Answered:
        gate.wait()
        return send()

    with ThreadPoolExecutor(times) as threads:
        return [one.result() for one in [threads.submit(together) for _ in range(times)]]


def _finished(view: dict[str, Any]) -> dict[str, Any] | None:
    states = [d["state"] for document in view["documents"] for d in document["deliveries"]]
    done = view["status"] in FINAL and all(state in DELIVERY_FINAL for state in states)
    return view if done else None


def _tried(view: dict[str, Any]) -> bool:
    """Say whether a delivery of the submission failed at least once, or there will be none."""
    deliveries = [d for document in view["documents"] for d in document["deliveries"]]
    if view["status"] in FINAL and not deliveries:
        return True
    return any(d["attempts"] >= 1 and d["state"] == "waiting" for d in deliveries)


def _until(look: Callable[[], Found | None]) -> Found:
    """Return the first thing `look` finds.  Raises Failed when patience ends."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise Failed(f"no end after {PATIENCE_SECONDS:.0f} s")
