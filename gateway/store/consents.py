"""Stored consents, versioned per patient so that a decision taken earlier can be re-checked.

Whatever changes a patient's consents locks the patient, counts the version up and, in the same
transaction, asks again about every delivery that has not left: what lost its basis is held,
what was held and has one again is released (semantics, rules 9 and 14).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, tuple_, update

from gateway.fhir import text
from gateway.model import Grant, Json
from gateway.store import holds, tables, vault
from gateway.store.keys import LinkedElsewhere
from gateway.store.log import audit_entry
from gateway.store.records import new_patient_number
from gateway.store.room import Room, new_id, write_audit
from gateway.store.statement import Statement, insert_new, insert_rows
from gateway.store.values import (
    ConsentFilter,
    ConsentPage,
    NewConsent,
    Revocation,
    StoredConsent,
)

BIND_TRIES_MAX = 3
"""Two first consents of one patient at once: the second finds the first's number."""

EXPIRED_MAX = 200
"""Consents that one step marks as expired."""

table, provision = tables.consent, tables.consent_provision

_GRANTS = Statement(
    select(
        table.c.id,
        table.c.patient,
        table.c.state,
        table.c.version,
        *(provision.c[name] for name in ("ordinal", "recipient", "purpose", "deny", "tests")),
        provision.c.valid_from,
        provision.c.valid_to,
    )
    .join(provision, provision.c.consent == table.c.id)
    .where(table.c.patient == bindparam("patient"))
    .order_by(table.c.version, table.c.id, provision.c.ordinal)
)
_LOCK = Statement(
    select(tables.patient.c.number)
    .where(tables.patient.c.number == bindparam("patient"))
    .with_for_update()
)


def grants(room: Room, patient: str) -> tuple[Grant, ...]:
    """Return a patient's provisions, oldest first."""
    with room.database.read() as connection:
        return of_patient(connection, patient)


def of_patient(connection: Connection, patient: str) -> tuple[Grant, ...]:
    return tuple(_grant(row) for row in _GRANTS.all(connection, patient=patient))


def locked(connection: Connection, patient: str) -> tuple[Grant, ...]:
    """Lock a patient and return the provisions as they are until the transaction ends."""
    _LOCK.first(connection, patient=patient)
    return of_patient(connection, patient)


def add(room: Room, new: NewConsent, wait: timedelta) -> StoredConsent:
    """Store a consent and release what it lets go; one that refuses waits like a revocation.

    Raises LinkedElsewhere when the identifiers name two patients.
    """
    assert new.identifiers, "a consent is somebody's"
    patient = _patient_of(room, new)
    row = prepared(room, new, patient)
    refuses = new.rejected or any(one.deny for one in new.provisions)

    def transaction(connection: Connection) -> tuple[holds.Flight, ...]:
        write(room, connection, new, row)
        if not refuses:
            return ()
        return holds.in_flight(connection, patient, of_patient(connection, patient), room.clock())

    flights = room.database.write(transaction)
    room.waker.ring("delivery")
    stored = view(room, row["id"], None)
    assert stored is not None
    return replace(stored, in_flight=holds.wait_for(room, flights, wait))


def prepared(room: Room, new: NewConsent, patient: str) -> dict[str, Any]:
    """Return the consent's row but for its version: everything that is made beforehand."""
    now = room.clock()
    id = new.id or new_id(now)
    generation, key = room.keys.owner_key(patient)
    ends = [one.valid_to for one in new.provisions]
    return {
        "id": id,
        "patient": patient,
        "organization": new.organization,
        "state": "rejected" if new.rejected else "active",
        "ends_at": None if None in ends else max((one for one in ends if one), default=None),
        "key_generation": generation,
        "sealed": vault.seal(key, text.dumps(new.resource), f"consent:{id}"),
        "created_at": now,
        "revoked_at": None,
    }


