"""`gateway mock clinic|tsa|verifier`: simulated counterparts, for tests and integrators."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.cli import local
from gateway.cli.output import Output, Wrong, options, options_before, translated


@click.group(
    "mock",
    help=translated(
        "Учебные собеседники шлюза: клиника, служба штампов времени, средство проверки подписи.",
        "Simulated counterparts of the gateway: a clinic, a time-stamping authority, a verifier.",
    ),
)
@options_before
def command(**before: object) -> None:
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

    def ready(url: str) -> None:
        out.data({"url": url})
        out.text(out.say(f"Клиника отвечает на {url}", f"The clinic answers at {url}"))
        sys.stdout.flush()

    _run(out, port, lambda: serve_clinic(port, ready))
    out.note(out.say("Клиника остановлена", "The clinic has stopped"))


@command.command(
    "tsa",
    help=translated(
        "Учебная служба штампов времени (RFC 3161) с сертификатом песочницы. Штампы ничего не"
        " доказывают никому вне песочницы.",
        "The sandbox time-stamping authority (RFC 3161) with a certificate of the sandbox. Its"
        " tokens prove nothing to anybody outside the sandbox.",
    ),
)
@click.option(
    "--port",
    default=8082,
    show_default=True,
    type=click.IntRange(0, 65535),
    help=translated("Порт; 0: любой свободный.", "Port; 0: any free one."),
)
@click.option(
    "--signer",
    default="gost256-tsa",
    show_default=True,
    help=translated("Чьим ключом ставить штампы.", "Whose key stamps."),
)
@options
def tsa(out: Output, port: int, signer: str) -> None:
    from gateway.algorithms import standard
    from gateway.sandbox.pki import load
    from gateway.sandbox.timestamping import TimestampAuthority
    from gateway.sandbox.timestamping_server import address, make_server

    keys = load(out.home)
    if not keys.signers:
        raise Wrong(
            out.say(
                f"в {out.home} нет ключей песочницы: создайте её (gateway demo) или укажите --home",
                f"there are no sandbox keys in {out.home}: make one (gateway demo) or give --home",
            )
        )
    if signer not in keys.signers:
        there = ", ".join(name for name in keys.signers if name.endswith("-tsa")) or "—"
        raise Wrong(out.say(f"нет ключа {signer}: {there}", f"no key {signer}: {there}"))
    files = keys.signer(signer)
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain(), algorithms=standard()
    )

    def serve() -> None:
        with make_server(authority, port, lambda: datetime.now(UTC)) as server:
            url = address(server)
            out.data({"url": url})
            out.text(out.say(f"Служба штампов времени: {url}", f"Time-stamping authority: {url}"))
            sys.stdout.flush()
            server.serve_forever()

    _run(out, port, serve)


@command.command(
    "verifier",
    help=translated(
        "Учебное внешнее средство проверки подписи (docs/verification-service.md): отвечает"
        " встроенной проверкой по материалам --trust; соответствия не подтверждает.",
        "The sandbox verification service (docs/verification-service.md): answers with the"
        " built-in verifier by the material of --trust; it certifies nothing.",
    ),
)
@click.option(
    "--port",
    default=8083,
    show_default=True,
    type=click.IntRange(0, 65535),
    help=translated("Порт; 0: любой свободный.", "Port; 0: any free one."),
)
@click.option(
    "--trust",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=translated("Папка с якорями, УЦ и CRL.", "Folder of anchors, authorities and CRLs."),
)
@options
def verifier(out: Output, port: int, folders: tuple[Path, ...]) -> None:
    from gateway.algorithms import standard
    from gateway.sandbox.verification_service import serve_verifier
    from gateway.trust import Trust
    from gateway.verification import Verifier

    def ready(url: str) -> None:
        out.data({"url": url})
        out.text(out.say(f"Средство проверки отвечает на {url}", f"The verifier answers at {url}"))
        sys.stdout.flush()

    given = local.settings(out)
    algorithms = standard(given.gost)
    trust = Trust.load(folders or given.trust_folders, algorithms)
    _run(out, port, lambda: serve_verifier(Verifier(trust, algorithms), port, ready))


def _run(out: Output, port: int, serve: Callable[[], None]) -> None:
    """Serve until interrupted or until the process that started this one ends."""
    from gateway.sandbox.processes import die_with_parent

    _free(out, port)
    die_with_parent()
    signal.signal(signal.SIGTERM, _interrupt)
    with suppress(KeyboardInterrupt):
        serve()


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
