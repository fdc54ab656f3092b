"""The tables of the audit log: entries, and the Merkle tree over them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.store.tables import Instant, Packed, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Packed, nullable=False),
    Column("leaf", Text, nullable=False),
    # Number, kind and SHA-256 of the receipt that was issued with it.
    Column("receipt", Text),
    # Under a key of the key store: who has the data alone writes no entry that passes.
    Column("mac", Text, nullable=False),
    Index("ix_audit_subject", "subject"),
)

# Entries the sealer has not numbered yet; a late commit simply shows up here late.
audit_pending = Table(
    "audit_pending",
    metadata,
    Column("entry", Text, primary_key=True),
    Column("leaf", Text, nullable=False),
)

audit_leaf = Table(
    "audit_leaf",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),
    Column("leaf", Text, nullable=False),
    UniqueConstraint("entry", name="uq_audit_leaf_entry"),
)

# Roots of complete subtrees of 16, 256, … leaves: proofs read a few rows, not the log.
audit_node = Table(
    "audit_node",
    metadata,
    Column("level", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("level", "position", name="pk_audit_node"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("jws", Text, nullable=False),
)
