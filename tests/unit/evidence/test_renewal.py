"""The job that renews evidence: what it stamps, when, and what it leaves alone."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.algorithms.policy import standard
from gateway.evidence.authority import NoAnswer
from gateway.evidence.renewal import LISTS_AWAITED, RETRY_FIRST
from gateway.model import Indication
from gateway.sandbox.certificates import timestamper_extensions
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.sandbox.timestamping_server import make_server
from gateway.signatures import evidence_records
from gateway.signatures.stamping import NotStamped
from gateway.store import log_tables, submissions, tables
from gateway.store.values import Overtaken
from tests.pki.build import ALGORITHMS, DAY, NOW, issue, root
from tests.running import running
from tests.unit.evidence.conftest import Office
from tests.unit.signatures.made import BUNDLE
from tests.unit.verification.long_lived import (
    FIRST_ENDS,
    HOUR,
    LATER,
    SIGNER_ENDS,
    STAMPED,
    YEAR,
    World,
)

PASSED, UNKNOWN = Indication.TOTAL_PASSED, Indication.INDETERMINATE


def stamped_once(office: Office, *ids: str) -> None:
    """Survey and stamp everything that is due."""
    job = office.job()
    while job.survey():
        pass
    assert set(job.renew().stamped) == set(ids)


def actions(office: Office, id: str) -> list[str]:
    entry = log_tables.audit_entry
    with office.house.store.database.read() as connection:
        rows = connection.execute(select(entry.c.action).where(entry.c.subject == id)).scalars()
        return [action for action in rows if action.startswith("evidence.")]


def test_a_proof_ends_with_the_signers_certificate(office: Office) -> None:
    id = office.send()
    assert office.job().survey() == 1
    row = office.house.store.evidence.row(id)
    assert row is not None
    assert (row.end.state, row.end.ends_at, row.end.ends_by) == (
        "waiting",
        SIGNER_ENDS,
        "certificate",
    )


def test_nothing_is_asked_before_it_is_time(office: Office) -> None:
    office.send()
    office.at(SIGNER_ENDS - 91 * DAY)
    stamped_once(office)
    assert office.asked == []


def test_one_stamp_holds_all_that_is_due_and_once_is_enough(office: Office) -> None:
    ids = [office.send(BUNDLE + b" " * n) for n in range(3)]
    office.at(SIGNER_ENDS - 89 * DAY)
    stamped_once(office, *ids)
    assert len(office.asked) == 1
    stamped_once(office)
    assert len(office.asked) == 1
    for id in ids:
        proof = office.proof(id)
        assert proof is not None
        assert (proof.indication, len(proof.stamps)) == (PASSED, 1)
        assert actions(office, id) == ["evidence.stamped"]
        row = office.house.store.evidence.row(id)
        assert row is not None
        assert (row.end.state, row.end.ends_at, row.stamps) == ("stamped", FIRST_ENDS, 1)


def test_a_verdict_is_held_for_years_and_lost_without_the_record(office: Office) -> None:
    id = office.send()
    stamped_once(office.at(STAMPED), id)
    stamped_once(office.at(FIRST_ENDS - 30 * DAY), id)
    office.at(LATER)
    proof = office.proof(id)
    assert proof is not None
    assert (proof.indication, len(proof.stamps)) == (PASSED, 2)
    assert office.verdict(id) is PASSED
    report = office.report(id, with_record=False)
    assert report.indication is UNKNOWN
    assert report.signatures[0].sub_indication == "OUT_OF_BOUNDS_NO_POE"


def test_a_proof_that_has_ended_is_late_and_nobody_is_asked(office: Office) -> None:
    id = office.send()
    stamped_once(office.at(SIGNER_ENDS + DAY))
    row = office.house.store.evidence.row(id)
    assert row is not None
    assert row.end.state == "late"
    assert (office.asked, actions(office, id)) == ([], ["evidence.late"])


def test_a_record_whose_authority_has_ended_is_begun_anew_or_late(office: Office) -> None:
    """The job did not run for years: the stamp has ended, and the signer's certificate too."""
    id = office.send()
    stamped_once(office.at(STAMPED), id)
    stamped_once(office.at(FIRST_ENDS + DAY))
    row = office.house.store.evidence.row(id)
    assert row is not None
    assert row.end.state == "late"


