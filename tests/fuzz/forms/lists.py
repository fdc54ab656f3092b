"""Trusted lists: the ministry's and the European ones."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.trust import PathPolicy
from gateway.trust.lists import NotAList, accreditation_of, read_list
from tests.fuzz.ground import Bench, foreign
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed
from tests.pki.build import NOW
from tests.pki.trusted_lists import Listed, european, russian

NAME = "lists"
ROW = "trusted-lists"


def seeds(bench: Bench) -> Iterator[Seed]:
    ca = bench.pki.signer("ecdsa-doctor").chain()[1]
    home = (("Действует", "2024-03-01T00:00:00"), ("Приостановлена", "2024-01-01T00:00:00"))
    union = (("granted", "2020-01-01T00:00:00Z"), ("withdrawn", "2019-01-01T00:00:00Z"))
    for name, octets in (
        ("russian", russian(Listed(name="АО «УЦ»", certificates=[ca], statuses=home))),
        ("european", european(Listed(name="QTSP", certificates=[ca], statuses=union))),
    ):
        yield Seed(row=ROW, name=name, octets=octets, context=(ca,))
    for number, octets in enumerate(foreign("russia/**/*.xml", "signatures/dss/**/*lotl*.xml")):
        yield Seed(row=ROW, name=f"foreign {number}", octets=octets, context=(ca,), ours=False)


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    try:
        read = read_list(octets)
    except NotAList:
        return Outcome(word=REFUSED)
    accreditation_of([read], seed.context[0], NOW, PathPolicy.list_age_max)
    return Outcome(word=PASSED)
