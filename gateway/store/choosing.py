"""Cards for a person to choose from, and whose numbers and results are whose.

Nothing here decides: candidates are shown, masked, to an operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import and_, select

from gateway.model import Identifier, Status
from gateway.store import records, tables
from gateway.store.grounds import ON_THE_WAY
from gateway.store.planned import WITHDRAWAL
from gateway.store.room import Room
from gateway.store.values import Card

CANDIDATES_MAX = 20
"""Cards of one birth date that are looked at for a person to choose from."""


def candidates(room: Room, birth_date: date) -> tuple[Card, ...]:
    """Return cards with a birth date, for a person to choose from; never for a machine."""
    token = room.keys.token("search:birthdate", "", birth_date.isoformat())
    value, head = tables.search_value, tables.resource
    with room.database.read() as connection:
        numbers = connection.execute(
            select(value.c.owner)
            .join(head, and_(head.c.type == value.c.type, head.c.id == value.c.id))
            .where(
                value.c.type == "Patient",
                value.c.param == "birthdate",
                value.c.value == token,
                ~head.c.deleted,
            )
            .order_by(value.c.owner)
            .limit(CANDIDATES_MAX)
        ).scalars()
        found = list(dict.fromkeys(numbers))
    return tuple(card for number in found if (card := card_of(room, number)) is not None)


def card_of(room: Room, patient: str) -> Card | None:
    """Return a card by its patient number."""
    found = records.resource(room, "Patient", patient)
    return None if found is None else Card(patient=patient, resource=found[0])


def provisional(room: Room, patient: str) -> bool:
    """Say whether a card still waits for its person's own number."""
    row = tables.patient
    with room.database.read() as connection:
        found = connection.execute(select(row.c.provisional).where(row.c.number == patient))
        return bool(found.scalar())


def own_ground(room: Room, type: str, id: str, organization: str) -> bool:
    """Say whether a document that stands brings an organisation a resource: its own ground."""
    content, delivery, destination = (
        tables.document_resource,
        tables.delivery,
        tables.destination,
    )
    with room.database.read() as connection:
        found = connection.execute(
            select(delivery.c.id)
            .join(content, content.c.document == delivery.c.document)
            .join(destination, destination.c.name == delivery.c.destination)
            .join(tables.document, tables.document.c.id == delivery.c.document)
            .where(
                content.c.type == type,
                content.c.id == id,
                destination.c.organization == organization,
                delivery.c.action != WITHDRAWAL,
                delivery.c.state.in_(ON_THE_WAY),
                tables.document.c.status == Status.ACCEPTED.value,
            )
            .limit(1)
        ).first()
    return found is not None


def linked_elsewhere(
    room: Room, identifiers: Sequence[Identifier], patient: str
) -> tuple[Identifier, ...]:
    """Return those of `identifiers` that lead to another card than `patient`'s."""
    return tuple(
        one
        for one in identifiers
        if any(card.patient != patient for card in records.cards(room, one))
    )