def test_a_record_of_a_revoked_authority_is_begun_anew(tmp_path: Path, office: Office) -> None:
    """While the signer's own certificate lives, another authority can begin again."""
    world = office.world = World()
    office.rules["before"] = 10 * YEAR
    id = office.send()
    authority = TimestampAuthority(
        key=world.first.key, chain=(world.first.der,), algorithms=ALGORITHMS
    )
    with serving(authority, office) as url:
        office.url = url
        stamped_once(office.at(NOW + DAY), id)
    office.at(NOW + 300 * DAY)
    world.revoked[NOW + 200 * DAY] = [world.first.certificate]
    other = world.stamper("Third", NOW, NOW + 5 * YEAR)
    authority = TimestampAuthority(key=other.key, chain=(other.der,), algorithms=ALGORITHMS)
    with serving(authority, office) as url:
        office.url = url
        job = office.job()
        assert job.renew().stamped == ()  # the first has rested only half of its time
        office.house.store.evidence.put_off([id], office.house.clock.now)
        assert job.renew().stamped == (id,)
    proof = office.proof(id)
    assert proof is not None
    assert (proof.indication, len(proof.stamps)) == (PASSED, 1)
    assert proof.proven == NOW + 300 * DAY


def test_what_lacks_todays_list_waits_for_it_until_it_is_urgent(office: Office) -> None:
    id = office.send()
    office.at(STAMPED).missing = True
    job = office.job()
    job.survey()
    assert job.renew().awaiting == (id,)
    assert job.renew().did is False
    office.at(STAMPED + LISTS_AWAITED).missing = False
    assert office.job().renew().stamped == (id,)


@pytest.mark.parametrize("stamps", [0, 1])
def test_an_authority_whose_file_is_missing_today_ends_no_proof(
    office: Office, stamps: int
) -> None:
    """A trust folder half copied was seen by one run, and every proof that was due was over."""
    id = office.send()
    if stamps:
        stamped_once(office.at(STAMPED), id)
    office.at(FIRST_ENDS - 30 * DAY if stamps else STAMPED)
    office.unknown = office.world.stampers if stamps else office.world.root
    job = office.job()
    job.survey()
    assert (job.renew().awaiting, job.renew().did) == ((id,), False)
    office.unknown = None
    office.house.clock.now += LISTS_AWAITED
    assert office.job().renew().stamped == (id,)
    proof = office.proof(id)
    assert proof is not None
    assert (proof.indication, len(proof.stamps)) == (PASSED, stamps + 1)


def test_what_ends_tomorrow_is_stamped_without_the_list(office: Office) -> None:
    """The list may come later; the stamp may not.  The authority's own list must be there."""
    id = office.send()
    office.at(SIGNER_ENDS - HOUR)
    lists = office.world.trust(office.house.clock.now)
    office.missing = True
    job = office.job()
    job.survey()
    job.trust = lists
    assert job.renew().stamped == (id,)


def test_with_all_everything_gets_its_first_stamp_at_once(office: Office) -> None:
    id = office.send()
    job = office.job()
    job.survey()
    assert job.renew().did is False
    assert job.renew(unstamped=True).stamped == (id,)
    assert job.renew(unstamped=True).did is False


def test_a_signature_that_never_passed_needs_no_proof(office: Office) -> None:
    id = office.send(signed=False)
    office.job().survey()
    row = office.house.store.evidence.row(id)
    assert row is not None
    assert (row.end.state, row.end.ends_at) == ("closed", None)
    stamped_once(office.at(STAMPED))


def test_the_proof_of_an_erased_patient_is_closed(office: Office) -> None:
    store = office.house.store
    patient = store.new_patient_number()
    id = office.send(patient=patient)
    office.job().survey()
    store.keys.destroy(patient)
    stamped_once(office.at(STAMPED))
    row = store.evidence.row(id)
    assert row is not None
    assert row.end.state == "closed"


