"""The sandbox clinic: a small FHIR server in a process of its own.

It takes transaction Bundles, answers with its own ids, keeps everything in memory, and can be
told to be slow, to be down, to refuse, or to lose its answers (`POST /_control`).  It is no
part of the gateway: it shares only the JSON reader, so that 5.00 stays 5.00.

Source: FHIR R4, http.html#transaction.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import make_server

from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import Json, JsonValue

MEDIA_TYPE = "application/fhir+json"
BODY_BYTES_MAX = 32 * 1024 * 1024
DELAY_SECONDS_MAX = 60.0
MODES = ("up", "down", "slow", "refuse", "lose")
"""`refuse` answers 422; `lose` does the work and answers 504, as if the answer were lost."""


class NotTaken(Exception):
    """The Bundle cannot be taken; the message says why without quoting its content."""


@dataclass
class Clinic:
    """What the clinic holds; everything under one lock."""

    mode: str = "up"
    delay_seconds: float = 0.0
    resources: dict[str, Json] = field(default_factory=dict)
    """By `Type/id`, ids of the clinic's own."""

    answers: dict[str, Json] = field(default_factory=dict)
    """By Idempotency-Key: a repeat gets the first answer again."""

    received: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _number: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def take(self, bundle: Json, key: str) -> Json:
        """Write a transaction Bundle whole or not at all.  Raises NotTaken."""
        with self.lock:
            known = self.answers.get(key) if key else None
            came = {"idempotency_key": key, "taken": False, "types": _types(bundle)}
            self.received.append(came)
            if known is not None:
                return known
            answer = self._write(bundle)
            came["taken"] = True
            if key:
                self.answers[key] = answer
            return answer

    def _write(self, bundle: Json) -> Json:
        entries = _entries(bundle)
        ids = {str(entry["fullUrl"]): self._target(entry) for entry in entries}
        written = {}
        responses: list[JsonValue] = []
        for entry in entries:
            place = ids[str(entry["fullUrl"])]
            resource = entry["resource"]
            assert isinstance(resource, dict)
            content = _resolved(resource, ids, set(self.resources))
            assert isinstance(content, dict)
            written[place] = {**content, "id": place.split("/")[1]}
            status = "200 OK" if place in self.resources else "201 Created"
            responses.append({"response": {"status": status, "location": f"{place}/_history/1"}})
        self.resources.update(written)
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": responses}

    def _target(self, entry: Json) -> str:
        """Return `Type/id` where an entry is written: found by its identifier, or new."""
        resource, demand = entry["resource"], entry["request"]
        assert isinstance(resource, dict)
        assert isinstance(demand, dict)
        kind, _, query = str(demand["url"]).partition("?")
        if kind != resource.get("resourceType"):
            raise NotTaken("request.url names another type than the resource.")
        if demand["method"] == "PUT":
            system, _, value = query.removeprefix("identifier=").partition("|")
            if not value:
                raise NotTaken("PUT is taken only as a conditional update by identifier.")
            for place, known in self.resources.items():
                if place.startswith(f"{kind}/") and _has_identifier(known, system, value):
                    return place
        return f"{kind}/mis-{next(self._number):06d}"


def create_clinic(clinic: Clinic | None = None) -> Flask:
    """Return the clinic's web application."""
    clinic = clinic or Clinic()
    app = Flask("sandbox-clinic")
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.add_url_rule("/", "take", lambda: _take(clinic), methods=["POST"])
    app.add_url_rule("/fhir", "take_fhir", lambda: _take(clinic), methods=["POST"])
    app.add_url_rule("/fhir/metadata", "metadata", lambda: _json(CAPABILITIES))
    app.add_url_rule("/fhir/<kind>/<id>", "read", lambda kind, id: _read(clinic, kind, id))
    app.add_url_rule("/_control", "control", lambda: _control(clinic), methods=["GET", "POST"])
    app.add_url_rule("/_received", "received", lambda: _received(clinic))
    return app


def serve_clinic(port: int, ready: Callable[[str], None]) -> None:
    """Serve a clinic on loopback until interrupted; `ready` is told its FHIR address.

    Loopback only: what it holds looks like patients' data, and it asks nobody who they are.
    """
    server = make_server("127.0.0.1", port, create_clinic(), threaded=True)
    ready(f"http://127.0.0.1:{server.port}/fhir")
    try:
        server.serve_forever()
    finally:
        server.server_close()


