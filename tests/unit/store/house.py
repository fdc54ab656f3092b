"""A store in a temporary folder, and values for it, as every test here needs them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.model import (
    Answer,
    Check,
    CheckStatus,
    Covered,
    DeliveryState,
    Identifier,
    Indication,
    Json,
    Ledger,
    MatchKind,
    Part,
    PatientMatch,
    PatientRecord,
    PlannedDelivery,
    Problem,
    Receipt,
    ReportClaim,
    SignatureFinding,
    SignatureReport,
    Signer,
    Status,
    Times,
)
from gateway.receipts.issue import Receipts
from gateway.store import Database, KeyStore, Store, audit_entry, new_id
from gateway.store.values import Arrival, Outcome, WorkOrder
from tests import databases

MASTER_KEY = bytes(range(32))
SNILS = Identifier(system="urn:oid:1.2.643.100.3", value="11223344595")
POLICY = Identifier(system="urn:oid:1.2.643.5.1.13.13.99.4", value="7700000000012345")
FAMILY = "Непоседова"
LEASE = timedelta(seconds=30)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@dataclass(frozen=True)
class Row:
    """A search row, as the FHIR room gives them."""

    param: str
    kind: str
    value: str | None = None
    system: str | None = None
    date_low: datetime | date | None = None
    date_high: datetime | date | None = None


def index(resource: Json) -> Iterable[Row]:
    """A few search values of each kind; the real extraction is the FHIR room's."""
    if resource["resourceType"] == "Patient":
        yield Row("identifier", "token", SNILS.value, SNILS.system)
        yield Row("family", "string", FAMILY)
        yield Row("birthdate", "date", None, None, date(1984, 3, 5))
    else:
        yield Row("code", "token", "2345-7", "http://loinc.org")
        yield Row("value-quantity", "quantity", "5.00")


@dataclass
class House:
    """A store with its clock and its signer."""

    store: Store
    receipts: Receipts
    clock: Clock
    kept: list[str] = field(default_factory=list)

    def arrive(self, body: bytes = b"{}", key: str | None = None, **other: Any) -> Arrival:
        id, now = new_id(self.clock.now), self.clock.now
        audit = audit_entry("lis-1", "submission.keep", id, {}, now)
        claims = {"submission": id, "sha256": hashlib.sha256(body).hexdigest()}
        arrival = Arrival(
            id=id,
            organization="lab-1",
            client="lis-1",
            media_type="application/fhir+json",
            parts=(
                Part(name="document", media_type="application/fhir+json", body=body),
                Part(name="signature", media_type="application/pkcs7-signature", body=b"sig"),
            ),
            content_digest=hashlib.sha256(body).hexdigest(),
            idempotency_key=key,
            kept_at=now,
            receipt=self.receipts.issue("accepted", claims, audit, now),
            audit=audit,
        )
        return replace(arrival, **other)

    def claim(self, kind: str = "submission", limit: int = 1) -> WorkOrder:
        (order,) = self.store.claim(kind, limit, LEASE)
        return order

    def outcome(
        self,
        submission: str,
        resources: tuple[Json, ...] | None = None,
        patient: str | None = None,
        status: Status = Status.ACCEPTED,
        problems: tuple[Problem, ...] = (),
        ordinal: int = 0,
        destinations: tuple[str, ...] = ("clinic",),
        **other: Any,
    ) -> Outcome:
        now = self.clock.now
        document = f"{submission}-{ordinal}"
        accepted = status is Status.ACCEPTED
        patient = patient or self.store.new_patient_number()
        audit = audit_entry("line", f"document.{status}", document, {}, now)
        record = PatientRecord(
            resources=card(patient) if resources is None else resources,
            ledger=Ledger(
                mapped=(("/entry/0", "Patient"),), carried=(), dropped=(("/x", "empty"),)
            ),
            mapping="fhir_json/default@1",
        )
        outcome = Outcome(
            document=document,
            ordinal=ordinal,
            place=f"/entry/{ordinal}",
            status=status,
            problems=problems,
            report=report_claim(),
            match=PatientMatch(kind=MatchKind.NEW, patient=patient),
            identifiers=(SNILS, POLICY),
            record=record if accepted else None,
            deliveries=tuple(
                PlannedDelivery(destination=one, basis="order") for one in destinations
            )
            if accepted
            else (),
            receipt=self.receipts.issue(
                "registered" if accepted else "refused", {"submission": submission}, audit, now
            ),
            has_receipt=status is not Status.NEEDS_INFO,
            audit=audit,
            timings=(("map", timedelta(milliseconds=3)),),
        )
        return replace(outcome, **other)

    def through(self, body: bytes = b"{}", **other: Any) -> str:
        """Keep and settle one submission; return its id."""
        kept = self.store.keep(self.arrive(body))
        order = self.claim()
        self.store.begin(order)
        self.store.settle(order, (self.outcome(kept.submission, **other),), signed(body))
        return kept.submission

    def deliver(self, order: WorkOrder, state: DeliveryState = DeliveryState.DELIVERED) -> Receipt:
        delivery = self.store.delivery(order)
        audit = audit_entry("delivery", f"delivery.{state}", delivery.id, {}, self.clock.now)
        receipt = self.receipts.issue("delivered", {"delivery": delivery.id}, audit, self.clock.now)
        answer = Answer(
            state=state, reference="Bundle/77", evidence=b"<ok/>", media_type="application/xml"
        )
        self.store.delivered(order, answer, receipt, audit)
        return receipt


