"""Settling: everything at once or nothing, judged again under the patient's lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.fhir import text
from gateway.model import Identifier, Json, MatchKind, PatientMatch, Problem, Status
from gateway.store import LostLease, Moved, Unreadable, audit_entry, tables, vault
from gateway.store.keys import KeyDestroyed
from gateway.store.writing import OwnerMismatch
from tests.unit.store.house import LEASE, SNILS, House, card, signed

OTHER = Identifier(system=SNILS.system, value="08765430300")


def _settle(house: House, body: bytes, **other: object) -> str:
    return house.through(body, **other)


def _versions(house: House, patient: str) -> dict[str, str]:
    found = {}
    for resource in house.store.everything(patient):
        meta = resource["meta"]
        assert isinstance(meta, dict)
        found[str(resource["resourceType"])] = str(meta["versionId"])
    return found


def test_values_come_out_as_they_went_in(house: House) -> None:
    patient = house.store.new_patient_number()
    _settle(house, b"1", patient=patient, resources=card(patient, "5.00"))
    found = house.store.resource("Observation", f"obs-{patient}")
    assert found is not None
    assert b'"value":5.00' in text.dumps(found[0])
    assert found[1] == patient


def test_the_same_content_makes_no_new_version(house: House) -> None:
    patient = house.store.new_patient_number()
    _settle(house, b"1", patient=patient)
    _settle(house, b"2", patient=patient)
    assert _versions(house, patient) == {"Patient": "1", "Observation": "1"}


def test_a_digit_more_is_a_new_version_and_the_old_one_stays(house: House) -> None:
    patient = house.store.new_patient_number()
    _settle(house, b"1", patient=patient, resources=card(patient, "5.0"))
    _settle(house, b"2", patient=patient, resources=card(patient, "5.00"))
    assert _versions(house, patient) == {"Patient": "1", "Observation": "2"}
    version = tables.resource_version
    with house.store.database.read() as connection:
        rows = connection.execute(select(version).where(version.c.type == "Observation")).all()
        values = connection.execute(select(tables.search_value)).all()
    assert sorted(row.version for row in rows) == [1, 2]
    assert len([one for one in values if one.type == "Observation"]) == 1


def test_a_delivery_carries_the_versions_of_its_own_document(house: House) -> None:
    """A clinic that was down gets first what came first, not twice what came last."""
    patient = house.store.new_patient_number()
    _settle(house, b"1", patient=patient, resources=card(patient, "5.0"))
    _settle(house, b"2", patient=patient, resources=card(patient, "5.00"))
    sent = []
    for _ in range(2):
        order = house.claim("delivery")
        sent.append(text.dumps(house.store.delivery(order).resources[1]))
        house.deliver(order)
    assert b'"value":5.0,' in sent[0]
    assert b'"value":5.00,' in sent[1]


def test_a_new_identifier_of_somebody_else_moves_the_line_back(house: House) -> None:
    """Two first results of one patient race; the second must find the first one's card."""
    first, second = (house.store.keep(house.arrive(b"%d" % n)) for n in range(2))
    one, two = house.claim(), house.claim()
    early = house.outcome(first.submission)
    late = house.outcome(second.submission)
    house.store.settle(one, (early,), None)
    with pytest.raises(Moved):
        house.store.settle(two, (late,), None)
    (card_of,) = house.store.cards(SNILS)
    assert early.match is not None
    assert card_of.patient == early.match.patient
    house.store.settle(two, (house.outcome(second.submission, patient=card_of.patient),), None)
    types = [one["resourceType"] for one in house.store.everything(card_of.patient)]
    assert types == ["Patient", "Observation"]


def test_twenty_first_results_of_one_patient_make_one_card(house: House) -> None:
    kept = [house.store.keep(house.arrive(b"%d" % n)) for n in range(20)]
    orders = house.store.claim("submission", 20, LEASE)
    assert len(kept) == len(orders)

    def settle(index: int) -> None:
        order = orders[index]
        while True:
            cards = house.store.cards(SNILS)
            number = cards[0].patient if cards else house.store.new_patient_number()
            outcome = house.outcome(order.subject, patient=number)
            try:
                return house.store.settle(order, (outcome,), None)
            except Moved:
                continue

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(settle, range(20)))
    (one,) = house.store.cards(SNILS)
    assert _versions(house, one.patient) == {"Patient": "1", "Observation": "1"}
    with house.store.database.read() as connection:
        sequences = connection.execute(select(tables.delivery.c.sequence)).scalars().all()
    assert sorted(sequences) == list(range(1, 21))


