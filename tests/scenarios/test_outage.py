"""Day 15: an authority's list is stale for some hours, and its documents alone wait.

600 documents of one authority and 900 of others, at a hundredth of the numbers.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway import logs
from gateway.api import create_app
from gateway.clerk import tell_outages
from gateway.model import Part
from gateway.sandbox import certificates as made
from gateway.sandbox import pki
from gateway.sandbox.certificates import Authority, Period
from gateway.signatures.sign import sign
from gateway.store import log_tables
from tests.pki.build import ALGORITHMS, DAY, Signing, list_of, root
from tests.scenarios import laboratory
from tests.scenarios.laboratory import FHIR, Day, Report

MIDNIGHT = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
LATE, OTHERS = 6, 9
ISSUER = "УЦ с просрочкой"


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


class World:
    """Two authorities with a doctor each, and the trust folder that holds their lists."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "trust"
        self.folder.mkdir(parents=True)
        period = Period(begins=MIDNIGHT - 90 * DAY, ends=MIDNIGHT + 90 * DAY)
        self.late, self.other = root(ISSUER, "ecdsa"), root("УЦ прочий", "ecdsa")
        self.doctors = {}
        for authority in (self.late, self.other):
            key, public = ALGORITHMS.generate("ecdsa")
            certificate = made.certify(
                made.name(*pki.POLARIS.doctor()),
                public,
                made.signing_extensions(period, "day-15"),
                period,
                ALGORITHMS,
                issuer=authority,
            )
            self.doctors[id(authority)] = Signing(certificate=certificate, key=key, family="ecdsa")
        self.listed(self.late, at(-12), at(2))
        self.listed(self.other, at(-12), at(48))

    def listed(self, authority: Authority, begins: datetime, ends: datetime) -> None:
        """Publish an authority's certificate and list into the trust folder."""
        name = f"{id(authority)}"
        certificate = authority.certificate.dump()
        (self.folder / f"{name}.crt").write_bytes(pem.armor("CERTIFICATE", certificate))
        published = list_of(authority, period=Period(begins=begins, ends=ends)).dump()
        written = self.folder / f".{name}.new"
        written.write_bytes(pem.armor("X509 CRL", published))
        written.replace(self.folder / f"{name}.crl")

    def keep(self, day: Day, authority: Authority, number: int) -> str:
        """Keep a report that the authority's doctor signed."""
        octets = Report(number=f"{number:06}", order=None).octets()
        doctor = self.doctors[id(authority)]
        signature = sign(
            octets,
            key=doctor.key,
            chain=[doctor.der],
            algorithms=ALGORITHMS,
            form="cades",
            detached=True,
            at=day.now[0] - timedelta(minutes=1),
        )
        parts = (
            Part(name="document", media_type=FHIR, body=octets),
            Part(name="signature", media_type="application/pkcs7-signature", body=signature),
        )
        return day.gateway.line.keep(Sender(), "multipart/form-data", parts).submission


class Sender:
    client = "polaris-lis"
    organization = "polaris"


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else str(request.getfixturevalue("database_url"))


both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


def alerts(day: Day) -> list[str]:
    """Look for outages three times over, as several processes would; return what was logged."""
    heard = io.StringIO()
    logs.configure(heard)
    try:
        for _ in range(3):
            tell_outages(day.gateway.store)
    finally:
        logs.configure()
    return [json.loads(line)["event"] for line in heard.getvalue().splitlines()]


def audited(day: Day) -> list[tuple[str, str]]:
    entry = log_tables.audit_entry
    with day.gateway.store.room.database.read() as connection:
        rows = connection.execute(
            entry.select().where(entry.c.action.like("authority.%")).order_by(entry.c.id)
        ).all()
    return [(row.action, row.subject) for row in rows]


def gauge(day: Day) -> list[str]:
    text = create_app(day.gateway).test_client().get("/metrics").get_data(as_text=True)
    return [line for line in text.splitlines() if line.startswith("gateway_ca_waiting{")]


@both
def test_day_15_one_authoritys_documents_wait_and_the_others_flow(
    tmp_path: Path, url: str | None
) -> None:
    home = tmp_path / "var"
    world = World(home)
    with laboratory.day(home, database=url) as day:
        day.now[0] = at(2.5)
        waiting = [world.keep(day, world.late, number) for number in range(LATE)]
        flowing = [world.keep(day, world.other, LATE + number) for number in range(OTHERS)]
        day.line()

        assert Counter(map(day.status, flowing)) == {"accepted": OTHERS}
        assert Counter(map(day.status, waiting)).keys() <= {"received", "processing"}
        for id in waiting:
            view = day.view(id)
            assert view.next_try is not None
            assert view.next_try > at(2.5)
            assert [(one.code, one.detail["issuer"]) for one in view.problems] == [
                ("SIG-207", ISSUER)
            ]
        assert gauge(day) == [f'gateway_ca_waiting{{issuer="{ISSUER}"}} {float(LATE)}']
        assert alerts(day) == ["authority.waited_for"]

        day.now[0] = at(5)
        day.line()
        assert not {"accepted", "rejected"} & set(map(day.status, waiting))
        assert alerts(day) == []

        world.listed(world.late, at(5.5), at(24))
        day.now[0] = at(6)
        day.line()
        assert Counter(map(day.status, waiting)) == {"accepted": LATE}
        assert gauge(day) == []
        assert alerts(day) == ["authority.recovered"]
        assert audited(day) == [
            ("authority.waited_for", ISSUER),
            ("authority.recovered", ISSUER),
        ]


def test_an_outage_that_outlasts_patience_is_not_called_over(tmp_path: Path) -> None:
    """After 24 hours the documents wait for a person, and the list is still missing."""
    home = tmp_path / "var"
    world = World(home)
    with laboratory.day(home) as day:
        day.now[0] = at(2.5)
        id = world.keep(day, world.late, 1)
        day.line()
        assert alerts(day) == ["authority.waited_for"]
        day.now[0] = at(27)
        day.line()
        assert (day.status(id), day.codes(id)) == ("needs_info", ["SIG-207"])
        assert alerts(day) == []


def test_a_second_outage_is_told_anew(tmp_path: Path) -> None:
    """The nearest neighbour of telling twice: the same authority, another night."""
    home = tmp_path / "var"
    world = World(home)
    with laboratory.day(home) as day:
        for night in (0, 24):
            day.now[0] = at(night + 2.5)
            world.keep(day, world.late, night)
            day.line()
            assert alerts(day) == ["authority.waited_for"]
            world.listed(world.late, at(night + 3), at(night + 5))
            day.now[0] = at(night + 4)
            day.line()
            assert alerts(day) == ["authority.recovered"]
