"""The way to a time-stamping authority, for `gateway sign -T`.

Source: RFC 3161, section 3.4 (time stamps over HTTP).
"""

from __future__ import annotations

import secrets
from urllib.request import getproxies

import requests

from gateway.algorithms.interface import Algorithms
from gateway.cli.output import Failed, Wrong, translated
from gateway.cli.remote import is_near
from gateway.signatures.stamping import Client, Stamp

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
ANSWER_BYTES_MAX = 1 << 20
NONCE_BITS = 64
QUERY = "application/timestamp-query"


def stamper(url: str, digest: str, algorithms: Algorithms) -> Stamp:
    """Return what fetches tokens from the authority at `url`, imprints by `digest`.

    It raises Failed when nobody answers and NotStamped for an answer without a good token.
    Raises Wrong for what is no http(s) address.
    """
    if not url.startswith(("http://", "https://")):
        raise Wrong(f"--tsa {url}: http://, https://")

    def post(request: bytes) -> bytes:
        return _posted(url, request)

    return Client(
        post=post,
        algorithms=algorithms,
        digest=digest,
        nonce=lambda: secrets.randbits(NONCE_BITS),
    ).stamp


def _posted(url: str, request: bytes) -> bytes:
    try:
        with (
            _session(url) as session,
            session.post(
                url,
                data=request,
                headers={"Content-Type": QUERY, "Accept-Encoding": "identity"},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                verify=True,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            answer = response.raw.read(ANSWER_BYTES_MAX + 1)
            status = response.status_code
    except (requests.RequestException, OSError) as error:
        raise _failed(url, type(error).__name__) from error
    if status != requests.codes.ok:
        raise _failed(url, f"HTTP {status}")
    if len(answer) > ANSWER_BYTES_MAX:
        raise _failed(url, translated("слишком длинный ответ", "the answer is too long"))
    return bytes(answer)


def _session(url: str) -> requests.Session:
    session = requests.Session()
    # Proxies may be needed to get out of a hospital; a .netrc would give away a password.
    session.trust_env = False
    session.proxies = {} if is_near(url) else getproxies()
    return session


def _failed(url: str, reason: str) -> Failed:
    return Failed(
        translated(
            f"служба штампов времени {url} не ответила штампом ({reason})",
            f"the time-stamping authority {url} gave no time stamp ({reason})",
        )
    )
