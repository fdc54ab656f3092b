"""What every handler of both faces asks about the request at hand.

Flask keeps the request; these functions are the only place that looks things up in it by
name, so a handler reads as a sentence.
"""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from flask import Request, current_app, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.utils import cached_property

from gateway.access import Limiter, Principal, Refused
from gateway.door import intake
from gateway.errors import LANGUAGES

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.store.values import Organization

FAILURES_PER_SECOND = 5
FAILURES_BURST = 50
"""Failed proofs of identity one address may make; each costs us an Argon2 hash."""

BURST_SECONDS = 2
WAITERS_MAX = 16
"""Requests that may wait for a final state at once; each holds a thread of the server."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class DoorRequest(Request):
    """A request whose query may be any bytes: Werkzeug's own fails on those outside UTF-8."""

    @cached_property
    def args(self) -> MultiDict[str, str]:
        query = self.query_string.decode("utf-8", "replace")
        return MultiDict(parse_qsl(query, keep_blank_values=True, errors="replace"))


class Door:
    """What the faces share for the life of the application."""

    def __init__(
        self,
        gateway: Gateway,
        language: str,
        seconds: Callable[[], float],
        line_alive: Callable[[], bool],
    ) -> None:
        """`seconds` is a clock that never goes back, for the rate limits."""
        rate = gateway.settings.limits.requests_per_second
        self.gateway = gateway
        self.language = language
        self.line_alive = line_alive
        self.requests = Limiter(rate, max(1.0, rate * BURST_SECONDS), seconds)
        self.failures = Limiter(FAILURES_PER_SECOND, FAILURES_BURST, seconds)
        self.waiters = threading.BoundedSemaphore(WAITERS_MAX)


def door() -> Door:
    return cast("Door", current_app.extensions["gateway"])


def gateway() -> Gateway:
    return door().gateway


def begin() -> None:
    """Give the request its trace id: the caller's (W3C Trace Context), else a new one."""
    match = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    # Written as a UUID: a bare run of digits is held back from the log as a patient's number.
    g.trace_id = str(uuid.UUID(match[1] if match else secrets.token_hex(16)))
    g.client = None


def trace_id() -> str:
    return cast("str", g.trace_id)


def language() -> str:
    """Return the language to answer in: `?lang=`, else Accept-Language, else the setting."""
    asked = request.args.get("lang", "")
    if asked in LANGUAGES:
        return asked
    return request.accept_languages.best_match(LANGUAGES) or door().language


def principal(*scopes: str) -> Principal:
    """Return who asks, with every one of `scopes`.  Raises Refused (AUTH-1xx, LIM-429)."""
    who = gateway().access.principal(request.headers.get("Authorization"))
    g.client = who.client
    wait = door().requests.take(who.client)
    if wait is not None:
        raise Refused("LIM-429", wait=wait)
    for scope in scopes:
        who.require(scope)
    return who


def organization(who: Principal) -> Organization:
    """Return the organisation `who` speaks for.  Raises Refused (AUTH-102) when it is gone."""
    found = gateway().store.organization(who.organization)
    if found is None:
        raise Refused("AUTH-102")
    return found


def posted(*, any_type: bool = False, only: tuple[str, ...] | None = None) -> intake.Intake:
    """Return what the request's body holds.  Raises Rejected (FMT-1xx, LIM-4xx)."""
    limits = gateway().settings.limits
    return intake.read(
        request.environ,
        limits.body_bytes_max,
        limits.signatures_max,
        any_type=any_type,
        only=only,
    )
