"""Who takes part: organisations, their clients, and the destinations of deliveries."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, delete, insert, select

from gateway.model import Destination, Identifier
from gateway.store import tables, vault
from gateway.store.room import Room
from gateway.store.values import Client, Organization


def put_organization(room: Room, organization: Organization) -> None:
    """Add or replace an organisation."""
    _put(room, tables.organization, "id", msgspec.to_builtins(organization))


def organization(room: Room, id: str) -> Organization | None:
    row = _one(room, tables.organization, "id", id)
    return None if row is None else _organization(row)


def organizations(room: Room) -> tuple[Organization, ...]:
    return tuple(_organization(row) for row in _all(room, tables.organization, "id"))


def put_client(room: Room, client: Client) -> None:
    """Add or replace a client."""
    _put(room, tables.client, "id", msgspec.to_builtins(client))


def client(room: Room, id: str) -> Client | None:
    row = _one(room, tables.client, "id", id)
    return None if row is None else _client(row)


def clients(room: Room) -> tuple[Client, ...]:
    return tuple(_client(row) for row in _all(room, tables.client, "id"))


def put_destination(room: Room, destination: Destination) -> None:
    """Add or replace a destination; its options may hold passwords, so they are sealed."""
    plain = msgspec.json.encode(destination.options)
    sealed = vault.seal(
        room.keys.system_key("destination"), plain, f"destination:{destination.name}"
    )
    row = {
        "name": destination.name,
        "kind": destination.kind,
        "organization": destination.organization,
        "options": sealed,
    }
    _put(room, tables.destination, "name", row)


def destinations(room: Room) -> tuple[Destination, ...]:
    return tuple(_destination(room, row) for row in _all(room, tables.destination, "name"))


def destination(room: Room, name: str) -> Destination | None:
    row = _one(room, tables.destination, "name", name)
    return None if row is None else _destination(room, row)


def _put(room: Room, table: Table, key: str, row: dict[str, Any]) -> None:
    def transaction(connection: Connection) -> None:
        connection.execute(delete(table).where(table.c[key] == row[key]))
        connection.execute(insert(table).values(row))

    room.database.write(transaction)


def _one(room: Room, table: Table, key: str, value: str) -> Row[Any] | None:
    with room.database.read() as connection:
        return connection.execute(select(table).where(table.c[key] == value)).first()


def _all(room: Room, table: Table, key: str) -> list[Row[Any]]:
    with room.database.read() as connection:
        return list(connection.execute(select(table).order_by(table.c[key])).all())


def _organization(row: Row[Any]) -> Organization:
    return Organization(
        id=row.id,
        name=row.name,
        kind=row.kind,
        identifiers=msgspec.convert(row.identifiers, tuple[Identifier, ...]),
        allow_unsigned=row.allow_unsigned,
    )


def _client(row: Row[Any]) -> Client:
    return Client(
        id=row.id,
        name=row.name,
        organization=row.organization,
        role=row.role,
        secret_hash=row.secret_hash,
        jwks=row.jwks,
        disabled=row.disabled,
    )


def _destination(room: Room, row: Row[Any]) -> Destination:
    key = room.keys.system_key("destination")
    options = vault.open_sealed(key, row.options, f"destination:{row.name}")
    return Destination(
        name=row.name,
        kind=row.kind,
        organization=row.organization,
        options=msgspec.json.decode(options, type=dict[str, str]),
    )
