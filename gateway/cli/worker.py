"""`gateway worker`: works the line and the deliveries, and nothing else.

Any number on any number of machines over one PostgreSQL; a home on SQLite has one, and that
is the one `gateway serve` starts behind its door.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import line_process, local
from gateway.cli.output import Failed, Output, Wrong, options, translated
from gateway.homelock import AlreadyWorked
from gateway.sandbox.processes import die_with_parent, outlive_parent

if TYPE_CHECKING:
    from gateway.app import Gateway

HANDOVER_SECONDS = 30.0
"""How long a new line waits for its predecessor to let go of the home."""

POLL_SECONDS = 0.1
"""Slept, not waited for at an event: that is endless where the clocks are moved (faketime)."""

HANGING = timedelta(minutes=15)
"""Longer than any step of the line or any answer of a clinic may take."""


@click.command(
    "worker",
    help=translated(
        "Только конвейер и доставка, без HTTP; сколько угодно процессов над одним PostgreSQL.",
        "The line and deliveries only, without HTTP; any number of them over one PostgreSQL.",
    ),
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    help=translated(
        "Потоков конвейера и столько же доставки; иначе по gateway.toml.",
        "Threads for the line and as many for deliveries; else as gateway.toml says.",
    ),
)
@click.option("--behind-door", is_flag=True, hidden=True)
@options
def command(out: Output, concurrency: int | None, behind_door: bool) -> None:
    from gateway import logs
    from gateway.app import open_gateway

    settings = local.settings(out)
    if settings.database_url.startswith("sqlite") and not behind_door:
        raise Wrong(
            out.say(
                "дом на SQLite ведёт один процесс, и его запускает gateway serve; для worker нужен"
                " PostgreSQL (GATEWAY_DATABASE_URL=postgresql://…)",
                "one process works a home on SQLite, and gateway serve starts it; worker needs"
                " PostgreSQL (GATEWAY_DATABASE_URL=postgresql://…)",
            )
        )
    if concurrency is not None:
        work = replace(settings.work, line_workers=concurrency, delivery_workers=concurrency)
        settings = replace(settings, work=work)
    logs.configure()
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    # Behind a door a terminal's Ctrl-C is the door's, which then ends our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN if behind_door else lambda *_: told.set())
    if behind_door:
        die_with_parent(how=signal.SIGKILL)
    gateway = open_gateway(settings)
    try:
        if behind_door:
            line_process.listen(gateway.store.ring, told.set)
            gateway.workers.nice = line_process.NICE
            sys.setswitchinterval(line_process.SWITCH_SECONDS)
        _start(out, gateway, told)
        _await_end(gateway, told, line_process.beat if behind_door else lambda: None)
        outlive_parent()  # told to stop, it finishes what it holds
    finally:
        gateway.close()


def _start(out: Output, gateway: Gateway, told: threading.Event) -> None:
    """Start as soon as the home is ours.

    When a server's door starts anew, the new line waits for the old one to let go of the home.
    Raises Wrong when it never does.
    """
    ends = time.monotonic() + HANDOVER_SECONDS
    while not told.is_set():
        try:
            gateway.start()
        except AlreadyWorked as error:
            if time.monotonic() > ends:
                raise Wrong(already_worked(out, gateway.settings.home)) from error
            time.sleep(POLL_SECONDS)
        else:
            work = gateway.settings.work
            threads = f"{work.line_workers} + {work.delivery_workers}"
            out.note(out.say(f"Работаю, потоков: {threads}", f"Working with {threads} threads"))
            return


def _await_end(gateway: Gateway, told: threading.Event, beat: Callable[[], None]) -> None:
    """Wait until told to stop.  Raises Failed when a thread hangs: whoever started us starts
    another, and its claims come back with their leases."""
    due = time.monotonic()
    while not told.is_set():
        if time.monotonic() >= due:
            if not gateway.workers.alive(HANGING):
                raise Failed("a thread of the line hangs")
            beat()
            due = time.monotonic() + line_process.BEAT_SECONDS
        time.sleep(POLL_SECONDS)


def already_worked(out: Output, home: Path) -> str:
    return out.say(
        f"в {home} уже работает другой процесс, а на SQLite он может"
        " быть один; для нескольких нужен PostgreSQL",
        f"another process works {home}, and on SQLite there can be only one; several need"
        " PostgreSQL",
    )
