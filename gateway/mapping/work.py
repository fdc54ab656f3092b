"""The desk one document is mapped on: what was made, from where, and what stops it."""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from datetime import date

from gateway.mapping.codes import FSLI, LOINC, Test
from gateway.mapping.context import MappingContext
from gateway.mapping.definition import Mapping
from gateway.mapping.rulings import UNKNOWN_UNIT
from gateway.mapping.suggest import tests_like, units_like
from gateway.mapping.units import Unit
from gateway.model import (
    CodeUse,
    Document,
    Facts,
    Identifier,
    Json,
    JsonValue,
    Ledger,
    Node,
    Problem,
    Question,
)

_KEY_ORDER = ("urn:oid:1.2.643.100.1", "urn:oid:1.2.643.100.5")
"""An organisation is known by its ОГРН (ОГРНИП) first, so the order it writes does not count."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """One use of a laboratory's own code in the document in hand."""

    use: CodeUse
    place: str
    day: date | None
    """Day of specimen collection."""


@dataclass
class Work:
    """Everything about the one document in hand; lives as long as one call of the engine."""

    mapping: Mapping
    document: Document
    facts: Facts
    context: MappingContext
    resources: list[Json] = field(default_factory=list)
    mapped: list[tuple[str, str]] = field(default_factory=list)
    carried: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    stops: list[Problem] = field(default_factory=list)
    """What needs a person; raised together at the end."""

    questions: list[Question] = field(default_factory=list)
    """Those of `stops` that a decision can settle."""

    warnings: list[Problem] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    """Uses of the laboratory's own codes, for drift."""

    learnt: list[CodeUse] = field(default_factory=list)
    ruled: dict[str, None] = field(default_factory=dict)
    """Ids of the decisions that were used, in order."""

    references: dict[tuple[str, str], tuple[str, Node]] = field(default_factory=dict)
    """(rule, label) → (`Type/id`, node)."""

    _taken: dict[tuple[str, str], int] = field(default_factory=dict)

    def stop(self, code: str, place: str, **detail: str) -> None:
        self.stops.append(Problem(code=code, place=place, detail=detail))

    def ask(
        self,
        code: str,
        place: str,
        subject: ReadOnly[str, str],
        facts: ReadOnly[str, str],
        **detail: str,
    ) -> None:
        """Stop on what a person can decide once for every document that asks the same."""
        self.stop(code, place, **detail)
        question = Question(cause=code, place=place, subject=subject, facts=facts)
        self.questions.append(question)

    def ask_code(self, place: str, system: str, named: CodeUse) -> None:
        """Ask which test an unknown code stands for."""
        subject = {"system": named.system, "code": named.code}
        facts = {"name": named.name, "unit": named.unit, "specimen": named.specimen}
        near = tests_like(self.mapping.codes.tests(), named.name or named.code, named.unit)
        nearest = "; ".join(f"{one.key} {one.name}" for one in near) or "—"
        self.ask("MAP-101", place, subject, facts, system=system, nearest=nearest)

    def test(self, system: str, code: str, day: date | None) -> Test | None:
        """Return the test of a code that is not everybody's: as decided, else by the tables."""
        codes = self.mapping.codes
        ruled = self.context.rulings.test(system, code, day)
        if ruled is None:
            return codes.local(self.mapping.local_codes, system, code, day)
        self.ruled[ruled.decision] = None
        return codes.find(FSLI, ruled.answer) or codes.find(LOINC, ruled.answer)

    def unit(self, written: str, place: str, system: str, code: str) -> Unit | None:
        """Return the unit of a number; None, with the question asked, when nobody knows it."""
        table = self.mapping.units
        if written and (unit := table.find(written)):
            return unit
        ruled = self.context.rulings.unit(written, system, code)
        if ruled is not None:
            self.ruled[ruled.decision] = None
            return table.find(ruled.answer)
        test = self.mapping.codes.find(system, code)
        subject = {"unit": written} if written else {"unit": "", "system": system, "code": code}
        expected = test.units if test else ()
        near = "; ".join(units_like(table.all, written, expected)) or "—"
        self.ask(UNKNOWN_UNIT, place, subject, {"system": system, "code": code}, nearest=near)
        return None

    def new_id(self, resource_type: str, key: str) -> str:
        """Return the id of a thing; a second thing with the same key gets a number behind it."""
        count = self._taken.get((resource_type, key), 0) + 1
        self._taken[(resource_type, key)] = count
        return self.context.id_of(resource_type, key if count == 1 else f"{key}\x1f{count}")

    def patient_reference(self) -> Json:
        if self.context.patient is None:
            return {"display": "Анонимно"}
        return {"reference": f"Patient/{self.context.patient}"}

    def scope(self, name: str) -> str:
        """Return the words a business key is unique in."""
        report = self.facts.report
        performer = organization_key(report.performer) or self.context.organization
        return {
            "patient": "",
            "performer": performer,
            "ordering": organization_key(report.ordering) or performer,
            "report": f"{performer}\x1f{report.number}",
        }[name]

    def ledger(self) -> Ledger:
        """Return what became of every leaf of the source; what no row took was dropped."""
        leaves = dict(self.document.root.leaves())
        mapped = tuple(pair for pair in self.mapped if pair[0] in leaves)
        taken = {place for place, _ in mapped}
        carried: list[tuple[str, str]] = []
        dropped: list[tuple[str, str]] = []
        for place in leaves:
            if place in taken:
                continue
            if (reason := _reason(self.carried, place)) is not None:
                carried.append((place, reason))
            else:
                reason = _reason(self.dropped, place)
                dropped.append((place, reason or "no row of the mapping takes it"))
        return Ledger(mapped=mapped, carried=tuple(carried), dropped=tuple(dropped))


def organization_key(identifiers: tuple[Identifier, ...]) -> str:
    """Return the word an organisation is known by; empty when it has no identifier."""
    if not identifiers:
        return ""
    for system in _KEY_ORDER:
        for identifier in identifiers:
            if identifier.system == system:
                return f"{system}|{identifier.value}"
    first = min(identifiers, key=lambda i: (i.system, i.value))
    return f"{first.system}|{first.value}"


def collected_on(text: str | None) -> date | None:
    """Return the day of a FHIR date or time; None when it gives none."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def put(target: Json, path: str, value: JsonValue) -> None:
    """Set `value` at `path` in a resource: `a.b`, `a[0].b`, `a[]` to append."""
    here: JsonValue = target
    steps = path.split(".")
    for position, step in enumerate(steps):
        assert isinstance(here, dict), path
        last = position == len(steps) - 1
        name, _, index = step.partition("[")
        if not index:
            if last:
                here[name] = value
            else:
                here = here.setdefault(name, {})
            continue
        items = here.setdefault(name, [])
        assert isinstance(items, list), path
        number = len(items) if index == "]" else int(index[:-1])
        while len(items) <= number:
            items.append({})
        if last:
            items[number] = value
        else:
            here = items[number]


def _reason(reasons: ReadOnly[str, str], place: str) -> str | None:
    """Return the reason given for `place` or for the nearest place above it."""
    here = place
    while here:
        if here in reasons:
            return reasons[here]
        here = here.rpartition("/")[0]
    return reasons.get("")
