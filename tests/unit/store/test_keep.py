"""Keeping: durable, once per content, and the same answer every time it is asked."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from gateway.errors import Rejected
from gateway.model import Problem, Status
from gateway.store import audit_entry
from gateway.store.values import Arrival, Filter
from tests.unit.store.house import LEASE, House

EVERYBODYS = Filter(organizations=None)


def test_a_resend_gives_the_first_receipt_word_for_word(house: House) -> None:
    """A sender that lost our answer gets the same one, not a second truth."""
    first = house.store.keep(house.arrive(b"same"))
    again = house.store.keep(house.arrive(b"same"))
    assert (again.known, again.submission) == (True, first.submission)
    assert again.receipt == first.receipt
    assert len(house.store.list(EVERYBODYS).items) == 1
    assert len(house.store.receipts(first.submission)) == 1


def test_one_byte_more_is_another_submission(house: House) -> None:
    first = house.store.keep(house.arrive(b"same"))
    other = house.store.keep(house.arrive(b"same "))
    assert not other.known
    assert other.submission != first.submission


def test_two_organisations_may_send_the_same_bytes(house: House) -> None:
    """A stranger learns nothing by sending what somebody else sent before."""
    first = house.store.keep(house.arrive(b"same"))
    other = house.store.keep(house.arrive(b"same", organization="lab-2"))
    assert (other.known, other.submission == first.submission) == (False, False)


def test_a_key_in_use_for_other_content_is_refused_and_nothing_is_kept(house: House) -> None:
    house.store.keep(house.arrive(b"one", key="k-1"))
    with pytest.raises(Rejected) as caught:
        house.store.keep(house.arrive(b"two", key="k-1"))
    assert caught.value.problems[0].code == "DUP-001"
    assert len(house.store.list(EVERYBODYS).items) == 1
    assert house.store.counts()["work_submission"] == 1


def test_the_same_key_in_another_organisation_is_free(house: House) -> None:
    house.store.keep(house.arrive(b"one", key="k-1"))
    assert not house.store.keep(house.arrive(b"two", key="k-1", organization="lab-2")).known


def test_a_new_key_with_known_content_is_bound_to_it(house: House) -> None:
    first = house.store.keep(house.arrive(b"one", key="k-1"))
    assert house.store.keep(house.arrive(b"one", key="k-2")).submission == first.submission
    with pytest.raises(Rejected):
        house.store.keep(house.arrive(b"two", key="k-2"))


def test_known_content_that_was_rejected_starts_again(house: House) -> None:
    """The sender mended a certificate, not the bytes; sending again must help."""
    first = house.store.keep(house.arrive(b"one"))
    order = house.claim()
    audit = audit_entry("line", "submission.rejected", first.submission, {}, house.clock.now)
    refusal = house.receipts.issue("refused", {}, audit, house.clock.now)
    problem = Problem(code="SIG-203")
    house.store.fail(order, (problem,), refusal, Status.REJECTED, audit, None)
    assert not house.store.claim("submission", 9, LEASE)

    again = house.store.keep(house.arrive(b"one"))
    assert (again.receipt, again.status) == (first.receipt, Status.RECEIVED)
    assert house.claim().subject == first.submission


def test_twenty_keeps_at_once_make_one_record(house: House) -> None:
    """The unique constraint is the judge, however the threads interleave."""
    arrivals = [house.arrive(b"same", key=f"k-{n % 3}") for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        kept = list(pool.map(house.store.keep, arrivals))
    assert len({one.receipt.jws for one in kept}) == 1
    assert [one.known for one in kept].count(False) == 1
    assert len(house.store.claim("submission", 99, LEASE)) == 1
    assert len(house.store.list(EVERYBODYS).items) == 1


def test_one_key_with_twenty_contents_at_once_keeps_one(house: House) -> None:
    def keep(number: int) -> bool:
        try:
            house.store.keep(house.arrive(b"%d" % number, key="k"))
        except Rejected:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(keep, range(20))).count(True) == 1
    assert len(house.store.list(EVERYBODYS).items) == 1


def test_a_broken_keep_takes_no_neighbour_with_it(house: House) -> None:
    """Pieces of one group commit fall alone: each has a savepoint of its own."""
    good = [house.arrive(b"good %d" % n) for n in range(30)]
    broken = [replace(house.arrive(b"bad %d" % n), receipt=good[0].receipt) for n in range(5)]
    house.store.keep(good[0])

    def keep(arrival: Arrival) -> bool:
        try:
            house.store.keep(arrival)
        except (sqlite3.IntegrityError, psycopg.IntegrityError):
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(keep, [*good[1:15], *broken, *good[15:]]))
    assert done.count(False) == 5
    assert len(house.store.list(replace(EVERYBODYS, limit=99)).items) == 30


def test_what_was_kept_comes_back_byte_for_byte(house: House) -> None:
    arrival = house.arrive(bytes(range(256)) * 50)
    submission = house.store.submission(house.store.keep(arrival).submission)
    assert submission.parts == arrival.parts
    assert submission.kept_at == arrival.kept_at


def test_an_unknown_submission_is_a_key_error(house: House) -> None:
    with pytest.raises(KeyError):
        house.store.submission("none")
