"""Load for a benchmark: fresh signed bundles of many patients, sent by many senders.

Everything is made and signed before the clock starts, so that only the gateway is measured.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms
from gateway.patients.identifiers import ENP, SNILS
from gateway.sandbox import pki
from gateway.sandbox.fresh import fresh, with_new_uuids
from gateway.sandbox.numbers import numbered
from gateway.sandbox.stories import KeyPair, Outgoing, Story, signed
from gateway.sandbox.story_files import load_story

_POLICY = re.compile(rb'"[0-9]{16}"')

PATIENTS = 200
"""Results of one patient wait for each other; a laboratory's day has many patients."""

Send = Callable[[Outgoing], int]
"""Submits one bundle and returns the HTTP status."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What the senders saw."""

    waits: tuple[float, ...]
    """Seconds that each accepted bundle's sender waited for the receipt, ascending."""

    refused: int
    seconds: float

    def wait_ms(self, share: float) -> float:
        """Return the wait that `share` of the senders did not exceed, in ms.

        >>> Sent(waits=(0.001, 0.002, 0.003, 0.1), refused=0, seconds=1.0).wait_ms(0.5)
        2.0
        """
        if not self.waits:
            return 0.0
        place = max(0, round(share * len(self.waits)) - 1)
        return round(self.waits[place] * 1000, 1)


def make(home: Path, story_file: Path, count: int, now: datetime) -> list[Outgoing]:
    """Return `count` fresh bundles of a story, signed with the keys of `home`, by all processors.

    Signing costs about as much as the gateway's whole work on a bundle, so one would not do.
    """
    hands = os.cpu_count() or 1
    shares = [count // hands + (hand < count % hands) for hand in range(hands)]
    with ProcessPoolExecutor(hands) as pool:
        made = [
            pool.submit(_share, home, story_file, now, hand * PATIENTS // hands, share)
            for hand, share in enumerate(shares)
        ]
        return [one for share in made for one in share.result()]


def _share(home: Path, story_file: Path, now: datetime, patient: int, count: int) -> list[Outgoing]:
    keys, story = pki.load(home), load_story(story_file)
    files = keys.signer(story.first.signing.signers[0])
    pair = KeyPair(key=files.private_key(), chain=files.chain())
    return list(islice(bundles(story, pair, standard(), now, patient), count))


def bundles(
    story: Story, pair: KeyPair, algorithms: Algorithms, now: datetime, patient: int
) -> Iterator[Outgoing]:
    """Yield the story's document again and again: fresh, signed once, of the next patient."""
    send = story.first
    plain = send.plain()
    own = story.patient.rpartition("|")[2].encode()
    for number in itertools.count(patient):
        turn = number % PATIENTS
        octets = fresh(plain, now, lambda: str(uuid.uuid4()))
        octets = octets.replace(own, numbered(SNILS, f"{100_007_919 + 7919 * turn}", 2))
        octets = _POLICY.sub(b'"' + numbered(ENP, f"{775008431000000 + turn}", 1) + b'"', octets)
        yield signed(octets, send.media_type, send.signing, [pair], algorithms, now)


def again(home: Path, story_file: Path, sent: Sequence[Outgoing], now: datetime) -> list[Outgoing]:
    """Return documents of `make` exported once more: new ids and signatures, nothing else new."""
    keys, story = pki.load(home), load_story(story_file)
    send, files = story.first, keys.signer(story.first.signing.signers[0])
    pair, algorithms = KeyPair(key=files.private_key(), chain=files.chain()), standard()
    bodies = [with_new_uuids(one.document.body, lambda: str(uuid.uuid4())) for one in sent]
    return [signed(body, send.media_type, send.signing, [pair], algorithms, now) for body in bodies]


def send_all(outgoing: Sequence[Outgoing], send: Send, senders: int, seconds: float) -> Sent:
    """Send by `senders` threads until `seconds` are over or all is sent."""
    left, lock = iter(outgoing), threading.Lock()
    waits: list[float] = []
    refused = 0
    start = time.perf_counter()

    def work() -> None:
        nonlocal refused
        while time.perf_counter() - start < seconds:
            with lock:
                one = next(left, None)
            if one is None:
                return
            before = time.perf_counter()
            status = send(one)
            wait = time.perf_counter() - before
            with lock:
                if status == 202:
                    waits.append(wait)
                else:
                    refused += 1

    with ThreadPoolExecutor(senders) as pool:
        for future in [pool.submit(work) for _ in range(senders)]:
            future.result()
    taken = time.perf_counter() - start
    return Sent(waits=tuple(sorted(waits)), refused=refused, seconds=taken)
