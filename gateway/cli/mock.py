"""`gateway mock clinic`: a simulated counterpart, for tests and integrators."""

from __future__ import annotations

import signal
import socket
import sys

import click

from gateway.cli.output import Output, Wrong, options, translated


@click.group(
    "mock",
    help=translated(
        "Учебные собеседники шлюза: клиника.", "Simulated counterparts of the gateway: a clinic."
    ),
)
def command() -> None:
    pass


@command.command(
    "clinic",
    help=translated(
        "Учебная клиника: небольшой сервер FHIR в памяти. POST /_control управляет им"
        ' ({"mode": "up|down|slow|refuse|lose", "delay": секунды}), GET /_received показывает,'
        " что пришло.",
        "The sandbox clinic: a small FHIR server in memory. POST /_control steers it"
        ' ({"mode": "up|down|slow|refuse|lose", "delay": seconds}), GET /_received shows'
        " what came.",
    ),
)
@click.option(
    "--port",
    default=8081,
    show_default=True,
    type=click.IntRange(0, 65535),
    help=translated("Порт; 0: любой свободный.", "Port; 0: any free one."),
)
@options
def clinic(out: Output, port: int) -> None:
    from gateway.sandbox.clinic import serve_clinic
    from gateway.sandbox.processes import die_with_parent

    def ready(url: str) -> None:
        out.data({"url": url})
        out.text(out.say(f"Клиника отвечает на {url}", f"The clinic answers at {url}"))
        sys.stdout.flush()

    _free(out, port)
    die_with_parent()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        serve_clinic(port, ready)
    except KeyboardInterrupt:
        out.note(out.say("Клиника остановлена", "The clinic has stopped"))


def _free(out: Output, port: int) -> None:
    """Raise Wrong for a taken port: the server of the clinic would say it in its own words."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Wrong(out.say(f"порт {port} занят", f"port {port} is taken")) from error


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
