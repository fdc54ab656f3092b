"""The audit log: whatever is changed after the fact is found and named."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.algorithms import merkle
from gateway.model import Problem, Status
from gateway.receipts.verify import verify
from gateway.store import audit_entry
from gateway.store.log import leaf_of
from gateway.store.room import entry_mac
from gateway.store.tables import micros
from tests.unit.store.house import House


def _entries(house: House, count: int) -> list[str]:
    ids = []
    for number in range(count):
        entry = audit_entry("lis-1", "fhir.read", f"s-{number}", {"n": str(number)}, house.clock())
        house.clock.forward(seconds=1)
        house.store.audit_append(entry)
        ids.append(entry.id)
    return ids


def _shell(tmp_path: Path, statement: str) -> None:
    """Do what somebody with the sqlite3 shell and no scruples does."""
    connection = sqlite3.connect(tmp_path / "gateway.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_untouched_log_holds(house: House) -> None:
    _entries(house, 40)
    assert house.store.seal() == 40
    _entries(house, 3)
    verdict = house.store.verify_audit()
    assert (verdict.valid, verdict.entries, verdict.first_bad) == (True, 43, None)


def test_an_empty_log_holds(house: House) -> None:
    assert house.store.seal() == 0
    assert house.store.verify_audit().valid


def test_sealing_goes_on_where_it_stopped(house: House) -> None:
    for count in (1, 2, 14, 30, 1):
        _entries(house, count)
        assert house.store.seal() == count
    assert [head.size for head in house.store.audit_heads()] == [1, 3, 17, 47, 48]
    assert house.store.verify_audit().valid


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit_entry SET actor = 'nobody' WHERE id = '{id}'", "entry"),
        ("UPDATE audit_entry SET at = at + 1 WHERE id = '{id}'", "entry"),
        ("UPDATE audit_entry SET detail = '{{}}' WHERE id = '{id}'", "entry"),
        ("DELETE FROM audit_entry WHERE id = '{id}'", "missing"),
    ],
)
@pytest.mark.parametrize("sealed", [True, False])
def test_an_edited_row_is_named(
    house: House, tmp_path: Path, statement: str, reason: str, sealed: bool
) -> None:
    ids = _entries(house, 20)
    if sealed:
        house.store.seal()
    _shell(tmp_path, statement.format(id=ids[7]))
    verdict = house.store.verify_audit()
    assert (verdict.valid, verdict.first_bad, verdict.reason) == (False, ids[7], reason)


def test_an_edit_with_its_leaf_made_to_fit_breaks_the_tree(house: House, tmp_path: Path) -> None:
    """Leaf and seal recomputed by who has the key are not enough: the signed root differs."""
    _entries(house, 5)
    house.store.seal()
    ids = _entries(house, 20)
    house.store.seal()
    forged = hashlib.sha256(b"forged").hexdigest()
    _shell(tmp_path, f"UPDATE audit_leaf SET leaf = '{forged}' WHERE entry = '{ids[7]}'")
    assert house.store.verify_audit().first_bad == ids[7]
    now = house.clock()
    leaf = leaf_of(ids[7], now, "nobody", "x", "s", {})
    at = micros(now)
    _shell(
        tmp_path,
        f"UPDATE audit_entry SET actor='nobody', action='x', subject='s', detail='{{}}', at={at},"
        f" leaf='{leaf}', mac='{entry_mac(house.store.room.log_key, leaf, None)}'"
        f" WHERE id='{ids[7]}'",
    )
    _shell(tmp_path, f"UPDATE audit_leaf SET leaf = '{leaf}' WHERE entry = '{ids[7]}'")
    verdict = house.store.verify_audit()
    assert (verdict.valid, verdict.reason) == (False, "tree")
    assert verdict.first_bad == ids[0], "the first entry after the last head that holds"


def test_a_forged_head_is_found(house: House, tmp_path: Path) -> None:
    _entries(house, 5)
    house.store.seal()
    _shell(tmp_path, "UPDATE audit_head SET jws = substr(jws, 1, length(jws) - 4) || 'AAAA'")
    assert house.store.verify_audit().reason == "head"


def test_an_entry_slipped_in_beside_the_log_is_found(house: House, tmp_path: Path) -> None:
    _entries(house, 5)
    house.store.seal()
    _shell(
        tmp_path,
        "INSERT INTO audit_entry SELECT 'ff', at, actor, action, subject, detail, leaf, receipt,"
        " mac FROM audit_entry LIMIT 1",
    )
    verdict = house.store.verify_audit()
    assert (verdict.first_bad, verdict.reason) == ("ff", "unlogged")


def test_a_log_cut_short_does_not_pass_for_a_young_one(house: House, tmp_path: Path) -> None:
    """Everything that is left fits together; only the key store remembers there was more."""
    _entries(house, 5)
    house.store.seal()
    late = _entries(house, 3)
    house.store.seal()
    names = ",".join(f"'{id}'" for id in late)
    _shell(tmp_path, f"DELETE FROM audit_entry WHERE id IN ({names})")
    _shell(tmp_path, "DELETE FROM audit_leaf WHERE position >= 5")
    _shell(tmp_path, "DELETE FROM audit_head WHERE size > 5")
    assert house.store.verify_audit().reason == "truncated"


@pytest.mark.parametrize("sealed", [True, False])
def test_an_entry_the_gateway_did_not_write_is_neither_sealed_nor_believed(
    house: House, tmp_path: Path, sealed: bool
) -> None:
    """Entry, leaf and pending row all fit: only the key, which is not in the data, does not."""
    _entries(house, 3)
    now = house.clock()
    leaf = leaf_of("ff", now, "operator:ivanova", "consent.add", "c-1", {})
    values = f"'ff', {micros(now)}, 'operator:ivanova', 'consent.add', 'c-1', '{{}}', '{leaf}'"
    _shell(tmp_path, f"INSERT INTO audit_entry SELECT {values}, NULL, mac FROM audit_entry LIMIT 1")
    _shell(tmp_path, f"INSERT INTO audit_pending VALUES ('ff', '{leaf}')")
    if sealed:
        assert house.store.seal() == 3
        assert house.store.seal() == 0
    verdict = house.store.verify_audit()
    assert (verdict.first_bad, verdict.reason) == ("ff", "forged")


def test_forged_entries_in_masses_do_not_keep_the_sealer_from_the_others(
    house: House, tmp_path: Path
) -> None:
    _entries(house, 1)
    _shell(
        tmp_path,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
        " INSERT INTO audit_entry SELECT '00' || i, at, actor, action, subject, detail, leaf,"
        " receipt, 'no' FROM audit_entry, n",
    )
    _shell(tmp_path, "INSERT INTO audit_pending SELECT id, leaf FROM audit_entry WHERE mac = 'no'")
    assert house.store.seal() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_node SET hash = 'ab' || substr(hash, 3) WHERE position = 1",
        "DELETE FROM audit_node WHERE level = 4 AND position = 1",
        "DELETE FROM audit_node WHERE level = 8",
        "INSERT INTO audit_node SELECT level, 99, hash FROM audit_node LIMIT 1",
    ],
)
def test_a_changed_node_of_the_tree_is_found(house: House, tmp_path: Path, statement: str) -> None:
    """Proofs are made from kept nodes: one changed would make every proof beside it wrong."""
    _entries(house, 270)
    house.store.seal()
    assert house.store.verify_audit().valid
    _shell(tmp_path, statement)
    assert house.store.verify_audit().reason == "node"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_head_taken_out_is_found_wherever_it_stood(
    house: House, tmp_path: Path, place: int
) -> None:
    """The next head covers its leaves: only the chain in the key store tells it was there."""
    for _ in range(3):
        _entries(house, 2)
        house.store.seal()
    size = house.store.audit_heads()[place].size
    _shell(tmp_path, f"DELETE FROM audit_head WHERE size = {size}")
    verdict = house.store.verify_audit()
    assert (verdict.valid, verdict.reason) == (False, "head")


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM receipt WHERE kind = 'registered'",
        "UPDATE receipt SET kind = 'refused' WHERE kind = 'registered'",
        "UPDATE receipt SET number = 'R-1' WHERE kind = 'registered'",
        "UPDATE receipt SET jws = substr(jws, 1, length(jws) - 4) || 'AAAA'",
        "INSERT INTO receipt SELECT 'R-1', kind, submission, document, delivery, jws, issued_at,"
        " audit FROM receipt LIMIT 1",
        "UPDATE audit_entry SET receipt = NULL",
    ],
)
def test_receipts_are_those_the_log_tells_of(
    house: House, tmp_path: Path, statement: str, sealed: bool
) -> None:
    house.through()
    house.deliver(house.claim("delivery"))
    if sealed:
        house.store.seal()
    assert house.store.verify_audit().valid
    _shell(tmp_path, statement)
    verdict = house.store.verify_audit()
    wanted = "forged" if "audit_entry" in statement else "receipt"
    assert (verdict.valid, verdict.reason) == (False, wanted)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE submission SET status = 'rejected'",
        "UPDATE submission SET status = 'received'",
        "UPDATE document SET status = 'withdrawn'",
        "UPDATE document SET status = 'rejected'",
        "UPDATE document SET status = 'received'",
    ],
)
def test_a_status_the_log_does_not_tell_of_is_found(
    house: House, tmp_path: Path, statement: str
) -> None:
    house.through()
    assert house.store.verify_audit().valid
    _shell(tmp_path, statement)
    assert house.store.verify_audit().reason == "state"


def test_every_status_the_line_gives_is_told_by_the_log(house: House) -> None:
    """Kept, taken up, handed to a person, replayed, refused, replayed again, accepted."""

    def holds() -> None:
        house.clock.forward(seconds=1)
        verdict = house.store.verify_audit()
        assert verdict.valid, (verdict.reason, verdict.first_bad)

    kept = house.store.keep(house.arrive())
    holds()
    order = house.claim()
    house.store.begin(order)
    holds()
    house.store.give_up(order, Problem(code="SYS-500"))
    holds()
    house.store.replay(kept.submission, "operator:a")
    holds()
    waits = house.outcome(
        kept.submission, status=Status.NEEDS_INFO, problems=(Problem(code="MAP-101"),)
    )
    house.store.settle(house.claim(), (waits,), None)
    holds()
    house.store.replay(kept.submission, "operator:a")
    holds()
    order = house.claim()
    audit = audit_entry("line", "submission.rejected", kept.submission, {}, house.clock())
    house.store.fail(order, (Problem(code="FMT-301"),), None, Status.REJECTED, audit)
    holds()
    house.store.replay(kept.submission, "operator:a")
    house.store.settle(house.claim(), (house.outcome(kept.submission),), None)
    holds()


def test_since_spares_the_entries_before_it(house: House, tmp_path: Path) -> None:
    ids = _entries(house, 10)
    house.store.seal()
    middle = house.clock.now.replace(second=5)
    assert house.store.verify_audit(middle).entries == 5
    _shell(tmp_path, f"UPDATE audit_entry SET actor = 'x' WHERE id = '{ids[2]}'")
    assert house.store.verify_audit(middle).valid
    assert not house.store.verify_audit().valid


def test_every_receipt_is_proved_to_be_in_the_log(house: House) -> None:
    """Whatever the size of the log and the place in it, the path leads to the signed root."""
    jwks = house.receipts.jwks()
    kept = []
    for number in range(70):
        kept.append(house.store.keep(house.arrive(b"%d" % number)).receipt)
        if number % 9 == 0:
            house.store.seal()
    house.store.seal()
    last = house.store.keep(house.arrive(b"last")).receipt
    for receipt in kept:
        proof = house.store.proof(receipt.number)
        assert proof is not None
        found = verify(receipt.jws, jwks, proof)
        assert (found.valid, found.included) == (True, "sealed")
        other = house.store.proof(kept[0].number if receipt != kept[0] else kept[1].number)
        assert not verify(receipt.jws, jwks, other).valid
    pending = house.store.proof(last.number)
    assert verify(last.jws, jwks, pending).included == "pending"
    assert house.store.proof("R-20261121-NONE") is None


def _naive(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(_naive(leaves[:split]), _naive(leaves[split:]))


@given(st.integers(1, 600), st.data())
def test_roots_and_paths_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(size)]
    kept = {(0, place): leaf for place, leaf in enumerate(leaves)}
    for level in (4, 8):
        for place in range(size >> level):
            kept[level, place] = _naive(leaves[place << level : place + 1 << level])
    growing = merkle.Growing()
    for leaf in leaves:
        growing.add(leaf)
    root = _naive(leaves)
    assert growing.root() == root
    assert merkle.subtree(lambda *at: kept.get(at), 0, size) == root
    index = data.draw(st.integers(0, size - 1))
    nodes = merkle.path(lambda *at: kept.get(at), index, size)
    assert merkle.root_from_path(leaves[index], index, size, nodes) == root
    assert merkle.root_from_path(leaves[index], index, size, [*nodes, root]) != root
    assert merkle.root_from_path(leaves[index] + b"x", index, size, nodes) != root
