"""Documents that are taken together or not at all: the reports of one FHIR transaction.

Each has its own series, duplicate identity, receipt and delivery, like the documents of a batch;
but where one of them is not taken, none is.  It shows what is wrong with it, the others show
where it stands, and all have one status: rejected if any is, since the sender must send them
again then, whatever a person could answer about the rest; else they wait for that person
together.

Source: semantics, rule 7; https://hl7.org/fhir/R4/http.html#trules (all or nothing; a
transaction in which one resource is written twice fails).
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway import placing
from gateway.clerk import Clerk, judged
from gateway.model import Problem, Status, Submission
from gateway.store.room import HELD_BACK
from gateway.store.values import Outcome

TWICE = "FMT-340"


def as_one(
    submission: Submission, outcomes: Sequence[Outcome], clerk: Clerk
) -> tuple[Outcome, ...]:
    """Return the outcomes as they stand if all are taken, else all of them held back."""
    outcomes = _once(submission, outcomes, clerk)
    found = {judged(one.status) for one in outcomes}
    if found <= {Status.ACCEPTED}:
        return tuple(outcomes)
    status = Status.REJECTED if Status.REJECTED in found else Status.NEEDS_INFO
    culprit = next(one for one in outcomes if one.status is status)
    detail = {"other": culprit.place, "code": culprit.problems[0].code}
    held: list[Outcome] = []
    for one in outcomes:
        if one.status is status:
            held.append(one)
            continue
        own = one.problems if one.status is Status.NEEDS_INFO else ()
        problem = Problem(code=HELD_BACK, place=one.place, detail=detail)
        held.append(_ended(submission, one, clerk, status, (*own, problem)))
    return tuple(held)


def _once(submission: Submission, outcomes: Sequence[Outcome], clerk: Clerk) -> tuple[Outcome, ...]:
    """Refuse a second document of a report: which of the two the transaction leaves is open."""
    found: list[Outcome] = []
    for one in outcomes:
        first = next((other for other in found if _is_same_report(one, other)), None)
        if first is not None:
            problem = Problem(code=TWICE, place=one.place, detail={"other": first.place})
            one = _ended(submission, one, clerk, Status.REJECTED, (problem,))
        found.append(one)
    return tuple(found)


def _is_same_report(one: Outcome, other: Outcome) -> bool:
    if one.report is None or other.report is None:
        return False
    return placing.is_same(one.report, other.report)


def _ended(
    submission: Submission,
    outcome: Outcome,
    clerk: Clerk,
    status: Status,
    problems: tuple[Problem, ...],
) -> Outcome:
    """Return the outcome of a document that is not taken: nothing of it is stored or sent."""
    audit = clerk.audit(f"document.{status}", outcome.document, problems)
    return Outcome(
        document=outcome.document,
        ordinal=outcome.ordinal,
        place=outcome.place,
        piece=outcome.piece,
        status=status,
        problems=problems,
        report=outcome.report,
        match=outcome.match,
        identifiers=outcome.identifiers,
        record=None,
        deliveries=(),
        receipt=clerk.receipt(submission, outcome.document, status, problems, audit),
        has_receipt=status is Status.REJECTED,
        audit=audit,
        timings=outcome.timings,
        bindings=outcome.bindings,
    )