def test_a_digest_that_ages_out_gets_a_tree_of_another(office: Office) -> None:
    id = office.send()
    office.rules["digest"] = "sha256"
    stamped_once(office.at(STAMPED), id)
    rules = {"digests": {"sha256": {"until": (FIRST_ENDS + YEAR).date()}}}
    office.algorithms = ALGORITHMS.under(standard().laid_over(rules))
    office.rules |= {"digest": "streebog512", "before": 2 * YEAR}
    stamped_once(office.at(FIRST_ENDS - 30 * DAY), id)
    record = evidence_records.read(office.kept(id).record)
    assert [chain[0].digest for chain in record.chains] == ["sha256", "streebog512"]
    office.at(FIRST_ENDS + 2 * YEAR)
    assert office.verdict(id) is PASSED


def test_an_algorithm_foreseen_to_end_is_an_end(office: Office) -> None:
    day = (NOW + 200 * DAY).date()
    rules = {"keys": [{"families": ["gost256"], "bits": 256, "foreseen": day}]}
    office.algorithms = ALGORITHMS.under(standard().laid_over(rules))
    id = office.send()
    office.job().survey()
    row = office.house.store.evidence.row(id)
    assert row is not None
    assert row.end.ends_at is not None
    assert (row.end.ends_at.date(), row.end.ends_by) == (day, "gost256 256")


def test_an_authority_that_is_down_is_asked_ever_more_rarely(office: Office) -> None:
    id = office.send()
    office.at(STAMPED)
    url, office.url = office.url, "http://127.0.0.1:9/"
    job = office.job()
    for _ in range(3):
        job.step()
    with pytest.raises(NoAnswer):
        job.renew()
    assert office.house.store.evidence.record(id) is None
    calls = list[datetime]()

    def failing(digest: str, root: bytes) -> bytes:
        calls.append(office.house.clock.now)
        raise NoAnswer("down")

    job.stamp = failing
    for _ in range(40):
        office.house.clock.forward(minutes=1)
        job.step()
    waits = [(b - a) / RETRY_FIRST for a, b in pairwise(calls)]
    assert waits == [2, 4, 8, 16]
    office.url = url
    office.house.clock.forward(hours=7)
    job.stamp = office.job().stamp
    job.step()
    assert office.house.store.evidence.record(id) is not None


def test_a_full_disk_does_not_ask_the_authority_all_the_time(office: Office) -> None:
    """Every token is paid for, and each was asked for again ten seconds later."""
    office.send()
    job = office.at(STAMPED).job()
    asked = list[datetime]()

    def full(digest: str, root: bytes) -> bytes:
        asked.append(office.house.clock.now)
        raise OSError(errno.ENOSPC, "No space left on device")

    job.stamp = full
    for _ in range(40):
        with suppress(OSError):
            job.step()
        office.house.clock.forward(minutes=1)
    assert [(b - a) / RETRY_FIRST for a, b in pairwise(asked)] == [1, 2, 4, 8, 16]


def test_a_proof_stamped_meanwhile_is_not_ended(office: Office) -> None:
    """Two processes looked at it at the stroke of its last hour, and one was late."""
    id = office.send()
    office.job().survey()
    evidence = office.house.store.evidence
    (seen,) = evidence.due(STAMPED, SIGNER_ENDS, 9)
    stamped_once(office.at(STAMPED), id)
    evidence.end(seen, "late")
    row = evidence.row(id)
    assert row is not None
    assert (row.end.state, actions(office, id)) == ("stamped", ["evidence.stamped"])


def test_the_worker_stamps_by_itself_and_rests(office: Office) -> None:
    ids = [office.send(BUNDLE + b" " * n) for n in range(3)]
    office.rules["batch"] = 2
    job = office.at(STAMPED).job()
    for _ in range(6):
        job.step()
    assert all(office.proof(id) for id in ids)
    assert len(office.asked) == 2
    later = office.send(BUNDLE + b"\t")
    job.step()
    assert office.house.store.evidence.row(later) is None
    office.house.clock.forward(hours=1)
    job.step()
    assert office.house.store.evidence.row(later) is not None


