"""The moment of judgement: rule 4 of the semantics and day 14."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import pem, x509

from gateway.model import Part
from gateway.sandbox import certificates as made
from gateway.sandbox import pki
from gateway.sandbox.certificates import Authority, Period
from gateway.signatures.sign import sign
from tests.pki.build import ALGORITHMS, DAY, root
from tests.scenarios import laboratory
from tests.scenarios.laboratory import FHIR, Day

SAMPLE = Path(__file__).parents[2] / "samples" / "01-transaction-gost256" / "result.json"
MIDNIGHT = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
AFTER_NOON = MIDNIGHT - timedelta(hours=12)


@dataclass(frozen=True)
class Sender:
    client: str = "polaris-lis"
    organization: str = "polaris"


@dataclass(frozen=True)
class Doctor:
    """A doctor whose certificate ends at midnight, and the authority that gave it."""

    authority: Authority
    certificate: x509.Certificate
    key: bytes

    def parts(self, octets: bytes, at: datetime) -> tuple[Part, ...]:
        """Return a document with the signature made at `at`, without a timestamp."""
        signature = sign(
            octets,
            key=self.key,
            chain=[self.certificate.dump()],
            algorithms=ALGORITHMS,
            form="cades",
            detached=True,
            at=at,
        )
        return (
            Part(name="document", media_type=FHIR, body=octets),
            Part(name="signature", media_type="application/pkcs7-signature", body=signature),
        )

    def trusted(self, home: Path, listed_at: datetime, revoked_at: datetime | None = None) -> None:
        """Put the authority and its list of `listed_at` into a home's trust folder."""
        folder = home / "trust"
        folder.mkdir(parents=True, exist_ok=True)
        revoked = [] if revoked_at is None else [(self.certificate.serial_number, revoked_at)]
        period = Period(begins=listed_at, ends=listed_at + DAY)
        listed = made.revocation_list(self.authority, revoked, 1, period, ALGORITHMS)
        certificate = self.authority.certificate.dump()
        (folder / "root.crt.pem").write_bytes(pem.armor("CERTIFICATE", certificate))
        (folder / "root.crl.pem").write_bytes(pem.armor("X509 CRL", listed.dump()))


@pytest.fixture(scope="module")
def doctor() -> Doctor:
    authority = root("УЦ одного дня", "rsa")
    key, public = ALGORITHMS.generate("rsa")
    period = Period(begins=MIDNIGHT - 90 * DAY, ends=MIDNIGHT)
    certificate = made.certify(
        made.name(*pki.POLARIS.doctor()),
        public,
        made.signing_extensions(period, "one-day"),
        period,
        ALGORITHMS,
        issuer=authority,
    )
    return Doctor(authority, certificate, key)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else str(request.getfixturevalue("database_url"))


both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


@contextmanager
def opened(home: Path, url: str | None, at: datetime) -> Iterator[Day]:
    with laboratory.day(home, database=url) as day:
        day.now[0] = at
        yield day


def at(minutes: float) -> datetime:
    """Return so many minutes after midnight."""
    return MIDNIGHT + timedelta(minutes=minutes)


@both
def test_day_14_received_after_the_certificate_ended(
    tmp_path: Path, url: str | None, doctor: Doctor
) -> None:
    """Signed 23:58 without a timestamp, received 00:03: nothing proves it was in time."""
    home = tmp_path / "var"
    doctor.trusted(home, AFTER_NOON)
    with opened(home, url, at(3)) as day:
        parts = doctor.parts(SAMPLE.read_bytes(), at(-2))
        id = day.gateway.line.keep(Sender(), "multipart/form-data", parts).submission
        day.line()
        assert (day.status(id), day.codes(id)) == ("needs_info", ["SIG-204"])


@both
def test_day_14_received_in_time_and_verified_later(
    tmp_path: Path, url: str | None, doctor: Doctor
) -> None:
    """Received 23:59, verified 00:10: judged at keep, which our log proves; it passes."""
    home = tmp_path / "var"
    doctor.trusted(home, AFTER_NOON)
    with opened(home, url, at(-1)) as day:
        parts = doctor.parts(SAMPLE.read_bytes(), at(-2))
        id = day.gateway.line.keep(Sender(), "multipart/form-data", parts).submission
        day.now[0] = at(10)
        day.line()
        assert day.status(id) == "accepted"
        stored = day.gateway.store.signatures(id)
        assert stored is not None
        (finding,) = stored.report.signatures
        assert finding.times.validation == day.view(id).kept_at
        day.gateway.store.replay(id, "operator:test")
        day.work()
        assert day.status(id) == "accepted"


@both
def test_day_14_revoked_after_keep_stands(tmp_path: Path, url: str | None, doctor: Doctor) -> None:
    """Even when the first look at it comes after the revocation, with a list that names it."""
    home = tmp_path / "var"
    doctor.trusted(home, AFTER_NOON)
    with opened(home, url, at(-30)) as day:
        parts = doctor.parts(SAMPLE.read_bytes(), at(-31))
        id = day.gateway.line.keep(Sender(), "multipart/form-data", parts).submission
    doctor.trusted(home, at(-5), revoked_at=at(-10))
    with opened(home, url, at(40)) as day:
        day.line()
        assert day.status(id) == "accepted"


@both
def test_revoked_before_keep_is_refused(tmp_path: Path, url: str | None, doctor: Doctor) -> None:
    """The nearest refused neighbour: the same list, kept five minutes after the revocation."""
    home = tmp_path / "var"
    doctor.trusted(home, at(-9), revoked_at=at(-10))
    with opened(home, url, at(-5)) as day:
        parts = doctor.parts(SAMPLE.read_bytes(), at(-31))
        id = day.gateway.line.keep(Sender(), "multipart/form-data", parts).submission
        day.line()
        assert (day.status(id), day.codes(id)) == ("rejected", ["SIG-205"])