CAPABILITIES: Json = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [{"mode": "server", "interaction": [{"code": "transaction"}]}],
}


def _take(clinic: Clinic) -> Response:
    mode = clinic.mode
    if mode == "slow":
        time.sleep(clinic.delay_seconds)
    if mode == "down":
        return _outcome(503, "transient", "The clinic is down.")
    if mode == "refuse":
        return _outcome(422, "business-rule", "The clinic refuses.")
    try:
        bundle = text.loads(request.get_data())
        answer = clinic.take(bundle, request.headers.get("Idempotency-Key", ""))
    except (Rejected, NotTaken) as error:
        return _outcome(422, "invalid", str(error))
    if mode == "lose":
        return _outcome(504, "timeout", "The answer was lost.")
    return _json(answer)


def _read(clinic: Clinic, kind: str, id: str) -> Response:
    resource = clinic.resources.get(f"{kind}/{id}")
    return _json(resource) if resource else _outcome(404, "not-found", "Not here.")


def _control(clinic: Clinic) -> Response:
    """Switch the mode: `{"mode": "slow", "delay": 0.5}`."""
    if request.method == "POST":
        order = request.get_json(silent=True)
        order = order if isinstance(order, dict) else {}
        mode, delay = order.get("mode", clinic.mode), order.get("delay", clinic.delay_seconds)
        if mode not in MODES or isinstance(delay, bool) or not isinstance(delay, int | float):
            return _outcome(400, "invalid", f"mode is one of {', '.join(MODES)}; delay, seconds.")
        clinic.mode, clinic.delay_seconds = mode, min(max(float(delay), 0.0), DELAY_SECONDS_MAX)
    return _json({"mode": clinic.mode, "delay": Decimal(str(clinic.delay_seconds))})


def _received(clinic: Clinic) -> Response:
    """Say what came, by key and type only; the values stay in the resources."""
    with clinic.lock:
        deliveries: list[JsonValue] = [dict(one) for one in clinic.received]
        resources: list[JsonValue] = [*sorted(clinic.resources)]
    return _json({"deliveries": deliveries, "resources": resources})


def _entries(bundle: Json) -> list[Json]:
    entries = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
        raise NotTaken("a Bundle of type transaction is expected.")
    if not isinstance(entries, list) or not entries:
        raise NotTaken("the Bundle has no entries.")
    checked: list[Json] = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("fullUrl"), str):
            raise NotTaken("every entry needs a fullUrl.")
        demand = entry.get("request")
        if not isinstance(entry.get("resource"), dict) or not isinstance(demand, dict):
            raise NotTaken("every entry needs a resource and a request.")
        if demand.get("method") not in ("POST", "PUT") or not isinstance(demand.get("url"), str):
            raise NotTaken("request.method is POST or PUT, and request.url is needed.")
        checked.append(entry)
    return checked


def _resolved(value: JsonValue, ids: dict[str, str], known: set[str]) -> JsonValue:
    """Return `value` with references in place of urns; a dangling one is refused."""
    if isinstance(value, list):
        return [_resolved(item, ids, known) for item in value]
    if not isinstance(value, dict):
        return value
    resolved: Json = {key: _resolved(item, ids, known) for key, item in value.items()}
    reference = value.get("reference")
    if isinstance(reference, str) and not reference.startswith(("#", "http://", "https://")):
        if reference not in ids and reference not in known:
            raise NotTaken("a reference leads to nothing in the Bundle or here.")
        resolved["reference"] = ids.get(reference, reference)
    return resolved


def _types(bundle: Json) -> list[str]:
    entries = bundle.get("entry")
    resources = (
        [e.get("resource") for e in entries if isinstance(e, dict)]
        if isinstance(entries, list)
        else []
    )
    return [str(r.get("resourceType")) for r in resources if isinstance(r, dict)]


def _has_identifier(resource: Json, system: str, value: str) -> bool:
    identifiers = resource.get("identifier")
    return isinstance(identifiers, list) and any(
        isinstance(i, dict) and i.get("system") == system and i.get("value") == value
        for i in identifiers
    )


def _outcome(status: int, code: str, words: str) -> Response:
    issue: JsonValue = {"severity": "error", "code": code, "diagnostics": words}
    return _json({"resourceType": "OperationOutcome", "issue": [issue]}, status)


def _json(value: Json, status: int = 200) -> Response:
    return Response(text.dumps(value), status=status, content_type=MEDIA_TYPE)
