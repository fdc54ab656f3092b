"""`gateway mock clinic`: a simulated counterpart, for tests and integrators."""

from __future__ import annotations

import signal

import click

from gateway.cli.output import Output, options, translated


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
    from werkzeug.serving import make_server

    from gateway.sandbox.clinic import create_clinic

    # Loopback only: what it holds looks like patients' data, and it asks nobody who they are.
    server = make_server("127.0.0.1", port, create_clinic(), threaded=True)
    url = f"http://127.0.0.1:{server.port}/fhir"
    out.data({"url": url})
    out.text(out.say(f"Клиника отвечает на {url}", f"The clinic answers at {url}"))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        out.note(out.say("Клиника остановлена", "The clinic has stopped"))
    finally:
        server.server_close()


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
