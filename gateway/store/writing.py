"""Writing resources: sealed before the transaction, versioned inside it.

What is expensive (printing, comparing, sealing, extracting search rows) is done before the
transaction, on the versions as they were read then.  In the transaction, under the patient's
lock, the versions are read again; only where one moved is the work done again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy import text as sql

from gateway.fhir import text
from gateway.model import Json
from gateway.store import tables, vault
from gateway.store.room import Room
from gateway.store.search_values import search_rows
from gateway.store.statement import Statement, insert_rows, update_rows

Name = tuple[str, str]
"""Type and id of a resource."""

SERVER_META = ("versionId", "lastUpdated")
"""Members of `meta` that say how we store, not what somebody said."""


class OwnerMismatch(Exception):
    """A resource id is taken by another patient's resource: ids were made wrongly."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The current version of a resource."""

    owner: str
    version: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """One resource of one document, printed and digested."""

    name: Name
    owner: str
    generation: str
    key: bytes
    document: str
    ordinal: int
    body: bytes
    digest: str
    search: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The rows that a set of drafts makes on top of certain heads."""

    heads: dict[Name, Head]
    created: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    search: list[dict[str, Any]] = field(default_factory=list)
    contents: list[dict[str, Any]] = field(default_factory=list)


def draft(room: Room, resources: Iterable[Json], owner: str, document: str) -> list[Drafted]:
    """Print, digest and index the resources of one document of `owner`."""
    generation, key = room.keys.owner_key(owner)
    drafts = []
    for ordinal, resource in enumerate(resources):
        bare = _without_server_meta(resource)
        body = text.dumps(bare)
        name = (str(bare["resourceType"]), str(bare["id"]))
        drafts.append(
            Drafted(
                name=name,
                owner=owner,
                generation=generation,
                key=key,
                document=document,
                ordinal=ordinal,
                body=body,
                # Keyed: the plain digest of a short resource could be guessed back to it.
                digest=room.keys.exact_token("resource", body),
                search=search_rows(room, bare),
            )
        )
    return drafts


def read_heads(connection: Connection, drafts: Iterable[Drafted]) -> dict[Name, Head]:
    """Return the current versions of the drafted resources."""
    names = list(dict.fromkeys(one.name for one in drafts))
    if not names:
        return {}
    # Few lengths of the list make few statements.
    names += names[-1:] * ((1 << (len(names) - 1).bit_length()) - len(names))
    values = {f"type{place}": type for place, (type, _) in enumerate(names)}
    values |= {f"id{place}": id for place, (_, id) in enumerate(names)}
    return {
        (row.type, row.id): Head(owner=row.owner, version=row.version, digest=row.digest)
        for row in _heads(len(names)).all(connection, **values)
    }


def prepare(drafts: list[Drafted], heads: dict[Name, Head], at: datetime) -> Batch:
    """Return the rows to write.  Same content makes no new version."""
    batch = Batch(heads=heads)
    now = dict(heads)
    for one in drafts:
        head = now.get(one.name)
        if head is not None and head.owner != one.owner:
            raise OwnerMismatch(one.name)
        if head is None or head.digest != one.digest:
            head = Head(owner=one.owner, version=head.version + 1 if head else 1, digest=one.digest)
            now[one.name] = head
            _version(batch, one, head, at)
        batch.contents.append(_named(one) | _content(one, head))
    # A document may hold a resource twice, or two documents the same one: the last stands.
    last = {one.name: one for one in drafts}
    for name, head in now.items():
        before = heads.get(name)
        if head is before:
            continue
        row = {"owner": head.owner, "version": head.version, "digest": head.digest}
        batch_rows = batch.created if before is None else batch.changed
        batch_rows.append({"type": name[0], "id": name[1], "deleted": False} | row)
        batch.search.extend(
            {"owner": head.owner} | _named(last[name]) | one for one in last[name].search
        )
    return batch


def write(connection: Connection, batch: Batch) -> None:
    """Write the rows of a batch whose heads were read in this transaction."""
    table = tables.resource
    if batch.created:
        insert_rows(connection, table, batch.created)
    for row in batch.changed:
        mine = {"type": row["type"], "id": row["id"]}
        update_rows(connection, table, mine, row)
        _FORGET.run(connection, **mine)
    if batch.versions:
        insert_rows(connection, tables.resource_version, batch.versions)
    if batch.search:
        insert_rows(connection, tables.search_value, batch.search)
    if batch.contents:
        insert_rows(connection, tables.document_resource, batch.contents)


_FORGET = Statement(
    delete(tables.search_value).where(
        tables.search_value.c.type == bindparam("type"), tables.search_value.c.id == bindparam("id")
    )
)


@lru_cache
def _heads(count: int) -> Statement:
    pairs = ", ".join(f"(:type{place}, :id{place})" for place in range(count))
    return Statement(select(tables.resource).where(sql(f"(type, id) IN (VALUES {pairs})")))


def place_of(name: Name, version: int, owner: str) -> str:
    """Return the place a version's body is sealed to."""
    return f"resource:{name[0]}/{name[1]}/{version}:{owner}"


def _version(batch: Batch, one: Drafted, head: Head, at: datetime) -> None:
    row = {
        "version": head.version,
        "owner": one.owner,
        "document": one.document,
        "written_at": at,
        "key_generation": one.generation,
        "sealed": vault.seal(one.key, one.body, place_of(one.name, head.version, one.owner)),
    }
    batch.versions.append(_named(one) | row)


def _named(one: Drafted) -> dict[str, Any]:
    return {"type": one.name[0], "id": one.name[1]}


def _content(one: Drafted, head: Head) -> dict[str, Any]:
    return {"document": one.document, "ordinal": one.ordinal, "version": head.version}


def _without_server_meta(resource: Json) -> Json:
    meta = resource.get("meta")
    if not isinstance(meta, dict) or not any(name in meta for name in SERVER_META):
        return resource
    bare = {name: value for name, value in meta.items() if name not in SERVER_META}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return rest | {"meta": bare} if bare else rest
