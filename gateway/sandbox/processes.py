"""Child processes that never outlive their parent, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PARENT = "GATEWAY_PARENT_PID"
STOP_SECONDS = 15.0
"""How long a child may take to finish what it is doing before it is killed."""

_PR_SET_PDEATHSIG = 1


class Child:
    """A verb of ours running in a process of its own."""

    def __init__(
        self, arguments: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """Start `gateway ARGUMENTS…`; what it says goes to `log`."""
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            # A session of its own: Ctrl-C reaches the parent alone, which stops its children
            # in the right order.
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and verb
                [sys.executable, "-m", "gateway.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **(environ or {}), PARENT: str(os.getpid())},
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask the process to end, and see to it."""
        if self.running:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def die_with_parent(parent: int | None = None, how: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to end this process when its parent ends; on Linux only.

    Without `parent`, the process that started this verb through `Child`, if any.
    """
    if parent is None:
        named = os.environ.get(PARENT, "")
        if not named.isdigit():
            return
        parent = int(named)
    if not sys.platform.startswith("linux"):
        return
    _with_parent(how)
    # The parent may have gone before the kernel was asked.
    if os.getppid() != parent:
        os.kill(os.getpid(), how)


def outlive_parent() -> None:
    """Take `die_with_parent` back; for the thread that asked for it."""
    if sys.platform.startswith("linux"):
        _with_parent(0)


def _with_parent(how: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
