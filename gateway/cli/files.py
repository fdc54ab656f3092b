"""What verbs read of files: whole, and never more than may be.

A document and what comes beside it is refused as the door refuses it, by the same code and the
same limit.  A key, a certificate or a policy is the caller's own: a wrong one is wrong usage.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.cli import local
from gateway.cli.output import Output, Wrong
from gateway.errors import Rejected
from gateway.model import Problem

STDIN = "-"
FAR_BYTES_MAX = 512 * 1024 * 1024
"""For a gateway elsewhere (`--to`), which says itself where its limit is."""

OWN_BYTES_MAX = 1024 * 1024


def content(out: Output, file: str) -> bytes:
    """Return a document, a signature, a power of attorney or a consent; `-` is standard input.

    Raises Rejected: FMT-108 for an empty file, LIM-413 for one larger than the home takes.
    """
    limit = FAR_BYTES_MAX if out.to is not None else local.settings(out).limits.body_bytes_max
    octets = _read(file, limit)
    if not octets:
        raise Rejected(Problem(code="FMT-108", place=file))
    if len(octets) > limit:
        raise Rejected(Problem(code="LIM-413", place=file, detail={"limit": str(limit)}))
    return octets


def own(out: Output, option: str, file: Path) -> bytes:
    """Return an option's key or certificate.  Raises Wrong for an empty or a huge one."""
    octets = settings(out, option, file)
    if not octets:
        raise Wrong(out.say(f"{option} {file}: файл пуст", f"{option} {file}: the file is empty"))
    return octets


def settings(out: Output, option: str, file: Path) -> bytes:
    """Return what an option's file sets, which may be nothing.  Raises Wrong for a huge one."""
    octets = _read(str(file), OWN_BYTES_MAX)
    if len(octets) > OWN_BYTES_MAX:
        limit = OWN_BYTES_MAX >> 20
        said = f"файл больше {limit} МиБ", f"the file is larger than {limit} MiB"
        raise Wrong(f"{option} {file}: {out.say(*said)}")
    return octets


def _read(file: str, limit: int) -> bytes:
    """Return a file's octets, or one more than the limit: enough to be refused."""
    if file == STDIN:
        return sys.stdin.buffer.read(limit + 1)
    with Path(file).open("rb") as stream:
        return stream.read(limit + 1)