def write(room: Room, connection: Connection, new: NewConsent, row: Mapping[str, Any]) -> None:
    """Write a prepared consent, once, and ask again about the patient's deliveries."""
    now, patient = room.clock(), str(row["patient"])
    version = _next_version(connection, patient, now)
    if not insert_new(connection, table, **{**row, "version": version}):
        return
    insert_rows(
        connection,
        provision,
        [
            {
                "consent": row["id"],
                "ordinal": ordinal,
                "recipient": one.recipient,
                "purpose": one.purpose,
                "deny": one.deny,
                "tests": list(one.tests),
                "valid_from": one.valid_from,
                "valid_to": one.valid_to,
            }
            for ordinal, one in enumerate(new.provisions)
        ],
    )
    recipients = ",".join(sorted({one.recipient for one in new.provisions}))
    detail = {"recipient": recipients, "state": str(row["state"])}
    write_audit(connection, audit_entry(new.actor, "consent.add", str(row["id"]), detail, now))
    holds.ask_again(room, connection, patient, of_patient(connection, patient), now)


def revoke(room: Room, id: str, actor: str, wait: timedelta) -> Revocation:
    """Revoke a consent under its patient's lock.  Raises KeyError.

    From its commit on no delivery starts to leave on this consent.  One whose claim committed
    before may be on the wire; it is waited for, `wait` at the longest.
    """
    now = room.clock()

    def transaction(connection: Connection) -> tuple[int, tuple[holds.Flight, ...]]:
        row = connection.execute(select(table).where(table.c.id == id)).first()
        if row is None:
            raise KeyError(id)
        version = _next_version(connection, row.patient, now)
        revoked = connection.execute(
            update(table)
            .where(table.c.id == id, table.c.state != "revoked")
            .values(state="revoked", revoked_at=now, version=version)
        )
        held = 0
        left = of_patient(connection, row.patient)
        if revoked.rowcount:
            write_audit(connection, audit_entry(actor, "consent.revoke", id, {}, now))
            held = holds.ask_again(room, connection, row.patient, left, now).held
        return held, holds.in_flight(connection, row.patient, left, now)

    held, flights = room.database.write(transaction)
    room.waker.ring("delivery")
    return Revocation(held=held, in_flight=holds.wait_for(room, flights, wait))


def recheck(room: Room) -> int:
    """Mark what has ended as expired and ask again where time changed the answer.

    Returns how many deliveries were held or released.
    """
    now = room.clock()
    with room.database.read() as connection:
        ended = connection.execute(
            select(table.c.id, table.c.patient)
            .where(table.c.state.in_(("active", "rejected")), table.c.ends_at <= now)
            .limit(EXPIRED_MAX)
        ).all()
        waiting = holds.patients_waiting(connection)
    changed = 0
    for patient in sorted({row.patient for row in ended} | set(waiting)):
        over = [row.id for row in ended if row.patient == patient]
        changed += room.database.write(partial(_recheck, room, patient, over))
    if changed:
        room.waker.ring("delivery")
    return changed


def _recheck(room: Room, patient: str, over: Sequence[str], connection: Connection) -> int:
    now = room.clock()
    locked(connection, patient)
    for id in over:
        expired = connection.execute(
            update(table)
            .where(
                table.c.id == id, table.c.state.in_(("active", "rejected")), table.c.ends_at <= now
            )
            .values(state="expired")
        )
        if expired.rowcount:
            _next_version(connection, patient, now)
            write_audit(connection, audit_entry("system", "consent.expire", id, {}, now))
    found = holds.ask_again(room, connection, patient, of_patient(connection, patient), now)
    return found.held + found.released


def view(room: Room, id: str, organizations: tuple[str, ...] | None) -> StoredConsent | None:
    """Return a consent; None when it is not there or not theirs to see."""
    wanted = select(table).where(table.c.id == id)
    if organizations is not None:
        wanted = wanted.where(table.c.organization.in_(organizations))
    with room.database.read() as connection:
        row = connection.execute(wanted).first()
        return None if row is None else _stored(row, _provisions(connection, [row]), room.clock())


