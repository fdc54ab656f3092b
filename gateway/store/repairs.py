"""What documents ask persons.

A question is sealed under its document's own key, so it dies with the document; the use of a
code says nothing of a patient, but may hold a sender's own words, so it is sealed too.  Equal
questions of one organisation share a token: one answer serves them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    or_,
    select,
)

from gateway.model import Decision, Question
from gateway.store import repair_tables, submissions, vault
from gateway.store.decisions import Memory, opened_decision
from gateway.store.keys import KeyDestroyed
from gateway.store.room import Room
from gateway.store.statement import Statement, insert_new, insert_rows
from gateway.store.values import Outcome, Repair

DOCUMENTS_SHOWN_MAX = 1000
"""Waiting documents that a repair names; the count beside them is of all."""

REPAIRS_MAX = 500
"""Questions of one list, the most asked: the rest shows when these are settled."""

table = repair_tables.decision
questions = repair_tables.question

_STANDING = Statement(
    select(table)
    .where(
        table.c.organization == bindparam("organization"),
        table.c.undone_at.is_(None),
        or_(table.c.document.is_(None), table.c.document == bindparam("document")),
    )
    .order_by(table.c.at, table.c.id)
)
_FORGET = Statement(delete(questions).where(questions.c.document == bindparam("document")))


# --- names -----------------------------------------------------------------------------


def repair_id(room: Room, organization: str, cause: str, subject: Mapping[str, str]) -> str:
    """Return the one name of a question, however many documents ask it."""
    words = json.dumps([organization, cause, dict(subject)], sort_keys=True, ensure_ascii=False)
    return room.keys.exact_token("repair", words.encode())[:32]


# --- what the line asks ----------------------------------------------------------------


def decisions(room: Room, memory: Memory, organization: str, document: str) -> tuple[Decision, ...]:
    """Return the decisions that stand for a document of an organisation, oldest first."""
    with room.database.read() as connection:
        rows = _STANDING.all(connection, organization=organization, document=document)
    return tuple(opened_decision(room, memory, row) for row in rows)


# --- what settle writes ----------------------------------------------------------------


def rows_of(
    room: Room, organization: str, submission: str, data_key: bytes, outcome: Outcome
) -> list[dict[str, Any]]:
    """Return the question rows of an outcome, sealed."""
    now = room.clock()
    rows = []
    for ordinal, one in enumerate(outcome.questions):
        plain = msgspec.json.encode({"subject": dict(one.subject), "facts": dict(one.facts)})
        place = f"question:{outcome.document}:{ordinal}"
        rows.append(
            {
                "document": outcome.document,
                "ordinal": ordinal,
                "submission": submission,
                "organization": organization,
                "repair": repair_id(room, organization, one.cause, one.subject),
                "cause": one.cause,
                "place": one.place,
                "sealed": vault.seal(data_key, plain, place),
                "asked_at": now,
            }
        )
    return rows


def write(
    connection: Connection,
    outcome: Outcome,
    asked: list[dict[str, Any]],
    used: list[dict[str, Any]],
) -> None:
    """Replace a document's questions; note the decisions and uses its record rests on."""
    _FORGET.run(connection, document=outcome.document)
    insert_rows(connection, questions, asked)
    for row in used:
        insert_new(connection, repair_tables.code_use, **row)
    for decision in outcome.decisions:
        insert_new(
            connection,
            repair_tables.decision_use,
            decision=decision,
            document=outcome.document,
        )


# --- what operators see ----------------------------------------------------------------


def waiting(
    room: Room, memory: Memory, organizations: tuple[str, ...] | None, cause: str | None
) -> tuple[Repair, ...]:
    """Return the questions that documents wait on, the most asked first."""
    wanted: list[ColumnElement[bool]] = []
    if organizations is not None:
        wanted.append(questions.c.organization.in_(organizations))
    if cause is not None:
        wanted.append(questions.c.cause == cause)
    with room.database.read() as connection:
        rows = connection.execute(
            select(
                questions.c.repair,
                func.count(questions.c.document.distinct()).label("number"),
                func.min(questions.c.asked_at).label("since"),
            )
            .where(*wanted)
            .group_by(questions.c.repair)
            .order_by(func.count(questions.c.document.distinct()).desc(), questions.c.repair)
            .limit(REPAIRS_MAX)
        ).all()
        found = [_repair(room, memory, connection, row.repair) for row in rows]
    return tuple(one for one in found if one is not None)


