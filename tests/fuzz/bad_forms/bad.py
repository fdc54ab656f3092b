"""One row for each promise that a gateway could break."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from tests.fuzz.ground import Bench
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed

NAME = "bad"
ROWS = ("raises", "works", "waits", "grows", "grows-slowly", "exits", "believes", "good")
SEED = b"signed content"


def seeds(bench: Bench) -> Iterator[Seed]:
    for row in ROWS:
        yield Seed(row=row, name=row, octets=SEED)


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    if octets == SEED:
        return Outcome(word=PASSED, believed=frozenset({(octets, "")}))
    match seed.row:
        case "raises":
            raise RecursionError("too deep")
        case "works":
            while True:
                pass
        case "waits":
            time.sleep(10_000)
        case "grows":
            bytearray(4 << 30)
        case "grows-slowly":
            # Past the limit together with the program, yet less than the kernel forbids.
            assert len(bytearray(b"x") * (480 << 20)) > 0
        case "exits":
            os._exit(3)
        case "believes":
            return Outcome(word=PASSED, believed=frozenset({(octets, "")}))
    return Outcome(word=REFUSED)
