"""Measures what one laboratory's flood costs its neighbours: their wait for a receipt.

    python -m benchmarks.neighbours [--database-url URL] [--count N] [--rounds R] [--senders S]
                                    [--new]

One sandbox gateway, as processes of its own.  A neighbour sends one signed result every tenth
of a second.  In every other round another laboratory exports a day it has sent before, under
new ids and signatures (with `--new`, a day it has not), as fast as its senders can, and the
round lasts until all of it is worked.  Quiet and flooded rounds take turns, so that a slow
minute of the machine falls on both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from gateway.cli.bench import Target, own_sandbox, sender_of, wait_for_end
from gateway.cli.output import Output
from gateway.cli.remote import Credentials, Remote, sandbox
from gateway.sandbox.load import Send, again, make, send_all
from gateway.sandbox.stories import Outgoing
from gateway.settings import ROOT

FLOODS = ("polaris", "01-transaction-gost256")
NEIGHBOUR = ("meridian", "04-lab-xml-rsa")
PAUSE_S = 0.1
QUIET_S = 15.0
WARM_UP_S = 3.0
LETTERS = 1500
"""Results the neighbour has ready; signing them is not measured."""

HOUR_S = 3600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="default: SQLite in a temporary folder")
    parser.add_argument("--count", type=int, default=300, help="documents of one flood")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--senders", type=int, default=2, help="of the flood, at once")
    parser.add_argument("--new", action="store_true", help="reports the gateway does not know")
    parser.add_argument("--flood", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.flood:
        flood(asked.flood, asked.count, asked.senders, new=asked.new)
        return
    out = Output(json=False, quiet=True, color=False, language="en", home=Path())
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder,
        own_sandbox(out, Path(folder), asked.database_url) as target,
    ):
        for row in measured(target, asked.rounds, sys.argv[1:]):
            print(json.dumps(row), flush=True)


def measured(target: Target, rounds: int, options: list[str]) -> Iterator[dict[str, object]]:
    """Yield one row a round and one for all: the neighbour's waits, quiet and flooded.

    `options` are those of the command line, for the process that floods.
    """
    send = sender_of(laboratory(target.url, target.home, NEIGHBOUR[0]))
    letters = iter(make(target.home, story(NEIGHBOUR[1]), LETTERS, datetime.now(UTC)))
    quiet, flooded = list[float](), list[float]()
    paced(send, letters, lambda spent: spent > WARM_UP_S)
    for number in range(rounds):
        command = [sys.executable, "-m", "benchmarks.neighbours", "--flood", str(target.home)]
        with subprocess.Popen(
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdin
            assert child.stdout
            child.stdout.readline()  # all is signed
            before = paced(send, letters, lambda spent: spent > QUIET_S)
            told = list[str]()
            reader = threading.Thread(target=told.extend, args=(child.stdout,))
            reader.start()
            child.stdin.write("\n")
            child.stdin.flush()
            during = paced(send, letters, ended(reader))
        quiet += before
        flooded += during
        row = {"quiet": shown(before), "flooded": shown(during), "flood": json.loads(told[0])}
        yield {"round": number, **row}
    ratio = round(median(flooded) / median(quiet), 2)
    yield {"quiet": shown(quiet), "flooded": shown(flooded), "ratio_p50": ratio}


def paced(send: Send, letters: Iterator[Outgoing], over: Callable[[float], bool]) -> list[float]:
    """Send one letter every PAUSE_S until `over`; return the waits for receipts, s."""
    waits, start = list[float](), time.perf_counter()
    due = start
    while not over(time.perf_counter() - start):
        one = next(letters)
        time.sleep(max(0.0, due - time.perf_counter()))
        before = time.perf_counter()
        status = send(one)
        waits.append(time.perf_counter() - before)
        assert status == 202, status
        due = max(due + PAUSE_S, time.perf_counter())
    return waits


def ended(thread: threading.Thread) -> Callable[[float], bool]:
    return lambda _: not thread.is_alive()


def flood(home: Path, count: int, senders: int, *, new: bool) -> None:
    """Sign, say so, wait for a line on standard input, send all, wait until all is worked."""
    outgoing = make(home, story(FLOODS[1]), count, datetime.now(UTC))
    remote = laboratory(str(sandbox(home)["url"]), home, FLOODS[0])
    if not new:
        send_all(outgoing, sender_of(remote), senders, HOUR_S)
        wait_for_end(remote)
        outgoing = again(home, story(FLOODS[1]), outgoing, datetime.now(UTC))
    print("signed", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    sent = send_all(outgoing, sender_of(remote), senders, HOUR_S)
    wait_for_end(remote)
    worked = time.perf_counter() - start
    row = {"sent_per_s": count / sent.seconds, "worked_per_s": count / worked}
    print(json.dumps({name: round(value, 1) for name, value in row.items()}), flush=True)


def laboratory(url: str, home: Path, name: str) -> Remote:
    client = next(one for one in sandbox(home)["clients"] if one["name"] == name)
    secret = Credentials(client_id=client["client_id"], client_secret=client["client_secret"])
    return Remote(url, secret, "en")


def story(name: str) -> Path:
    return ROOT / "samples" / name / "story.yaml"


def shown(waits: Sequence[float]) -> dict[str, float]:
    ordered = [wait * 1000 for wait in sorted(waits)]
    places = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
    found = {name: round(ordered[int(len(ordered) * share)], 1) for name, share in places.items()}
    return {"n": len(ordered), **found}


if __name__ == "__main__":
    main()
