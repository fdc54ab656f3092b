"""What is new on a trusted list beside an older snapshot of it.

An authority is the same one when a key of its is: names are respelt, keys are not.  One that
has no readable key is known by its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.trust.lists.values import Service, TrustedList

Kind = Literal["added", "removed", "status", "keys"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that changed about one authority."""

    kind: Kind
    provider: str
    was: str = ""
    """`status`: the word before."""

    now: str = ""
    """`status` and `added`: the word now, as the list writes it."""

    since: datetime | None = None
    good: bool | None = None
    """Whether it is accredited now; None where the list does not say, or for keys."""

    keys_added: tuple[str, ...] = ()
    """SHA-256 (hex) of public keys that its certificates now have."""

    keys_removed: tuple[str, ...] = ()


def changes(before: TrustedList | None, after: TrustedList) -> tuple[Change, ...]:
    """Return what changed from one snapshot to a later one, by the authority's name."""
    old = _Index(before.services if before else ())
    new = _Index(after.services)
    found = list[Change]()
    for service in after.services:
        known = old.like(service)
        if not known:
            found.append(_added(service, after.issued_at))
        elif before is not None:
            found += _between(known, before.issued_at, service, after.issued_at)
    for service in before.services if before else ():
        if not new.like(service):
            found.append(Change(kind="removed", provider=service.provider))
    return tuple(sorted(found, key=lambda one: (one.provider, one.kind)))


class _Index:
    """The services of one snapshot by key, and by name where there is no key."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._found: dict[bytes | str, list[Service]] = {}
        for service in services:
            for key in _marks(service):
                self._found.setdefault(key, []).append(service)

    def like(self, service: Service) -> list[Service]:
        """Return the services that share a key with another."""
        several = (one for key in _marks(service) for one in self._found.get(key, ()))
        return list({id(one): one for one in several}.values())


def _marks(service: Service) -> frozenset[bytes] | tuple[str]:
    return service.keys or (service.provider,)


def _added(service: Service, at: datetime) -> Change:
    status = service.status_at(at)
    return Change(
        kind="added",
        provider=service.provider,
        now=status.word if status else "",
        since=status.since if status else None,
        good=status.good if status else None,
        keys_added=_digests(service.keys),
    )


def _between(
    known: Sequence[Service], then: datetime, service: Service, at: datetime
) -> Iterator[Change]:
    status = service.status_at(at)
    before = [one.status_at(then) for one in known]
    words = [one.word for one in before if one is not None]
    if (status.word if status else "") not in (words or [""]):
        yield Change(
            kind="status",
            provider=service.provider,
            was=words[0] if words else "",
            now=status.word if status else "",
            since=status.since if status else None,
            good=status.good if status else None,
        )
    had = frozenset[bytes]().union(*(one.keys for one in known))
    if service.keys - had or (len(known) == 1 and had - service.keys):
        yield Change(
            kind="keys",
            provider=service.provider,
            keys_added=_digests(service.keys - had),
            keys_removed=_digests(had - service.keys) if len(known) == 1 else (),
        )


def _digests(keys: frozenset[bytes]) -> tuple[str, ...]:
    return tuple(sorted(hashlib.sha256(key).hexdigest() for key in keys))
