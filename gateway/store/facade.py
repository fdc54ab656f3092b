"""The store as the rest of the gateway sees it: one class, values in, values out.

Every method is one durable transaction or one consistent read.  A method that takes a
`WorkOrder` to finish something raises `LostLease` when a later claim holds the order.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.fhir import search
from gateway.model import (
    Answer,
    Delivery,
    Destination,
    Grant,
    Identifier,
    Json,
    Ledger,
    Problem,
    Provision,
    Receipt,
    SignatureReport,
    Status,
    Submission,
)
from gateway.store import (
    assertions,
    consents,
    deliveries,
    directory,
    endings,
    grounds,
    items,
    log,
    log_checks,
    records,
    series,
    settle,
    submissions,
    timeline,
    views,
    wholes,
    work,
)
from gateway.store.database import Database
from gateway.store.evidence_records import EvidenceRecords
from gateway.store.keys import KeyStore
from gateway.store.repair_facade import RepairStore
from gateway.store.room import Heads, Indexer, Room
from gateway.store.values import (
    Arrival,
    AuditEntry,
    AuditHead,
    AuditVerdict,
    Card,
    Client,
    ConsentFilter,
    ConsentPage,
    Event,
    Filter,
    Kept,
    KnownVersion,
    NewConsent,
    OpenItem,
    Organization,
    Outcome,
    Page,
    ReceiptRow,
    Revocation,
    StoredConsent,
    StoredSignatures,
    SubmissionView,
    WorkOrder,
)


class Store(RepairStore):
    """The database, the key store and the rules that hold between them."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        clock: Callable[[], datetime],
        heads: Heads | None = None,
        index: Indexer | None = None,
    ) -> None:
        """Open the store and bring its schema to its head.

        `heads` signs the log's tree heads; without it nothing is sealed.  `index` extracts
        search rows from a resource; default `gateway.fhir.search.index`.
        """
        database.migrate()
        super().__init__(Room(database, keys, clock, index or search.index, heads))
        self.evidence = EvidenceRecords(self.room)
        """How long proofs last, and the records that renew them."""

        self.database = database
        self.keys = keys
        self.clock = clock

    @property
    def embedded(self) -> bool:
        """Whether the database is SQLite: one process works it."""
        return self.room.database.embedded

    def close(self) -> None:
        """Close the database and the key store; waits for writes that were promised."""
        self.database.close()
        self.keys.close()

    # --- submissions -------------------------------------------------------------------

    def keep(self, arrival: Arrival) -> Kept:
        """Keep an arrival durably, once.  Raises Rejected DUP-001 for a key in other use."""
        return submissions.keep(self.room, arrival)

    def submission(self, submission: str) -> Submission:
        """Return what was kept, decrypted.  Raises KeyError for an unknown id."""
        return submissions.load(self.room, submission)

    def view(self, submission: str, organizations: tuple[str, ...] | None) -> SubmissionView | None:
        """Return a submission as its sender sees it; None when it is not theirs to see."""
        return views.view(self.room, submission, organizations)

    def list(self, wanted: Filter) -> Page:
        """Return one page of submissions, newest first."""
        return views.page(self.room, wanted)

    def events(self, submission: str) -> tuple[Event, ...]:
        """Return the timeline of a submission, in order."""
        return timeline.events(self.room, submission)

    def receipts(self, submission: str) -> tuple[ReceiptRow, ...]:
        """Return every receipt issued about a submission, in order of issue."""
        return timeline.receipts(self.room, submission)

    def receipt(self, number: str) -> ReceiptRow | None:
        """Return one receipt by its number."""
        return timeline.receipt(self.room, number)

    def signatures(self, submission: str) -> StoredSignatures | None:
        """Return the verification result with its evidence; None when none was made."""
        return submissions.signatures(self.room, submission)

    def ledger(self, submission: str) -> tuple[Ledger, ...]:
        """Return the mapping ledgers of a submission's documents, in order."""
        return submissions.ledgers(self.room, submission)

    # --- work --------------------------------------------------------------------------

    def claim(self, kind: str, limit: int, lease: timedelta) -> tuple[WorkOrder, ...]:
        """Claim up to `limit` orders of `kind`; FIFO within one order key."""
        return work.claim(self.room, kind, limit, lease)

    def wait_for_work(self, kind: str, timeout: float) -> bool:
        """Wait up to `timeout` seconds until an order of `kind` can be claimed."""
        return work.wait(self.room, kind, timeout)

    def release_all(self) -> int:
        """Make every claimed order claimable at once; return how many.

        Only for the one process that works an embedded database, when it starts.
        """
        return work.release_all(self.room)

    def extend(self, order: WorkOrder, lease: timedelta) -> None:
        """Lengthen a claim.  Raises LostLease."""
        work.extend(self.room, order, lease)

    def wake(self) -> None:
        """Wake every thread of this process that waits for work."""
        work.wake(self.room)

    def ring(self, kind: str) -> None:
        """Wake the threads of this process that wait for `kind`: another process made work."""
        self.room.waker.ring(kind)

    def ring_beyond(self, ring: Callable[[str], None]) -> None:
        """Call `ring` too whenever this process makes work of a kind claimable."""
        self.room.waker.beyond = ring

    def postpone(self, order: WorkOrder, at: datetime, problem: Problem) -> None:
        """Give an order back, to be claimed again from `at`.  Raises LostLease."""
        if order.kind == "delivery":
            deliveries.failed(self.room, order, problem, at)
        else:
            work.postpone(self.room, order, at, problem)

    def give_up(self, order: WorkOrder, problem: Problem) -> None:
        """Hand to a person what fails by our own fault: `needs_info` or `dead`.

        A replay starts it again.  Raises LostLease.
        """
        if order.kind == "delivery":
            deliveries.failed(self.room, order, problem, None)
        else:
            endings.give_up(self.room, order, problem)

    def replay(self, submission: str, actor: str, document: str | None = None) -> None:
        """Put a submission on the line again, and its dead or held deliveries.

        With `document` only that one of its documents.  Raises KeyError for an unknown id.
        Work that is under way is left alone.
        """
        work.replay(self.room, submission, actor, document)

    def piece(self, document: str) -> bytes:
        """Return a document's own piece of an original that held several.

        Raises KeyError when there is none, KeyDestroyed when its patient was erased.
        """
        return wholes.piece(self.room, document)

    def drop_wholes(self) -> int:
        """Drop originals of several documents whose time is over; return how many."""
        return wholes.drop_due(self.room)

    def left_alone(self, submission: str) -> frozenset[str]:
        """Return the documents of a submission that no run of the line need work again."""
        return work.left_alone(self.room, submission)

    def left_by_replay(self, submission: str) -> frozenset[str]:
        """Return the documents of a submission that a replay would leave as they are."""
        return work.left_by_replay(self.room, submission)

    def begin(self, order: WorkOrder) -> None:
        """Mark a submission as `processing`.  Raises LostLease."""
        endings.begin(self.room, order)

    def settle(
        self,
        order: WorkOrder,
        outcomes: tuple[Outcome, ...],
        report: SignatureReport | None,
        *,
        several: bool = False,
        more: bool = False,
    ) -> None:
        """Write everything the line found in one transaction and complete the order.

        `several`: the original holds other documents besides.  `more`: some of them are still
        to come, and the order goes on.  Raises LostLease, and Moved when a patient or consent
        changed meanwhile: repeat from *identify*.
        """
        settle.settle(self.room, order, outcomes, report, several=several, more=more)

    def fail(
        self,
        order: WorkOrder,
        problems: tuple[Problem, ...],
        receipt: Receipt | None,
        status: Status,
        audit: AuditEntry,
        report: SignatureReport | None = None,
    ) -> None:
        """End a submission of which no document could be read: `rejected` or `needs_info`."""
        endings.fail(self.room, order, problems, receipt, status, audit, report)

    # --- patients ----------------------------------------------------------------------

    def cards(self, identifier: Identifier) -> tuple[Card, ...]:
        """Return the cards an identifier is linked to."""
        return records.cards(self.room, identifier)

    def new_patient_number(self) -> str:
        """Return a fresh pseudonymous patient number."""
        return records.new_patient_number()

    def patients_by_identifier(self, identifier: Identifier) -> tuple[str, ...]:
        """Return patient numbers an identifier is linked to and that have a card."""
        return records.patients_by_identifier(self.room, identifier)

    def owner(self, type: str, id: str) -> str | None:
        """Return the patient number of a current resource, unopened."""
        return records.owner(self.room, type, id)

    def resource(self, type: str, id: str) -> tuple[Json, str] | None:
        """Return a current resource and its patient number."""
        return records.resource(self.room, type, id)

    def everything(self, patient: str) -> tuple[Json, ...]:
        """Return every current resource of a patient."""
        return records.everything(self.room, patient)

    def history(self, type: str, id: str) -> tuple[Json, ...]:
        """Return every version of a resource, as they came; withdrawn and late ones too."""
        return records.history(self.room, type, id)

    # --- series ------------------------------------------------------------------------

    def series(self, performer: tuple[Identifier, ...], number: str) -> tuple[KnownVersion, ...]:
        """Return the settled documents of a report, duplicates aside, as they came."""
        return series.known(self.room, performer, number)

    def clinical_token(self, content: bytes) -> str:
        """Return the keyed token of a report's clinical content."""
        return self.keys.exact_token("clinical", content)

    def open_items(
        self, organizations: tuple[str, ...] | None = None, closed: bool = False
    ) -> tuple[OpenItem, ...]:
        """Return what only a person can bring to an end, oldest first."""
        return items.find(self.room, organizations, closed)

    def close_item(
        self, id: str, actor: str, note: str, organizations: tuple[str, ...] | None = None
    ) -> OpenItem:
        """Close an open item with what was done.  Raises KeyError for one not theirs to see."""
        return items.close(self.room, id, actor, note, organizations)

    # --- consents ----------------------------------------------------------------------

    def grants(self, patient: str) -> tuple[Grant, ...]:
        """Return all stored consents of a patient."""
        return consents.grants(self.room, patient)

    def add_grant(
        self,
        identifiers: tuple[Identifier, ...],
        recipient: str,
        purpose: str,
        valid_from: datetime,
        valid_to: datetime | None,
        resource: Json,
        actor: str,
    ) -> Grant:
        """Store a consent of one provision, recorded by its recipient; as `add_consent`."""
        provision = Provision(
            recipient=recipient, purpose=purpose, valid_from=valid_from, valid_to=valid_to
        )
        stored = self.add_consent(
            NewConsent(
                identifiers=identifiers,
                provisions=(provision,),
                resource=resource,
                organization=recipient,
                actor=actor,
            )
        )
        return stored.grants[0]

    def add_consent(
        self, new: NewConsent, wait: timedelta = timedelta(seconds=30)
    ) -> StoredConsent:
        """Store a consent and release the held deliveries it lets go.

        One that refuses something waits for what is on the wire as `revoke_grant` does.
        A patient not seen before gets a number by their identifiers.  Raises LinkedElsewhere
        when the identifiers name two patients.
        """
        return consents.add(self.room, new, wait)

    def revoke_grant(
        self, id: str, actor: str, wait: timedelta = timedelta(seconds=30)
    ) -> Revocation:
        """Revoke a consent.  Raises KeyError for an unknown id; twice is as once.

        Nothing starts to leave on it after the commit; what was on the wire then is waited
        for, `wait` at the longest.
        """
        return consents.revoke(self.room, id, actor, wait)

    def recheck_consents(self) -> int:
        """Mark ended consents as expired; hold and release what time changed; return how many."""
        return consents.recheck(self.room)

    def consent(self, id: str, organizations: tuple[str, ...] | None) -> StoredConsent | None:
        """Return a consent; None when it is not there or not theirs to see."""
        return consents.view(self.room, id, organizations)

    def consents(self, wanted: ConsentFilter) -> ConsentPage:
        """Return one page of consents, newest first."""
        return consents.page(self.room, wanted)

    def consent_resource(self, id: str) -> Json:
        """Return the FHIR Consent as it came.  Raises KeyError and KeyDestroyed."""
        return consents.resource(self.room, id)

    def consent_version(self, patient: str) -> int:
        """Return the version of a patient's consents; 0 before the first."""
        return consents.version(self.room, patient)

    def has_ground(self, patient: str, organization: str) -> bool:
        """Return whether an organisation may see a patient's card now."""
        return grounds.has_ground(self.room, patient, organization)

    # --- deliveries --------------------------------------------------------------------

    def delivery(self, order: WorkOrder) -> Delivery:
        """Mark a claimed delivery as `sending` and return what may be sent.

        Raises LostLease, and Held when by now there is no basis to send it.
        """
        return deliveries.start(self.room, order)

    def delivered(
        self, order: WorkOrder, answer: Answer, receipt: Receipt, audit: AuditEntry
    ) -> None:
        """Record that a destination took a delivery.  Raises LostLease."""
        deliveries.delivered(self.room, order, answer, receipt, audit)

    def refused(
        self,
        order: WorkOrder,
        answer: Answer,
        problem: Problem,
        receipt: Receipt | None,
        audit: AuditEntry,
    ) -> None:
        """Record that a destination refused a delivery for good.  Raises LostLease."""
        deliveries.refused(self.room, order, answer, problem, receipt, audit)

    def delivery_failed(
        self, order: WorkOrder, problem: Problem, next_try: datetime | None
    ) -> None:
        """Record a failed attempt; without `next_try` the delivery is dead.  Raises LostLease."""
        deliveries.failed(self.room, order, problem, next_try)

    # --- directory ---------------------------------------------------------------------

    def put_organization(self, organization: Organization) -> None:
        directory.put_organization(self.room, organization)

    def organization(self, id: str) -> Organization | None:
        return directory.organization(self.room, id)

    def organizations(self) -> tuple[Organization, ...]:
        return directory.organizations(self.room)

    def put_client(self, client: Client) -> None:
        directory.put_client(self.room, client)

    def client(self, id: str) -> Client | None:
        return directory.client(self.room, id)

    def clients(self) -> tuple[Client, ...]:
        return directory.clients(self.room)

    def first_use(self, client: str, assertion: str, until: datetime) -> bool:
        """Return whether a client's assertion is new, in any process; remember it `until` then."""
        return assertions.first_use(self.room, client, assertion, until)

    def put_destination(self, destination: Destination) -> None:
        directory.put_destination(self.room, destination)

    def destinations(self) -> tuple[Destination, ...]:
        return directory.destinations(self.room)

    def destination(self, name: str) -> Destination | None:
        return directory.destination(self.room, name)

    # --- audit -------------------------------------------------------------------------

    def audit_append(self, entry: AuditEntry) -> None:
        """Write one audit entry durably."""
        log.append(self.room, entry)

    def record_read(self, audit: AuditEntry) -> None:
        """Write the trace of a read, before the answer leaves."""
        log.append(self.room, audit)

    def seal(self) -> int:
        """Number unsealed entries and sign the tree's new head; return how many."""
        return log.seal(self.room)

    def audit_heads(self) -> tuple[AuditHead, ...]:
        """Return the signed tree heads, oldest first."""
        return log.heads(self.room)

    def verify_audit(self, since: datetime | None = None) -> AuditVerdict:
        """Recompute entries, leaves, tree and head signatures; name the first bad entry."""
        return log_checks.verify(self.room, since)

    def proof(self, receipt_number: str) -> Json | None:
        """Return the inclusion proof of a receipt's audit entry.

        None for an unknown receipt; `{"included": "pending"}` before the entry is sealed.
        """
        return log.proof(self.room, receipt_number)

    def counts(self) -> dict[str, int]:
        """Return the numbers `/metrics` shows."""
        return timeline.counts(self.room)
