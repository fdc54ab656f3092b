"""Random days of a laboratory: versions, corrections, withdrawals and resends in any order.

A model says what must stand at the end; it knows nothing of how the gateway gets there.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.model import Identifier
from tests.scenarios import laboratory
from tests.scenarios.laboratory import ANNA, BORIS, HBA1C, POLARIS, Person, Report

NUMBERS = ("000017", "000018")
PEOPLE = (ANNA, BORIS)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BACK = ("entered-in-error", "cancelled")
FINAL = {"accepted", "replaced", "withdrawn", "rejected"}
NAMED = {"DUP-102", "DUP-103"}


@dataclass
class Series:
    """What a laboratory has written under one number, version by version."""

    versions: list[Report] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)

    def next(self, status: str, value: str, patient: Person) -> Report:
        number = len(self.versions) + 1
        return Report(
            number="",
            version=number,
            status=status,
            values={HBA1C: value},
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
        self.at_work: list[str] = []

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    @rule(
        number=st.sampled_from(NUMBERS),
        status=st.sampled_from(("preliminary", "final", "corrected", "amended", *BACK)),
        value=st.sampled_from(("5.10", "5.20", "6.00")),
        patient=st.sampled_from(PEOPLE),
    )
    def write(self, number: str, status: str, value: str, patient: Person) -> None:
        """The laboratory writes the next version; nothing is sent yet."""
        series = self.series[number]
        series.versions.append(series.next(status, value, patient).but(number=number))

    @rule(number=st.sampled_from(NUMBERS), data=st.data())
    def send(self, number: str, data: st.DataObject) -> None:
        """Any version is sent, the first time or again, under new ids."""
        series = self.series[number]
        if not series.versions:
            return
        which = data.draw(st.integers(0, len(series.versions) - 1))
        self._keep(series, which)

    @rule(number=st.sampled_from(NUMBERS), copies=st.integers(2, 5), data=st.data())
    def send_copies_at_once(self, number: str, copies: int, data: st.DataObject) -> None:
        series = self.series[number]
        if not series.versions:
            return
        which = data.draw(st.integers(0, len(series.versions) - 1))
        for _ in range(copies):
            self._keep(series, which)

    @precondition(lambda self: self.at_work)
    @rule()
    def work_together(self) -> None:
        """Everything that waits is worked at once, by several threads."""
        store, lease = self.day.gateway.store, self.day.gateway.settings.work.lease
        while orders := store.claim("submission", 16, lease):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.day.gateway.line.work, orders))
        self.at_work.clear()

    @rule()
    def deliver(self) -> None:
        self.day.deliver()

    @rule(mode=st.sampled_from(("up", "down", "lose")))
    def network(self, mode: str) -> None:
        self.day.clinics["clinic"].mode = mode

    @precondition(lambda self: not self.at_work)
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

    @precondition(lambda self: not self.at_work)
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

    @precondition(lambda self: not self.at_work)
    @invariant()
    def every_document_is_final_or_says_why_it_waits(self) -> None:
        for submission in self.kept:
            for document in self.day.view(submission).documents:
                if str(document.status) not in FINAL:
                    assert {one.code for one in document.problems} & NAMED, document

    def _keep(self, series: Series, which: int) -> None:
        series.sent.add(which)
        submission = self.day.keep(series.versions[which])
        self.kept.append(submission)
        self.at_work.append(submission)

    @precondition(lambda self: not self.at_work)
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
    max_examples=20 if settings.default.max_examples <= 60 else 400,
    stateful_step_count=25,
    deadline=None,
)
