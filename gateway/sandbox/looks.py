"""What a story may ask about, one function each: an outsider's look at gateway and clinic."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gateway.cli.output import Failed
from gateway.cli.remote import Answered, Remote
from gateway.sandbox.stories import Facts

PAGES_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A sending, as its laboratory follows it."""

    laboratory: Remote
    submission: str
    receipt: str
    number: str
    """The report's number in the laboratory."""

    different: int
    """Different submissions and acceptance receipts the same bytes were given."""

    def view(self) -> dict[str, Any]:
        answer = self.laboratory.get(f"/v1/submissions/{self.submission}")
        if answer.status != 200:
            raise Failed(f"GET /v1/submissions/{self.submission}: HTTP {answer.status}")
        return answer.body

    def deliveries(self) -> list[dict[str, Any]]:
        return [one for document in self.view()["documents"] for one in document["deliveries"]]


@dataclass(kw_only=True)
class Sight:
    """One look; what several questions need is fetched once."""

    sent: Mapping[str, Sent]
    of: Sent
    patient: str
    wanted: Facts
    reader: Remote
    clinic: Remote

    @cached_property
    def view(self) -> dict[str, Any]:
        return self.of.view()

    @cached_property
    def patients(self) -> list[str]:
        found = self.reader.get("/fhir/Patient", identifier=self.patient).body
        return [entry["resource"]["id"] for entry in found.get("entry", [])]

    @cached_property
    def card(self) -> list[Answered]:
        """Everything the clinic may read of the patient, page by page."""
        pages: list[Answered] = []
        for patient in self.patients:
            path: str | None = f"/fhir/Patient/{patient}/$everything"
            while path and len(pages) < PAGES_MAX:
                pages.append(self.reader.get(path))
                path = _next(pages[-1].body, self.reader.url)
        return pages

    @cached_property
    def received(self) -> list[dict[str, Any]]:
        """What the clinic took, in order: the delivery's id and the types of its resources."""
        received = self.clinic.get("/_received").body.get("deliveries", [])
        return [one for one in received if one["taken"]]

    def mine(self) -> list[dict[str, Any]]:
        """What the clinic took of this sending."""
        keys = {one["id"] for one in self.of.deliveries()}
        return [one for one in self.received if one["idempotency_key"] in keys]


def _codes(sight: Sight, *, warning: bool) -> tuple[str, ...]:
    found = {p["code"] for p in sight.view["problems"] if p["warning"] is warning}
    return tuple(sorted(found))


def _duplicate_of(sight: Sight) -> str:
    first = [document["duplicate_of"] for document in sight.view["documents"]]
    originals = {
        document["id"]: name
        for name, sent in sight.sent.items()
        for document in sent.view()["documents"]
    }
    return originals.get(first[0], "") if first else ""


def _receipts(sight: Sight) -> tuple[str, ...]:
    path = f"/v1/submissions/{sight.view['id']}/receipts"
    return tuple(row["kind"] for row in sight.of.laboratory.get(path).body["receipts"])


def _results(sight: Sight) -> int:
    return sum(one["types"].count("Observation") for one in sight.mine())


def _held(sight: Sight) -> int:
    return sum(one["state"] == "held" for one in sight.of.deliveries())


def _taken(sight: Sight) -> tuple[str, ...]:
    names = {one["id"]: name for name, sent in sight.sent.items() for one in sent.deliveries()}
    keys = [one["idempotency_key"] for one in sight.received]
    return tuple(names[key] for key in keys if key in names)


def _records(sight: Sight) -> int:
    return sum(_reports(page, sight.of.number) for page in sight.card)


def _values(sight: Sight) -> tuple[str, ...]:
    return tuple(one for one in sight.wanted.values or () if _stands(one, sight.card))


def _absent(sight: Sight) -> tuple[str, ...]:
    return tuple(one for one in sight.wanted.absent or () if not _stands(one, sight.card))


LOOKS: Mapping[str, Callable[[Sight], Any]] = {
    "status": lambda sight: sight.view["status"],
    "codes": lambda sight: _codes(sight, warning=False),
    "warnings": lambda sight: _codes(sight, warning=True),
    "documents": lambda sight: sight.view["counts"],
    "duplicate_of": _duplicate_of,
    "receipts": _receipts,
    "deliveries": lambda sight: len(sight.mine()),
    "results": _results,
    "held": _held,
    "taken": _taken,
    "cards": lambda sight: len(sight.patients),
    "records": _records,
    "values": _values,
    "absent": _absent,
    "submissions": lambda sight: sight.of.different,
}
"""By the name of the fact it finds."""


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
