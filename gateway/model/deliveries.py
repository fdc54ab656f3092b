"""What goes out: deliveries, answers and our receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.model.words import DeliveryState, Json


@dataclass(frozen=True, kw_only=True)
class PlannedDelivery:
    """A delivery as routing plans it, with the basis it may leave on."""

    destination: str
    basis: str
    consent: str = ""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where deliveries go.  `options` are those of its kind, checked when it was set up."""

    name: str
    kind: str
    organization: str
    """Id of the receiving organisation."""

    options: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One document on its way to one destination."""

    id: str
    document: str
    submission: str
    destination: str
    patient: str
    attempt: int
    """Number of this attempt, from 1."""

    basis: str
    """What it may leave on: `order`, `consent`, `care`, … (semantics, rule 9)."""

    resources: tuple[Json, ...]
    partial: bool = False
    """The consent lets some of the document's results go: these are the rest without them."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a destination gave us; evidence for the delivery receipt."""

    state: DeliveryState
    """DELIVERED, REGISTERED or REFUSED."""

    reference: str
    """The destination's own id for what it took."""

    evidence: bytes
    """The answer's exact bytes."""

    media_type: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A statement of ours, signed (JWS compact)."""

    number: str
    kind: str
    """`accepted`, `registered`, `refused` or `delivered`."""

    jws: str
    issued_at: datetime
