"""A card that never stands still makes its document wait, and no attempt is lost or doubled."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gateway.model import Identifier
from gateway.patients.identifiers import SNILS
from gateway.pipeline import MOVED_REPEATS_MAX, Line
from tests.doorway import Doorway, doorway

EXAMPLE = Path(__file__).parents[2] / "mappings" / "fhir_json" / "default.example.json"
PATIENT = Identifier(system=SNILS, value="11223344595")
PERFORMER = b"1027700132195"
"""Of the example; the sender is to be the one who performed."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Restless:
    """A clock at whose every look somebody records another consent of the patient."""

    def __init__(self, door: Doorway) -> None:
        self.store = door.gateway.store
        self.consents = 0

    def __call__(self) -> datetime:
        self.consents += 1
        self.store.add_grant(
            (PATIENT,), "org-clinic", "TREAT", LONG_AGO, None, {"resourceType": "Consent"}, "op"
        )
        return datetime.now(UTC)


def test_a_patient_that_keeps_moving_makes_the_document_wait(tmp_path: Path) -> None:
    """`store` is the judge of races; after a few it lets others go first (semantics, rule 14)."""
    with doorway(tmp_path) as door:
        gateway = door.gateway
        body = EXAMPLE.read_bytes().replace(PERFORMER, b"1027700000000")
        sent = door.keep(body).get_json()["id"]
        clock = Restless(door)
        line = Line(
            store=gateway.store,
            verifier=gateway.verifier,
            catalogue=gateway.catalogue,
            receipts=gateway.receipts,
            routes=(),
            clock=clock,
            digest=lambda _: None,
            revocation_patience=gateway.settings.work.revocation_patience,
            retry_first=gateway.settings.work.retry_first,
        )
        clock()
        (order,) = gateway.store.claim("submission", 1, gateway.settings.work.lease)
        line.work(order)

        view = door.get(f"/v1/submissions/{sent}").get_json()
        assert clock.consents > MOVED_REPEATS_MAX
        assert view["status"] == "processing"
        events = door.get(f"/v1/submissions/{sent}/events").get_json()["events"]
        assert "SYS-502" in str(events)
