"""A store with signed submissions, and a time-stamping authority that answers on a socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.algorithms.interface import Algorithms
from gateway.evidence.authority import Authority
from gateway.evidence.renewal import Renewal
from gateway.evidence.rules import Rules
from gateway.model import Indication, Part, RecordFinding, SignatureReport
from gateway.sandbox.certificates import Authority as CertificateAuthority
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.sandbox.timestamping_server import make_server
from gateway.signatures.sign import sign
from gateway.trust import Trust
from gateway.verification import (
    KeptRecord,
    Verifier,
    judge_record,
    judged_again,
    judged_by_record,
    last_by,
)
from tests.pki.build import ALGORITHMS, NOW
from tests.running import running
from tests.unit.signatures.made import BUNDLE
from tests.unit.store.house import House, open_house
from tests.unit.verification.long_lived import YEAR, World


@dataclass(kw_only=True)
class Office:
    """A home's store and trust at the moment its clock shows."""

    house: House
    world: World
    url: str
    asked: list[datetime]
    """When the authority was asked."""

    algorithms: Algorithms = ALGORITHMS
    rules: dict[str, Any] = field(default_factory=dict)
    patient: str = ""
    """Whose everything is that is sent."""

    missing: bool = False
    """Today's lists are not there."""

    unknown: CertificateAuthority | None = None
    """Whose certificate is not in the trust folder."""

    def at(self, moment: datetime) -> Office:
        self.house.clock.now = moment
        return self

    def trust(self) -> Trust:
        now = self.house.clock.now
        return self.world.trust(now - YEAR / 12 if self.missing else now, but=self.unknown)

    def job(self) -> Renewal:
        """Return the job as a process just started has it."""
        rules = Rules(tsa=self.url, **self.rules)
        authority = Authority(
            url=rules.tsa, algorithms=ALGORITHMS, credentials_file=rules.credentials_file
        )
        return Renewal(
            self.house.store,
            self.trust(),
            self.algorithms,
            authority.stamp_over,
            rules,
            self.house.clock,
        )

    def send(self, octets: bytes = BUNDLE, *, signed: bool = True, **other: Any) -> str:
        """Keep, judge and settle a document signed now; return its submission."""
        house, now = self.house, self.house.clock.now
        signature = sign(
            octets,
            key=self.world.signer.key,
            chain=(self.world.signer.der, self.world.root.certificate.dump()),
            algorithms=ALGORITHMS,
            form="cades",
            detached=True,
            at=now,
        )
        document = Part(name="document", media_type="application/fhir+json", body=octets)
        body = signature if signed else signature[:-1] + bytes([signature[-1] ^ 1])
        beside = Part(name="signature", media_type="application/pkcs7-signature", body=body)
        kept = house.store.keep(house.arrive(octets, parts=(document, beside)))
        order = house.claim()
        house.store.begin(order)
        report = Verifier(self.trust(), ALGORITHMS).verify(document, (beside,), now)
        self.patient = self.patient or house.store.new_patient_number()
        outcome = house.outcome(kept.submission, **{"patient": self.patient, **other})
        house.store.settle(order, (replace(outcome, report=None),), report)
        return kept.submission

    def proof(self, id: str) -> RecordFinding | None:
        kept = self.kept(id)
        return judge_record(kept, self.algorithms, self.house.clock.now, last_by(self.trust()))

    def kept(self, id: str) -> KeptRecord:
        stored = self.house.store.evidence.record(id)
        assert stored is not None
        parts = tuple(part.body for part in self.house.store.submission(id).parts)
        return KeptRecord(record=stored.record, parts=parts, material=stored.material)

    def verdict(self, id: str, *, with_record: bool = True) -> Indication:
        """Return the verdict at the moment the clock shows, by what was kept alone."""
        return self.report(id, with_record=with_record).indication

    def report(self, id: str, *, with_record: bool = True) -> SignatureReport:
        store, now = self.house.store, self.house.clock.now
        stored, kept = store.signatures(id), store.submission(id)
        assert stored is not None
        if not with_record:
            return judged_again(
                stored.report, kept.document, kept.signatures, self.algorithms, kept.kept_at, now
            )
        proof = self.proof(id)
        assert proof is not None
        return judged_by_record(
            stored.report,
            self.kept(id),
            proof,
            kept.signatures,
            kept.document,
            self.algorithms,
            now,
        )


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture
def office(tmp_path: Path, world: World) -> Iterator[Office]:
    yield from opened(open_house(tmp_path), world)


def opened(house: House, world: World) -> Iterator[Office]:
    house.clock.now = NOW
    asked: list[datetime] = []

    def respond(request: bytes, now: datetime) -> bytes:
        asked.append(now)
        who = world.first if now < NOW + 2 * YEAR else world.second
        chain = (who.der, world.stampers.certificate.dump())
        authority = TimestampAuthority(key=who.key, chain=chain, algorithms=ALGORITHMS)
        return authority.respond(request, now)

    class Changing(TimestampAuthority):
        """Its certificate changes with the years."""

        def respond(self, request: bytes, now: datetime) -> bytes:
            return respond(request, now)

    authority = Changing(key=world.first.key, chain=(world.first.der,), algorithms=ALGORITHMS)
    try:
        with running(make_server(authority, 0, house.clock)) as url:
            yield Office(house=house, world=world, url=url, asked=asked)
    finally:
        house.store.close()
