"""The way to a time-stamping authority, for `gateway sign -T`."""

from __future__ import annotations

from gateway.algorithms.interface import Algorithms
from gateway.cli.output import Failed, Wrong, translated
from gateway.evidence.authority import TOO_LONG, Authority, NoAnswer
from gateway.signatures.stamping import Stamp


def stamper(url: str, digest: str, algorithms: Algorithms) -> Stamp:
    """Return what fetches tokens from the authority at `url`, imprints by `digest`.

    It raises Failed when nobody answers and NotStamped for an answer without a good token.
    Raises Wrong for what is no http(s) address.
    """
    if not url.startswith(("http://", "https://")):
        raise Wrong(f"--tsa {url}: http://, https://")
    client = Authority(url=url, algorithms=algorithms).client(digest)

    def stamp(octets: bytes) -> bytes:
        try:
            return client.stamp(octets)
        except NoAnswer as error:
            raise _failed(url, str(error)) from error

    return stamp


def _failed(url: str, reason: str) -> Failed:
    if reason == TOO_LONG:
        reason = translated("слишком длинный ответ", TOO_LONG)
    return Failed(
        translated(
            f"служба штампов времени {url} не ответила штампом ({reason})",
            f"the time-stamping authority {url} gave no time stamp ({reason})",
        )
    )