def test_tokens_that_could_not_be_believed_are_not_kept(office: Office, world: World) -> None:
    id = office.send()
    office.at(STAMPED)
    unknown = root("Nobody's")
    stranger = issue(unknown, "Stranger", timestamper_extensions())
    old = TimestampAuthority(key=world.first.key, chain=(world.first.der,), algorithms=ALGORITHMS)
    for key, chain, shift, reason in (
        (stranger.key, (stranger.der,), timedelta(), "not believed"),
        (world.signer.key, (world.signer.der,), timedelta(), "not believed"),
        (old.key, old.chain, HOUR, "clock"),
        (old.key, old.chain, -HOUR, "clock"),
    ):
        authority = TimestampAuthority(key=key, chain=chain, algorithms=ALGORITHMS)
        with serving(authority, office, shift) as url:
            office.url = url
            job = office.job()
            job.survey()
            with pytest.raises(NotStamped, match=reason):
                job.renew()
    assert office.house.store.evidence.record(id) is None


def test_credentials_are_sent_from_their_file(office: Office, world: World, tmp_path: Path) -> None:
    id = office.send()
    office.at(STAMPED)
    authority = TimestampAuthority(
        key=world.first.key, chain=(world.first.der,), algorithms=ALGORITHMS
    )
    file = tmp_path / "tsa.credentials"
    with serving(authority, office, credentials="шлюз:s3cret") as url:
        office.url = url
        for written in (None, "шлюз:other", "шлюз:s3cret\n"):
            if written is not None:
                file.write_text(written, "utf-8")
                office.rules["credentials_file"] = file
            job = office.job()
            job.survey()
            if written != "шлюз:s3cret\n":
                with pytest.raises(NoAnswer, match="401"):
                    job.renew()
        assert job.renew().stamped == (id,)


def test_a_batch_is_kept_whole_or_not_at_all(office: Office) -> None:
    """Another process stamped one of two documents meanwhile."""
    one, other = office.send(), office.send(BUNDLE + b" ")
    office.at(STAMPED)
    job, rival = office.job(), office.job()
    job.survey()
    prepared = job._preparer.prepared
    rows = office.house.store.evidence.due(STAMPED, SIGNER_ENDS, 9)
    ready = [prepared(row, STAMPED) for row in rows]
    office.rules["batch"] = 1
    (taken,) = office.job().renew().stamped
    with pytest.raises(Overtaken):
        rival._stamped("sha512", ready, STAMPED)
    left = other if taken == one else one
    assert office.house.store.evidence.record(left) is None
    assert actions(office, left) == []
    assert job.renew().stamped == (left,)


def test_a_document_that_cannot_be_read_does_not_stop_the_others(office: Office) -> None:
    bad, good = office.send(), office.send(BUNDLE + b" ")
    office.job().survey()
    database = office.house.store.database
    part = tables.part
    database.write(
        lambda connection: connection.execute(
            part.update().where(part.c.submission == bad).values(sealed=b"\x01" + bytes(60))
        )
    )
    job = office.at(STAMPED).job()
    batch = job.renew()
    assert (batch.stamped, batch.awaiting) == ((good,), (bad,))


def test_a_verdict_given_anew_is_asked_about_anew(office: Office) -> None:
    """A replay judged the submission again before its first stamp."""
    id = office.send()
    office.job().survey()
    assert office.house.store.evidence.row(id) is not None
    store = office.house.store
    kept, stored = store.submission(id), store.signatures(id)
    assert stored is not None
    row = {"kind": "crl", "id": "new", "sealed": b"x"}
    store.database.write(lambda connection: submissions.write_evidence(connection, kept.id, [row]))
    assert store.evidence.row(id) is None


@contextmanager
def serving(
    authority: TimestampAuthority,
    office: Office,
    shift: timedelta = timedelta(),
    credentials: str = "",
) -> Iterator[str]:
    """An authority on a socket whose clock is the office's, shifted."""
    server = make_server(authority, 0, lambda: office.house.clock.now + shift, credentials)
    with running(server) as url:
        yield url
