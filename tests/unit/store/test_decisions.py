"""A decision and the documents on the line at that moment: the store is the judge (rule 14)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest

from gateway.model import Decision, Problem, Question, Status
from gateway.store import Moved
from gateway.store.values import NewDecision, ReplayRun, WorkOrder
from tests.unit.store.house import House, signed

CODE = {"system": "local", "code": "FER-9"}
SUBJECT = {"subject": CODE, "facts": {"name": "Ферритин"}}


def kept(house: House, body: bytes) -> WorkOrder:
    """Keep a submission and claim it: from here on it is on the line."""
    house.store.keep(house.arrive(body))
    order = house.claim()
    house.store.begin(order)
    return order


def asking(house: House, order: WorkOrder, considered: tuple[str, ...] = ()) -> Callable[[], None]:
    """Return the settling of a document that asks what a code means."""
    outcome = house.outcome(
        order.subject,
        status=Status.NEEDS_INFO,
        problems=(Problem(code="MAP-101"),),
        questions=(Question(cause="MAP-101", place="/code", **SUBJECT),),
        considered=considered,
    )
    return lambda: house.store.settle(order, (outcome,), signed(b"{}"))


def resting(house: House, order: WorkOrder, decision: str) -> Callable[[], None]:
    """Return the settling of a document that is accepted by a decision."""
    outcome = house.outcome(
        order.subject, patient="p-1", decisions=(decision,), considered=(decision,)
    )
    return lambda: house.store.settle(order, (outcome,), signed(b"{}"))


def decide(house: House) -> tuple[Decision, ReplayRun]:
    (question,) = house.store.repairs(None)
    return house.store.decide(
        NewDecision(
            repair=question.id,
            organization=question.organization,
            cause=question.cause,
            subject=question.subject,
            answer={"test": "1009034"},
            by="lab",
        )
    )


def waiting(house: House) -> int:
    return sum(one.waiting for one in house.store.repairs(None))


def test_a_question_that_was_answered_meanwhile_moves_the_line_back(house: House) -> None:
    """Else the document would wait for ever beside the answer."""
    asking(house, kept(house, b"1"))()
    late = kept(house, b"2")
    settling = asking(house, late)
    decision, _ = decide(house)
    with pytest.raises(Moved):
        settling()
    assert waiting(house) == 1
    # Examined with the answer it may ask all the same: of a day before the answer begins.
    asking(house, late, (decision.id,))()
    assert waiting(house) == 2


def test_a_document_on_a_decision_undone_meanwhile_moves_the_line_back(house: House) -> None:
    asking(house, kept(house, b"1"))()
    decision, _ = decide(house)
    first, late = kept(house, b"2"), kept(house, b"3")
    resting(house, first, decision.id)()
    settling = resting(house, late, decision.id)
    undone = house.store.undo(decision.id, "lab")
    assert len(undone.opened) == 1
    with pytest.raises(Moved):
        settling()
    asking(house, late)()
    assert waiting(house) == 2


def test_a_decision_is_written_with_the_replay_of_all_that_wait_for_it(house: House) -> None:
    """Who decides may die at once: the waiting ones go on all the same."""
    orders = [kept(house, str(n).encode()) for n in range(3)]
    for one in orders:
        asking(house, one)()
    decision, run = decide(house)
    assert house.store.running_replays() == (run,)
    assert run.reason == f"decision {decision.id}"
    chosen = {one.submission for one in house.store.replay_items(run.id)}
    assert chosen == {one.subject for one in orders}


def test_who_asks_while_a_decision_is_written_is_repeated_or_replayed(house: House) -> None:
    """Of many at one moment none is left behind: each moves back or is in the replay."""
    asking(house, kept(house, b"first"))()
    orders = [kept(house, str(n).encode()) for n in range(12)]
    start = Barrier(13)

    def settled(order: WorkOrder) -> str | None:
        settling = asking(house, order)
        start.wait(30)
        with suppress(Moved):
            settling()
            return order.subject
        return None

    def decided() -> ReplayRun:
        start.wait(30)
        return decide(house)[1]

    with ThreadPoolExecutor(13) as pool:
        asked = [pool.submit(settled, one) for one in orders]
        run = pool.submit(decided).result(60)
        wrote = {one.result(60) for one in asked} - {None}
    chosen = {one.submission for one in house.store.replay_items(run.id)}
    assert wrote <= chosen
    assert len(chosen) == len(wrote) + 1


def test_an_undo_waits_for_who_settles_on_the_decision_and_opens_that_again(house: House) -> None:
    """What a settling looked at stands until its end: the undo sees the document, or it moves."""
    asking(house, kept(house, b"first"))()
    decision, _ = decide(house)
    orders = [kept(house, str(n).encode()) for n in range(8)]
    start = Barrier(9)

    def settled(order: WorkOrder) -> bool:
        settling = resting(house, order, decision.id)
        start.wait(30)
        with suppress(Moved):
            settling()
            return True
        return False

    def undone() -> tuple[str, ...]:
        start.wait(30)
        return house.store.undo(decision.id, "lab").opened

    resting(house, kept(house, b"accepted"), decision.id)()
    with ThreadPoolExecutor(9) as pool:
        done = [pool.submit(settled, one) for one in orders]
        opened = pool.submit(undone).result(60)
        accepted = [one.result(60) for one in done]
    assert len(opened) == sum(accepted) + 1


def test_of_several_who_undo_one_decision_one_does(house: House) -> None:
    asking(house, kept(house, b"1"))()
    decision, _ = decide(house)
    start = Barrier(3)

    def undone(_: int) -> bool:
        start.wait(30)
        with suppress(KeyError):
            house.store.undo(decision.id, "lab")
            return True
        return False

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(undone, range(3))) == [False, False, True]