def test_a_consent_that_changed_meanwhile_moves_the_line_back(house: House) -> None:
    kept = house.store.keep(house.arrive())
    order = house.claim()
    now = house.clock.now
    grant = house.store.add_grant((SNILS,), "clinic-1", "care", now, None, _consent(), "anna")
    planned = house.outcome(kept.submission, patient=grant.patient, consent_version=1)
    house.store.revoke_grant(grant.id, "anna")
    with pytest.raises(Moved):
        house.store.settle(order, (planned,), None)
    house.store.settle(order, (replace(planned, consent_version=2),), None)


def test_a_card_merged_meanwhile_moves_the_line_back(house: House) -> None:
    patient = house.store.new_patient_number()
    _settle(house, b"1", patient=patient)
    kept = house.store.keep(house.arrive(b"2"))
    order = house.claim()
    outcome = house.outcome(kept.submission, patient=patient)
    table = tables.patient
    house.store.database.write(
        lambda connection: connection.execute(
            update(table).where(table.c.number == patient).values(merged_into="other")
        )
    )
    with pytest.raises(Moved):
        house.store.settle(order, (outcome,), None)


def test_nothing_of_a_moved_settle_stays(house: House) -> None:
    _settle(house, b"1")
    kept = house.store.keep(house.arrive(b"2"))
    order = house.claim()
    events = house.store.events(kept.submission)
    with pytest.raises(Moved):
        house.store.settle(order, (house.outcome(kept.submission),), None)
    assert house.store.events(kept.submission) == events
    assert len(house.store.receipts(kept.submission)) == 1
    assert len(house.store.claim("delivery", 9, LEASE)) == 1


def test_settling_twice_is_refused(house: House) -> None:
    kept = house.store.keep(house.arrive())
    order = house.claim()
    outcome = house.outcome(kept.submission)
    house.store.settle(order, (outcome,), None)
    with pytest.raises(LostLease):
        house.store.settle(order, (outcome,), None)
    assert len(house.store.receipts(kept.submission)) == 2


def test_a_submission_shows_its_least_finished_document(house: House) -> None:
    kept = house.store.keep(house.arrive())
    order = house.claim()
    good = house.outcome(kept.submission)
    waits = house.outcome(
        kept.submission,
        status=Status.NEEDS_INFO,
        ordinal=1,
        problems=(Problem(code="MAP-108", place="/entry/1"),),
    )
    house.store.settle(order, (good, waits), None)
    view = house.store.view(kept.submission, None)
    assert view is not None
    assert view.status is Status.NEEDS_INFO
    assert [one.status for one in view.documents] == [Status.ACCEPTED, Status.NEEDS_INFO]
    assert [one.receipt is None for one in view.documents] == [False, True]


def test_a_repeat_leaves_an_accepted_document_alone(house: House) -> None:
    """A replay is for the document that waits; its neighbour gets no second receipt."""
    kept = house.store.keep(house.arrive())
    patient = house.store.new_patient_number()
    good = house.outcome(kept.submission, patient=patient)
    waits = house.outcome(kept.submission, status=Status.NEEDS_INFO, ordinal=1)
    house.store.settle(house.claim(), (good, waits), None)
    house.store.replay(kept.submission, "operator:anna")
    again = house.outcome(kept.submission, patient=patient)
    mended = house.outcome(kept.submission, patient=patient, ordinal=1)
    house.store.settle(house.claim(), (again, mended), None)
    kinds = [row.receipt.kind for row in house.store.receipts(kept.submission)]
    assert sorted(kinds) == ["accepted", "registered", "registered"]
    deliveries = house.store.view(kept.submission, None)
    assert deliveries is not None
    assert [len(one.deliveries) for one in deliveries.documents] == [1, 1]