def page(room: Room, wanted: ConsentFilter) -> ConsentPage:
    """Return one page of consents, newest first."""
    now = room.clock()
    order = tuple_(table.c.created_at, table.c.id)
    query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc())
    query = query.limit(wanted.limit + 1)
    if wanted.organizations is not None:
        query = query.where(table.c.organization.in_(wanted.organizations))
    if wanted.state == "expired":
        query = query.where(table.c.state != "revoked", table.c.ends_at <= now)
    elif wanted.state is not None:
        query = query.where(table.c.state == wanted.state)
        if wanted.state != "revoked":
            query = query.where(table.c.ends_at.is_(None) | (table.c.ends_at > now))
    if wanted.recipient is not None:
        spoken = select(provision.c.consent).where(provision.c.recipient == wanted.recipient)
        query = query.where(table.c.id.in_(spoken))
    if wanted.cursor is not None:
        last = select(table.c.created_at, table.c.id).where(table.c.id == wanted.cursor)
        query = query.where(order < last.scalar_subquery())
    with room.database.read() as connection:
        rows = connection.execute(query).all()
        found = _provisions(connection, rows)
    items = tuple(_stored(row, found, now) for row in rows[: wanted.limit])
    return ConsentPage(
        items=items, next_cursor=items[-1].id if len(rows) > wanted.limit and items else None
    )


def resource(room: Room, id: str) -> Json:
    """Return the FHIR Consent as it came.  Raises KeyError and KeyDestroyed."""
    with room.database.read() as connection:
        row = connection.execute(select(table).where(table.c.id == id)).first()
    if row is None:
        raise KeyError(id)
    key = room.keys.key(row.patient, row.key_generation)
    return text.loads(vault.open_sealed(key, row.sealed, f"consent:{id}"))


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


def _patient_of(room: Room, new: NewConsent) -> str:
    """Return whose the identifiers are, linking those that are new."""
    tokens = room.identifier_tokens(new.identifiers)
    for left in reversed(range(BIND_TRIES_MAX)):
        known = room.keys.linked(tokens)
        patient = next((known[token] for token in tokens if token in known), None)
        try:
            room.keys.bind(tokens, patient or new_patient_number())
        except LinkedElsewhere:
            if len(set(known.values())) > 1 or not left:
                raise
            continue
        linked = room.keys.linked(tokens)[tokens[0]]
        return _merged(room, linked)
    raise AssertionError("unreachable")


def _merged(room: Room, patient: str) -> str:
    """Return the card a number was merged into, or itself."""
    row = tables.patient
    with room.database.read() as connection:
        into = connection.execute(select(row.c.merged_into).where(row.c.number == patient)).scalar()
    return patient if into is None else _merged(room, str(into))


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


def _provisions(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, list[Row[Any]]]:
    wanted = select(provision).where(provision.c.consent.in_([row.id for row in rows]))
    found: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    for one in connection.execute(wanted.order_by(provision.c.consent, provision.c.ordinal)):
        found[one.consent].append(one)
    return found


def _stored(
    row: Row[Any], provisions: Mapping[str, Iterable[Row[Any]]], now: datetime
) -> StoredConsent:
    over = row.state != "revoked" and row.ends_at is not None and row.ends_at <= now
    state = "expired" if over else row.state
    return StoredConsent(
        id=row.id,
        organization=row.organization,
        state=state,
        grants=tuple(_joined(row, one, state) for one in provisions[row.id]),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def _joined(row: Row[Any], one: Row[Any], state: str) -> Grant:
    return Grant(
        id=row.id,
        patient=row.patient,
        state=state,
        version=row.version,
        ordinal=one.ordinal,
        recipient=one.recipient,
        purpose=one.purpose,
        deny=one.deny,
        tests=tuple(one.tests),
        valid_from=one.valid_from,
        valid_to=one.valid_to,
    )


def _grant(row: Any) -> Grant:
    return _joined(row, row, row.state)
