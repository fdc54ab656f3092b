"""Whether the gateway lives, whether it can work, and its numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import structlog
from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api.answers import answer, problem
from gateway.api.observe import Metrics
from gateway.door import context
from gateway.model import Problem

DISK_FREE_BYTES_MIN = 256 * 1024 * 1024
"""Below this a keep may fail in the middle of a busy hour; the balancer should look away."""

log = structlog.get_logger("gateway.health")
blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The process answers; nothing else is asked."""
    return answer({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """Each part the gateway cannot work without, and whether it works."""
    parts = {"database": _database, "disk": _disk, "keys": _keys, "worker": _worker}
    checks = {name: _works(name, part) for name, part in parts.items()}
    more = {"checks": {name: "ok" if good else "failed" for name, good in checks.items()}}
    if all(checks.values()):
        return answer({"status": "ok", **more})
    failed = ", ".join(name for name, good in checks.items() if not good)
    return problem([Problem(code="SYS-503", detail={"parts": failed})], 503, more=more)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counters for Prometheus: routes, statuses and codes, nothing about anybody."""
    found: Metrics = current_app.extensions["metrics"]
    return Response(generate_latest(found.registry), content_type=CONTENT_TYPE_LATEST)


def _works(name: str, part: Callable[[], bool]) -> bool:
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, it is not ready
        log.error("http.not_ready", part=name, error=type(error).__name__)
        return False


def _database() -> bool:
    return bool(context.gateway().store.counts() is not None)


def _disk() -> bool:
    return shutil.disk_usage(context.gateway().settings.home).free >= DISK_FREE_BYTES_MIN


def _keys() -> bool:
    gateway = context.gateway()
    return bool(gateway.access.jwks()["keys"] and gateway.receipts.jwks()["keys"])


def _worker() -> bool:
    """The line behind this door, wherever it runs; a door without one has nothing to ask."""
    return context.door().line_alive()