def test_an_anonymous_document_touches_no_card(house: House) -> None:
    kept = house.store.keep(house.arrive())
    order = house.claim()
    outcome = house.outcome(
        kept.submission,
        match=PatientMatch(kind=MatchKind.ANONYMOUS, patient=None),
        resources=(_observation("obs-anonymous"),),
    )
    house.store.settle(order, (outcome,), None)
    assert house.store.cards(SNILS) == ()
    assert house.store.delivery(house.claim("delivery")).resources[0]["id"] == "obs-anonymous"


def test_an_id_of_another_patients_resource_is_refused(house: House) -> None:
    """Ids are ours; should a mapping ever make them wrongly, nobody's record is overwritten."""
    _settle(house, b"1", resources=(_observation("same"),))
    kept = house.store.keep(house.arrive(b"2"))
    outcome = house.outcome(
        kept.submission, resources=(_observation("same"),), identifiers=(OTHER,)
    )
    with pytest.raises(OwnerMismatch):
        house.store.settle(house.claim(), (outcome,), None)


def test_destroying_a_patients_key_erases_card_and_original(house: House) -> None:
    """The rows stay in every backup; nothing in them opens again."""
    patient = house.store.new_patient_number()
    submission = _settle(house, b"secret", patient=patient)
    assert house.store.submission(submission).document.body == b"secret"
    house.store.keys.destroy(patient)
    with pytest.raises(KeyDestroyed):
        house.store.submission(submission)
    assert house.store.resource("Patient", patient) is None
    assert house.store.cards(SNILS) == ()


def test_the_signature_report_comes_back_whole(house: House) -> None:
    submission = _settle(house, b'{"value": 5.00}')
    stored = house.store.signatures(submission)
    assert stored is not None
    assert stored.report == signed(b'{"value": 5.00}')


def test_evidence_is_stored_once(house: House) -> None:
    patient = house.store.new_patient_number()
    for number in range(3):
        _settle(house, b"%d" % number, patient=patient)
    with house.store.database.read() as connection:
        assert len(connection.execute(select(tables.evidence)).all()) == 2


def test_evidence_called_something_else_does_not_open(house: House) -> None:
    """The rules of a day called otherwise were no rules, and those of today stood in."""
    submission = _settle(house, b"1")
    evidence = tables.evidence
    renamed = update(evidence).where(evidence.c.kind == "crl").values(kind="note")
    house.store.database.write(lambda connection: connection.execute(renamed))
    with pytest.raises(Unreadable):
        house.store.signatures(submission)


def test_evidence_kept_before_its_kind_was_bound_is_read(house: House) -> None:
    submission = _settle(house, b"1")
    evidence, keys = tables.evidence, house.store.keys
    for octets in (b"leaf", b"list"):
        id = keys.exact_token("evidence", octets)
        first = vault.seal(keys.system_key("evidence"), octets, f"evidence:{id}")
        old = update(evidence).where(evidence.c.id == id).values(sealed=first)
        house.store.database.write(lambda connection, old=old: connection.execute(old))
    stored = house.store.signatures(submission)
    assert stored is not None
    assert stored.report == signed(b"1")


def test_the_ledger_comes_back(house: House) -> None:
    (ledger,) = house.store.ledger(_settle(house, b"1"))
    assert ledger.mapped == (("/entry/0", "Patient"),)
    assert ledger.dropped == (("/x", "empty"),)


def test_a_failed_submission_keeps_its_report_and_its_reasons(house: House) -> None:
    kept = house.store.keep(house.arrive(b"x"))
    order = house.claim()
    audit = audit_entry("line", "submission.rejected", kept.submission, {}, house.clock.now)
    refusal = house.receipts.issue("refused", {}, audit, house.clock.now)
    problem = Problem(code="SIG-203", place="/signature[0]", detail={"issuer": "CN=CA"})
    house.store.fail(order, (problem,), refusal, Status.REJECTED, audit, signed(b"x"))
    view = house.store.view(kept.submission, ("lab-1",))
    assert view is not None
    assert (view.status, view.problems, view.documents) == (Status.REJECTED, (problem,), ())
    assert house.store.signatures(kept.submission) is not None
    assert house.store.claim("submission", 9, timedelta(1)) == ()


def _observation(id: str) -> Json:
    return {"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"}}


def _consent() -> Json:
    return {"resourceType": "Consent", "status": "active"}
