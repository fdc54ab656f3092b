"""The way to a time-stamping authority over HTTP; bounded in time and size.

Source: RFC 3161, section 3.4 (time stamps over HTTP); RFC 7617 (Basic).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
from requests.auth import HTTPBasicAuth

from gateway.algorithms.interface import Algorithms
from gateway.signatures.stamping import Client, NotStamped

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
ANSWER_BYTES_MAX = 1 << 20
CHUNK_BYTES = 64 * 1024
CREDENTIALS_BYTES_MAX = 4096
NONCE_BITS = 64
QUERY = "application/timestamp-query"
TOO_LONG = "the answer is too long"
NEAR = ("127.0.0.1", "localhost", "::1")


class NoAnswer(NotStamped):
    """Nobody answered, or not with a time stamp; another try may bring one."""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A time-stamping authority."""

    url: str
    algorithms: Algorithms
    credentials_file: Path | None = None
    ca_file: Path | None = None

    def client(self, digest: str) -> Client:
        """Return what asks it for tokens with imprints by `digest`."""
        return Client(
            post=self.post,
            algorithms=self.algorithms,
            digest=digest,
            nonce=lambda: secrets.randbits(NONCE_BITS),
        )

    def stamp_over(self, digest: str, imprint: bytes) -> bytes:
        """Return a token over what has this digest.  Raises NotStamped."""
        return self.client(digest).stamp_over(imprint)

    def post(self, request: bytes) -> bytes:
        """Send a TimeStampReq (DER) and return the answer.  Raises NoAnswer."""
        if self.ca_file is not None and not self.ca_file.is_file():
            raise NoAnswer(f"ca_file: {self.ca_file.name}")
        ends = time.monotonic() + ANSWER_SECONDS
        try:
            with (
                self._session() as session,
                session.post(
                    self.url,
                    data=request,
                    headers={"Content-Type": QUERY, "Accept-Encoding": "identity"},
                    timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                    verify=str(self.ca_file) if self.ca_file else True,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                if response.status_code != requests.codes.ok:
                    raise NoAnswer(f"HTTP {response.status_code}")
                return _read(response, ends)
        except (requests.RequestException, OSError) as error:
            raise NoAnswer(type(error).__name__) from error

    def _session(self) -> requests.Session:
        session = requests.Session()
        # Proxies may be needed to get out of a hospital; a .netrc would give away a password.
        session.trust_env = False
        session.proxies = {} if urlsplit(self.url).hostname in NEAR else getproxies()
        if self.credentials_file is not None:
            user, _, password = _credentials(self.credentials_file).partition(":")
            session.auth = HTTPBasicAuth(user.encode(), password.encode())
        return session


def _credentials(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(CREDENTIALS_BYTES_MAX).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoAnswer(f"credentials_file: {file.name}") from error


def _read(response: requests.Response, ends: float) -> bytes:
    found = bytearray()
    while chunk := response.raw.read1(CHUNK_BYTES):
        found += chunk
        if len(found) > ANSWER_BYTES_MAX:
            raise NoAnswer(TOO_LONG)
        if time.monotonic() > ends:
            raise NoAnswer("the answer is too slow")
    return bytes(found)
