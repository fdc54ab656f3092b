"""Reading the card: resources decrypted, with the version and time we stored them at."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, select

from gateway.fhir import text
from gateway.model import Identifier, Json
from gateway.store import tables, vault
from gateway.store.keys import KeyDestroyed
from gateway.store.room import Room, new_id
from gateway.store.statement import Statement
from gateway.store.values import Card
from gateway.store.writing import place_of

MERGES_MAX = 16
"""Length of a chain of merged cards; more means a circle."""


def new_patient_number() -> str:
    """Return a fresh pseudonymous patient number."""
    return new_id()


def cards(room: Room, identifier: Identifier) -> tuple[Card, ...]:
    """Return the cards an identifier is linked to; a number without a card counts."""
    number = _number(room, identifier)
    if number is None:
        return ()
    with room.database.read() as connection:
        row = _CARD.first(connection, number=number)
    try:
        resource = _opened(room, row) if row else None
    except KeyDestroyed:
        resource = None
    return (Card(patient=number, resource=resource),)


def patients_by_identifier(room: Room, identifier: Identifier) -> tuple[str, ...]:
    """Return the numbers with a card that an identifier is linked to."""
    number = _number(room, identifier)
    if number is None:
        return ()
    with room.database.read() as connection:
        row = _CARD.first(connection, number=number)
    return (number,) if row is not None else ()


def owner(room: Room, type: str, id: str) -> str | None:
    """Return whose a current resource is, without opening it."""
    with room.database.read() as connection:
        found = _OWNER.scalar(connection, type=type, id=id)
    return None if found is None else str(found)


def resource(room: Room, type: str, id: str) -> tuple[Json, str] | None:
    """Return a current resource and the number of its patient."""
    with room.database.read() as connection:
        row = _RESOURCE.first(connection, type=type, id=id)
    if row is None:
        return None
    try:
        return _with_meta(_opened(room, row), row), row.owner
    except KeyDestroyed:
        return None


def everything(room: Room, patient: str) -> tuple[Json, ...]:
    """Return every current resource of a patient, the card first, then by type and id."""
    with room.database.read() as connection:
        rows = _EVERYTHING.all(connection, owner=patient)
    try:
        return tuple(_with_meta(_opened(room, row), row) for row in rows)
    except KeyDestroyed:
        return ()


def history(room: Room, type: str, id: str) -> tuple[Json, ...]:
    """Return every version of a resource in the order they were written."""
    with room.database.read() as connection:
        rows = _HISTORY.all(connection, type=type, id=id)
    try:
        return tuple(_with_meta(_opened(room, row), row) for row in rows)
    except KeyDestroyed:
        return ()


def of_document(room: Room, connection: Connection, document: str) -> tuple[Json, ...]:
    """Return the resources of a document in the versions and order it gave them."""
    return tuple(_opened(room, row) for row in _OF_DOCUMENT.all(connection, document=document))


def _number(room: Room, identifier: Identifier) -> str | None:
    tokens = room.identifier_tokens([identifier])
    number = room.keys.linked(tokens).get(tokens[0])
    with room.database.read() as connection:
        for _ in range(MERGES_MAX):
            if number is None:
                return None
            into = _MERGED_INTO.scalar(connection, number=number)
            if into is None:
                return number
            number = into
    raise AssertionError("cards are merged in a circle")


def _current() -> Select[Any]:
    version, head = tables.resource_version, tables.resource
    return (
        select(version)
        .join(
            head,
            and_(
                head.c.type == version.c.type,
                head.c.id == version.c.id,
                head.c.version == version.c.version,
            ),
        )
        .where(~head.c.deleted)
    )


def _of_document() -> Select[Any]:
    version, content = tables.resource_version, tables.document_resource
    same = (content.c[name] == version.c[name] for name in ("type", "id", "version"))
    wanted = select(version).join(content, and_(*same))
    return wanted.where(content.c.document == bindparam("document")).order_by(content.c.ordinal)


_head = tables.resource.c
_OWNER = Statement(
    select(_head.owner).where(
        _head.type == bindparam("type"), _head.id == bindparam("id"), ~_head.deleted
    )
)
_RESOURCE = Statement(
    _current().where(_head.type == bindparam("type"), _head.id == bindparam("id"))
)
_CARD = Statement(
    _current().where(
        _head.type == "Patient",
        _head.id == bindparam("number"),
        _head.owner == bindparam("number"),
    )
)
_EVERYTHING = Statement(
    _current()
    .where(_head.owner == bindparam("owner"))
    .order_by(_head.type != "Patient", _head.type, _head.id)
)
_HISTORY = Statement(
    select(tables.resource_version)
    .where(
        tables.resource_version.c.type == bindparam("type"),
        tables.resource_version.c.id == bindparam("id"),
    )
    .order_by(tables.resource_version.c.version)
)
_OF_DOCUMENT = Statement(_of_document())
_MERGED_INTO = Statement(
    select(tables.patient.c.merged_into).where(tables.patient.c.number == bindparam("number"))
)


def _opened(room: Room, row: Row[Any]) -> Json:
    key = room.keys.key(row.owner, row.key_generation)
    place = place_of((row.type, row.id), row.version, row.owner)
    return text.loads(vault.open_sealed(key, row.sealed, place))


def _with_meta(resource: Json, row: Row[Any]) -> Json:
    said = resource.get("meta")
    written = row.written_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta: Json = {"versionId": str(row.version), "lastUpdated": written}
    meta |= said if isinstance(said, dict) else {}
    first: Json = {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta}
    return first | {name: value for name, value in resource.items() if name not in first}
