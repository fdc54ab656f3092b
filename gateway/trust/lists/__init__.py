"""Trusted lists: which authorities were accredited when.

Two kinds are read: the list of accredited authorities that the Russian ministry publishes,
and the European trusted lists.  A list is a snapshot of one day with the history before it;
accreditation is asked for on the day a certificate was issued, so snapshots are kept.

A list in a trust folder is trusted like everything there; whoever brings one in verifies its
signature first (`gateway.verification.lists`).
Source: 63-ФЗ, article 11, part 1, and article 15; ETSI TS 119 612 v2.2.1.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from asn1crypto import x509

from gateway.algorithms.asn1 import MALFORMED
from gateway.errors import Rejected
from gateway.trust.lists import european, russian
from gateway.trust.lists.values import (
    Accreditation,
    NotAList,
    Pointer,
    Service,
    State,
    Status,
    TrustedList,
)
from gateway.xml.parser import OCTETS_MAX, is_xml, parse

__all__ = [
    "Accreditation",
    "NotAList",
    "Pointer",
    "Service",
    "State",
    "Status",
    "TrustedList",
    "accreditation_of",
    "keep_list",
    "read_list",
    "snapshot_name",
    "snapshots",
    "write_once",
]


def read_list(octets: bytes) -> TrustedList:
    """Return the trusted list in an XML document.  Raises NotAList, saying why."""
    if len(octets) > OCTETS_MAX or not is_xml(octets[:64]):
        raise NotAList("neither XML nor small enough")
    try:
        root = parse(octets)
    except Rejected as error:
        raise NotAList(f"not readable as XML ({error.problems[0].code})") from error
    digest = hashlib.sha256(octets).hexdigest()
    if root.tag == russian.ROOT:
        return russian.read(root, digest)
    if root.tag == european.ROOT:
        return european.read(root, digest)
    raise NotAList("another document")


def keep_list(folder: Path, octets: bytes) -> TrustedList:
    """Write a list, whose signature was verified, into a trust folder; return it.

    The file is named by source, day and content (`snapshot_name`), so an older snapshot stays
    beside it and the same one is written once.  It is whole, on the disk, or not there, and
    nobody may write into it.  Raises NotAList.
    """
    found = read_list(octets)
    write_once(folder / snapshot_name(found), octets)
    return found


def snapshot_name(found: TrustedList) -> str:
    """Return the name of a list's file in a trust folder."""
    return f"{found.source}-{found.issued_at:%Y-%m-%d}-{found.sha256[:12]}.xml"


def write_once(path: Path, octets: bytes) -> None:
    """Write a file that is there whole and for good once this returns; one there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, written = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o444)
        with suppress(FileExistsError):
            os.link(written, path)
    finally:
        os.unlink(written)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def snapshots(folders: Sequence[Path]) -> list[TrustedList]:
    """Return the lists below trust folders, the newest first; other files are passed over."""
    found = dict[str, TrustedList]()
    for folder in folders:
        for path in sorted(folder.rglob("*.xml")):
            if path.name.startswith(".") or path.stat().st_size > OCTETS_MAX:
                continue
            with suppress(NotAList, OSError):
                one = read_list(path.read_bytes())
                found[one.sha256] = one
    return sorted(found.values(), key=lambda one: (one.issued_at, one.sequence or 0), reverse=True)


def accreditation_of(
    lists: Sequence[TrustedList], issuer: bytes, issued_at: datetime, age_max: timedelta
) -> Accreditation:
    """Return whether the holder of certificate `issuer` was accredited at a moment.

    The Russian lists are asked first, of each source the newest snapshot that names the key.
    A snapshot speaks for moments up to `age_max` after it was issued, or up to the update it
    announces, or until the next one was issued that names the key no more; beyond, and where no
    snapshot knows the authority, nothing is known, unless a Russian snapshot speaks for the
    moment and names it nowhere.
    """
    assert issued_at.tzinfo is not None, "Times are aware."
    key = _key_of(issuer) if lists else None
    if key is None:
        return Accreditation(state="unknown", source="", snapshot_date=None)
    by_age = sorted(lists, key=lambda one: one.issued_at, reverse=True)
    for one in sorted(by_age, key=lambda one: one.source != russian.SOURCE):
        services = [service for service in one.services if key in service.keys]
        if services:
            dropped = (two for two in by_age if one.issued_at < two.issued_at <= issued_at)
            without = next((two for two in dropped if two.source == one.source), None)
            if without is not None:
                return _unnamed(without, issued_at, age_max)
            state: State = "unknown"
            if issued_at <= one.speaks_until(age_max):
                state = _together([service.state_at(issued_at) for service in services])
            return one.accreditation(state, services[0].provider)
    newest = next((one for one in by_age if one.source == russian.SOURCE), None)
    if newest is None:
        return Accreditation(state="unknown", source="", snapshot_date=None)
    return _unnamed(newest, issued_at, age_max)


def _unnamed(one: TrustedList, issued_at: datetime, age_max: timedelta) -> Accreditation:
    """Return what a snapshot says of an authority that it does not name."""
    spoken = one.source == russian.SOURCE and issued_at <= one.speaks_until(age_max)
    return one.accreditation("not" if spoken else "unknown", "")


@lru_cache(maxsize=256)
def _key_of(certificate: bytes) -> bytes | None:
    """Return a certificate's SubjectPublicKeyInfo; None when it cannot be read."""
    try:
        parsed = x509.Certificate.load(certificate, strict=True)
        return bytes(parsed["tbs_certificate"]["subject_public_key_info"].dump())
    except MALFORMED:
        return None


def _together(states: Sequence[State]) -> State:
    """Return the state of an authority that stands on a list more than once."""
    if "accredited" in states:
        return "accredited"
    return "unknown" if "unknown" in states else "not"
