"""Writing resources: sealed before the transaction, versioned inside it.

What is expensive (printing, comparing, sealing, extracting search rows) is done before the
transaction, on the versions as they were read then.  In the transaction, under the patient's
lock, the versions are read again; only where one moved is the work done again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
    latest: int
    """The highest version given out; above `version` where one came late."""

    deleted: bool
    """Not in default reads and searches; its versions stay."""


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
    late: bool = False
    """A version for history: what is current stays current."""

    withdrawn: bool = False
    """Becomes the current version and leaves default reads; no content of its document."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The rows that a set of drafts makes on top of certain heads."""

    heads: dict[Name, Head]
    created: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    raised: list[dict[str, Any]] = field(default_factory=list)
    """Resources that only got a version for history."""

    versions: list[dict[str, Any]] = field(default_factory=list)
    search: list[dict[str, Any]] = field(default_factory=list)
    contents: list[dict[str, Any]] = field(default_factory=list)


def draft(
    room: Room,
    resources: Iterable[Json],
    owner: str,
    document: str,
    *,
    late: bool = False,
    withdrawn: bool = False,
) -> list[Drafted]:
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
                search=[] if late or withdrawn else search_rows(room, bare),
                late=late,
                withdrawn=withdrawn,
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
        (row.type, row.id): Head(
            owner=row.owner,
            version=row.version,
            digest=row.digest,
            latest=row.latest,
            deleted=row.deleted,
        )
        for row in _heads(len(names)).all(connection, **values)
    }


def prepare(drafts: list[Drafted], heads: dict[Name, Head], at: datetime) -> Batch:
    """Return the rows to write.  Same content makes no new version."""
    batch = Batch(heads=heads)
    now = dict(heads)
    makers: dict[Name, Drafted] = {}
    for one in drafts:
        head = now.get(one.name)
        if head is not None and head.owner != one.owner:
            raise OwnerMismatch(one.name)
        if head is not None and _says_it(head, one):
            version = head.version
        else:
            version = head.latest + 1 if head else 1
            _version(batch, one, version, at)
            if one.late and head is not None:
                now[one.name] = replace(head, latest=version)
            else:
                # A document may hold a resource twice, or two documents one: the last stands.
                makers[one.name] = one
                now[one.name] = Head(
                    owner=one.owner,
                    version=version,
                    digest=one.digest,
                    latest=version,
                    deleted=one.late or one.withdrawn,
                )
        if not one.withdrawn:
            batch.contents.append(_named(one) | _content(one, version))
    for name, head in now.items():
        if head is heads.get(name):
            continue
        named = {"type": name[0], "id": name[1]}
        if name not in makers:
            batch.raised.append(named | {"latest": head.latest})
            continue
        row = named | {
            "owner": head.owner,
            "version": head.version,
            "digest": head.digest,
            "latest": head.latest,
            "deleted": head.deleted,
        }
        batch_rows = batch.created if name not in heads else batch.changed
        batch_rows.append(row)
        batch.search.extend({"owner": head.owner} | named | one for one in makers[name].search)
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
    for row in batch.raised:
        mine = {"type": row["type"], "id": row["id"]}
        update_rows(connection, table, mine, {"latest": row["latest"]})
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


def hide(connection: Connection, names: Iterable[Name]) -> None:
    """Take resources out of default reads and searches; every version stays."""
    for name in names:
        mine = {"type": name[0], "id": name[1]}
        update_rows(connection, tables.resource, mine, {"deleted": True})
        _FORGET.run(connection, **mine)


def _says_it(head: Head, one: Drafted) -> bool:
    """Say whether the current version is this one already."""
    return head.digest == one.digest and (one.late or head.deleted == one.withdrawn)


def _version(batch: Batch, one: Drafted, version: int, at: datetime) -> None:
    row = {
        "version": version,
        "owner": one.owner,
        "document": one.document,
        "written_at": at,
        "key_generation": one.generation,
        "sealed": vault.seal(one.key, one.body, place_of(one.name, version, one.owner)),
    }
    batch.versions.append(_named(one) | row)


def _named(one: Drafted) -> dict[str, Any]:
    return {"type": one.name[0], "id": one.name[1]}


def _content(one: Drafted, version: int) -> dict[str, Any]:
    return {"document": one.document, "ordinal": one.ordinal, "version": version}


def _without_server_meta(resource: Json) -> Json:
    meta = resource.get("meta")
    if not isinstance(meta, dict) or not any(name in meta for name in SERVER_META):
        return resource
    bare = {name: value for name, value in meta.items() if name not in SERVER_META}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return rest | {"meta": bare} if bare else rest
