"""Walks the stories: sends each as its laboratory would and looks at what came of it.

Everything is asked over HTTP, as an outsider: the laboratory follows its submission, the
clinic's token reads the card, and the clinic says what it received.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from gateway.algorithms.interface import Algorithms
from gateway.cli.output import Failed
from gateway.cli.remote import Answered, Remote
from gateway.sandbox.stories import Outgoing, Signers, Story, prepare

FINAL = ("accepted", "rejected", "needs_info")
DELIVERY_FINAL = ("delivered", "registered", "refused", "dead", "held")
PATIENCE_SECONDS = 60.0
"""Enough for the pure-Python GOST on a busy machine; the engine needs a second."""

POLL_SECONDS = 0.05
PAGES_MAX = 100

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What came of a story, in the words its expectation uses."""

    status: str
    codes: tuple[str, ...]
    records: int
    deliveries: int
    receipts: tuple[str, ...]
    submissions: int = 1
    """Different submissions and acceptance receipts the same bytes were given."""

    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Told:
    """A story that was walked."""

    story: Story
    expected: Facts
    actual: Facts | None
    failure: str
    """Why it could not be walked to its end; empty when it was."""

    submission: str
    receipt: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.actual == self.expected


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

    def tell(self, story: Story) -> Told:
        """Walk one story to its end; what goes wrong is told, not raised."""
        started = time.monotonic()
        expected = _expected(story)
        told = Told(
            story=story,
            expected=expected,
            actual=None,
            failure="",
            submission="",
            receipt="",
            seconds=0.0,
        )
        try:
            told = self._walk(story, told)
        except Failed as error:
            told = replace(told, failure=str(error))
        finally:
            self._control("up")
        return replace(told, seconds=time.monotonic() - started)

    def _walk(self, story: Story, told: Told) -> Told:
        outgoing = prepare(story, self.signers, self.algorithms, self.clock())
        laboratory = self.laboratories[story.laboratory]
        if story.clinic == "down-then-up":
            self._control("down")
        answers = self._send(story, outgoing, laboratory)
        ids = {answer.body["id"] for answer in answers}
        receipts = {answer.body["receipt"]["jws"] for answer in answers}
        submission = answers[0].body["id"]
        told = replace(told, submission=submission, receipt=answers[0].body["receipt"]["number"])
        if story.clinic == "down-then-up":
            _until(lambda: _tried(_view(laboratory, submission)))
            self._control("up")
        view = _until(lambda: _finished(_view(laboratory, submission)))
        facts = self._facts(story, outgoing, laboratory, view)
        return replace(told, actual=replace(facts, submissions=max(len(ids), len(receipts))))

    def _send(self, story: Story, outgoing: Outgoing, laboratory: Remote) -> list[Answered]:
        def once() -> Answered:
            sent = laboratory.post_parts("/v1/submissions", outgoing.document, outgoing.signatures)
            if sent.status not in (200, 202) or "receipt" not in sent.body:
                code = sent.body.get("code", "")
                raise Failed(f"POST /v1/submissions: HTTP {sent.status} {code}".rstrip())
            return sent

        answers = _at_once(story.at_once, once) if story.at_once else [once()]
        answers += [once() for _ in range(story.times - 1)]
        return answers

    def _facts(
        self, story: Story, outgoing: Outgoing, laboratory: Remote, view: dict[str, Any]
    ) -> Facts:
        deliveries = {d["id"] for document in view["documents"] for d in document["deliveries"]}
        received = self.clinic.get("/_received").body.get("deliveries", [])
        taken = [r for r in received if r["idempotency_key"] in deliveries and r["taken"]]
        rows = laboratory.get(f"/v1/submissions/{view['id']}/receipts").body["receipts"]
        card = self._card(story.patient)
        return Facts(
            status=view["status"],
            codes=tuple(sorted({p["code"] for p in view["problems"] if not p["warning"]})),
            records=sum(_reports(page, outgoing.number) for page in card),
            deliveries=len(taken),
            receipts=tuple(row["kind"] for row in rows),
            values=tuple(value for value in story.expect.values if _stands(value, card)),
        )

    def _card(self, patient: str) -> list[Answered]:
        """Return everything the clinic may read of the patient, page by page."""
        found = self.reader.get("/fhir/Patient", identifier=patient).body
        pages: list[Answered] = []
        for entry in found.get("entry", []):
            path: str | None = f"/fhir/Patient/{entry['resource']['id']}/$everything"
            while path and len(pages) < PAGES_MAX:
                pages.append(self.reader.get(path))
                path = _next(pages[-1].body, self.reader.url)
        return pages

    def _control(self, mode: str) -> None:
        self.clinic.post("/_control", json={"mode": mode})


def _expected(story: Story) -> Facts:
    return Facts(
        status=story.expect.status,
        codes=tuple(sorted(story.expect.codes)),
        records=story.expect.records,
        deliveries=story.expect.deliveries,
        receipts=story.expect.receipts,
        values=story.expect.values,
    )


def _at_once(times: int, send: Callable[[], Answered]) -> list[Answered]:
    """Do `send` in so many threads that all start together."""
    gate = threading.Barrier(times)

    def together() -> Answered:
        gate.wait()
        return send()

    with ThreadPoolExecutor(times) as threads:
        return [one.result() for one in [threads.submit(together) for _ in range(times)]]


def _view(laboratory: Remote, submission: str) -> dict[str, Any]:
    answer = laboratory.get(f"/v1/submissions/{submission}")
    if answer.status != 200:
        raise Failed(f"GET /v1/submissions/{submission}: HTTP {answer.status}")
    return answer.body


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


def _reports(page: Answered, number: str) -> int:
    resources = [entry["resource"] for entry in page.body.get("entry", [])]
    reports = [r for r in resources if r["resourceType"] == "DiagnosticReport"]
    return sum(
        any(one.get("value") == number for one in report.get("identifier", []))
        for report in reports
    )


def _stands(value: str, card: list[Answered]) -> bool:
    """Say whether the number stands in the card's text digit by digit."""
    number = re.compile(rb'"value"\s*:\s*' + re.escape(value.encode()) + rb"(?![0-9.eE])")
    return any(number.search(page.octets) for page in card)


def _next(bundle: dict[str, Any], url: str) -> str | None:
    for link in bundle.get("link", []):
        if link.get("relation") == "next":
            return str(link["url"]).removeprefix(url)
    return None
