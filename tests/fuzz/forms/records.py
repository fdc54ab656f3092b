"""Evidence records (RFC 4998): what they cover, and the time stamps over that."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model import Indication
from gateway.signatures.evidence_records import NotARecord, check_stamp, read, roots, write
from gateway.signatures.findings import Flaw
from tests.fuzz.ground import FIRST, Bench
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.test_evidence_records import MATERIALS, OBJECTS, made_record

NAME = "records"
ROW = "evidence-records"


def seeds(bench: Bench) -> Iterator[Seed]:
    if FIRST == "gost256":  # its stamps are by that key
        yield Seed(row=ROW, name="three stamps", octets=write(made_record(bench.pki)))


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    try:
        record = read(octets)
        found = roots(record, OBJECTS, MATERIALS, ALGORITHMS)
    except (NotARecord, Flaw):
        return Outcome(word=REFUSED)
    checked = [
        check_stamp(stamp, top, ALGORITHMS.at(NOW))
        for stamp, top in zip(record.stamps, found, strict=True)
    ]
    if any(one.indication is not Indication.TOTAL_PASSED for one in checked):
        return Outcome(word=REFUSED)
    believed = ((one.at.isoformat().encode(), (one.certificate or b"").hex()) for one in checked)
    return Outcome(word=PASSED, believed=frozenset(believed))
