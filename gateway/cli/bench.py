"""`gateway bench`: how many signed bundles a gateway takes, and what each of them costs.

Without `--url` a sandbox is made in a temporary folder; its gateway and its clinic run as
processes of their own and are stopped afterwards.
"""

from __future__ import annotations

import math
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import Exit, Failed, Output, leave, options, translated

if TYPE_CHECKING:
    from gateway.cli.remote import Remote
    from gateway.sandbox.load import Send
    from gateway.sandbox.processes import Child

STORY = "01-transaction-gost256"
BUNDLES_PER_SECOND = 100
ROUND_SECONDS = 30
"""Bundles are made in rounds: enough to keep the gateway busy, few enough to hold in memory."""

READY_SECONDS_MAX = 60
FINISH_SECONDS_MAX = 600
POLL_SECONDS = 0.1
SETTINGS = """\
[limits]
requests_per_second = 1000000.0

[[routes]]
to = "clinic-mis"
"""
"""The sandbox's own settings would slow down one client that sends for many."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A gateway to be loaded."""

    url: str
    home: Path
    """The sandbox home whose keys sign and whose laboratory sends."""

    session: int | None
    """Session of the gateway's processes; None when they are not ours."""


@click.command(
    "bench",
    help=translated(
        "Сколько подписанных результатов в секунду принимает шлюз на этой машине и сколько стоит"
        " каждый. Без --url запускает свой шлюз и клинику во временной папке.",
        "How many signed results a second the gateway takes on this machine, and what each costs."
        " Without --url it starts a gateway and a clinic of its own in a temporary folder.",
    ),
)
@click.option("--clients", default=8, show_default=True, type=click.IntRange(1, 256))
@click.option("--seconds", default=30, show_default=True, type=click.IntRange(1, 86400))
@click.option("--database-url", metavar="URL", help="postgresql://…")
@click.option(
    "--url",
    metavar="URL",
    help=translated(
        "Адрес работающей песочницы (дом: --home).", "A running sandbox (its home: --home)."
    ),
)
@options
def command(
    out: Output, clients: int, seconds: int, database_url: str | None, url: str | None
) -> None:
    if url:
        found = _measure(out, Target(url=url, home=out.home, session=None), clients, seconds)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder,
            own_sandbox(out, Path(folder), database_url) as target,
        ):
            found = _measure(out, target, clients, seconds)
    out.data(found)
    columns = (out.say("показатель", "measure"), out.say("значение", "value"))
    out.table(columns, [(name, str(number)) for name, number in found.items()])
    if found["refused"]:
        leave(Exit.FAILED)


def _measure(out: Output, target: Target, clients: int, seconds: int) -> dict[str, object]:
    """Send in rounds until `seconds` of sending and finishing are over; report on them all."""
    from gateway.sandbox.load import Sent, make, send_all
    from gateway.settings import ROOT

    laboratory = _laboratory(out, target)
    rounds: list[Sent] = []
    finishing = used = 0.0
    while (left := seconds - finishing) > 0:
        count = math.ceil(min(left, ROUND_SECONDS)) * BUNDLES_PER_SECOND
        out.note(out.say(f"Подписываю {count} документов…", f"Signing {count} documents…"))
        story = ROOT / "samples" / STORY / "story.yaml"
        outgoing = make(target.home, story, count, datetime.now(UTC))
        out.note(out.say("Отправляю и жду, пока всё дойдёт…", "Sending until all has arrived…"))
        before, start = _processor_seconds(target.session), time.perf_counter()
        rounds.append(send_all(outgoing, sender_of(laboratory), clients, left))
        wait_for_end(laboratory)
        finishing += time.perf_counter() - start
        used += _processor_seconds(target.session) - before
    sent = Sent(
        waits=tuple(sorted(wait for one in rounds for wait in one.waits)),
        refused=sum(one.refused for one in rounds),
        seconds=sum(one.seconds for one in rounds),
    )
    accepted = len(sent.waits)
    cost = round(used * 1000 / accepted, 1) if accepted and target.session else None
    return {
        "accepted_per_s": round(accepted / sent.seconds, 1),
        "finished_per_s": round(accepted / finishing, 1),
        "p50_ms": sent.wait_ms(0.50),
        "p99_ms": sent.wait_ms(0.99),
        "cpu_ms_per_submission": cost,
        "accepted": accepted,
        "refused": sent.refused,
    }


def sender_of(laboratory: Remote) -> Send:
    return lambda one: laboratory.post_parts("/v1/submissions", one.document, one.signatures).status


def _laboratory(out: Output, target: Target) -> Remote:
    from gateway.cli.remote import Remote, credentials

    at_home = replace(out, home=target.home)
    return Remote(target.url, credentials(at_home, target.url, "laboratory"), out.language)


@contextmanager
def own_sandbox(out: Output, home: Path, database_url: str | None) -> Iterator[Target]:
    """Run a gateway and a clinic with a home in `home`."""
    from gateway.sandbox import home as sandbox
    from gateway.sandbox.processes import Child

    port, clinic_port = _free_port(), _free_port()
    url, clinic_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{clinic_port}/fhir"
    (home / "gateway.toml").write_text(f'url = "{url}"\n{SETTINGS}', "utf-8")
    if database_url:
        os.environ["GATEWAY_DATABASE_URL"] = database_url
    out.note(out.say("Создаю песочницу…", "Making a sandbox…"))
    sandbox.prepare(home, url, clinic_url, (), datetime.now(UTC))
    clinic = Child(["mock", "clinic", "--port", str(clinic_port)], home / "clinic.log")
    server = Child(["serve", "--home", str(home), "--port", str(port)], home / "gateway.log")
    try:
        _wait_until_ready(url, server)
        yield Target(url=url, home=home, session=server.process.pid)
    finally:
        server.stop()
        clinic.stop()


def _wait_until_ready(url: str, server: Child) -> None:
    from gateway.cli import remote

    end = time.monotonic() + READY_SECONDS_MAX
    while not remote.alive(url):
        if not server.running or time.monotonic() > end:
            raise Failed(server.log.read_text("utf-8", "replace")[-2000:] or "no answer")
        time.sleep(POLL_SECONDS)


def wait_for_end(laboratory: Remote) -> None:
    """Wait until no submission is on the line any more."""
    end = time.monotonic() + FINISH_SECONDS_MAX
    while any(
        laboratory.get("/v1/submissions", status=status, limit="1").body.get("items")
        for status in ("received", "processing")
    ):
        if time.monotonic() > end:
            raise Failed(f"not finished after {FINISH_SECONDS_MAX} s")
        time.sleep(POLL_SECONDS)


def _processor_seconds(session: int | None) -> float:
    """Return the processor time of all processes of a session; 0 where it cannot be known.

    Source: proc(5): in /proc/PID/stat, after the name in brackets, field 6 is the session,
    14 to 17 are the times of the process and of the children it waited for.
    """
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat") if session else ():
        try:
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
