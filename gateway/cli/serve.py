"""`gateway serve`: the HTTP server, and by default the line and the deliveries behind it.

granian takes the connections in this process and serves them in worker processes; each opens
the gateway for itself, after the fork, and has a line behind it in a process of its own.
SIGHUP starts the workers anew with the certificate files as they are then, so a renewed
certificate needs no stop.

A home on SQLite has one door and one line.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from multiprocessing import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli import local
from gateway.cli.line_process import SWITCH_SECONDS, LineProcess
from gateway.cli.output import Failed, Output, Wrong, options, translated
from gateway.cli.worker import already_worked

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.homelock import HomeLock
    from gateway.settings import Settings

THREADS = 32
"""Requests worked at the same time in one process; more wait their turn."""

BACKLOG = 1024
FREE_SECONDS = 2.0
"""How long port and home may stay taken: a server just killed lets go of them in a moment."""

OVERLAP_SECONDS = 12.0
"""How long old and new workers answer side by side at a reload: a new one must be listening,
on a loaded machine too, before its predecessor goes."""

POLL_SECONDS = 0.1

STOP_SECONDS = 10
"""How long requests under way may take to end when the server is stopped."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    certificate: Path
    key: Path
    client_ca: Path | None


@click.command(
    "serve",
    help=translated(
        "Сервер HTTP; сам ведёт конвейер и доставку. С --tls-cert и --tls-key отвечает по TLS 1.3;"
        " SIGHUP перечитывает сертификат без остановки.",
        "The HTTP server; also works the line and deliveries. With --tls-cert and --tls-key it"
        " speaks TLS 1.3; SIGHUP reloads the certificate without a stop.",
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help=translated("Адрес.", "Host."))
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help=translated("Порт.", "Port."),
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help=translated("Процессы; больше одного: только PostgreSQL.", "Processes; >1: PostgreSQL."),
)
@click.option(
    "--no-pipeline",
    is_flag=True,
    help=translated("Только принимать; работает gateway worker.", "Only take submissions in."),
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=translated("Сертификат сервера, PEM.", "Server certificate, PEM."),
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=translated("Ключ сервера, PEM.", "Server key, PEM."),
)
@click.option(
    "--client-ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=translated("Требовать сертификат клиента от этого УЦ.", "Require client certificates."),
)
@options
def command(
    out: Output,
    host: str,
    port: int,
    workers: int,
    no_pipeline: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
) -> None:
    from gateway.sandbox.processes import die_with_parent

    if (tls_cert is None) != (tls_key is None) or (client_ca is not None and tls_cert is None):
        raise Wrong(
            out.say(
                "--tls-cert и --tls-key задаются вместе; --client-ca только с ними",
                "--tls-cert and --tls-key go together, and --client-ca only with them",
            )
        )
    settings = local.settings(out)
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise Wrong(
            out.say(
                "на SQLite пишет один процесс; для --workers больше 1 нужен PostgreSQL"
                " (GATEWAY_DATABASE_URL=postgresql://…)",
                "on SQLite one process writes; --workers above 1 needs PostgreSQL"
                " (GATEWAY_DATABASE_URL=postgresql://…)",
            )
        )
    alone = not no_pipeline and settings.database_url.startswith("sqlite")
    if alone:
        _take_home(out, settings.home)
    die_with_parent()
    tls = None
    if tls_cert is not None and tls_key is not None:
        tls = Tls(certificate=tls_cert, key=tls_key, client_ca=client_ca)
    scheme = "https" if tls else "http"
    require_free(out, host, port)
    out.note(out.say("Шлюз отвечает на", "The gateway answers at") + f" {scheme}://{host}:{port}")
    application = Application(settings=settings, pipeline=not no_pipeline, parent=os.getpid())
    try:
        _server(host, port, workers, tls).serve(target_loader=application, wrap_loader=False)
    except SystemExit as ended:
        # granian ends this way when a worker could not start or died.
        if ended.code:
            raise Failed(out.say("сервер остановился", "the server has stopped")) from ended
    finally:
        if alone:
            _await_line(settings.home)


@dataclass(frozen=True, kw_only=True)
class Application:
    """Makes the WSGI application; called in each worker process, after the fork."""

    settings: Settings
    pipeline: bool
    parent: int

    def __call__(self) -> Any:
        from gateway import logs
        from gateway.api import create_app
        from gateway.app import open_gateway
        from gateway.sandbox.processes import die_with_parent
        from gateway.signatures import pades

        # A worker whose server was killed would hold the port and the database.
        die_with_parent(self.parent, signal.SIGKILL)
        logs.configure()
        pades.load()
        gateway = open_gateway(self.settings)
        line = LineProcess(self.settings.home) if self.pipeline else None
        # A forked process ends without atexit; this is what multiprocessing runs instead.
        util.Finalize(None, _close, args=(gateway, line), exitpriority=100)
        if line is None:
            return create_app(gateway, self.settings.language)
        gateway.store.ring_beyond(line.ring)
        line.start()
        sys.setswitchinterval(SWITCH_SECONDS)
        return create_app(gateway, self.settings.language, line_alive=line.alive)


def _close(gateway: Gateway, line: LineProcess | None) -> None:
    if line is not None:
        line.stop()
    gateway.close()


def _take_home(out: Output, home: Path) -> None:
    """Hold a home whose database has one line for as long as this process lives.

    Raises Wrong when another server has it, or a line without a server works it.
    """
    from gateway.homelock import SERVER, HomeLock

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = HomeLock(home)
    if not (_taken(HomeLock(home, SERVER), FREE_SECONDS) and _taken(line, FREE_SECONDS)):
        raise Wrong(already_worked(out, home))
    line.release()


def _await_line(home: Path) -> None:
    """Wait until the line behind our door, told to stop, has finished what it held."""
    from gateway.homelock import HomeLock

    _taken(HomeLock(home), STOP_SECONDS)


def _taken(lock: HomeLock, patience: float) -> bool:
    """Take a lock within `patience` seconds; return whether it is ours."""
    from gateway.homelock import AlreadyWorked

    ends = time.monotonic() + patience
    while True:
        try:
            lock.take()
        except AlreadyWorked:
            if time.monotonic() > ends:
                return False
        else:
            return True
        time.sleep(POLL_SECONDS)


def require_free(out: Output, host: str, port: int) -> None:
    """Raise Wrong when something listens on the port.

    The server shares its port among its workers (SO_REUSEPORT), so a second server would start
    silently beside the first and take half of its connections.
    """
    ends = time.monotonic() + FREE_SECONDS
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() > ends:
                    busy = out.say(f"порт {port} занят", f"port {port} is taken")
                    raise Wrong(f"{busy}: {host}:{port}") from error
            else:
                return
        time.sleep(POLL_SECONDS)


def _server(host: str, port: int, workers: int, tls: Tls | None) -> Any:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    return Server(
        "gateway",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        websockets=False,
        log_level=LogLevels.warning,
        ssl_cert=tls.certificate if tls else None,
        ssl_key=tls.key if tls else None,
        ssl_ca=tls.client_ca if tls else None,
        ssl_client_verify=bool(tls and tls.client_ca),
        workers_kill_timeout=STOP_SECONDS,
        respawn_interval=OVERLAP_SECONDS,
    )
