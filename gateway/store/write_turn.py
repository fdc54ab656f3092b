"""Turns at writing one SQLite file, first come first served among processes.

SQLite lets a second process look again in growing pauses, up to 100 ms each, while the first
writes on.  Here the kernel wakes whoever is next, and who just wrote goes behind who waits.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

SUFFIXES = (".next", ".turn")


class WriteTurn:
    """The turn of one process; `taken` by one thread at a time."""

    def __init__(self, path: str) -> None:
        self._next, self._turn = (
            os.open(path + suffix, os.O_RDWR | os.O_CREAT, 0o600) for suffix in SUFFIXES
        )

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn and hold it inside the block; the kernel gives up a dead holder's."""
        # Whoever holds `next` gets the turn next; one who has just had it queues here first.
        fcntl.flock(self._next, fcntl.LOCK_EX)
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def wanted(self) -> bool:
        """Say whether another process waits while this one has the turn."""
        try:
            fcntl.flock(self._next, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._next, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        os.close(self._next)
        os.close(self._turn)
