"""How the tokens of records are kept: once for a whole batch."""

from __future__ import annotations

from sqlalchemy import select

from gateway.model import Indication
from gateway.store import tables
from gateway.store.values import NewRecord
from tests.pki.build import DAY
from tests.unit.evidence.conftest import Office
from tests.unit.evidence.test_renewal import stamped_once
from tests.unit.signatures.made import BUNDLE
from tests.unit.verification.long_lived import FIRST_ENDS, LATER, STAMPED

PASSED = Indication.TOTAL_PASSED


def test_a_token_is_kept_once_for_all_documents_of_its_batch(office: Office) -> None:
    """An authority's token with all its chain, five hundred times over, was most of a record."""
    ids = [office.send(BUNDLE + b" " * n) for n in range(3)]
    stamped_once(office.at(STAMPED), *ids)
    stamped_once(office.at(FIRST_ENDS - 30 * DAY), *ids)
    assert len(tokens_kept(office)) == 2
    for id in ids:
        proof = office.at(LATER).proof(id)
        assert proof is not None
        assert (proof.indication, len(proof.stamps)) == (PASSED, 2)


def test_a_record_with_its_tokens_inside_is_read_and_renewed_without(office: Office) -> None:
    """So the first records were kept."""
    id = office.send()
    stamped_once(office.at(STAMPED), id)
    evidence = office.house.store.evidence
    stored, row = evidence.record(id), evidence.row(id)
    assert stored is not None
    assert row is not None
    old = NewRecord(
        submission=id,
        stamps_before=1,
        stamps=1,
        stamped_at=STAMPED,
        end=row.end,
        stored=stored,
        tokens=(),
    )
    evidence.keep([old])
    kept = tables.evidence
    office.house.store.database.write(
        lambda connection: connection.execute(kept.delete().where(kept.c.kind == "timestamp"))
    )
    assert evidence.record(id) == stored
    stamped_once(office.at(FIRST_ENDS - 30 * DAY), id)
    assert len(tokens_kept(office)) == 2
    assert office.at(LATER).verdict(id) is PASSED


def tokens_kept(office: Office) -> list[str]:
    kept = tables.evidence
    with office.house.store.database.read() as connection:
        wanted = select(kept.c.id).where(kept.c.kind == "timestamp")
        return list(connection.execute(wanted).scalars())
