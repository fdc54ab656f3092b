"""A process that keeps and settles until it is killed, telling what was acknowledged.

Started by the tests beside it: `python -m tests.faults.store_process FOLDER DATA_URL KEYS_URL
NUMBER`.  Every line on standard output is written after the store's answer.
"""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from itertools import count
from pathlib import Path

from gateway.store import LostLease, Moved
from tests.unit.store.house import House, open_house

AHEAD = threading.Semaphore(40)
"""So much is kept and not yet delivered: a longer queue would only take longer to finish."""

LEASE = timedelta(milliseconds=1)
"""So short that whoever starts after a kill may take the work over at once."""


def main() -> None:
    folder, url, keys_url, number = sys.argv[1:]
    house = open_house(Path(folder), url, keys_url)
    for name in ("a", "b"):
        threading.Thread(target=_keep, args=(house, f"{number}-{name}"), daemon=True).start()
    threading.Thread(target=_send, args=(house,), daemon=True).start()
    _settle(house)


def _keep(house: House, name: str) -> None:
    for number in count():
        AHEAD.acquire()
        body = f"{name}-{number}".encode()
        kept = house.store.keep(house.arrive(body))
        _say("kept", body.decode(), kept.submission, kept.receipt.number)


def _settle(house: House) -> None:
    while True:
        for order in house.store.claim("submission", 4, LEASE):
            try:
                house.store.begin(order)
                house.store.settle(order, (house.outcome(order.subject, identifiers=()),), None)
            except (LostLease, Moved):
                continue
            _say("settled", order.subject, "", "")


def _send(house: House) -> None:
    while True:
        for order in house.store.claim("delivery", 4, LEASE):
            try:
                receipt = house.deliver(order)
            except LostLease:
                continue
            AHEAD.release()
            _say("delivered", order.subject, "", receipt.number)


_lock = threading.Lock()


def _say(*words: str) -> None:
    with _lock:
        sys.stdout.write(" ".join(words) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
