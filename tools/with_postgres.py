"""Runs a command with GATEWAY_TEST_POSTGRES_URL naming a PostgreSQL server for its tests.

Takes, in this order: the server that the variable names already; one that answers on
127.0.0.1:5432; one of its own, from the installed or installable Debian package, on a free
port and in a temporary folder, stopped when the command ends.  Where none is to be had, the
command runs all the same and the PostgreSQL tests skip themselves.

Usage: with_postgres.py COMMAND [ARGUMENT]…
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

VARIABLE = "GATEWAY_TEST_POSTGRES_URL"
READY_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
SETUP_SECONDS_MAX = 120


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    if os.environ.get(VARIABLE):
        return _run(command, os.environ[VARIABLE])
    if answers(READY_SERVER):
        return _run(command, READY_SERVER)
    binaries = _binaries() or _install()
    if binaries is None:
        print("PostgreSQL tests are skipped: no server and no postgresql package.", file=sys.stderr)
        return _run(command, None)
    with own_server(binaries) as url:
        return _run(command, url)


def answers(url: str) -> bool:
    """Say whether a server takes our connection at `url`."""
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error:
        return False
    return True


@contextmanager
def own_server(binaries: Path) -> Iterator[str | None]:
    """Run a server on a free port in a folder of its own; yield its URL, or None."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
    owner = _owner()
    if owner is not None:
        shutil.chown(folder, owner)
    port = _free_port()
    # Tests throw the data away, so nothing is flushed to the disk.
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += " -c fsync=off -c max_connections=200"
    control = [str(binaries / "pg_ctl"), "--pgdata", str(folder / "data"), "--wait"]
    try:
        try:
            _as(owner, [str(binaries / "initdb"), "--pgdata", str(folder / "data"), *INITDB])
            _as(owner, [*control, "--options", options, "--log", str(folder / "log"), "start"])
        except subprocess.SubprocessError as error:
            print(f"PostgreSQL tests are skipped: {error}", file=sys.stderr)
            yield None
            return
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            _as(owner, [*control, "--mode", "fast", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


INITDB = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]


def _run(command: list[str], url: str | None) -> int:
    environment = dict(os.environ)
    if url is not None:
        environment[VARIABLE] = url
    return subprocess.run(command, env=environment, check=False).returncode


def _as(owner: str | None, command: list[str]) -> None:
    subprocess.run(
        command,
        user=owner,
        group=None if owner is None else pwd.getpwnam(owner).pw_gid,
        extra_groups=None if owner is None else (),
        cwd="/",
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=SETUP_SECONDS_MAX,
    )


def _owner() -> str | None:
    """The server refuses to run as root; then it runs as the package's own user."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _binaries() -> Path | None:
    """Return the folder of the newest installed server: Debian keeps it out of PATH."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name)
    )
    found = shutil.which("pg_ctl")
    folders = [folder for folder in folders if (folder / "initdb").exists()]
    return folders[-1] if folders else Path(found).parent if found else None


def _install() -> Path | None:
    script = Path(__file__).with_name("system_packages.sh")
    cost = "The PostgreSQL tests need it."
    subprocess.run(["sh", str(script), cost, "postgresql"], check=False)
    return _binaries()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
