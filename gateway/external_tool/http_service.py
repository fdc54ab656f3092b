"""A verification service over HTTP (docs/verification-service.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from gateway.deadline import session_until
from gateway.external_tool import protocol
from gateway.external_tool.values import Answer, Asked, ToolFailed

CONNECT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
TOO_MUCH = "an answer too long or too slow"


@dataclass(frozen=True, kw_only=True)
class HttpService:
    """Asks one service; every answer is bounded in time and size, no redirect is followed."""

    name: str
    url: str
    """Where the service is, without the path of the protocol."""

    certified: bool
    timeout: timedelta
    token_file: Path | None = None
    """Holds a bearer token; read for every question, so that it can be changed."""

    ca_file: Path | None = None
    """Certificates to know the service by, in place of the system's."""

    def ask(self, asked: Asked) -> Answer:
        """See `external_tool.values.Service`."""
        ends = time.monotonic() + self.timeout.total_seconds()
        try:
            headers = {
                "Content-Type": protocol.MEDIA_TYPE,
                "Accept": protocol.MEDIA_TYPE,
                "Accept-Encoding": "identity",
            }
            if self.token_file is not None:
                headers["Authorization"] = f"Bearer {self.token_file.read_text('ascii').strip()}"
            with (
                session_until(ends) as session,
                session.post(
                    self.url.rstrip("/") + protocol.PATH,
                    data=protocol.question(asked),
                    headers=headers,
                    timeout=(CONNECT_SECONDS, self.timeout.total_seconds()),
                    allow_redirects=False,
                    stream=True,
                    verify=str(self.ca_file) if self.ca_file else True,
                ) as response,
            ):
                if response.status_code != requests.codes.ok:
                    raise ToolFailed(f"the service answered {response.status_code}")
                octets = _bounded(response, ends)
        except (requests.RequestException, HTTPError, OSError, UnicodeDecodeError) as error:
            if time.monotonic() >= ends:
                raise ToolFailed(TOO_MUCH) from error
            raise ToolFailed(f"no answer ({type(error).__name__})") from error
        return protocol.read_answer(octets)


def _bounded(response: requests.Response, ends: float) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ToolFailed("an answer that is compressed")
    octets = bytearray()
    while chunk := response.raw.read1(CHUNK_BYTES):
        octets += chunk
        if len(octets) > protocol.ANSWER_BYTES_MAX:
            raise ToolFailed(TOO_MUCH)
    if time.monotonic() >= ends:
        raise ToolFailed(TOO_MUCH)
    return bytes(octets)
