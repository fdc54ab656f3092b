"""`gateway worker`: works the line and the deliveries, and nothing else.

Any number on any number of machines over one PostgreSQL; on SQLite one process writes, and
that is `gateway serve`.
"""

from __future__ import annotations

import signal
import threading
from dataclasses import replace

import click

from gateway.cli import local
from gateway.cli.output import Output, Wrong, options, translated


@click.command(
    "worker",
    help=translated(
        "Только конвейер и доставка, без HTTP; сколько угодно процессов над одним PostgreSQL.",
        "The line and deliveries only, without HTTP; any number of them over one PostgreSQL.",
    ),
)
@click.option(
    "--concurrency",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help=translated("Потоков конвейера и доставки.", "Threads for the line and for deliveries."),
)
@options
def command(out: Output, concurrency: int) -> None:
    from gateway import logs
    from gateway.app import open_gateway

    settings = local.settings(out)
    if settings.database_url.startswith("sqlite"):
        raise Wrong(
            out.say(
                "на SQLite пишет один процесс, и это gateway serve; для worker нужен PostgreSQL"
                " (GATEWAY_DATABASE_URL=postgresql://…)",
                "on SQLite one process writes, and that is gateway serve; worker needs PostgreSQL"
                " (GATEWAY_DATABASE_URL=postgresql://…)",
            )
        )
    work = replace(settings.work, line_workers=concurrency, delivery_workers=concurrency)
    logs.configure()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    gateway = open_gateway(replace(settings, work=work))
    try:
        gateway.start()
        out.note(
            out.say(f"Работаю, потоков: {concurrency}", f"Working with {concurrency} threads each")
        )
        told.wait()
    finally:
        gateway.close()
