"""When evidence is renewed, by whom, and how much at once: `[evidence]` of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How the evidence of a home is renewed."""

    tsa: str
    """Address of the time-stamping authority."""

    credentials_file: Path | None = None
    """`user:password` for it; read for every stamp, so that it can be changed."""

    ca_file: Path | None = None
    """Certificates to know its server by, in place of the system's."""

    digest: str = "sha512"
    """Of new hash trees and of the imprint: one the authority takes."""

    before: timedelta = timedelta(days=90)
    """How long before a proof ages out it is renewed."""

    batch: int = 500
    """Documents under one time stamp at most."""

    every: timedelta = timedelta(hours=1)
    """How often what is due is looked for."""
