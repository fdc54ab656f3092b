"""Delivery to a clinic's FHIR server: one transaction Bundle per document.

The receiver gives its own ids, so every resource travels under its urn:uuid with that same
urn as an identifier, and is written by conditional update: a repeat or a correction finds what
an earlier delivery made.  Provenance has no identifier in R4, so it is created; against doubles
of it (and to be repeated safely as a whole) the request carries `Idempotency-Key`.

Source: FHIR R4, http.html#transaction, #cond-update; draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from gateway.errors import Rejected, TryLater
from gateway.fhir import text
from gateway.model import Answer, Delivery, DeliveryState, Json, JsonValue, Problem

NAME = "fhir_rest"

MEDIA_TYPE = "application/fhir+json"
CONNECT_SECONDS = 5.0
TIMEOUT_SECONDS_DEFAULT = 20.0
TIMEOUT_SECONDS_MAX = 600.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024

URN_SYSTEM = "urn:ietf:rfc:3986"
WITHOUT_IDENTIFIER = frozenset({"Provenance", "Binary", "Bundle"})
"""R4 types that cannot carry a list of identifiers, so cannot be updated conditionally."""

REFUSED_BY_CONTENT = frozenset({400, 409, 412, 413, 415, 422})
"""The receiver read it and will not take it; anything else may be better later."""

OUR_REFERENCE = re.compile(r"(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9.-]{1,64})")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OPTIONS = (
    "url",
    "timeout_seconds",
    "ca_file",
    "cert_file",
    "key_file",
    "token_file",
    "plain_http",
    "withdrawals",
)
"""`withdrawals = no` for a receiver that does not understand entered-in-error: the gateway then
sends it none and asks a person to tell it."""

_thread = threading.local()


def patience(options: Mapping[str, str]) -> timedelta:
    """Return the longest a `send` takes; see `destinations.interface`."""
    # The connection comes on top; the answer's deadline counts from its start.
    return timedelta(seconds=CONNECT_SECONDS + 2 * _timeout(options))


def check_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options with defaults; see `destinations.interface`."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise ValueError(f"{unknown[0]} is not an option; expected {', '.join(OPTIONS)}.")
    checked = {
        "url": _checked_url(options),
        "timeout_seconds": options.get("timeout_seconds", str(TIMEOUT_SECONDS_DEFAULT)),
    }
    _timeout(checked)
    for name in ("ca_file", "cert_file", "key_file", "token_file"):
        if value := options.get(name):
            if not Path(value).is_file():
                raise ValueError(f"{name} is {value!r}, which is not a file.")
            checked[name] = value
    if ("cert_file" in checked) != ("key_file" in checked):
        raise ValueError("cert_file and key_file go together; one of them is missing.")
    withdrawals = options.get("withdrawals", "yes")
    if withdrawals not in ("yes", "no"):
        raise ValueError(f"withdrawals is {withdrawals!r}; expected 'yes' or 'no'.")
    if withdrawals == "no":
        checked["withdrawals"] = withdrawals
    if options.get("plain_http"):
        checked["plain_http"] = options["plain_http"]
    return checked


def send(delivery: Delivery, options: Mapping[str, str]) -> Answer:
    """Deliver once; see `destinations.interface`."""
    body = text.dumps(transaction(delivery.resources))
    try:
        status, media_type, octets = _post(delivery, options, body)
    except requests.RequestException as error:
        raise _later(delivery, "DLV-101", cause=type(error).__name__) from error
    if status in REFUSED_BY_CONTENT:
        return Answer(
            state=DeliveryState.REFUSED, reference="", evidence=octets, media_type=media_type
        )
    if not 200 <= status < 300:
        raise _later(delivery, "DLV-102", status=str(status))
    entries = _answered_entries(octets)
    if entries is None or len(entries) != len(delivery.resources):
        raise _later(delivery, "DLV-103", status=str(status))
    return _answer(delivery, entries, octets, media_type)


def transaction(resources: tuple[Json, ...]) -> Json:
    """Return the transaction Bundle that writes `resources` under the receiver's own ids."""
    names = {f"{r['resourceType']}/{r['id']}": f"urn:uuid:{r['id']}" for r in resources}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(resource, names) for resource in resources],
    }


def _entry(resource: Json, names: Mapping[str, str]) -> JsonValue:
    kind = str(resource["resourceType"])
    urn = names[f"{kind}/{resource['id']}"]
    content = {key: _renamed(value, names) for key, value in resource.items()}
    # The receiver gives its own id and version.
    del content["id"]
    if isinstance(meta := content.get("meta"), dict):
        content["meta"] = {k: v for k, v in meta.items() if k not in ("versionId", "lastUpdated")}
    if kind in WITHOUT_IDENTIFIER:
        request: Json = {"method": "POST", "url": kind}
    else:
        own = content.get("identifier")
        others = own if isinstance(own, list) else []
        content["identifier"] = [*others, {"system": URN_SYSTEM, "value": urn}]
        request = {"method": "PUT", "url": f"{kind}?identifier={URN_SYSTEM}|{urn}"}
    return {"fullUrl": urn, "resource": content, "request": request}


