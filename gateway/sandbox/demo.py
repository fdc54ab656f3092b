"""The demo: a sandbox home, the server and the clinic as processes, and the stories between.

Reads nothing of the gateway's inside while the stories run: it is a client like any other.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.output import Failed
from gateway.cli.remote import Credentials, Remote, alive, sandbox
from gateway.model import Identifier
from gateway.sandbox import home as homes
from gateway.sandbox.home import MEMBERS, Sandbox
from gateway.sandbox.processes import Child
from gateway.sandbox.stories import KeyPair, Story
from gateway.sandbox.walk import Walk

HOST = "127.0.0.1"
START_SECONDS = 60.0
POLL_SECONDS = 0.05
LOG_LINES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Running:
    """A sandbox with its server and clinic up."""

    sandbox: Sandbox
    server: Child
    clinic: Child

    @property
    def up(self) -> bool:
        return self.server.running and self.clinic.running


def prepare(home: Path, port: int, stories: tuple[Story, ...], now: datetime) -> Sandbox:
    """Make or renew the sandbox in `home` for a gateway on `port`."""
    agreed = [_identifier(story.patient) for story in stories if story.consent]
    return homes.prepare(home, f"http://{HOST}:{port}", _clinic_url(home), agreed, now)


@contextmanager
def running(made: Sandbox) -> Iterator[Running]:
    """Run the clinic and the server of a sandbox; both are stopped on the way out."""
    home = ["--home", str(made.home)]
    logs = made.home / "logs"
    clinic_port = str(urlsplit(made.clinic_url).port)
    port = str(urlsplit(made.url).port)
    clinic = Child(["mock", "clinic", "--port", clinic_port], logs / "clinic.log")
    try:
        server = Child(["serve", *home, "--host", HOST, "--port", port], logs / "gateway.log")
        try:
            await_up(clinic, lambda: _listens(made.clinic_url))
            await_up(server, lambda: alive(made.url))
            yield Running(sandbox=made, server=server, clinic=clinic)
        finally:
            server.stop()
    finally:
        clinic.stop()


def walk(made: Sandbox, language: str, clock: Callable[[], datetime]) -> Walk:
    """Return what tells stories in this sandbox."""
    clients = {
        member.id: Remote(
            made.url,
            Credentials(client_id=member.id, client_secret=made.secrets[member.id]),
            language,
        )
        for member in MEMBERS
    }
    origin = made.clinic_url.removesuffix("/fhir")
    return Walk(
        laboratories={m.id: clients[m.id] for m in MEMBERS if m.kind == "laboratory"},
        reader=clients[homes.CLINIC],
        clinic=Remote(origin, None, language),
        signers=lambda name: key_pair(made, name),
        algorithms=made.algorithms,
        clock=clock,
    )


def key_pair(made: Sandbox, name: str) -> KeyPair:
    """Return the keys of one of the sandbox's signers.  Raises Failed for an unknown name."""
    try:
        files = made.keys.signer(name)
    except KeyError as error:
        known = ", ".join(made.keys.signers)
        raise Failed(f"signer {name!r} is not in {made.home / 'signers'}: {known}") from error
    return KeyPair(key=files.private_key(), chain=files.chain())


def _identifier(text: str) -> Identifier:
    system, _, value = text.partition("|")
    return Identifier(system=system, value=value)


def _clinic_url(home: Path) -> str:
    """Return the clinic's address: the one it had if it is free, else a new one."""
    old = urlsplit(str(sandbox(home).get("clinic_url", ""))).port
    port = old if old and _free(old) else _free_port()
    return f"http://{HOST}:{port}/fhir"


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _listens(url: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, urlsplit(url).port or 0)) == 0


def await_up(child: Child, ready: Callable[[], bool]) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if not child.running:
            break
        if ready():
            return
        time.sleep(POLL_SECONDS)
    lines = child.log.read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:]
    raise Failed("\n".join([f"{child.log}:", *lines]))
