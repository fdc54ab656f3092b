"""What a document says: the report, its patient, and who may receive it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from gateway.model.signatures import SignedContent
from gateway.model.words import Identifier, JsonValue, Problem


class Node(Protocol):
    """A place in a document, spoken to in the path language of its format.

    XPath for XML, JSON pointer (with `*` over array items) for JSON, `OBX-5.1` for HL7 v2,
    a column name for CSV.
    """

    @property
    def place(self) -> str:
        """Where this node stands in the source, absolute, for problems and the ledger."""

    def select(self, path: str) -> JsonValue:
        """Return the value at `path` below this node, or None.

        Text formats give `str` exactly as written; JSON gives the JSON value.
        """

    def each(self, path: str) -> tuple[Node, ...]:
        """Return the nodes that `path` names below this node, in document order."""

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Yield (absolute place, text) for every scalar below this node: the ledger's base."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One report of one patient, in its own format, with one small face for all formats."""

    format: str
    """Name of the format plug-in: `fhir_json`, `lab_xml`, …"""

    root: Node
    content: SignedContent
    ordinal: int = 0
    """Position in the submission, from 0."""

    place: str = ""
    """Where it stands in a batch of several; empty: it is all that was sent."""

    piece: bytes = b""
    """What of a batch is this document's own; empty: it is all that was sent."""

    indivisible: bool = False
    """Taken together with the other documents of its submission, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A piece of a batch that is no document; it is refused alone, the others go on."""

    ordinal: int
    """Position in the submission, from 0, counted with the documents."""

    place: str
    problems: tuple[Problem, ...]
    indivisible: bool = False
    """As with a document: the others are not taken without it."""


@dataclass(frozen=True, kw_only=True)
class PersonName:
    family: str
    given: str = ""
    patronymic: str = ""


@dataclass(frozen=True, kw_only=True)
class PatientClaim:
    """What a document says of its patient."""

    identifiers: tuple[Identifier, ...]
    name: PersonName | None
    birth_date: date | None
    sex: str | None
    """FHIR administrative gender."""

    place: str


@dataclass(frozen=True, kw_only=True)
class ReportClaim:
    """What a document says of itself: the second identity of semantics, rule 2."""

    performer: tuple[Identifier, ...]
    """Identifiers of the performing organisation."""

    number: str
    """Report number or setId in the performing organisation."""

    version: int | None
    status: str
    """FHIR DiagnosticReport.status."""

    issued: datetime | date | None
    order_number: str | None
    ordering: tuple[Identifier, ...]
    """Identifiers of the ordering organisation, as far as the document names it."""

    anonymous: bool = False
    authors: tuple[Identifier, ...] = ()
    """Identifiers of the doctor who answers for the report, СНИЛС among them where sent."""

    signatories: tuple[Identifier, ...] = ()
    """Identifiers of everybody who may sign it: performers, interpreters, legal authenticators;
    empty where the authors are all."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Read from a document before anything is mapped."""

    patient: PatientClaim
    report: ReportClaim

    problems: tuple[Problem, ...] = ()
    """Warnings met while reading."""


class MatchKind(StrEnum):
    MATCHED = "matched"
    NEW = "new"
    PROVISIONAL = "provisional"
    ANONYMOUS = "anonymous"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class PatientMatch:
    """Whose card this is.  `patient` is the pseudonymous patient number (a UUID)."""

    kind: MatchKind
    patient: str | None
    problems: tuple[Problem, ...] = ()
    confirms: bool = False
    """The document carries a number that makes a provisional card a full one."""


@dataclass(frozen=True, kw_only=True)
class ConsentDecision:
    """May it be done, and on which basis (semantics, rule 9)."""

    permitted: bool
    basis: str
    """`consent`, `care`, `order`, `legal-duty`, `patient-request` or `none`."""

    reference: str = ""
    """Id of the consent it rests on, if it does."""

    version: int = 0
    """Version of the patient's consents the decision was taken at; store re-checks it."""

    partial: bool = False
    """Some tests may go and others may not: each result is asked about alone."""


@dataclass(frozen=True, kw_only=True)
class Provision:
    """One sentence of a consent: who may, or may not, get which results, for what, and when."""

    recipient: str
    """Organisation id the patient's data may go to; `*` in a refusal means everybody."""

    purpose: str
    """HL7 v3 ActReason, `TREAT`; `*` in a refusal means every purpose."""

    valid_from: datetime
    valid_to: datetime | None
    deny: bool = False
    tests: tuple[str, ...] = ()
    """Tests it speaks about, `system|code`; empty means all."""


@dataclass(frozen=True, kw_only=True)
class Grant(Provision):
    """A stored provision, as decisions need it."""

    id: str
    """Id of the consent that says it."""

    patient: str
    state: str
    """Of the consent: `active`, `expired`, `rejected` or `revoked`."""

    version: int
    ordinal: int = 0
    """Place in its consent: an exception stands after what it is an exception to."""
