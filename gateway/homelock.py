"""One process works a home on SQLite: the lock that sees to it, however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

LOCK_NAME = "line.lock"


class AlreadyWorked(Exception):
    """Another process works this home; on SQLite there can be only one."""


class HomeLock:
    """An advisory lock on a file of the home; the kernel lets go of it when we die."""

    def __init__(self, home: Path) -> None:
        self.file = home / LOCK_NAME
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
