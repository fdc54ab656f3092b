"""What a destination plug-in promises: one file in this room per kind of destination."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol, cast

from gateway import registry
from gateway.model import Answer, Delivery


class Kind(Protocol):
    """A module that delivers to one kind of destination."""

    NAME: str

    def check_options(self, options: Mapping[str, str]) -> dict[str, str]:
        """Return the destination's options, defaults filled in.

        Raises ValueError that names the option, what was found and what is expected.
        """

    def patience(self, options: Mapping[str, str]) -> timedelta:
        """Return how long one `send` may take at the most; the claim is held as long."""

    def send(self, delivery: Delivery, options: Mapping[str, str]) -> Answer:
        """Deliver once and return the destination's answer.

        A repeat of the same `delivery.id` must not make a second record there (idempotency
        key).  Raises TryLater (DLV-1xx) when it may work later; a refusal by the
        destination is an Answer with state REFUSED, not an error.
        """


def kinds() -> dict[str, Kind]:
    """Return the kinds of destination in this room by name."""
    names = ("check_options", "patience", "send")
    return cast("dict[str, Kind]", registry.discover("gateway.destinations", names))