def _renamed(value: JsonValue, names: Mapping[str, str]) -> JsonValue:
    """Return `value` with references the receiver can follow.

    One to a resource of this delivery becomes its urn; one to anything else of ours becomes a
    logical reference by the same urn, since our ids mean nothing there.
    """
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    renamed: Json = {key: _renamed(item, names) for key, item in value.items()}
    reference = value.get("reference")
    if isinstance(reference, str) and reference in names:
        renamed["reference"] = names[reference]
    elif isinstance(reference, str) and (ours := OUR_REFERENCE.fullmatch(reference)):
        del renamed["reference"]
        renamed["type"] = ours["type"]
        renamed.setdefault("identifier", {"system": URN_SYSTEM, "value": f"urn:uuid:{ours['id']}"})
    return renamed


def _post(delivery: Delivery, options: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
    timeout = _timeout(options)
    deadline = time.monotonic() + timeout
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Accept": MEDIA_TYPE,
        "Idempotency-Key": delivery.id,
    }
    if token_file := options.get("token_file"):
        headers["Authorization"] = f"Bearer {Path(token_file).read_text('ascii').strip()}"
    response = _session().post(
        options["url"],
        data=body,
        headers=headers,
        timeout=(min(CONNECT_SECONDS, timeout), timeout),
        verify=options.get("ca_file", True),
        cert=_client_certificate(options),
        allow_redirects=False,
        stream=True,
    )
    with response:
        octets = b"".join(_limited(response, deadline))
    return response.status_code, response.headers.get("Content-Type", ""), octets


def _limited(response: requests.Response, deadline: float) -> Iterator[bytes]:
    """Yield the answer's bytes; an answer too long or too slow is no answer."""
    size = 0
    try:
        # What is there, not a whole chunk: a drip would fill one for hours.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > ANSWER_BYTES_MAX:
                raise requests.exceptions.ContentDecodingError("the answer is too long")
            # The timeout of requests counts from byte to byte; a drip would never end.
            if time.monotonic() > deadline:
                raise requests.ReadTimeout("the answer took too long")
            yield chunk
    except HTTPError as error:
        raise requests.ConnectionError("the answer broke off") from error


def _session() -> requests.Session:
    """Return this thread's connection pool: a Session is not safe to share."""
    session: requests.Session | None = getattr(_thread, "session", None)
    if session is None:
        session = requests.Session()
        # Neither a .netrc nor proxy variables of the environment decide where data goes.
        session.trust_env = False
        _thread.session = session
    return session


def _answered_entries(octets: bytes) -> list[Json] | None:
    """Return the entries of a transaction-response; None for anything else."""
    try:
        answer = text.loads(octets)
    except Rejected:
        return None
    if answer.get("type") != "transaction-response":
        return None
    entries = answer.get("entry", [])
    if not isinstance(entries, list):
        return None
    responses = [e.get("response") if isinstance(e, dict) else None for e in entries]
    return [response if isinstance(response, dict) else {} for response in responses]


def _answer(delivery: Delivery, responses: list[Json], octets: bytes, media_type: str) -> Answer:
    taken = all(str(response.get("status", "")).startswith("2") for response in responses)
    places = [str(response.get("location", "")) for response in responses]
    kinds = [resource["resourceType"] for resource in delivery.resources]
    # The report's own id there is what a person asks the clinic about.
    main = kinds.index("DiagnosticReport") if "DiagnosticReport" in kinds else 0
    return Answer(
        state=DeliveryState.DELIVERED if taken else DeliveryState.REFUSED,
        reference=places[main] if places else "",
        evidence=octets,
        media_type=media_type,
    )


def _later(delivery: Delivery, code: str, **detail: str) -> TryLater:
    return TryLater(Problem(code=code, detail={"destination": delivery.destination, **detail}))


def _checked_url(options: Mapping[str, str]) -> str:
    url = options.get("url", "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url is {url!r}; expected an https address of a FHIR server.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("url may not hold a user, a password, a query or a fragment.")
    plain = options.get("plain_http", "")
    if plain not in ("", "yes"):
        raise ValueError(f"plain_http is {plain!r}; expected 'yes' or nothing.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK and plain != "yes":
        raise ValueError("url is plain http to another machine; use https, or plain_http = yes.")
    return url


def _timeout(options: Mapping[str, str]) -> float:
    written = options.get("timeout_seconds", str(TIMEOUT_SECONDS_DEFAULT))
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= TIMEOUT_SECONDS_MAX:
        raise ValueError(
            f"timeout_seconds is {written!r}; expected more than 0 and up to"
            f" {TIMEOUT_SECONDS_MAX:.0f}."
        )
    return seconds


def _client_certificate(options: Mapping[str, str]) -> tuple[str, str] | None:
    if "cert_file" in options:
        return options["cert_file"], options["key_file"]
    return None
