"""The HTTP application: the faces joined to one gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask

from gateway.api import (
    capabilities,
    checks,
    consents,
    docs,
    headers,
    health,
    items,
    observe,
    receipts,
    refusals,
    repairs,
    replays,
    submissions,
    token,
)
from gateway.api.answers import IdConverter
from gateway.door import context
from gateway.fhir_api import blueprint as fhir_blueprint
from gateway.fhir_api import outcome

if TYPE_CHECKING:
    from gateway.app import Gateway

ROOMS = (
    submissions,
    receipts,
    repairs,
    replays,
    checks,
    consents,
    items,
    capabilities,
    token,
    health,
    docs,
)


class Application(Flask):
    """Flask that logs a fault without quoting it: a message may hold a patient's data."""

    def log_exception(self, exc_info: Any) -> None:
        """Leave it to `refusals`, which writes the type and the place only."""


def create_app(
    gateway: Gateway,
    language: str = "ru",
    seconds: Callable[[], float] = time.monotonic,
    line_alive: Callable[[], bool] | None = None,
) -> Flask:
    """Return the WSGI application of `gateway`; it speaks `language` unless asked otherwise.

    `seconds` is a clock that never goes back, for the rate limits.  `line_alive` says whether
    the line behind this door works; without it, whether the gateway's own threads do.
    """
    app = Application("gateway.api", static_folder=None)
    app.request_class = context.DoorRequest
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters |= {
        "key": IdConverter,
        "fhir_id": outcome.IdConverter,
        "fhir_type": outcome.TypeConverter,
    }
    app.extensions["gateway"] = context.Door(
        gateway, language, seconds, line_alive or gateway.workers.alive
    )
    app.extensions["metrics"] = metrics = observe.Metrics(
        gateway.store.counts, gateway.store.awaited_authorities
    )
    app.before_request(context.begin)
    observe.watch(app, metrics)
    headers.guard(app)
    refusals.install(app)
    for room in ROOMS:
        app.register_blueprint(room.blueprint)
    app.register_blueprint(fhir_blueprint)
    return app
