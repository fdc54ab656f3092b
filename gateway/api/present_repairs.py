"""How questions, decisions and runs of replays look as JSON under /v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway import errors
from gateway.api.present import instant
from gateway.model import CodeUse, Decision
from gateway.repair import answers
from gateway.repair.desk import Suggestion
from gateway.store.values import (
    PastDecision,
    Repair,
    ReplayItem,
    ReplayRun,
    StandingDecision,
    UndoneDecision,
)

PERSONAL = answers.PERSONAL


def repair(one: Repair, language: str) -> dict[str, Any]:
    """Return a question: what, where, why, who waits, and the decision that stands."""
    page = errors.explain(one.cause, language)
    personal = one.cause in PERSONAL
    return {
        "id": one.id,
        "cause": one.cause,
        "title": page.title,
        "organization": one.organization,
        "place": one.place,
        # What a document says of its patient is nobody's to read here, masked or not.
        "subject": dict(one.subject),
        "facts": {} if personal else dict(one.facts),
        "answer": answer_name(one.cause),
        "waiting": one.waiting,
        "since": instant(one.since),
        "documents": [
            {"submission": submission, "document": document}
            for submission, document in one.documents
        ],
        "decision": decision(one.decision) if one.decision else None,
    }


def whole(
    one: Repair,
    language: str,
    suggestions: Sequence[Suggestion],
    history: Sequence[PastDecision],
    uses: Sequence[CodeUse] = (),
) -> dict[str, Any]:
    """Return a question with likely answers, the likeliest first, and all that were given.

    A settled question has no document left to quote: its facts are then those of `uses`, how
    its code was used when it was decided.
    """
    question = repair(one, language)
    return {
        **question,
        "facts": question["facts"] or _decided_facts(one, uses),
        "suggestions": [
            {"answer": each.answer, "title": each.title, "why": each.why} for each in suggestions
        ],
        "history": [
            {
                **decision(each.decision),
                "undone_by": each.undone_by,
                "undone_at": instant(each.undone_at),
            }
            for each in history
        ],
    }


def _decided_facts(one: Repair, uses: Sequence[CodeUse]) -> dict[str, str]:
    test = one.decision.answer.get("test") if one.decision else None
    found = next((use for use in uses if test is not None and use.test == test), None)
    if found is None:
        return {}
    known = {"name": found.name, "unit": found.unit, "specimen": found.specimen}
    return {name: value for name, value in known.items() if value}


def answer_name(cause: str) -> str:
    """Return the member of an answer that a cause asks for."""
    if cause in answers.UNITS:
        return "unit"
    if cause in answers.CONSENTS:
        return "consent"
    return "card" if cause in PERSONAL else "test"


def decision(one: Decision) -> dict[str, Any]:
    return {
        "id": one.id,
        "cause": one.cause,
        "subject": dict(one.subject),
        "answer": dict(one.answer),
        "from": one.valid_from.isoformat() if one.valid_from else None,
        "by": one.by,
        "at": instant(one.at),
        "note": one.note,
    }


def standing(one: StandingDecision) -> dict[str, Any]:
    return {
        **decision(one.decision),
        "repair": one.repair,
        "organization": one.organization,
        "documents": one.uses,
    }


def undone(id: str, one: UndoneDecision) -> dict[str, Any]:
    """Return what became of the documents that rested on a decision."""
    return {"decision": id, "documents": list(one.opened), "open_items": list(one.left)}


def run(one: ReplayRun) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state,
        "reason": one.reason,
        "total": one.total,
        "started": one.started,
        "finished": one.finished,
        "rate": one.rate,
        "dry_run": one.dry_run,
        "created_at": instant(one.created_at),
        "by": one.actor,
    }


def item(one: ReplayItem) -> dict[str, Any]:
    """Return one submission of a run: its state before and after, and what changed, by path."""
    return {
        "submission": one.submission,
        "state": one.state,
        "before": _side(one.before),
        "after": _side(one.after),
        "changes": list(_changes(one.after)),
    }


def _side(snapshot: dict[str, Any] | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    documents = [
        {"id": each["id"], "status": each["status"], "codes": each["codes"]}
        for each in snapshot["documents"]
    ]
    codes = [*snapshot["codes"], *(code for each in documents for code in each["codes"])]
    return {"status": snapshot["status"], "codes": codes, "documents": documents}


def _changes(snapshot: dict[str, Any] | None) -> list[Any]:
    found: list[Any] = (snapshot or {}).get("changes", [])
    return found
