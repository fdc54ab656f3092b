"""A mapping file as the engine works it: frozen values, checked by the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.mapping.codes import Codes
from gateway.mapping.units import Units
from gateway.model import Identifier, Problem


class Identifiers(Protocol):
    """What the mapping needs of `gateway.patients.identifiers`: rooms do not know each other."""

    @property
    def normalise(self) -> Callable[[str, str, str], Identifier | Problem]: ...

    @property
    def check(self) -> Callable[[Identifier, str], Problem | None]: ...

    @property
    def canonical_system(self) -> Callable[[str], str | None]: ...

    SNILS: str
    MIS: str


@dataclass(frozen=True, kw_only=True)
class IdentifierRule:
    """Where identifiers stand: a node each, its system and its value."""

    each: str
    system: str
    """A path below the node, or `=word` for a system that is always the same."""

    value: str = "."


@dataclass(frozen=True, kw_only=True)
class FactsRule:
    """Where a document says who and what it is about; paths from the root."""

    patient: str
    patient_identifiers: IdentifierRule
    family: str
    given: str
    patronymic: str
    birth_date: str
    sex: str
    report: str
    number: str
    version: str
    status: str
    issued: str
    performer: IdentifierRule
    order_number: str
    ordering: IdentifierRule
    authors: IdentifierRule


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a rule: from a place in the source to an element of the resource."""

    to: str
    source: str | None = None
    value: str | None = None
    """A constant, instead of a source."""

    how: str = "text"
    options: ReadOnly[str, str] = field(default_factory=dict)
    map: ReadOnly[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One resource for every node that `each` names."""

    name: str
    type: str
    each: str
    key: tuple[str, ...]
    """Paths of the words that make its business key, from the node."""

    scope: str
    """What the key is unique in: `report`, `performer`, `ordering` or `patient`."""

    label: str | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """One mapping file with the tables it uses."""

    name: str
    """`lab_xml/default`."""

    format: str
    version: int
    zone: ZoneInfo | None
    """Zone of times without an offset; None: such a time needs a person."""

    decimal_mark: str | None
    check_digits: str
    local_codes: tuple[str, ...]
    facts: FactsRule | None
    """None for FHIR, whose facts stand where the standard puts them."""

    rules: tuple[Rule, ...]
    carry: ReadOnly[str, ReadOnly[str, str]]
    """FHIR types taken over, each with the elements that are left out and why."""

    carried: ReadOnly[str, str]
    """Places (path from the root) that stay in the original only, with the reason."""

    dropped: ReadOnly[str, str]
    codes: Codes
    units: Units
    identifiers: Identifiers

    @property
    def title(self) -> str:
        return f"{self.name}@{self.version}"
