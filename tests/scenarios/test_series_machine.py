"""Random days of a laboratory: versions, corrections, withdrawals and resends in any order.

A model says what must stand at the end; it knows nothing of how the gateway gets there.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.model import Identifier
from tests.scenarios import laboratory
from tests.scenarios.laboratory import ANNA, BORIS, HBA1C, POLARIS, Person, Report

NUMBERS = ("000017", "000018")
TESTS = (HBA1C, "14749-6")
PEOPLE = (ANNA, ANNA, BORIS)
STATUSES = (
    *("preliminary", "final", "final", "corrected", "corrected", "amended"),
    *("entered-in-error", "cancelled"),
)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BACK = ("entered-in-error", "cancelled")
FINAL = {"accepted", "replaced", "withdrawn", "rejected"}
NAMED = {"DUP-102", "DUP-103"}


@dataclass
class Series:
    """What a laboratory has written under one number, version by version."""

    versions: list[Report] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)

    def next(self, status: str, values: dict[str, str], patient: Person) -> Report:
        number = len(self.versions) + 1
        return Report(
            number="",
            version=number,
            status=status,
            values=values,
            patient=patient,
            issued=NOON + timedelta(minutes=number),
        )

    @property
    def known(self) -> bool:
        """Whether anything came that opens the series: corrections alone only wait."""
        opening = ("preliminary", "final")
        return any(self.versions[one].status in opening for one in self.sent)

    @property
    def standing(self) -> Report | None:
        """The highest version that came; None before the first and after a withdrawal."""
        if not self.known:
            return None
        last = self.versions[max(self.sent)]
        return None if last.status in BACK else last


class Laboratory(RuleBasedStateMachine):
    """One laboratory with two reports and two patients, one clinic, and an impatient network."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="series-"))
        self.opened = laboratory.day(self.folder / "var")
        self.day = self.opened.__enter__()
        self.series = {number: Series() for number in NUMBERS}
        self.kept: list[str] = []

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    @rule(seed=st.integers(0, 2**32 - 1), events=st.integers(4, 12))
    def a_busy_hour(self, seed: int, events: int) -> None:
        """Versions are written, sent, jammed and sent again, then worked all at once.

        Drawn by a seeded generator: rules of one small step each seldom made a whole series.
        """
        chance = self._chance(seed)
        for _ in range(events):
            series = self.series[chance.choice(NUMBERS)]
            if not series.versions or chance.random() < 0.6:
                self._write(series, chance)
                if chance.random() < 0.2:
                    continue
            which = len(series.versions) - 1
            if chance.random() < 0.3:
                which = chance.randrange(len(series.versions))
            for _ in range(chance.choice((1, 1, 1, 1, 3))):
                self._keep(series, which)
        self.work_together()

    @rule(seed=st.integers(0, 2**32 - 1))
    def a_result_while_deliveries_leave(self, seed: int) -> None:
        chance = self._chance(seed)
        series = self.series[chance.choice(NUMBERS)]
        self._write(series, chance)
        self._keep(series, len(series.versions) - 1)
        with ThreadPoolExecutor(1) as beside:
            leaving = beside.submit(self.day.deliver)
            self.work_together()
            leaving.result()

    @rule()
    def everything_is_sent_again(self) -> None:
        """After a crash the laboratory exports all it ever sent."""
        for series in self.series.values():
            for which in sorted(series.sent):
                self._keep(series, which)
        self.work_together()

    def work_together(self) -> None:
        """Everything that waits is worked at once, by several threads."""
        store, lease = self.day.gateway.store, self.day.gateway.settings.work.lease
        while orders := store.claim("submission", 16, lease):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.day.gateway.line.work, orders))

    @rule()
    def deliver(self) -> None:
        self.day.now[0] += timedelta(minutes=10)
        self.day.deliver()

    @rule(mode=st.sampled_from(("up", "down", "lose")))
    def network(self, mode: str) -> None:
        self.day.clinics["clinic"].mode = mode

    @invariant()
    def the_card_says_what_the_highest_versions_say(self) -> None:
        expected: dict[Person, list[str]] = {person: [] for person in PEOPLE}
        for series in self.series.values():
            if (standing := series.standing) is not None:
                expected[standing.patient] += standing.values.values()
        for person in PEOPLE:
            shown = [one for one in self.day.card(person) if one["resourceType"] == "Observation"]
            values = sorted(str(one["valueQuantity"]["value"]) for one in shown)  # type: ignore[call-overload,index]
            assert values == sorted(expected[person]), (person.family, values, expected)

    @invariant()
    def every_series_stands_on_one_document(self) -> None:
        performer = (
            Identifier(system="urn:gateway:organization", value="polaris"),
            Identifier(system=laboratory.OGRN, value=POLARIS),
        )
        for number, series in self.series.items():
            known = self.day.gateway.store.series(performer, number)
            assert sum(one.current for one in known) == (1 if series.known else 0)
            keys = [(one.version, one.digest) for one in known]
            assert len(keys) == len(set(keys))

    @invariant()
    def every_document_is_final_or_says_why_it_waits(self) -> None:
        for submission in self.kept:
            for document in self.day.view(submission).documents:
                if str(document.status) not in FINAL:
                    assert {one.code for one in document.problems} & NAMED, document

    def _keep(self, series: Series, which: int) -> None:
        series.sent.add(which)
        self.kept.append(self.day.keep(series.versions[which]))

    def _chance(self, seed: int) -> random.Random:
        """Small seeds come often; with the number of what was kept no two are the same."""
        return random.Random(f"{seed}/{len(self.kept)}")

    def _write(self, series: Series, chance: random.Random) -> None:
        tests = chance.sample(TESTS, chance.choice((1, 2, 2)))
        values = {test: chance.choice(("5.10", "5.20", "6.00")) for test in tests}
        status = chance.choice(STATUSES)
        if not series.versions and chance.random() < 0.8:
            status = "final"
        patient = chance.choice(PEOPLE)
        number = next(name for name, one in self.series.items() if one is series)
        series.versions.append(series.next(status, values, patient).but(number=number))

    @rule()
    def the_clinic_agrees_once_everything_has_arrived(self) -> None:
        """Whatever was lost or late: the clinic's last word on every report is the record's."""
        self.day.clinics["clinic"].mode = "up"
        self.day.now[0] += timedelta(hours=7)
        self.day.deliver()
        for _ in range(20):
            self.day.now[0] += timedelta(hours=7)
            self.day.deliver()
        expected = [
            value
            for series in self.series.values()
            if (standing := series.standing) is not None
            for value in standing.values.values()
        ]
        clinic = self.day.clinics["clinic"].resources.values()
        shown = [
            str(one["valueQuantity"]["value"])  # type: ignore[call-overload,index]
            for one in clinic
            if one["resourceType"] == "Observation" and one["status"] != "entered-in-error"
        ]
        assert sorted(shown) == sorted(expected)


TestLaboratory = Laboratory.TestCase
TestLaboratory.settings = settings(
    max_examples=12 if settings.default.max_examples <= 60 else 400,
    stateful_step_count=12,
    deadline=None,
)
