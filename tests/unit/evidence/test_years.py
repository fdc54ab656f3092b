"""A job that runs for ten years, while signers, authorities and a digest end."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from gateway.algorithms.policy import standard
from gateway.evidence.renewal import Renewal
from gateway.model import Indication
from gateway.sandbox.timestamping import TimestampAuthority
from tests.pki.build import ALGORITHMS, DAY, NOW
from tests.unit.evidence.conftest import Office
from tests.unit.verification.long_lived import YEAR, World

PASSED = Indication.TOTAL_PASSED
LAST = NOW + 10 * YEAR
AUTHORITY_LIVES = 3 * YEAR
AUTHORITY_CHANGES = 2 * YEAR
LOOKED_AT = 60 * DAY
"""So often; a proof is due ninety days before its end."""

SHA256_ENDS = date(2032, 1, 1)


class Stampers:
    """An authority that takes a new certificate every other year."""

    def __init__(self, world: World) -> None:
        self.issuer = world.stampers.certificate.dump()
        begins = (NOW - DAY + n * AUTHORITY_CHANGES for n in range(6))
        self.signers = {
            at: world.stamper("Stamper", at, at + AUTHORITY_LIVES) for at in begins if at < LAST
        }

    def stamp(self, digest: str, imprint: bytes, at: datetime) -> bytes:
        who = self.signers[max(begins for begins in self.signers if begins <= at)]
        chain = (who.der, self.issuer)
        authority = TimestampAuthority(key=who.key, chain=chain, algorithms=ALGORITHMS)
        return authority.token(digest, imprint, at)


@pytest.mark.parametrize("family", ["gost256", "rsa", "ecdsa"])
def test_a_proof_is_renewed_in_time_year_after_year(office: Office, family: str) -> None:
    office.world = World(family=family)
    policy = standard().laid_over({"digests": {"sha256": {"until": SHA256_ENDS}}})
    office.algorithms = ALGORITHMS.under(policy)
    stampers, clock = Stampers(office.world), office.house.clock
    id, ends = office.send(), list[datetime]()
    while clock.now < LAST:
        office.rules["digest"] = "sha256" if clock.now < NOW + 4 * YEAR else "sha512"
        looked_at(office, stampers)
        row = office.house.store.evidence.row(id)
        assert row is not None
        assert row.end.ends_at is not None
        assert row.end.state in ("waiting", "stamped")
        assert row.end.ends_at > clock.now
        ends.append(row.end.ends_at)
        clock.now += LOOKED_AT
    proof = office.proof(id)
    assert proof is not None
    assert proof.indication is PASSED
    assert len(proof.stamps) == len(set(ends)) - 1
    assert set(proof.digests) == {"sha256", "sha512"}
    aged = [
        one.at.date()
        for one, name in zip(proof.stamps, proof.digests, strict=True)
        if name == "sha256"
    ]
    assert max(aged) < SHA256_ENDS < proof.stamps[-1].at.date()
    assert office.verdict(id) is PASSED
    assert office.at(max(ends) + DAY).verdict(id) is not PASSED


def looked_at(office: Office, stampers: Stampers) -> None:
    """Let the job look at what is due, as a process just started does."""
    clock = office.house.clock

    def stamp(digest: str, imprint: bytes) -> bytes:
        return stampers.stamp(digest, imprint, clock.now)

    job = office.job()
    job = Renewal(job.store, job.trust, job.algorithms, stamp, job.rules, clock)
    while job.survey():
        pass
    while job.renew().did:
        pass