def repair(
    room: Room, memory: Memory, id: str, organizations: tuple[str, ...] | None
) -> Repair | None:
    """Return one question, waiting or decided; None when it is not theirs to see."""
    with room.database.read() as connection:
        found = _repair(room, memory, connection, id)
    if found is None or (organizations is not None and found.organization not in organizations):
        return None
    return found


def asked(room: Room, id: str) -> tuple[Question, ...]:
    """Return a question as each waiting document asks it; erased ones left out."""
    found = []
    with room.database.read() as connection:
        rows = connection.execute(
            select(questions)
            .where(questions.c.repair == id)
            .order_by(questions.c.asked_at, questions.c.document)
            .limit(DOCUMENTS_SHOWN_MAX)
        ).all()
        for row in rows:
            if (plain := _plain(room, connection, row)) is not None:
                found.append(
                    Question(
                        cause=row.cause,
                        place=row.place,
                        subject=plain["subject"],
                        facts=plain["facts"],
                    )
                )
    return tuple(found)


def waiting_on(connection: Connection, id: str) -> tuple[str, ...]:
    """Return every submission with a document that asks a question, oldest first."""
    found = connection.execute(
        select(questions.c.submission)
        .where(questions.c.repair == id)
        .order_by(questions.c.asked_at, questions.c.document)
    ).scalars()
    return tuple(dict.fromkeys(found))


# --- inside ----------------------------------------------------------------------------


def _repair(room: Room, memory: Memory, connection: Connection, id: str) -> Repair | None:
    rows = connection.execute(
        select(questions.c.submission, questions.c.document, questions.c.asked_at)
        .where(questions.c.repair == id)
        .order_by(questions.c.asked_at, questions.c.document)
        .limit(DOCUMENTS_SHOWN_MAX)
    ).all()
    standing = connection.execute(
        select(table).where(table.c.repair == id, table.c.undone_at.is_(None))
    ).first()
    decision = None if standing is None else opened_decision(room, memory, standing)
    opened = _opened(room, connection, id)
    if opened is None:
        if standing is None or decision is None:
            return None
        opened = _Opened(standing.organization, standing.cause, "", decision.subject, {})
    use = repair_tables.decision_use
    number = connection.execute(
        select(func.count(questions.c.document.distinct())).where(questions.c.repair == id)
    ).scalar_one()
    resting = 0
    if decision is not None:
        resting = connection.execute(
            select(func.count()).select_from(use).where(use.c.decision == decision.id)
        ).scalar_one()
    return Repair(
        id=id,
        organization=opened.organization,
        cause=opened.cause,
        place=opened.place,
        subject=opened.subject,
        facts=opened.facts,
        documents=tuple(dict.fromkeys((row.submission, row.document) for row in rows)),
        waiting=number,
        since=rows[0].asked_at if rows else None,
        decision=decision,
        decision_uses=resting,
    )


class _Opened(msgspec.Struct, frozen=True):
    """The first question of a repair that can still be opened."""

    organization: str
    cause: str
    place: str
    subject: Mapping[str, str]
    facts: Mapping[str, str]


def _opened(room: Room, connection: Connection, id: str) -> _Opened | None:
    rows = connection.execute(
        select(questions).where(questions.c.repair == id).order_by(questions.c.asked_at).limit(20)
    ).all()
    for row in rows:
        if (plain := _plain(room, connection, row)) is not None:
            return _Opened(row.organization, row.cause, row.place, plain["subject"], plain["facts"])
    return None


def _plain(room: Room, connection: Connection, row: Row[Any]) -> dict[str, dict[str, str]] | None:
    """Open a question; None when its document was erased."""
    try:
        data_key = submissions.data_key_of(room, submissions.row_of(connection, row.submission))
    except KeyDestroyed:
        return None
    place = f"question:{row.document}:{row.ordinal}"
    opened: dict[str, dict[str, str]] = msgspec.json.decode(
        vault.open_sealed(data_key, row.sealed, place)
    )
    return opened
