"""Work orders: claimed by one, taken over when a lease ends, finished by the last claim only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gateway.model import DeliveryState, Problem, Status
from gateway.store import LostLease, audit_entry
from gateway.store.values import WorkOrder
from tests.unit.store.house import LEASE, House

PROBLEM = Problem(code="DLV-101", detail={"destination": "clinic"})


def test_a_claimed_order_is_nobody_elses_until_its_lease_ends(house: House) -> None:
    house.store.keep(house.arrive())
    first = house.claim()
    assert house.store.claim("submission", 9, LEASE) == ()
    house.clock.forward(seconds=29)
    assert house.store.claim("submission", 9, LEASE) == ()
    house.clock.forward(seconds=1)
    second = house.claim()
    assert (second.id, second.attempt) == (first.id, 2)
    assert second.token > first.token


def test_an_extended_lease_lasts_longer(house: House) -> None:
    house.store.keep(house.arrive())
    order = house.claim()
    house.clock.forward(seconds=29)
    house.store.extend(order, LEASE)
    house.clock.forward(seconds=29)
    assert house.store.claim("submission", 9, LEASE) == ()


def _settle(house: House, order: WorkOrder) -> None:
    house.store.settle(order, (house.outcome(order.subject),), None)


def _fail(house: House, order: WorkOrder) -> None:
    audit = audit_entry("line", "submission.needs_info", order.subject, {}, house.clock.now)
    house.store.fail(order, (PROBLEM,), None, Status.NEEDS_INFO, audit, None)


@pytest.mark.parametrize(
    "finish",
    [
        _settle,
        _fail,
        lambda house, order: house.store.begin(order),
        lambda house, order: house.store.extend(order, LEASE),
        lambda house, order: house.store.postpone(order, house.clock.now, PROBLEM),
        lambda house, order: house.store.give_up(order, PROBLEM),
    ],
)
def test_a_late_worker_writes_nothing(
    house: House, finish: Callable[[House, WorkOrder], None]
) -> None:
    """A worker thought dead comes back: its token is worthless, whatever it tries to write."""
    house.store.keep(house.arrive())
    late = house.claim()
    house.clock.forward(minutes=1)
    current = house.claim()
    before = house.store.events(late.subject)
    with pytest.raises(LostLease):
        finish(house, late)
    assert house.store.events(late.subject) == before
    _settle(house, current)
    with pytest.raises(LostLease):
        finish(house, current)


@pytest.mark.parametrize(
    "finish",
    [
        lambda house, order: house.deliver(order),
        lambda house, order: house.store.delivery_failed(order, PROBLEM, None),
        lambda house, order: house.store.postpone(order, house.clock.now, PROBLEM),
        lambda house, order: house.store.give_up(order, PROBLEM),
    ],
)
def test_a_late_sender_writes_nothing(
    house: House, finish: Callable[[House, WorkOrder], None]
) -> None:
    submission = house.through()
    late = house.claim("delivery")
    house.clock.forward(minutes=1)
    current = house.claim("delivery")
    before = house.store.events(submission)
    with pytest.raises(LostLease):
        finish(house, late)
    assert house.store.events(submission) == before
    house.deliver(current)
    with pytest.raises(LostLease):
        finish(house, current)
    assert len([r for r in house.store.receipts(submission) if r.delivery]) == 1


def test_many_claimers_never_share_an_order(house: House) -> None:
    for number in range(40):
        house.store.keep(house.arrive(b"%d" % number))

    def claim(_: int) -> list[int]:
        mine: list[int] = []
        while orders := house.store.claim("submission", 3, LEASE):
            mine += [order.id for order in orders]
        return mine

    with ThreadPoolExecutor(8) as pool:
        claimed = [id for ids in pool.map(claim, range(8)) for id in ids]
    assert len(claimed) == len(set(claimed)) == 40


def test_a_flood_from_one_laboratory_does_not_hold_up_another(house: House) -> None:
    """After a crash a LIS re-exports a day; its neighbour's next result must not wait for it."""
    flood = [house.store.keep(house.arrive(b"a%d" % n)).submission for n in range(40)]
    first = house.claim()
    assert first.subject == flood[0]
    other = [
        house.store.keep(house.arrive(b"b%d" % n, organization="lab-2")).submission
        for n in range(2)
    ]
    order = [house.claim().subject for _ in range(6)]
    assert order.index(other[0]) <= 1
    assert order.index(other[1]) <= 3
    mine = [subject for subject in order if subject not in other]
    assert mine == flood[1:5]


