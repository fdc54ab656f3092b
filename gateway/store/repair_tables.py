"""The tables of repair and replay: what persons are asked, what they decided, what is repeated.

Subjects, facts and answers are sealed: a unit or a code as a sender wrote it may be anything.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from gateway.store.tables import Instant, Packed, metadata

question = Table(
    "question",
    metadata,
    Column("document", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("submission", Text, nullable=False),
    Column("organization", Text, nullable=False),
    # Token of organisation, cause and subject: equal for every document that asks the same.
    Column("repair", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("asked_at", Instant, nullable=False),
    PrimaryKeyConstraint("document", "ordinal", name="pk_question"),
    Index("ix_question_repair", "repair", "asked_at"),
    Index("ix_question_organization", "organization", "cause"),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Text, primary_key=True),
    Column("repair", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("cause", Text, nullable=False),
    # Set when it speaks about one document only: whose card it is.
    Column("document", Text),
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("valid_from", Text),
    Column("sealed", LargeBinary, nullable=False),
    Column("undone_by", Text),
    Column("undone_at", Instant),
    Index("ix_decision_organization", "organization", "document"),
    Index("ix_decision_repair", "repair"),
    Index(
        "uq_decision_standing",
        "repair",
        unique=True,
        sqlite_where=text("undone_at IS NULL"),
        postgresql_where=text("undone_at IS NULL"),
    ),
)

decision_use = Table(
    "decision_use",
    metadata,
    Column("decision", Text, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("decision", "document", name="pk_decision_use"),
    Index("ix_decision_use_document", "document"),
)

code_use = Table(
    "code_use",
    metadata,
    # Token of everything below: a use is known once.
    Column("token", Text, primary_key=True),
    Column("code_token", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("ix_code_use_code", "code_token"),
)

replay_run = Table(
    "replay_run",
    metadata,
    Column("id", Text, primary_key=True),
    # Whose submissions it may touch; null: an operator's, of every organisation.
    Column("organization", Text),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("started", Integer, nullable=False),
    Column("finished", Integer, nullable=False),
    Column("rate", Float),
    Column("dry_run", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Index("ix_replay_run_state", "state"),
    Index("ix_replay_run_created", "created_at"),
)

replay_item = Table(
    "replay_item",
    metadata,
    Column("run", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("submission", Text, nullable=False),
    Column("document", Text),
    Column("state", Text, nullable=False),
    Column("before", Packed),
    Column("after", Packed),
    PrimaryKeyConstraint("run", "position", name="pk_replay_item"),
    Index("ix_replay_item_state", "run", "state", "position"),
)
