"""What trust says of a certificate, and of the material it judges with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gateway.model import Check, Indication, Signer


@dataclass(frozen=True, kw_only=True)
class TrustFinding:
    """The verdict on one signing certificate at one moment."""

    status: Indication
    sub_indication: str | None
    """ETSI EN 319 102-1, tables 5 and 6; None when passed."""

    checks: tuple[Check, ...]
    chain: tuple[bytes, ...]
    """From the signing certificate to the anchor, DER; the certificate alone without a path."""

    evidence: tuple[tuple[str, bytes], ...]
    """What the verdict rests on: (`certificate` | `crl` | `ocsp`, DER)."""

    signer: Signer
    awaited_issuer: str = ""
    """With TRY_LATER: the name of the CA whose revocation list is missing or stale."""


@dataclass(frozen=True, kw_only=True)
class RevocationList:
    """How fresh one revocation list is, for `gateway doctor`."""

    issuer: str
    this_update: datetime
    next_update: datetime | None
    stale: bool
    entries: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The newest snapshot of one trusted list, for `gateway doctor`."""

    source: str
    issued_on: date
    speaks_until: datetime
    stale: bool
    """It says nothing of certificates issued now."""


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """The trust material at one moment."""

    anchors: int
    intermediates: int
    ocsp_responses: int
    lists: tuple[RevocationList, ...]
    uncovered: tuple[str, ...]
    """Names of CAs whose certificates cannot pass now, for want of a current list."""

    ignored: tuple[str, ...]
    """Names of files in the trust folders that hold nothing we know."""

    snapshots: tuple[Snapshot, ...] = ()
    """Of each trusted list, by source."""


@dataclass(frozen=True, kw_only=True)
class ProviderDescription:
    """A source of mathematics in use, for `gateway doctor` and reports."""

    name: str
    certified: bool
    """Whether it is a tool of confirmed conformity (63-ФЗ, article 11, part 3)."""

    families: tuple[str, ...]