def card(patient: str, value: str = "5.00") -> tuple[Json, ...]:
    """A card with one measured value."""
    return (
        {
            "resourceType": "Patient",
            "id": patient,
            "identifier": [{"system": SNILS.system, "value": SNILS.value}],
            "name": [{"family": FAMILY}],
            "birthDate": "1984-03-05",
        },
        {
            "resourceType": "Observation",
            "id": f"obs-{patient}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            "valueQuantity": {"value": Decimal(value), "unit": "ммоль/л"},
        },
    )


def report_claim(number: str = "77-104") -> ReportClaim:
    return ReportClaim(
        performer=(Identifier(system="urn:oid:1.2.643.100.1", value="1027700132195"),),
        number=number,
        version=1,
        status="final",
        issued=date(2026, 11, 21),
        order_number="A-15",
        ordering=(),
    )


def signed(body: bytes) -> SignatureReport:
    """A passed signature over `body`, with evidence."""
    finding = SignatureFinding(
        indication=Indication.TOTAL_PASSED,
        sub_indication=None,
        format="CAdES",
        level="BES",
        signer=Signer(subject="CN=Doctor", snils="08765430300"),
        covered=(Covered(octets=body, scope="FULL", covers_enclosing=None),),
        qualification="UNKNOWN",
        times=Times(claimed=None, best=None, validation=datetime(2026, 11, 21, tzinfo=UTC)),
        checks=(Check(name="digest", status=CheckStatus.PASSED),),
        evidence=(("certificate", b"leaf"), ("crl", b"list")),
    )
    return SignatureReport(indication=Indication.TOTAL_PASSED, signatures=(finding,))


def open_house(folder: Path, url: str | None = None, keys_url: str | None = None) -> House:
    """Open a store in `folder`, or on the databases at the given URLs."""
    if url is None:
        databases.put_into(folder)
    keys = KeyStore(keys_url or f"sqlite:///{folder}/keys.db", MASTER_KEY)
    receipts = Receipts(keys.signing_key("receipts"), "https://gateway.test")
    clock = Clock()
    database = Database(url or f"sqlite:///{folder}/gateway.db")
    store = Store(database, keys, clock, heads=receipts, index=index)
    return House(store=store, receipts=receipts, clock=clock)
