"""The values that travel along the line, one frozen dataclass per arrow.

Standard library only: every room may import this module, and it imports none of them.
Words are those of the standards: ETSI EN 319 102-1 for signatures, HL7 FHIR R4 for content.
Times are aware and in UTC; measured values are `Decimal`; FHIR resources are plain dicts
as `gateway.fhir.text` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

Json = dict[str, "JsonValue"]
JsonValue = None | bool | int | Decimal | str | list["JsonValue"] | Json


class Status(StrEnum):
    """State of a submission or of one of its documents (contract, section 4)."""

    RECEIVED = "received"
    PROCESSING = "processing"
    NEEDS_INFO = "needs_info"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class DeliveryState(StrEnum):
    """State of one delivery of one document to one destination (contract, section 4)."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    REGISTERED = "registered"
    REFUSED = "refused"
    DEAD = "dead"
    HELD = "held"


class Indication(StrEnum):
    """The three verdicts of ETSI EN 319 102-1, clause 5.1.3."""

    TOTAL_PASSED = "TOTAL_PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL_FAILED"


class CheckStatus(StrEnum):
    """Outcome of one itemised check of a verification."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_DONE = "NOT_DONE"


class Assurance(StrEnum):
    """How sure we are that the author said it; no mapping raises it (semantics, rule 1)."""

    SIGNED_QUALIFIED = "signed-qualified"
    SIGNED = "signed"
    TRANSCRIBED = "transcribed"
    CHANNEL = "channel"
    PATIENT_ASSERTED = "patient-asserted"


# --- what comes in ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Part:
    """One named part of what a sender posted, exactly as its bytes arrived."""

    name: str
    """`document`, `signature` or `consent`."""

    media_type: str
    """Lower case, without parameters."""

    body: bytes


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a sender handed over in one request, kept before anything is judged."""

    id: str
    organization: str
    """Id of the sender's organisation: the tenant."""

    client: str
    parts: tuple[Part, ...]
    kept_at: datetime
    """The moment of keep, at which signatures are judged (semantics, rule 4)."""

    @property
    def document(self) -> Part:
        return next(part for part in self.parts if part.name == "document")

    @property
    def signatures(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.name == "signature")


# --- verification ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Check:
    """One itemised check with its outcome, for people and machines."""

    name: str
    status: CheckStatus
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Covered:
    """Octets that a signature covers."""

    octets: bytes
    """Exactly what was digested: for XML the canonical form, for CMS the content."""

    scope: str
    """`FULL`, `PARTIAL` or `DIGEST` (EU DSS, SignatureScopeType)."""

    covers_enclosing: bool | None
    """Whether the document that carried the signature is covered as a whole (the signature
    element itself aside); None where nothing encloses."""

    reference: str = ""
    """The reference as written in the signature (URI, or empty)."""

    media_type: str = ""
    received: bytes = b""
    """For canonicalised JSON: the received text restricted to the digested members, whose
    canonical form `octets` is (semantics, rule 15); empty where the octets are read themselves."""


@dataclass(frozen=True, kw_only=True)
class CheckedSignature:
    """A signature whose mathematics were checked; its certificate is not judged yet.

    `problem` is None when the mathematics hold; otherwise it is the ETSI sub-indication.
    """

    format: str
    """`CMS`, `CAdES`, `XMLDSig`, `XAdES`, `JWS`."""

    level: str
    """`BES`, `B`, `T`, … or empty when the form has no levels."""

    certificate: bytes | None
    """Signing certificate, DER; None when it could not be identified."""

    other_certificates: tuple[bytes, ...]
    covered: tuple[Covered, ...]
    claimed_at: datetime | None
    checks: tuple[Check, ...]
    indication: Indication
    """TOTAL_PASSED here means only: the mathematics hold and the form is complete."""

    sub_indication: str | None = None
    hints: tuple[str, ...] = ()
    place: str = ""
    """Where the signature was found: part name and position, XPath or JSON pointer."""

    claimed: Claimed | None = None


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """Whom the message, not the certificate, names as the signer (FHIR `Signature.who`)."""

    role: str
    """As `Signer.role`; empty when the message does not tell."""

    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Who signed, read from the certificate alone."""

    subject: str
    """Distinguished name, RFC 4514."""

    serial: str = ""
    issuer: str = ""
    common_name: str = ""
    snils: str | None = None
    inn: str | None = None
    ogrn: str | None = None
    organization: str | None = None
    certificate_sha256: str = ""
    inn_organization: str | None = None
    """ИННЮЛ; `inn` holds the person's own, or this one where there is no other."""

    @property
    def role(self) -> str:
        """`doctor`, `organisation` or empty: a certificate with a СНИЛС is a person's, be an
        organisation named beside or not (semantics, rule 5)."""
        if self.snils:
            return "doctor"
        return "organisation" if self.ogrn or self.inn_organization else ""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Claimed signing time, best (trusted) time and the time the verdict is for."""

    claimed: datetime | None
    best: datetime | None
    validation: datetime


@dataclass(frozen=True, kw_only=True)
class SignatureFinding:
    """The verdict on one signature (ETSI EN 319 102-1) with everything it rests on."""

    indication: Indication
    sub_indication: str | None
    format: str
    level: str
    signer: Signer | None
    covered: tuple[Covered, ...]
    qualification: str
    """`UNKNOWN` until the trusted list says otherwise; apart from the indication."""

    times: Times
    checks: tuple[Check, ...]
    hints: tuple[str, ...] = ()
    place: str = ""
    evidence: tuple[tuple[str, bytes], ...] = ()
    """Objects the verdict rests on: (`certificate` | `crl` | `ocsp`, DER)."""

    awaited_issuer: str = ""
    """With TRY_LATER: the CA whose revocation list is missing, which need not be the signer's."""

    claimed: Claimed | None = None


