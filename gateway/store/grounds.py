"""What lets an organisation read a card.

Source: semantics, rule 8.
"""

from __future__ import annotations

from sqlalchemy import select

from gateway.consent.decision import decide
from gateway.model import DeliveryState, Status
from gateway.store import consents, tables
from gateway.store.room import Room

GROUNDS = ("order", "care")
"""Bases of a delivery that give its receiver a ground to read the card."""

ON_THE_WAY = tuple(
    state.value
    for state in (
        DeliveryState.WAITING,
        DeliveryState.SENDING,
        DeliveryState.DELIVERED,
        DeliveryState.REGISTERED,
    )
)
"""States of a delivery that its receiver has or is about to have."""


def has_ground(room: Room, patient: str, organization: str) -> bool:
    """Return whether a consent in force, an order or care lets an organisation read the card.

    A consent to some tests is carried out by deliveries; it opens no card.  An order or care
    is what a delivery of a document that stands leaves on: whoever was told that a report is
    withdrawn, or another patient's, or is now another clinic's, was given no newer one.
    """
    now, delivery, destination = room.clock(), tables.delivery, tables.destination
    involved = (
        select(delivery.c.id)
        .join(destination, destination.c.name == delivery.c.destination)
        .join(tables.document, tables.document.c.id == delivery.c.document)
        .where(
            delivery.c.patient == patient,
            destination.c.organization == organization,
            delivery.c.basis.in_(GROUNDS),
            delivery.c.state.in_(ON_THE_WAY),
            tables.document.c.status == Status.ACCEPTED.value,
        )
    )
    with room.database.read() as connection:
        said = consents.of_patient(connection, patient)
        if connection.execute(involved.limit(1)).first() is not None:
            return True
    answers = (decide(said, organization, purpose, now) for purpose in {g.purpose for g in said})
    return any(answer.permitted and not answer.partial for answer in answers)