def test_deliveries_of_one_patient_to_one_destination_stay_in_line(house: House) -> None:
    """The second result may not overtake the first, not even while that waits to be retried."""
    patient = house.store.new_patient_number()
    first = house.through(b"1", patient=patient)
    second = house.through(b"2", patient=patient)
    stranger = house.through(b"3", patient=house.store.new_patient_number(), identifiers=())

    claimed = house.store.claim("delivery", 9, LEASE)
    subjects = {order.subject: order for order in claimed}
    assert {_submission_of(house, one) for one in subjects} == {first, stranger}
    order = next(one for one in claimed if _submission_of(house, one.subject) == first)

    house.store.delivery(order)
    house.store.delivery_failed(order, PROBLEM, house.clock.now + timedelta(minutes=5))
    house.clock.forward(seconds=40)
    assert all(
        _submission_of(house, one.subject) != second
        for one in house.store.claim("delivery", 9, LEASE)
    )
    house.clock.forward(minutes=5)
    again = [o for o in house.store.claim("delivery", 9, LEASE) if o.subject == order.subject]
    house.deliver(again[0])
    (next_one,) = house.store.claim("delivery", 9, LEASE)
    assert _submission_of(house, next_one.subject) == second


def test_a_dead_delivery_blocks_nobody(house: House) -> None:
    patient = house.store.new_patient_number()
    house.through(b"1", patient=patient)
    second = house.through(b"2", patient=patient)
    house.store.delivery_failed(house.claim("delivery"), PROBLEM, None)
    assert _submission_of(house, house.claim("delivery").subject) == second


def test_postponed_work_shows_why_and_comes_back_in_time(house: House) -> None:
    kept = house.store.keep(house.arrive())
    later = house.clock.now + timedelta(minutes=15)
    house.store.postpone(house.claim(), later, Problem(code="SIG-207"))
    view = house.store.view(kept.submission, None)
    assert view is not None
    assert (view.next_try, view.problems[0].code) == (later, "SIG-207")
    assert house.store.claim("submission", 1, LEASE) == ()
    house.clock.forward(minutes=15)
    assert house.claim().subject == kept.submission


def test_a_replay_repeats_what_a_person_mended(house: House) -> None:
    kept = house.store.keep(house.arrive())
    order = house.claim()
    waiting = house.outcome(
        kept.submission, status=Status.NEEDS_INFO, problems=(Problem(code="MAP-101"),)
    )
    house.store.settle(order, (waiting,), None)
    house.store.replay(kept.submission, "operator:anna")
    again = house.claim()
    assert (again.subject, again.attempt) == (kept.submission, 1)
    _settle(house, again)
    view = house.store.view(kept.submission, None)
    assert view is not None
    assert [one.status for one in view.documents] == [Status.ACCEPTED]
    assert len(house.store.claim("delivery", 9, LEASE)) == 1


def test_a_replay_of_what_is_under_way_or_done_changes_nothing(house: House) -> None:
    """Two people press the same button; the result still lands once."""
    kept = house.store.keep(house.arrive())
    order = house.claim()
    house.store.replay(kept.submission, "operator:anna")
    assert house.store.claim("submission", 9, LEASE) == ()
    _settle(house, order)
    house.store.replay(kept.submission, "operator:anna")
    assert house.store.claim("submission", 9, LEASE) == ()


def test_a_replay_revives_a_dead_delivery(house: House) -> None:
    submission = house.through()
    house.store.give_up(house.claim("delivery"), PROBLEM)
    assert house.store.claim("delivery", 9, LEASE) == ()
    house.store.replay(submission, "operator:anna")
    house.deliver(house.claim("delivery"))
    view = house.store.view(submission, None)
    assert view is not None
    assert view.documents[0].deliveries[0].state is DeliveryState.DELIVERED


def test_a_replay_of_nothing_is_a_key_error(house: House) -> None:
    with pytest.raises(KeyError):
        house.store.replay("none", "operator:anna")


def test_work_given_up_waits_for_a_person(house: House) -> None:
    kept = house.store.keep(house.arrive())
    house.store.give_up(house.claim(), Problem(code="SYS-501", detail={"error": "ValueError"}))
    view = house.store.view(kept.submission, None)
    assert view is not None
    assert (view.status, view.problems[0].code) == (Status.NEEDS_INFO, "SYS-501")


def test_waiting_ends_when_work_comes(house: House) -> None:
    assert not house.store.wait_for_work("submission", 0.01)
    timer = threading.Timer(0.1, lambda: house.store.keep(house.arrive()))
    timer.start()
    assert house.store.wait_for_work("submission", 10)
    timer.join()


def test_a_wake_ends_the_wait_without_work(house: House) -> None:
    timer = threading.Timer(0.1, house.store.wake)
    timer.start()
    began = time.monotonic()
    assert not house.store.wait_for_work("submission", 10)
    assert time.monotonic() - began < 5
    timer.join()


def _submission_of(house: House, delivery: str) -> str:
    from gateway.store import tables

    with house.store.database.read() as connection:
        row = connection.execute(
            tables.delivery.select().where(tables.delivery.c.id == delivery)
        ).one()
    return str(row.submission)
