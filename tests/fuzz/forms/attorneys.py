"""Машиночитаемые доверенности, attached to a signed document."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model import Attached, CheckStatus, Part
from gateway.verification.powers import with_powers
from tests.fuzz.ground import FAMILIES, FIRST, Bench
from tests.fuzz.judging import believing
from tests.fuzz.values import PASSED, REFUSED, UNDECIDED, Outcome, Seed
from tests.pki.build import NOW
from tests.unit.qualification.test_attorney import attorney
from tests.unit.signatures.made import BUNDLE, beside, document, signed

NAME = "attorneys"
ROW = "attorneys"


def seeds(bench: Bench) -> Iterator[Seed]:
    over = signed(bench.pki, f"{FIRST}-doctor")
    for family in FAMILIES:
        octets = attorney()
        own = signed(bench.pki, f"{family}-organisation", octets=octets)
        yield Seed(row=ROW, name=family, octets=octets, context=(over, own))


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    over, own = seed.context
    report = bench.verifier.verify(document(BUNDLE), beside(over), NOW)
    part = Part(name="attorney", media_type="application/xml", body=octets)
    attached = Attached(attorney=part, signatures=beside(own))
    found = with_powers(report, (attached,), bench.verifier, NOW, kept=False)
    checks = {one.name: one.status for one in found.signatures[0].qualification_checks}
    if checks.get("attorney_signature") is CheckStatus.PASSED:
        return Outcome(word=PASSED, believed=believing(octets))
    return Outcome(word=REFUSED if CheckStatus.FAILED in checks.values() else UNDECIDED)