@dataclass(frozen=True, kw_only=True)
class SignatureReport:
    """All signatures in or beside one document, and the verdict on them together."""

    indication: Indication
    signatures: tuple[SignatureFinding, ...]
    bindings: tuple[Check, ...] = ()
    """Whose signatures they are, per document (semantics, rule 5); none before it is read."""


@dataclass(frozen=True, kw_only=True)
class SignedContent:
    """The only thing a parser may read: the exact octets that were digested."""

    octets: bytes
    media_type: str
    assurance: Assurance
    report: SignatureReport | None
    """None only for a sender whose policy allows unsigned content."""


# --- meaning ---------------------------------------------------------------------------


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


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A piece of a batch that is no document; it is refused alone, the others go on."""

    ordinal: int
    """Position in the submission, from 0, counted with the documents."""

    place: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """An identifier in its one normal form."""

    system: str
    """Canonical system URI (`urn:oid:1.2.643.100.3` for СНИЛС); see patients.identifiers."""

    value: str
    place: str = ""


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
class Problem:
    """One finding the outside world must or may act on; never holds a patient's data.

    `detail` fills the `{placeholders}` of the code's text in `errors.toml`: codes, paths,
    counts and type names only.
    """

    code: str
    place: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)
    warning: bool = False


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


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What became of every piece of the source: nothing disappears unsaid."""

    mapped: tuple[tuple[str, str], ...]
    """(place in the source, place in the record)."""

    carried: tuple[tuple[str, str], ...]
    """Kept as it was, in the original or as text, with the reason."""

    dropped: tuple[tuple[str, str], ...]
    """Left out, with the reason."""


@dataclass(frozen=True, kw_only=True)
class PatientRecord:
    """What one document adds to one patient's card: FHIR R4 resources with ids."""

    resources: tuple[Json, ...]
    ledger: Ledger
    mapping: str
    """Name and version of the mapping file, `lab_xml/default@1`."""

    problems: tuple[Problem, ...] = ()
    """Warnings; whatever stops a document is raised, not returned."""

    uses: tuple[CodeUse, ...] = ()
    """Local codes used in a way that was not known yet."""

    decisions: tuple[str, ...] = ()
    """Ids of the decisions of persons it rests on."""


class PlacementKind(StrEnum):
    """Where a document stands in the series of its report (semantics, rules 2 and 3)."""

    FIRST = "first"
    NEWER = "newer"
    LATE = "late"
    DUPLICATE = "duplicate"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What a document does to the documents of its series that came before it."""

    kind: PlacementKind
    replaces: tuple[str, ...] = ()
    """Ids of documents whose place it takes."""

    withdraws: tuple[str, ...] = ()
    """Ids of documents it takes back: all of them, or those of the wrong patient."""

    duplicate_of: str | None = None
    seen: tuple[tuple[str, str], ...] = ()
    """(document, state) of the series as it was read; the store judges again under its lock."""


# --- what a person is asked ------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a document asks a person; one answer serves every document that asks the same."""

    cause: str
    """Code of the problem: `MAP-101`, `PAT-104`, …"""

    place: str
    subject: Mapping[str, str]
    """What makes it the same question: system and code of a test, a unit, a document's id."""

    facts: Mapping[str, str] = field(default_factory=dict)
    """What helps to answer it: the name beside the code, the unit, what was known before."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's answer to a question; reversible, and every use of it is on record."""

    id: str
    cause: str
    subject: Mapping[str, str]
    answer: Mapping[str, str]
    """`test`, `unit`, `card`, … as the cause asks."""

    by: str
    at: datetime
    valid_from: date | None = None
    """First day of specimen collection it holds for; None: every day."""


@dataclass(frozen=True, kw_only=True)
class CodeUse:
    """How a laboratory's own code was used: what a changed code is noticed by."""

    system: str
    code: str
    test: str
    """The test it stood for: its ФСЛИ code, else its LOINC code."""

    name: str = ""
    unit: str = ""
    specimen: str = ""


# --- what goes out ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PlannedDelivery:
    """A delivery as routing plans it, with the basis it may leave on."""

    destination: str
    basis: str
    consent: str = ""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where deliveries go.  `options` are those of its kind, checked when it was set up."""

    name: str
    kind: str
    organization: str
    """Id of the receiving organisation."""

    options: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One document on its way to one destination."""

    id: str
    document: str
    submission: str
    destination: str
    patient: str
    attempt: int
    """Number of this attempt, from 1."""

    basis: str
    """What it may leave on: `order`, `consent`, `care`, … (semantics, rule 9)."""

    resources: tuple[Json, ...]
    partial: bool = False
    """The consent lets some of the document's results go: these are the rest without them."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a destination gave us; evidence for the delivery receipt."""

    state: DeliveryState
    """DELIVERED, REGISTERED or REFUSED."""

    reference: str
    """The destination's own id for what it took."""

    evidence: bytes
    """The answer's exact bytes."""

    media_type: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A statement of ours, signed (JWS compact)."""

    number: str
    kind: str
    """`accepted`, `registered`, `refused` or `delivered`."""

    jws: str
    issued_at: datetime
