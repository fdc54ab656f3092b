"""Measures the store alone: keep and settle, one process, real files, real flushes.

    python -m benchmarks.store [--database-url URL] [--seconds S]

One submission is a 20 KB document with its signature; settling it writes 25 resources of a
patient of its own, with the search rows the FHIR room extracts, one delivery, one receipt.
The sender's side (issuing receipts, drafting resources) is prepared before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from gateway.fhir import search
from gateway.model import Identifier, Json
from gateway.store.values import Arrival, Outcome, WorkOrder
from tests.unit.store.house import LEASE, House, card, open_house, signed

T = TypeVar("T")

BODY_BYTES = 20_000
RESOURCES = 25


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One row of the table."""

    what: str
    threads: int
    per_s: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_ms: float
    """Of this process; a PostgreSQL server's own is not in it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="default: SQLite in a temporary folder")
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(Path(folder), asked.database_url, asked.database_url)
        object.__setattr__(house.store.room, "index", search.index)
        for threads in (1, 8, 32):
            print(json.dumps(vars(_keep(house, threads, asked.seconds))))
        for threads in (1, 4, 8):
            print(json.dumps(vars(_settle(house, threads, asked.seconds))))
        house.store.close()


def _keep(house: House, threads: int, seconds: float) -> Measured:
    arrivals = [_arrival(house) for _ in range(int(400 * seconds * (1 if threads == 1 else 4)))]
    return _measure("keep", threads, seconds, house.store.keep, arrivals)


def _settle(house: House, threads: int, seconds: float) -> Measured:
    count = int(120 * seconds)
    pairs = []
    while len(pairs) < count:
        orders = house.store.claim("submission", 64, LEASE)
        if not orders:
            house.store.keep(_arrival(house))
        pairs += [(order, _outcome(house, order)) for order in orders]

    def settle(pair: tuple[WorkOrder, tuple[Outcome, bytes]]) -> None:
        order, (outcome, body) = pair
        house.store.settle(order, (outcome,), signed(body))

    return _measure(f"settle {RESOURCES}", threads, seconds, settle, pairs)


def _measure(
    what: str, threads: int, seconds: float, step: Callable[[T], object], items: list[T]
) -> Measured:
    """Run `step` over `items` in some threads until they or the seconds are used up."""
    left, lock, took = iter(items), threading.Lock(), []
    began, cpu = time.monotonic(), time.process_time()

    def work() -> None:
        while time.monotonic() - began < seconds:
            with lock:
                item = next(left, None)
            if item is None:
                return
            start = time.perf_counter()
            step(item)
            took.append(time.perf_counter() - start)

    group = [threading.Thread(target=work) for _ in range(threads)]
    for thread in group:
        thread.start()
    for thread in group:
        thread.join()
    elapsed, cpu = time.monotonic() - began, time.process_time() - cpu
    took.sort()
    return Measured(
        what=what,
        threads=threads,
        per_s=round(len(took) / elapsed, 1),
        p50_ms=round(1000 * took[len(took) // 2], 2),
        p99_ms=round(1000 * took[len(took) * 99 // 100], 2),
        worst_ms=round(1000 * took[-1], 2),
        cpu_ms=round(1000 * cpu / len(took), 2),
    )


def _arrival(house: House) -> Arrival:
    # Half of it random: real bundles compress less than generated ones.
    return house.arrive(secrets.token_hex(BODY_BYTES // 2).encode(), key=secrets.token_hex(8))


def _outcome(house: House, order: WorkOrder) -> tuple[Outcome, bytes]:
    patient = house.store.new_patient_number()
    (person, _) = card(patient)
    resources: list[Json] = [person]
    for number in range(RESOURCES - 1):
        resources.append(
            {
                "resourceType": "Observation",
                "id": f"{patient}-{number}",
                "meta": {"tag": [{"system": "urn:gateway:assurance", "code": "signed"}]},
                "status": "final",
                "category": [{"coding": [{"system": "urn:category", "code": "laboratory"}]}],
                "code": {"coding": [{"system": "http://loinc.org", "code": f"{number}-7"}]},
                "subject": {"reference": f"Patient/{patient}"},
                "effectiveDateTime": "2026-11-21T09:30:00+03:00",
                "valueQuantity": {"value": Decimal("5.00"), "unit": "mmol/L"},
                "referenceRange": [{"text": "3,5-5,1"}],
            }
        )
    snils = Identifier(system="urn:oid:1.2.643.100.3", value=secrets.token_hex(6))
    body = house.store.submission(order.subject).document.body
    outcome = house.outcome(
        order.subject, patient=patient, resources=tuple(resources), identifiers=(snils,)
    )
    return outcome, body


if __name__ == "__main__":
    main()
