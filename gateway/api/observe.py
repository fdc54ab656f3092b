"""What an operator sees of requests: one log line each, and counters for Prometheus.

Neither holds a path, a query or a header: identifiers of patients travel in those.  The route's
template, the client's id, the status and the code say enough to find the rest by trace id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger("gateway.http")

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNMATCHED = "unmatched"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class StoreCounts(Collector):
    """The store's own counts, read when Prometheus asks."""

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("gateway_items", "What the store holds.", labels=["kind"])
        for kind, number in sorted(self._counts().items()):
            family.add_metric([kind], number)
        yield family

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily("gateway_items", "What the store holds.", labels=["kind"])]


class AuthoritiesWaitedFor(Collector):
    """Submissions that wait for an authority's revocation list, read when Prometheus asks."""

    def __init__(self, waiting: Callable[[], Mapping[str, int]]) -> None:
        self._waiting = waiting

    def collect(self) -> Iterable[Metric]:
        (family,) = self.describe()
        for issuer, number in sorted(self._waiting().items()):
            family.add_metric([issuer], number)
        yield family

    def describe(self) -> list[GaugeMetricFamily]:
        text = "Submissions that wait for this CA's revocation list."
        return [GaugeMetricFamily("gateway_ca_waiting", text, labels=["issuer"])]


class Metrics:
    """Counters of one application, in a registry of its own."""

    def __init__(
        self, counts: Callable[[], Mapping[str, int]], waiting: Callable[[], Mapping[str, int]]
    ) -> None:
        """`counts` are the store's, `waiting` the submissions by the authority they await."""
        self.registry = CollectorRegistry()
        self.registry.register(StoreCounts(counts))
        self.registry.register(AuthoritiesWaitedFor(waiting))
        labels = ["method", "route", "status"]
        self.requests = Counter(
            "gateway_http_requests", "Requests answered.", labels, registry=self.registry
        )
        self.seconds = Histogram(
            "gateway_http_seconds",
            "Time to answer, in seconds.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refusals = Counter(
            "gateway_http_refusals", "Requests refused, by code.", ["code"], registry=self.registry
        )


def watch(app: Flask, metrics: Metrics) -> None:
    """Log and count every request of `app`."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        route = request.url_rule.rule if request.url_rule else UNMATCHED
        method = request.method if request.method in METHODS else "OTHER"
        metrics.requests.labels(method, route, str(response.status_code)).inc()
        metrics.seconds.labels(route).observe(seconds)
        code = g.get("code")
        if code:
            metrics.refusals.labels(code).inc()
        log.info(
            "http.request",
            method=method,
            route=route,
            http_status=response.status_code,
            code=code,
            ms=round(seconds * 1000, 1),
            client=g.get("client"),
            trace_id=g.get("trace_id"),
        )
        return response


def fault(error: BaseException | None, trace_id: str | None) -> None:
    """Log a fault of ours; `gateway.logs` writes its type and place, never its message."""
    log.error("http.fault", exc_info=error, trace_id=trace_id)
