"""One server and one line have a home on SQLite: the locks that see to it, however they end."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

LINE = "line.lock"
SERVER = "server.lock"


class AlreadyWorked(Exception):
    """Another process works this home; on SQLite there can be only one."""


class HomeLock:
    """An advisory lock on a file of the home; the kernel lets go of it when we die."""

    def __init__(self, home: Path, name: str = LINE) -> None:
        self.file = home / name
        self.descriptor: int | None = None

    def take(self) -> None:
        """Hold the lock until `release`.  Raises AlreadyWorked when another holds it."""
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise AlreadyWorked(str(self.file.parent)) from error
        self.descriptor = descriptor

    def release(self) -> None:
        """Let go; nothing happens when the lock is not held."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
