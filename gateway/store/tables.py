"""The tables of the data database, for building statements.

Nothing here holds a patient's data in clear: bodies are sealed by the vault, identifiers,
names, birth dates and report numbers are keyed tokens, problems are codes and places.
Times are microseconds since 1970 in UTC, exact and comparable on every database.

The schema itself is made by `migrations/data`; a test holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware time, stored exactly."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Packed(TypeDecorator[Any]):
    """Plain JSON values in a text column."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


metadata = MetaData()

# SQLite numbers rows by itself only for a column declared exactly INTEGER PRIMARY KEY.
_Serial = BigInteger().with_variant(Integer, "sqlite")

organization = Table(
    "organization",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("identifiers", Packed, nullable=False),
    Column("allow_unsigned", Boolean, nullable=False),
)

client = Table(
    "client",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", Text),
    Column("jwks", Packed),
    Column("disabled", Boolean, nullable=False),
)

destination = Table(
    "destination",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("options", LargeBinary, nullable=False),
)

submission = Table(
    "submission",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("streebog256", Text),
    Column("kept_at", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("cause", Text),
    Column("problems", Packed, nullable=False),
    Column("next_try", Instant),
    Column("receipt", Text, nullable=False),
    Column("key_owner", Text, nullable=False),
    Column("key_generation", Text, nullable=False),
    Column("key_wrapped", LargeBinary, nullable=False),
    Column("signatures", LargeBinary),
    # The authority whose revocation list is missing; says something while that is the cause.
    Column("awaits", Text),
    UniqueConstraint("organization", "content_digest", name="uq_submission_content"),
    Index("ix_submission_newest", "organization", "kept_at", "id"),
    Index("ix_submission_kept", "kept_at", "id"),
    Index("ix_submission_owner", "key_owner"),
    Index(
        "ix_submission_awaits",
        "awaits",
        sqlite_where=text("cause = 'SIG-207'"),
        postgresql_where=text("cause = 'SIG-207'"),
    ),
)

outage = Table(
    "outage",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("since", Instant, nullable=False),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("organization", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("submission", Text, nullable=False),
    PrimaryKeyConstraint("organization", "token", name="pk_idempotency_key"),
)

part = Table(
    "part",
    metadata,
    Column("submission", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("submission", "ordinal", name="pk_part"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# Of each settled submission: when what proves it ages out, and the record that renews it.
evidence_record = Table(
    "evidence_record",
    metadata,
    Column("submission", Text, primary_key=True),
    # waiting for its first stamp, stamped, late (it ended before a stamp), or closed: nothing
    # to prove any more.
    Column("state", Text, nullable=False),
    Column("ends_at", Instant),
    Column("ends_by", Text, nullable=False),
    # It is not looked at again sooner.
    Column("not_before", Instant, nullable=False),
    Column("stamps", Integer, nullable=False),
    Column("stamped_at", Instant),
    Column("sealed", LargeBinary),
    Index("ix_evidence_record_ends", "state", "ends_at"),
)

document = Table(
    "document",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("place", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("cause", Text),
    Column("problems", Packed, nullable=False),
    Column("patient", Text),
    Column("receipt", Text),
    # The second identity: tokens of performer and number make the series; `identity` is the
    # series and version of the one document that stands for them, null on its duplicates.
    Column("series", Text),
    Column("version", Integer),
    Column("report_status", Text),
    Column("issued", Text),
    Column("number_token", Text),
    Column("order_token", Text),
    Column("identity", Text),
    Column("clinical_digest", Text),
    Column("duplicate_of", Text),
    Column("current", Boolean, nullable=False),
    # The document of the series that replaced it or took it back.
    Column("succeeded_by", Text),
    Column("mapping", Text),
    Column("ledger", LargeBinary),
    Column("settled_at", Instant, nullable=False),
    UniqueConstraint("submission", "ordinal", name="uq_document_ordinal"),
    UniqueConstraint("identity", name="uq_document_identity"),
    Index("ix_document_series", "series", "version"),
    Index(
        "uq_document_current",
        "series",
        unique=True,
        sqlite_where=text("current AND identity IS NOT NULL"),
        postgresql_where=text("current AND identity IS NOT NULL"),
    ),
    Index("ix_document_patient", "patient"),
    Index("ix_document_number", "number_token"),
    Index("ix_document_order", "order_token"),
    Index("ix_document_cause", "cause"),
)

# Of an original with several documents: what is this one's, sealed under its patient's key.
document_piece = Table(
    "document_piece",
    metadata,
    Column("document", Text, primary_key=True),
    Column("submission", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("key_generation", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_piece_submission", "submission"),
)

patient = Table(
    "patient",
    metadata,
    Column("number", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("consent_version", BigInteger, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("merged_into", Text),
    Column("created_at", Instant, nullable=False),
)

resource = Table(
    "resource",
    metadata,
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    # The highest version given out: a version that came late is above the head it never was.
    Column("latest", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    PrimaryKeyConstraint("type", "id", name="pk_resource"),
    Index("ix_resource_owner", "owner", "type"),
)

resource_version = Table(
    "resource_version",
    metadata,
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("written_at", Instant, nullable=False),
    # Which of the owner's keys it is sealed under: one made after an erasure opens nothing old.
    Column("key_generation", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("type", "id", "version", name="pk_resource_version"),
)

document_resource = Table(
    "document_resource",
    metadata,
    Column("document", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("document", "ordinal", name="pk_document_resource"),
)

search_value = Table(
    "search_value",
    metadata,
    Column("row", _Serial, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("param", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("system", Text),
    Column("value", Text),
    Column("date_low", Instant),
    Column("date_high", Instant),
    Index("ix_search_owner", "owner", "type", "param", "value", "date_low"),
    Index("ix_search_resource", "type", "id"),
)

consent = Table(
    "consent",
    metadata,
    Column("id", Text, primary_key=True),
    Column("patient", Text, nullable=False),
    # Who recorded it: the tenant.
    Column("organization", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    # When its last provision ends; null when one never does.
    Column("ends_at", Instant),
    Column("key_generation", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("ix_consent_patient", "patient"),
    Index("ix_consent_organization", "organization", "id"),
    Index("ix_consent_ends", "state", "ends_at"),
)

consent_provision = Table(
    "consent_provision",
    metadata,
    Column("consent", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("deny", Boolean, nullable=False),
    Column("tests", Packed, nullable=False),
    Column("valid_from", Instant, nullable=False),
    Column("valid_to", Instant),
    PrimaryKeyConstraint("consent", "ordinal", name="pk_consent_provision"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("submission", Text, nullable=False),
    Column("destination", Text, nullable=False),
    # record, correction (of an older version it was sent) or withdrawal of what it was sent.
    Column("action", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("consent", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", Instant),
    Column("problem", Packed),
    Column("answer", LargeBinary),
    Column("answer_generation", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("document", "destination", "action", name="uq_delivery_once"),
    UniqueConstraint("destination", "patient", "sequence", name="uq_delivery_sequence"),
    Index("ix_delivery_patient", "patient", "destination"),
    Index("ix_delivery_submission", "submission"),
    Index("ix_delivery_state", "state"),
)

open_item = Table(
    "open_item",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("submission", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("delivery", Text),
    Column("problem", Packed, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", Text),
    # A person's own words, which may name a patient.
    Column("note", LargeBinary),
    UniqueConstraint("document", "destination", name="uq_open_item_once"),
    Index("ix_open_item_organization", "organization", "id"),
)

work_order = Table(
    "work_order",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # ready, leased, done, or parked: given up, held or refused, until somebody replays it.
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("order_key", Text),
    Column("sequence", BigInteger, nullable=False),
    # Whose work it is, and its turn among everybody's: see `work`.
    Column("lane", Text),
    Column("turn", BigInteger, nullable=False),
    Column("cause", Text),
    Column("created_at", Instant, nullable=False),
    Column("kept_at", Instant),
    UniqueConstraint("kind", "subject", name="uq_work_order_subject"),
    Index(
        "ix_work_order_due",
        "kind",
        "turn",
        "due_at",
        sqlite_where=text("state IN ('ready', 'leased')"),
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
    Index(
        "ix_work_order_first",
        "order_key",
        "sequence",
        sqlite_where=text("state IN ('ready', 'leased')"),
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
    Index(
        "ix_work_order_lane",
        "lane",
        "turn",
        sqlite_where=text("state IN ('ready', 'leased')"),
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
)

event = Table(
    "event",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("submission", Text, nullable=False),
    Column("document", Text),
    Column("at", Instant, nullable=False),
    Column("name", Text, nullable=False),
    Column("micros", BigInteger),
    Column("detail", Packed, nullable=False),
    Index("ix_event_submission", "submission", "id"),
)

receipt = Table(
    "receipt",
    metadata,
    Column("number", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("submission", Text, nullable=False),
    Column("document", Text),
    Column("delivery", Text),
    Column("jws", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("audit", Text, nullable=False),
    # A delivery may be refused, replayed and taken; it is never twice the same.
    UniqueConstraint("delivery", "kind", name="uq_receipt_delivery"),
    Index("ix_receipt_submission", "submission"),
)
