"""Stored consents, versioned per patient so that a decision taken earlier can be re-checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from gateway.fhir import text
from gateway.model import DeliveryState, Identifier, Json
from gateway.store import tables, vault
from gateway.store.database import insert_new
from gateway.store.log import audit_entry
from gateway.store.records import new_patient_number
from gateway.store.room import Room, new_id, write_audit
from gateway.store.values import Grant

GROUNDS = ("order", "care")
"""Bases of a delivery that give its receiver a ground to read the card."""

table = tables.consent


@dataclass(frozen=True, kw_only=True)
class NewGrant:
    identifiers: tuple[Identifier, ...]
    recipient: str
    purpose: str
    valid_from: datetime
    valid_to: datetime | None
    resource: Json
    actor: str


def grants(room: Room, patient: str) -> tuple[Grant, ...]:
    """Return a patient's consents, oldest first."""
    with room.database.read() as connection:
        rows = connection.execute(
            select(table).where(table.c.patient == patient).order_by(table.c.version)
        ).all()
    return tuple(_grant(row) for row in rows)


def add(room: Room, new: NewGrant) -> Grant:
    """Store a consent.  Raises LinkedElsewhere when the identifiers name two patients."""
    assert new.identifiers, "a consent is somebody's"
    now, id = room.clock(), new_id(room.clock())
    tokens = room.identifier_tokens(new.identifiers)
    known = room.keys.linked(tokens)
    patient = next((known[token] for token in tokens if token in known), new_patient_number())
    room.keys.bind(tokens, patient)
    generation, key = room.keys.owner_key(patient)
    sealed = vault.seal(key, text.dumps(new.resource), f"consent:{id}")
    audit = audit_entry(new.actor, "consent.add", id, {"recipient": new.recipient}, now)

    def transaction(connection: Connection) -> Row[Any]:
        connection.execute(
            insert(table).values(
                id=id,
                patient=patient,
                recipient=new.recipient,
                purpose=new.purpose,
                state="active",
                valid_from=new.valid_from,
                valid_to=new.valid_to,
                version=_next_version(connection, patient, now),
                key_generation=generation,
                sealed=sealed,
                created_at=now,
                revoked_at=None,
            )
        )
        write_audit(connection, audit)
        return connection.execute(select(table).where(table.c.id == id)).one()

    return _grant(room.database.write(transaction))


def revoke(room: Room, id: str, actor: str) -> None:
    """Revoke a consent under its patient's lock.  Raises KeyError."""
    now = room.clock()

    def transaction(connection: Connection) -> None:
        row = connection.execute(select(table).where(table.c.id == id)).first()
        if row is None:
            raise KeyError(id)
        version = _next_version(connection, row.patient, now)
        revoked = connection.execute(
            update(table)
            .where(table.c.id == id, table.c.state != "revoked")
            .values(state="revoked", revoked_at=now, version=version)
        )
        if revoked.rowcount:
            write_audit(connection, audit_entry(actor, "consent.revoke", id, {}, now))

    room.database.write(transaction)


def version(room: Room, patient: str) -> int:
    """Return the version of a patient's consents."""
    row = tables.patient
    with room.database.read() as connection:
        return int(
            connection.execute(
                select(row.c.consent_version).where(row.c.number == patient)
            ).scalar()
            or 0
        )


def has_ground(room: Room, patient: str, organization: str) -> bool:
    """Return whether a consent in force, an order or care lets an organisation read."""
    now, delivery, destination = room.clock(), tables.delivery, tables.destination
    consented = select(table.c.id).where(
        table.c.patient == patient,
        table.c.recipient == organization,
        table.c.state == "active",
        table.c.valid_from <= now,
        or_(table.c.valid_to.is_(None), table.c.valid_to > now),
    )
    involved = (
        select(delivery.c.id)
        .join(destination, destination.c.name == delivery.c.destination)
        .where(
            delivery.c.patient == patient,
            destination.c.organization == organization,
            delivery.c.basis.in_(GROUNDS),
            delivery.c.state != DeliveryState.HELD.value,
        )
    )
    with room.database.read() as connection:
        return any(
            connection.execute(question.limit(1)).first() is not None
            for question in (consented, involved)
        )


def _next_version(connection: Connection, patient: str, now: datetime) -> int:
    """Lock the patient and count up: whoever decided on an older version must ask again."""
    row = tables.patient
    insert_new(
        connection,
        row,
        number=patient,
        version=0,
        consent_version=0,
        provisional=False,
        merged_into=None,
        created_at=now,
    )
    connection.execute(
        update(row).where(row.c.number == patient).values(consent_version=row.c.consent_version + 1)
    )
    return int(
        connection.execute(
            select(row.c.consent_version).where(row.c.number == patient)
        ).scalar_one()
    )


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        id=row.id,
        patient=row.patient,
        recipient=row.recipient,
        purpose=row.purpose,
        state=row.state,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        version=row.version,
    )
