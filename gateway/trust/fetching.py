"""Octets from the addresses that certificates name: bounded, and never from inside our network.

A certificate comes from a stranger, so its addresses do too.  A host is resolved once, every
address it resolves to must be public, and the connection goes to that very address, so that
no second answer of a name server leads inside.  Redirects are followed by the same rules.
Source: OWASP, Server-Side Request Forgery Prevention; RFC 5280, section 8 (certificates can
name any address); RFC 6890 (special-purpose addresses).
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3

from gateway.deadline import session_until

URL_CHARACTERS_MAX = 2048
REDIRECTS_MAX = 3
CHUNK_BYTES = 64 * 1024
WAIT_FIRST = timedelta(seconds=30)
WAIT_LONGEST = timedelta(hours=1)
HOSTS_MAX = 1000
"""Hosts whose failures are remembered; the oldest goes first."""

SLOW = "slower than the time there is"

PORTS = {"http": 80, "https": 443}
MAPPED = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv4 inside IPv6 (RFC 6052): the last 32 bits are where they lead."""


class NotFetched(Exception):
    """There is nothing to be had from an address now; the message says why."""


@dataclass(frozen=True, kw_only=True)
class WebRules:
    """What may be fetched from where."""

    time_max: timedelta = timedelta(seconds=20)
    """For one document, redirects and slow senders included."""

    hosts: frozenset[str] = frozenset()
    """The only hosts that are asked; empty for any public one."""

    private_hosts: frozenset[str] = frozenset()
    """Hosts that may lie inside our network, at any port."""


class Web:
    """Fetches over HTTP and waits longer after each failure of a host.  Thread-safe."""

    def __init__(self, rules: WebRules, clock: Callable[[], datetime]) -> None:
        self.rules = rules
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def fetch(
        self, url: str, bytes_max: int, body: bytes | None = None, media_type: str = ""
    ) -> bytes:
        """Return what an address answers; with a body it is a POST.  Raises NotFetched."""
        host = self._place(url).hostname or ""
        ready = self.next_try(host)
        if ready is not None:
            raise NotFetched(f"{host} failed; next try at {ready.isoformat()}")
        try:
            octets = self._follow(url, bytes_max, body, media_type)
        except NotFetched:
            self._remember_failure(host)
            raise
        with self._lock:
            self._failed.pop(host, None)
        return octets

    def next_try(self, host: str) -> datetime | None:
        """Return until when a host is left alone; None when it may be asked."""
        with self._lock:
            failed = self._failed.get(host)
        if failed is None or failed[1] <= self._clock():
            return None
        return failed[1]

    def _remember_failure(self, host: str) -> None:
        with self._lock:
            times = self._failed.pop(host, (0, None))[0] + 1
            wait = min(WAIT_FIRST * (1 << min(times - 1, 16)), WAIT_LONGEST)
            self._failed[host] = (times, self._clock() + wait)
            while len(self._failed) > HOSTS_MAX:
                self._failed.popitem(last=False)

    def _follow(self, url: str, bytes_max: int, body: bytes | None, media_type: str) -> bytes:
        ends = time.monotonic() + self.rules.time_max.total_seconds()
        for _ in range(REDIRECTS_MAX + 1):
            place = self._place(url)
            address = self._address(place)
            with _session(place, ends) as session:
                try:
                    answer = _ask(session, place, address, body, media_type, ends)
                    with answer:
                        if not answer.is_redirect:
                            return _read(answer, bytes_max, ends)
                        url = urljoin(url, answer.headers["location"])
                except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                    if time.monotonic() >= ends:
                        raise NotFetched(SLOW) from error
                    raise NotFetched(f"{place.hostname}: {type(error).__name__}") from error
        raise NotFetched(f"{place.hostname}: more than {REDIRECTS_MAX} redirects")

    def _place(self, url: str) -> SplitResult:
        """Return an address taken apart.  Raises NotFetched when it may not be asked."""
        try:
            place = urlsplit(url)
            port = place.port
        except ValueError as error:
            raise NotFetched("not an address") from error
        host = place.hostname or ""
        if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable():
            raise NotFetched("not an address")
        if place.scheme not in PORTS or not host or place.username is not None:
            raise NotFetched("neither http nor https, or with a user's name")
        if self.rules.hosts and host not in self.rules.hosts | self.rules.private_hosts:
            raise NotFetched(f"{host} is not among the hosts to ask")
        if port not in (None, *PORTS.values()) and host not in self.rules.private_hosts:
            raise NotFetched(f"{host}: port {port} is not asked, only 80 and 443")
        return place

    def _address(self, place: SplitResult) -> str:
        """Return the network address of a host.  Raises NotFetched when it is not public."""
        host = place.hostname or ""
        try:
            known = socket.getaddrinfo(host, PORTS[place.scheme], type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotFetched(f"{host} has no address") from error
        found = [str(one[4][0]) for one in known]
        if host not in self.rules.private_hosts and not all(map(is_public, found)):
            raise NotFetched(f"{host} is inside a network")
        return found[0]


def is_public(address: str) -> bool:
    """Return whether a network address lies outside of every private or special network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in MAPPED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _session(place: SplitResult, ends: float) -> requests.Session:
    session = session_until(ends, place.hostname or "")
    # No proxy and no passwords from the environment: they would see, or be sent, more.
    session.trust_env = False
    return session


def _ask(
    session: requests.Session,
    place: SplitResult,
    address: str,
    body: bytes | None,
    media_type: str,
    ends: float,
) -> requests.Response:
    numeric = f"[{address}]" if ":" in address else address
    port = f":{place.port}" if place.port is not None else ""
    headers: Mapping[str, str] = {
        "Host": f"{place.hostname}{port}",
        "Accept-Encoding": "identity",
        "User-Agent": "fhir-gateway",
        **({"Content-Type": media_type} if body is not None else {}),
    }
    left = max(ends - time.monotonic(), 0.001)
    return session.request(
        "GET" if body is None else "POST",
        place._replace(netloc=numeric + port, fragment="").geturl(),
        data=body,
        headers=headers,
        timeout=(left, left),
        stream=True,
        allow_redirects=False,
        verify=True,
    )


def _read(answer: requests.Response, bytes_max: int, ends: float) -> bytes:
    if answer.status_code != requests.codes.ok:
        raise NotFetched(f"status {answer.status_code}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise NotFetched("compressed, though nobody asked for that")
    found = bytearray()
    while chunk := answer.raw.read1(CHUNK_BYTES):
        found += chunk
        if len(found) > bytes_max:
            raise NotFetched(f"more than {bytes_max} bytes")
    if time.monotonic() >= ends:
        raise NotFetched(SLOW)
    stated = answer.headers.get("Content-Length", "")
    if stated.isdigit() and int(stated) != len(found):
        raise NotFetched("cut off")
    return bytes(found)
