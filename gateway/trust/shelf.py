"""Files kept by a key, the oldest put away first: a cache that outlives a process."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


class Shelf:
    """One folder of files; whoever reads meets a whole file or none."""

    def __init__(self, folder: Path, ending: str, most: int) -> None:
        self.folder = folder
        self._ending = ending
        self._most = most
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: bytes) -> bytes | None:
        """Return what was put by this key, if it is still there."""
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def put(self, key: bytes, octets: bytes) -> None:
        """Keep octets by a key, in place of those before."""
        handle, written = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".new")
        with os.fdopen(handle, "wb") as file:
            file.write(octets)
        Path(written).replace(self._path(key))
        kept = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(self.folder)]
        for _, path in sorted(kept)[: -self._most]:
            Path(path).unlink(missing_ok=True)

    def _path(self, key: bytes) -> Path:
        return self.folder / f"{hashlib.sha256(key).hexdigest()[:40]}.{self._ending}"
